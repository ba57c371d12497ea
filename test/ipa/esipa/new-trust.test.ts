import { X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dtlsCertificate } from '../../../hal/node/dtls/index.js';
import { MemoryKeyValue } from '../../../hal/node/storage.js';
import { createIpad, simulateModem } from '../../../host-sim/cli/world.js';
import { RealClock } from '../../../host-sim/clock.js';
import { CoapEim, CoapsDoor, Eim, serveHttp } from '../../../host-sim/eim/index.js';
import type { TraceEvent } from '../../../host-sim/events.js';
import { type Credential, makeEimTls, makePki, type Pki, pem, pkcs8 } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { Trace } from '../../../host-sim/trace/index.js';

const NAME = 'eim.example.com';
const EID = '89049032123451234512345678901235';
const now = Date.now();
const protocols = { https: 'eimRetrieveHttps', coaps: 'eimRetrieveCoaps' } as const;

/** Real sockets, TLS and DTLS. */
describe.each(['https', 'coaps'] as const)('an eIM with a new key, over %s', (kind) => {
  let pki: Pki;
  let first: Credential;
  let second: Credential;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
    pki = await makePki({ eid: EID, eims, now, random: seeded(3) });
    const other = await makePki({ eid: EID, eims, now, random: seeded(4) });
    first = makeEimTls(pki.ci!, NAME, now);
    second = makeEimTls(other.ci!, NAME, now);
  });
  afterEach(async () => {
    while (closing.length > 0) await closing.pop()?.();
  });

  const spki = ({ certificate }: Credential): Buffer =>
    new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });

  /** @returns where, and how it ends */
  async function serve(eim: Eim, credential: Credential, port = 0) {
    const cert = pem('CERTIFICATE', credential.certificate);
    const key = pem('PRIVATE KEY', pkcs8(credential.privateKey));
    const ends: (() => unknown)[] = [];
    const close = async (): Promise<void> => {
      while (ends.length > 0) await ends.pop()?.();
    };
    closing.push(close);
    if (kind === 'https') {
      const http = await serveHttp({ eim, port, tls: { cert, key } });
      ends.push(() => http.close());
      return { port: Number(new URL(http.url).port), close };
    }
    const coap = new CoapEim({ eim, port: 0 });
    await coap.open();
    ends.push(() => coap.close());
    const door = new CoapsDoor({ port, coapPort: coap.port, certificate: dtlsCertificate(cert, key) });
    await door.open();
    ends.push(() => door.close());
    return { port: door.port, close };
  }

  it('hears of the update the old way; then the device trusts the new key alone', async () => {
    const clock = new RealClock();
    const random = seeded(1);
    const trace = new Trace(clock);
    const events: TraceEvent[] = [];
    const looking = new Set<() => void>();
    trace.subscribe((event) => {
      events.push(event);
      for (const look of looking) look();
    });
    /** Resolves as soon as an event from `since` on is like that. */
    const until = (isIt: (event: TraceEvent) => boolean, since: number): Promise<void> =>
      new Promise((resolve) => {
        const look = () => {
          if (!events.slice(since).some(isIt)) return;
          looking.delete(look);
          resolve();
        };
        looking.add(look);
        look();
      });
    const { ciCertificates } = pki;
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates,
      store: new MemoryStore(),
      clock,
      random,
      observe: trace.observer('eim'),
    });
    closing.push(() => eim.close());
    const old = await serve(eim, first);
    const card = simulateModem({ pki, store: new MemoryStore(), clock, random, trace, baud: 0 });
    closing.push(() => card.modem.powerOff());
    const routes = { [NAME]: `${kind}://127.0.0.1:${old.port}` };
    const ipad = createIpad({
      serial: { io: card.modem.Serial, baud: 0 },
      clock,
      random,
      trace,
      storage: new MemoryKeyValue(),
      links: [kind],
      https: { routes },
      coap: { routes, isSecure: true },
      bearer: card.bearer,
      initialEim: eim.eimConfiguration({
        eid: EID,
        token: true,
        euiccCiPKId: pki.euicc.ciKeyId,
        protocols: [protocols[kind]],
        trustedTls: { publicKey: spki(first) },
      }),
      settings: { backOff: 20, backOffLimit: 100 },
      times: { answer: 5_000, attempts: 2, backOff: 20, backOffLimit: 100 },
    });
    const running = ipad.run();
    closing.push(async () => {
      ipad.stop();
      await running;
    });
    await until((event) => event.event === 'state' && event.state === 'idle', 0);

    const since = events.length;
    const update = { eimId: NAME, tlsPublicKey: spki(second).toString('hex') };
    const updated = eim.queue(EID, { eco: [{ op: 'updateEim', eim: update }] });
    ipad.poll();
    expect(await updated).toMatchObject({ outcome: 'verified', ok: true });
    expect(events.slice(since).some(({ event }) => event === 'failure')).toBe(false);

    // The server has the old key still.
    await until((event) => event.event === 'link' && event.state === 'closed', since);
    const waiting = eim.queue(EID, { psmo: [{ op: 'getRAT' }] });
    const moved = events.length;
    await until((event) => event.event === 'link' && event.state === 'lost', moved);
    const [{ detail }] = events
      .slice(moved)
      .flatMap((one) => (one.event === 'link' && one.state === 'lost' ? [one] : []));
    expect(detail).toMatch(/another key.*expected D?TLS.* with the key/);
    expect(events.slice(moved).some((one) => one.event === 'eim' && one.what === 'poll')).toBe(false);

    await old.close();
    await serve(eim, second, old.port);
    ipad.poll();
    expect(await waiting).toMatchObject({ outcome: 'verified', ok: true });
  });
});
