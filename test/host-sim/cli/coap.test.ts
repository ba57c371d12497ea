import { afterAll, describe, expect, it } from 'vitest';
import { type Line, Shell } from './run.js';

const EID = '89049032123451234512345678901235';
const BETA = '89099970000000000025';
const PSK = 'device:00112233445566778899aabbccddeeff';

const idle = (line: Line) => line.event === 'state' && line.state === 'idle';

describe.each(['coap', 'coaps'] as const)('eIM and device over %s', (transport) => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it('an order that is fetched, and one that is injected', async () => {
    const ports = ['--broker-port', '0', '--control-port', '0', '--coap', '0', '--coaps', '0'];
    const serve = shell.start('eim', 'serve', ...ports, '--psk', PSK);
    const serving = await serve.line((line) => line.event === 'eim-serving');
    const control = String(serving.controlUrl);
    const url = String(transport === 'coaps' ? serving.coapsUrl : serving.coapUrl);
    expect(url.startsWith(`${transport}://127.0.0.1:`)).toBe(true);
    const key = transport === 'coaps' ? ['--psk', PSK] : [];
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

describe('mistakes about CoAP', () => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it.each([
    [['eim', 'serve', '--coaps', '0'], '--coaps and --psk belong together'],
    [['eim', 'serve', '--coaps', '0', '--psk', 'x:1'], 'IDENTITY:KEY'],
    [['device', '--transport', 'coaps'], '--psk belong together'],
    [['device', '--transport', 'coap,coaps'], 'one link'],
  ])('%j', async (args, text) => {
    const { status, stderr } = await shell.run(...args);
    expect([status, stderr]).toEqual([1, expect.stringContaining(text)]);
  });
});
