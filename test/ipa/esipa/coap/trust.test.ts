import { X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dtlsCertificate } from '../../../../hal/node/dtls/index.js';
import { coapLink } from '../../../../host-sim/cli/coap-link.js';
import { ownTls } from '../../../../host-sim/cli/eim-tls.js';
import { RealClock } from '../../../../host-sim/clock.js';
import { CoapEim, CoapsDoor, Eim } from '../../../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../../../host-sim/pki/index.js';
import { seeded } from '../../../../host-sim/random.js';
import { MemoryStore } from '../../../../host-sim/store.js';
import type { EimConfiguration, TrustedTls } from '../../../../ipa/es10/index.js';
import type { IpaEvent } from '../../../../ipa/events.js';

const NAME = 'eim.example.com';
const EID = '89049032123451234512345678901235';
const poll = Buffer.from(`bf4f125a10${EID}`, 'hex');
const any = () => true;
const now = Date.now();

describe('whom the CoAP link trusts', () => {
  let pki: Pki;
  let own: X509Certificate;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
    pki = await makePki({ eid: EID, eims, now, random: seeded(3) });
    own = new X509Certificate(ownTls({ credentials: pki.eims[0], pki, now }).cert);
  });
  afterEach(async () => {
    while (closing.length > 0) await closing.pop()?.();
  });

  async function reach(trustedTls: TrustedTls | undefined) {
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock: new RealClock(),
      random: seeded(1),
    });
    const coap = new CoapEim({ eim, port: 0 });
    await coap.open();
    closing.push(() => coap.close());
    const { cert, key } = ownTls({ credentials: pki.eims[0], pki, now });
    const problems: string[] = [];
    let tell = () => {};
    const problem = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const door = new CoapsDoor({
      port: 0,
      coapPort: coap.port,
      certificate: dtlsCertificate(cert, key),
      onProblem: ({ message }) => {
        problems.push(message);
        tell();
      },
    });
    await door.open();
    closing.push(() => door.close());
    const configuration: EimConfiguration = {
      eimId: NAME,
      eimFqdn: NAME,
      protocols: 0x40,
      indirectProfileDownload: false,
      way: 0,
      trustedTls,
    };
    const events: IpaEvent[] = [];
    const link = coapLink(configuration, {
      coap: { isSecure: true, routes: { [NAME]: `coaps://127.0.0.1:${door.port}` } },
      timer: new RealClock(),
      random: seeded(1),
      observe: (event) => events.push(event),
    });
    link.resume();
    closing.push(() => link.close());
    return { eim, link, events, problems, problem };
  }

  const key = (certificate: X509Certificate): TrustedTls => ({
    kind: 'publicKey',
    der: Uint8Array.from(certificate.publicKey.export({ type: 'spki', format: 'der' })),
  });
  const whole = (der: Uint8Array): TrustedTls => ({ kind: 'certificate', der: Uint8Array.from(der) });

  it.each([
    ['its key', () => key(own)],
    ['its certificate', () => whole(own.raw)],
    ['its CA', () => whole(pki.ciCertificates[0])],
  ])('an eIM by %s', async (_what, trust) => {
    const { link, problems } = await reach(trust());
    for (let i = 0; i < 2; i++)
      expect(Buffer.from(await link.exchange(poll, any)).toString('hex')).toMatch(/^bf4f/);
    expect(problems).toEqual([]);
  });

  it.each([
    [
      'the key of another',
      () => key(new X509Certificate(pki.eims[0].certificate)),
      /another key.*SHA-256 [0-9a-f]{64}/,
    ],
    [
      'the certificate of another',
      () => whole(pki.eims[0].certificate),
      /another key.*expected DTLS with the key/,
    ],
    [
      'another CA',
      () => whole(pki.euicc.eumCertificate),
      /CA that is not trusted.*expected DTLS with a valid certificate/,
    ],
    [
      'nothing: the roots of this computer',
      () => undefined,
      /expected DTLS with a valid certificate for eim/,
    ],
  ])('no eIM when A6 has %s', async (_what, trust, why) => {
    const { eim, link, events, problems, problem } = await reach(trust());
    await expect(link.exchange(poll, any)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(why),
    });
    expect(eim.devices()).toEqual([]);
    const lost = events.filter((event) => event.event === 'link' && event.state === 'lost');
    expect(lost).toMatchObject([{ detail: expect.stringMatching(why) }]);
    await problem;
    expect(problems).toEqual([expect.stringContaining('the client refused with')]);
  });

  it('says so when A6 cannot be read', async () => {
    await expect(reach(whole(poll))).rejects.toMatchObject({ code: 'badTrust' });
  });
});
