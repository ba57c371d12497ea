import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Shell } from './run.js';

const EID = '89049032123451234512345678901235';

describe('mistakes of users', () => {
  const shell = new Shell();
  /** A port that is in use, by something that says nothing. */
  let busy: Server;
  let port = 0;
  /** A port where nothing listens. */
  let closed = 0;

  const listen = async (server: Server): Promise<number> => {
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  };

  beforeAll(async () => {
    const gone = createServer();
    closed = await listen(gone);
    await new Promise((done) => {
      gone.close(done);
    });
    busy = createServer();
    port = await listen(busy);
    const file = (name: string, text: string) => writeFileSync(join(shell.dir, name), text);
    file('broken.json', '{');
    file(
      'seeds.json',
      '[{"iccid":"89000101000000000018","imsi":"001010000000001"}, {"iccid":"x","imsi":"00101"}]',
    );
    file('two.json', JSON.stringify(['18', '26'].map((end) => ({ ...seed, iccid: seed.iccid + end }))));
    mkdirSync(join(shell.dir, 'damaged', 'pki'), { recursive: true });
    await shell.run('pki', 'make', '--out', 'pki');
    writeFileSync(join(shell.dir, 'damaged', 'card.cbor'), 'hello');
  });
  const seed = { iccid: '890001010000000000', imsi: '001010000000001', enabled: true };

  afterAll(async () => {
    busy.close();
    await shell.close();
  });

  /** What is run, and what the message has to say. */
  const cases: [name: string, args: () => string[], says: RegExp][] = [
    ['no broker', () => ['device', '--broker', `mqtt://127.0.0.1:${closed}`], /nothing listens there; check/],
    ['no URL of a broker', () => ['device', '--broker', 'http://x'], /mqtt:\/\/ or mqtts:\/\//],
    ['a missing certificate', () => ['device', '--ca', 'no.pem'], /the CA file no\.pem cannot be read/],
    ['an unknown personality', () => ['modem', '--personality', 'nokia'], /there are generic, csim-only/],
    ['a broker port in use', () => ['eim', 'serve', '--broker-port', `${port}`], /in use.*--broker-port/],
    [
      'a control port in use',
      () => ['eim', 'serve', '--broker-port', '0', '--control-port', `${port}`],
      /in use.*--control-port/,
    ],
    ['a modem port in use', () => ['modem', '--listen', `tcp://127.0.0.1:${port}`], /in use, choose another/],
    ['no address to listen on', () => ['modem', '--listen', '7000'], /write tcp:\/\/127\.0\.0\.1:PORT/],
    [
      'no modem',
      () => ['card', 'show', '--modem', `tcp://127.0.0.1:${closed}`],
      /ECONNREFUSED.*xs-ipa modem/,
    ],
    ['no tty', () => ['card', 'show', '--modem', '/dev/no-such-tty'], /no modem at .*check the path/],
    ['no eIM', () => ['eim', 'rat', '--eim', `http://127.0.0.1:${closed}`], /xs-ipa eim serve/],
    ['a bad ICCID', () => ['eim', 'enable', '--iccid', '12'], /18 to 20 decimal digits/],
    ['a bad EID', () => ['eim', 'rat', '--eid', '12'], /32 decimal digits/],
    ['a missing operand', () => ['eim', 'delete'], /--iccid <digits>.* not specified/],
    ['a missing file', () => ['eim', 'add-eim', '--configuration', 'no.der'], /there is no such file/],
    ['no configuration', () => ['eim', 'add-eim', '--configuration', 'broken.json'], /begins with 30/],
    ['a missing folder', () => ['eim', 'serve', '--pki', 'nowhere'], /pki make --out nowhere/],
    ['an unknown eIM', () => ['eim', 'serve', '--pki', 'pki', '--eim-id', 'x'], /only eim\.example\.com/],
    [
      'keys without DTLS',
      () => ['eim', 'serve', '--broker-port', `${port}`, '--psk', 'a:00112233'],
      /--psk belongs to --coaps/,
    ],
    [
      'trust in a server that is not there',
      () => ['eim', 'serve', '--broker-port', `${port}`, '--coaps-trust', 'key'],
      /--coaps-trust belongs to --coaps/,
    ],
    [
      'a route of another scheme',
      () => ['device', '--transport', 'coaps', '--route', 'eim.example.com=coap://127.0.0.1'],
      /does not say where a server is: write NAME=coaps:\/\/HOST:PORT/,
    ],
    [
      'a route for CoAP without CoAP',
      () => ['device', '--transport', 'https', '--route', 'eim.example.com=coaps://127.0.0.1'],
      /belongs to --transport coap or coaps/,
    ],
    [
      'a route for HTTPS without HTTPS',
      () => ['device', '--transport', 'coap', '--route', 'eim.example.com=https://127.0.0.1'],
      /belongs to --transport https or https-json/,
    ],
    ['half a TLS', () => ['eim', 'serve', '--tls-cert', 'x'], /needs --tls-cert and --tls-key/],
    ['a wildcard', () => ['eim', 'serve', '--topics', 'a/+'], /no topic prefix/],
    ['a folder that is not empty', () => ['pki', 'make', '--out', 'pki'], /not empty.*--force/],
    ['no JSON', () => ['modem', '--profiles', 'broken.json'], /broken\.json is not JSON/],
    [
      'a bad profile',
      () => ['modem', '--profiles', 'seeds.json'],
      /"iccid" of entry 2 has to be a text of 18/,
    ],
    ['two enabled profiles', () => ['modem', '--profiles', 'two.json'], /only one profile can be enabled/],
    ['no card', () => ['card', 'show', '--state', 'empty'], /there is no virtual eUICC in empty/],
    [
      'a damaged card',
      () => ['card', 'show', '--state', 'damaged', '--pki', 'pki'],
      /card\.cbor: .*cannot be read; remove the file/,
    ],
    ['an unknown option', () => ['device', '--frob'], /unknown option '--frob'/],
    ['an option almost right', () => ['device', '--brokr', 'x'], /unknown option '--brokr' \(Did you mean/],
    ['an unknown command', () => ['frobnicate'], /unknown command 'frobnicate'/],
    ['unknown quirks', () => ['device', '--quirks', 'nope'], /'nope' is invalid.*generic.*quectel-eg95/],
    ['a way that is none', () => ['card', 'show', '--access', 'usb'], /Allowed choices are auto, csim, cgla/],
    ['a personality that is none', () => ['demo', '--personality', 'nope'], /there are generic, csim-only/],
    ['no transport', () => ['demo', '--transport', 'sms'], /choices are mqtt, mqtts, coap, coaps, https/],
    [
      'a broker without MQTT',
      () => ['demo', '--transport', 'coap', '--broker', 'mqtt://127.0.0.1'],
      /--broker is for mqtt and mqtts; leave it out with --transport coap/,
    ],
    [
      "a broker's scheme and another transport",
      () => ['demo', '--transport', 'mqtt', '--broker', 'mqtts://127.0.0.1'],
      /is a broker for mqtts, not for mqtt/,
    ],
    [
      'two forms of one link',
      () => ['demo', '--transport', 'coap', '--backup-transport', 'coaps'],
      /coap and coaps are two forms of one link.*name another --backup-transport/,
    ],
    [
      'a configuration of another kind',
      () => ['device', '--eim-configuration', '3003020101'],
      /3003020101 is no EimConfigurationData: .*; `npx xs-ipa eim configuration` makes one/,
    ],
    [
      'no broker for the demo',
      () => ['demo', '--broker', `mqtt://127.0.0.1:${closed}`],
      /nothing listens there; check --broker/,
    ],
    [
      'no broker for an eIM',
      () => ['eim', 'serve', '--broker', `mqtt://127.0.0.1:${closed}`],
      /nothing listens there; check --broker/,
    ],
  ];

  it.concurrent.each(cases)('%s', async (name, args, says) => {
    // A folder for each that keeps something, so that they can run side by side.
    const keeps = ['device', 'modem', 'serve'].some((command) => args().slice(0, 2).includes(command));
    const { status, stdout, stderr } = await shell.run(...args(), ...(keeps ? ['--state', name] : []));
    // Notes of what was made on the way may come before.
    const lines = stderr.trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(says);
    for (const line of lines) expect(line).toMatch(/^xs-ipa: (?!error)/);
    expect(status).toBe(1);
    expect(stdout).not.toMatch(/[Ee]rror/);
  });

  it.concurrent.each([
    ['of a command', ['card', 'show', '--state', 'empty'], /there is no virtual eUICC in empty/],
    ['of an option', ['device', '--frob'], /^unknown option '--frob'; add --help/],
    ['of a value', ['eim', 'rat', '--eid', '12'], /32 decimal digits; add --help/],
    ['of a missing option', ['pki', 'make'], /^required option '--out <dir>' not specified; add --help/],
    ['of an unknown command', ['frobnicate'], /^unknown command 'frobnicate'/],
  ])('with --json the error %s is one JSON object', async (_, args, says) => {
    const { status, stdout, stderr } = await shell.run(...args, '--json');
    const message = expect.stringMatching(says);
    expect([status, JSON.parse(stdout), stderr]).toEqual([1, { event: 'error', code: 'usage', message }, '']);
  });

  it('are none of --help and --version, which know the package and what is required', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await shell.run('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const help = await shell.run('pki', 'make', '--help');
    expect([help.status, help.stdout]).toEqual([0, expect.stringMatching(/--out <dir> .*\(required\)$/m)]);
    const device = await shell.run('device', '--help');
    expect(device.stdout).toMatch(/\(default: mqtt\)/);
    expect(device.stdout).not.toMatch(/default: \[/);
    const order = await shell.run('eim', 'enable', '--help');
    expect(order.stdout).toMatch(/--iccid <digits> .*\(required\)$/m);
  });

  it('two commands do not share one eUICC', async () => {
    const modem = shell.start('modem', '--listen', 'tcp://127.0.0.1:0', '--state', 'one', '--pki', 'pki');
    const { url, eid } = await modem.line((line) => line.event === 'modem-listening');
    expect(eid).toBe(EID);
    const second = await shell.run(
      'modem',
      '--listen',
      'tcp://127.0.0.1:0',
      '--state',
      'one',
      '--pki',
      'pki',
    );
    expect([second.status, second.stderr]).toEqual([1, expect.stringMatching(/in use by process \d+/)]);
    const show = await shell.run('card', 'show', '--modem', String(url));
    expect(show.stdout).toMatch(new RegExp(`^EID +${EID}$`, 'm'));
    expect(show.stdout).toMatch(/^89000101000000000018 +enabled +operational +Alpha Mobile/m);
    expect(await modem.stop()).toBe(0);
    const kept = await shell.json('card', 'show', '--state', 'one', '--pki', 'pki');
    expect(kept).toMatchObject({ status: 0, value: { eid: EID, eims: [] } });
  });
});
