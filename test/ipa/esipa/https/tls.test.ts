import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { httpsLink } from '../../../../host-sim/cli/https-link.js';
import { RealClock, VirtualClock } from '../../../../host-sim/clock.js';
import { Eim, serveHttp } from '../../../../host-sim/eim/index.js';
import type { RunningRspHttp } from '../../../../host-sim/http/index.js';
import {
  type Credential,
  makeEimTls,
  makePki,
  type Pki,
  pem,
  pkcs8,
} from '../../../../host-sim/pki/index.js';
import { seeded } from '../../../../host-sim/random.js';
import { MemoryStore } from '../../../../host-sim/store.js';
import type { EimConfiguration, TrustedTls } from '../../../../ipa/es10/index.js';
import type { HttpsLink } from '../../../../ipa/esipa/https/index.js';
import type { IpaEvent } from '../../../../ipa/events.js';

const NAME = 'eim.example.com';
const EID = '89049032123451234512345678901235';
const poll = Buffer.from(`bf4f125a10${EID}`, 'hex');
const any = () => true;
const now = Date.now();
const day = 86_400_000;

describe('whom the link trusts', () => {
  let pki: Pki;
  let good: Credential;
  let expired: Credential;
  let other: Credential;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
    pki = await makePki({ eid: EID, eims, now, random: seeded(3) });
    good = makeEimTls(pki.ci!, NAME, now);
    other = makeEimTls(pki.ci!, 'other.example.com', now);
    expired = makeEimTls(pki.ci!, NAME, now, now - 2 * day);
  });
  afterEach(async () => {
    while (closing.length > 0) await closing.pop()?.();
  });

  const spki = ({ certificate }: Credential): TrustedTls => ({
    kind: 'publicKey',
    der: Uint8Array.from(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })),
  });
  const whole = (certificate: Uint8Array): TrustedTls => ({ kind: 'certificate', der: certificate });

  async function serve(credential: Credential): Promise<RunningRspHttp & { polls: () => number }> {
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock: new VirtualClock(),
      random: seeded(1),
    });
    const tls = {
      cert: pem('CERTIFICATE', credential.certificate),
      key: pem('PRIVATE KEY', pkcs8(credential.privateKey)),
    };
    const running = await serveHttp({ eim, tls });
    closing.push(() => running.close());
    return Object.assign(running, { polls: () => eim.devices().length });
  }

  function reach(url: string, trustedTls: TrustedTls | undefined, binding: 'asn1' | 'json' = 'asn1') {
    const eim: EimConfiguration = {
      eimId: NAME,
      eimFqdn: NAME,
      protocols: 0x80,
      indirectProfileDownload: false,
      way: 0,
      trustedTls,
    };
    const events: IpaEvent[] = [];
    const link: HttpsLink = httpsLink(eim, {
      https: { binding, routes: { [NAME]: url } },
      timer: new RealClock(),
      random: seeded(1),
      observe: (event) => events.push(event),
    });
    link.resume();
    closing.push(() => link.close());
    return { link, events };
  }

  it.each([
    ['its key', () => spki(good)],
    ['its certificate', () => whole(good.certificate)],
    ['its CA', () => whole(pki.ciCertificates[0])],
  ])('%s: one connection for several exchanges, in both bindings', async (_what, trust) => {
    for (const binding of ['asn1', 'json'] as const) {
      const eim = await serve(good);
      const { link } = reach(eim.url, trust(), binding);
      for (let i = 0; i < 3; i++)
        expect(Buffer.from(await link.exchange(poll, any)).toString('hex')).toMatch(/^bf4f/);
      expect(eim.connections).toBe(1);
    }
  });

  it.each([
    ['another key', () => good, () => spki(other), /another key.*SHA-256 [0-9a-f]{64}/],
    ['another CA', () => good, () => whole(pki.eims[0].certificate), /another key/],
    [
      'none: the roots of this computer',
      () => good,
      () => undefined,
      /expected TLS with a valid certificate for eim/,
    ],
    [
      'its CA, but it has expired',
      () => expired,
      () => whole(pki.ciCertificates[0]),
      /expired.*expected TLS with/,
    ],
    [
      'its key, but it has expired',
      () => expired,
      () => spki(expired),
      /valid from .* expected TLS with the key/,
    ],
  ])('refuses a server when A6 has %s', async (_what, credential, trust, why) => {
    const eim = await serve(credential());
    const { link, events } = reach(eim.url, trust());
    await expect(link.exchange(poll, any)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(why),
    });
    expect(eim.polls()).toBe(0);
    const lost = events.filter((event) => event.event === 'link' && event.state === 'lost');
    expect(lost).toMatchObject([{ detail: expect.stringMatching(why) }]);
    expect(link.connected).toBe(false);
  });

  it('refuses a plain answer, and sends nothing but the beginning of TLS', async () => {
    const heard: string[] = [];
    const server = createServer((incoming) => heard.push(incoming.url ?? ''));
    server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const { link } = reach(`https://127.0.0.1:${port}`, spki(good));
    await expect(link.exchange(poll, any)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/is not the one that is expected.*expected TLS with the key/),
    });
    expect(heard).toEqual([]);
  });
});
