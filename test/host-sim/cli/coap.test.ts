import { afterAll, describe, expect, it } from 'vitest';
import { type Line, Shell } from './run.js';

const EID = '89049032123451234512345678901235';
const BETA = '89099970000000000025';
const PSK = 'device:00112233445566778899aabbccddeeff';

const idle = (line: Line) => line.event === 'state' && line.state === 'idle';

describe.each([
  ['coap', 'coap', []],
  ['coaps with a pre-shared key', 'coaps', ['--psk', PSK]],
  ["coaps with the eIM's key", 'coaps', []],
] as const)('eIM and device over %s', (_what, transport, key) => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it('an order that is fetched, and one that is injected', async () => {
    const ports = ['--broker-port', '0', '--control-port', '0', '--coap', '0', '--coaps', '0'];
    const serve = shell.start('eim', 'serve', ...ports, ...key);
    const serving = await serve.line((line) => line.event === 'eim-serving');
    const control = String(serving.controlUrl);
    const url = String(transport === 'coaps' ? serving.coapsUrl : serving.coapUrl);
    expect(url.startsWith(`${transport}://127.0.0.1:`)).toBe(true);
    const device = shell.start(
      'device',
      ...['--transport', transport, '--route', `eim.example.com=${url}`, ...key],
      ...['--eim-configuration', control],
      ...['--speed', '10', '--baud', '0', '--poll-interval', '60'],
    );
    await device.line(idle);
    const order = (...args: string[]) => shell.json('eim', ...args, '--eim', control, '--eid', EID);
    expect(await order('list-profiles', '--inject')).toMatchObject({ status: 0, value: { ok: true } });
    expect(await order('enable', '--iccid', BETA)).toMatchObject({ status: 0, value: { ok: true } });
  });
});

describe('an eIM for devices elsewhere', () => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it('listens on the address that it is given, but for its control port', async () => {
    const ports = [
      '--broker-port',
      '0',
      '--control-port',
      '0',
      '--https',
      '0',
      '--coap',
      '0',
      '--coaps',
      '0',
    ];
    const serve = shell.start('eim', 'serve', '--host', '127.0.0.2', ...ports, '--psk', PSK);
    const serving = await serve.line((line) => line.event === 'eim-serving');
    const { brokerUrl, httpsUrl, coapUrl, coapsUrl, controlUrl } = serving;
    expect([brokerUrl, httpsUrl, coapUrl, coapsUrl, controlUrl]).toEqual(
      [
        'mqtt://127.0.0.2',
        'https://127.0.0.2',
        'coap://127.0.0.2',
        'coaps://127.0.0.2',
        'http://127.0.0.1',
      ].map((url) => expect.stringMatching(new RegExp(`^${url}:\\d+$`))),
    );
    const device = shell.start(
      'device',
      ...['--transport', 'coaps', '--psk', PSK, '--route', `eim.example.com=${coapsUrl}`],
      ...['--eim-configuration', String(controlUrl), '--speed', '10', '--baud', '0'],
    );
    await device.line(idle);
  });

  it('on every address is reached on loopback', async () => {
    const ports = ['--broker-port', '0', '--control-port', '0'];
    const serve = shell.start('eim', 'serve', '--state', 'every', '--host', '0.0.0.0', ...ports);
    const serving = await serve.line((line) => line.event === 'eim-serving');
    expect(serving.brokerUrl).toMatch(/^mqtt:\/\/127\.0\.0\.1:/);
  });
});

describe('mistakes about CoAP', () => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it.each([
    [['eim', 'serve', '--psk', PSK], '--psk belongs to --coaps'],
    [
      ['eim', 'serve', '--coaps-cert', 'x', '--coaps-key', 'x'],
      '--coaps-cert and --coaps-key belong to --coaps',
    ],
    [['eim', 'serve', '--coaps', '0', '--coaps-cert', 'x'], '--coaps-cert and --coaps-key belong together'],
    [['eim', 'serve', '--https', '0', '--coaps', '0', '--coaps-trust', 'system'], 'key or certificate'],
    [['eim', 'serve', '--coaps', '0', '--psk', 'x:1'], 'IDENTITY:KEY'],
    [['eim', 'serve', '--host', '192.0.2.1', '--broker-port', '0'], 'no broker on 192.0.2.1'],
    [['device', '--psk', PSK], '--psk belongs to --transport coaps'],
    [['device', '--transport', 'coap,coaps'], 'one link'],
  ])('%j', async (args, text) => {
    const { status, stderr } = await shell.run(...args);
    expect([status, stderr]).toEqual([1, expect.stringContaining(text)]);
  });
});
