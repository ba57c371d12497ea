import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../host-sim/clock.js';
import { type ConfigurationOptions, Eim } from '../../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { type Identity, identity } from '../../hal/node/identity.js';
import { wrongServer } from '../../support/wrong-server.js';
import { type Line, Shell } from './run.js';

const EID = '89049032123451234512345678901235';
const NAME = 'eim.example.com';
const IN_THE_CLEAR = 'HTTP/1.1 400 Bad Request\r\n\r\n';

describe('a device whose server is not the one that is expected', () => {
  const shell = new Shell();
  const closing: (() => unknown)[] = [];
  let pki: Pki;
  let ca: Identity;
  let good: Identity;
  let expired: Identity;
  let foreign: Identity;

  beforeAll(async () => {
    pki = await makePki({
      eid: EID,
      eims: [{ eimId: NAME, eimIdType: 2, eimFqdn: NAME }],
      now: Date.now(),
      random: seeded(1),
    });
    ca = await identity('The CA', { ca: true });
    good = await identity(NAME, { issuer: ca });
    expired = await identity(NAME, { issuer: ca, from: -5 });
    foreign = await identity(NAME);
    writeFileSync(join(shell.dir, 'ca.pem'), ca.cert);
  });
  afterAll(async () => {
    await shell.close();
    for (const close of closing) await close();
  });

  async function serve(shown: Identity | string) {
    const server = await wrongServer(shown);
    closing.push(server.close);
    return server;
  }

  function configuration(options: Pick<ConfigurationOptions, 'protocols' | 'trustedTls'>): string {
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock: new VirtualClock(),
      random: seeded(2),
    });
    return Buffer.from(eim.eimConfiguration({ token: true, ...options })).toString('hex');
  }

  /** Three failures of the link to the eIM, with pauses that grow. */
  async function failures(args: readonly string[]): Promise<Line[]> {
    const device = shell.start('device', ...args, '--speed', '10', '--baud', '0', '--poll-interval', '600');
    const found: Line[] = [];
    for (let from = 0; found.length < 3; ) {
      const one = await device.line((line) => line.event === 'failure' && line.where === 'link', from);
      found.push(one);
      from = device.lines.indexOf(one) + 1;
    }
    expect(await device.stop()).toBe(0);
    const pauses = found.map(({ retryIn }) => Number(retryIn));
    // 5 s, 10 s, 20 s, each of them or up to a half less.
    for (const [i, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(2_500 * 2 ** i);
      expect(pause).toBeLessThanOrEqual(5_000 * 2 ** i);
    }
    return found;
  }

  type Trust = ConfigurationOptions['trustedTls'];
  const key = ({ spki }: Identity): Trust => ({ publicKey: Uint8Array.from(spki) });
  const certificate = ({ der }: Identity): Trust => ({ certificate: Uint8Array.from(der) });
  const https: [name: string, shown: () => Identity | string, trust: () => Trust, says: RegExp][] = [
    [
      'another key',
      () => foreign,
      () => key(good),
      /another key.*expected TLS with the key .*SHA-256 [0-9a-f]{64}/,
    ],
    ['another CA', () => foreign, () => certificate(ca), /self-signed.*expected TLS with .*CN=The CA/],
    [
      'a CA of tests',
      () => good,
      () => undefined,
      /expected TLS with a valid certificate for eim\.example\.com/,
    ],
    ['an expired certificate', () => expired, () => certificate(ca), /expired.*expected TLS/],
    ['an expired key', () => expired, () => key(expired), /valid from .*expected TLS/],
    ['an answer in the clear', () => IN_THE_CLEAR, () => key(good), /expected TLS with the key/],
  ];

  it.concurrent.each(https)('HTTPS: %s', async (name, shown, trust, says) => {
    const { port, secret, plain } = await serve(shown());
    const found = await failures([
      ...['--state', `https ${name}`, '--transport', 'https', '--route', `${NAME}=https://127.0.0.1:${port}`],
      ...['--eim-configuration', configuration({ protocols: ['eimRetrieveHttps'], trustedTls: trust() })],
    ]);
    for (const failure of found)
      expect(failure).toMatchObject({ code: 'refused', detail: expect.stringMatching(says) });
    expect(secret).toEqual([]);
    expect(Buffer.concat(plain).includes('POST')).toBe(false);
  });

  const mqtt: [name: string, shown: () => Identity | string, says: RegExp][] = [
    ['another CA', () => foreign, /self-signed.*expected TLS with .*CN=The CA.*check --broker/],
    ['an expired certificate', () => expired, /expired.*expected TLS with .*CN=The CA/],
    ['an answer in the clear', () => IN_THE_CLEAR, /expected TLS with .*CN=The CA/],
  ];

  it.concurrent.each(mqtt)('MQTT over TLS: %s', async (name, shown, says) => {
    const { port, secret, plain } = await serve(shown());
    const broker = `mqtts://localhost:${port}`;
    const { status, stderr } = await shell.run(
      'device',
      '--broker',
      broker,
      '--ca',
      'ca.pem',
      '--state',
      `mqtt ${name}`,
    );
    expect([status, stderr.trimEnd().split('\n').at(-1)]).toEqual([1, expect.stringMatching(says)]);
    expect(secret).toEqual([]);
    expect(Buffer.concat(plain).includes('MQTT')).toBe(false);
  });

  it('CoAP over DTLS: another pre-shared key', async () => {
    const ports = ['--broker-port', '0', '--control-port', '0', '--coaps', '0'];
    const serve = shell.start(
      'eim',
      'serve',
      '--state',
      'psk',
      ...ports,
      '--psk',
      `device:${'00'.repeat(16)}`,
    );
    const { coapsUrl } = await serve.line((line) => line.event === 'eim-serving');
    const found = await failures([
      ...['--state', 'coaps', '--transport', 'coaps', '--route', `${NAME}=${coapsUrl}`],
      ...['--psk', `device:${'11'.repeat(16)}`],
      ...['--eim-configuration', configuration({ protocols: ['eimRetrieveCoaps'] })],
    ]);
    for (const { detail } of found) expect(detail).toMatch(/pre-shared key|PSK/);
    expect(serve.lines.filter((line) => line.event === 'eim')).toEqual([]);
  });
});
