import { generate, parse } from 'coap-packet';
import { beforeAll, describe, expect, it } from 'vitest';
import { dtlsCertificate } from '../../../../hal/node/dtls/index.js';
import { expectation } from '../../../../hal/node/trust.js';
import { CoapLink } from '../../../../ipa/esipa/coap/index.js';
import type { IpaEvent } from '../../../../ipa/events.js';
import { type DtlsWorldOptions, dtlsWorld } from '../../../hal/node/dtls/world.js';
import { type Identity, identity } from '../../../hal/node/identity.js';

const NAME = 'eim.example.com';
const now = Date.UTC(2026, 5, 1);
const poll = Buffer.from('bf4f125a1089049032123451234512345678901235', 'hex');
const any = () => true;

/** A link over DTLS, and a server that gives back what is posted. */
function world(options: DtlsWorldOptions) {
  const made = dtlsWorld({ now, ...options });
  const { clock, network, hooks, udp } = made;
  hooks.answer = (data) => {
    const { messageId, token, payload } = parse(data);
    return generate({ ack: true, messageId, token, code: '2.05', payload });
  };
  const events: IpaEvent[] = [];
  const link = new CoapLink({
    eimId: 'eim',
    udp,
    host: '10.0.0.1',
    timer: clock,
    random: network.random,
    observe: (event) => events.push(event),
  });
  link.resume();
  const lost = () =>
    events.flatMap((one) => (one.event === 'link' && one.state === 'lost' ? [one.detail] : []));
  return { ...made, link, lost };
}

describe('the CoAP link over DTLS', () => {
  let ca: Identity;
  let good: Identity;
  let other: Identity;
  let expired: Identity;
  beforeAll(async () => {
    ca = await identity('CA', { ca: true, now });
    good = await identity(NAME, { now, issuer: ca });
    other = await identity('other.example.com', { now, issuer: await identity('CA', { ca: true, now }) });
    expired = await identity(NAME, { now, issuer: ca, from: -5 });
  });
  const shown = ({ cert, key }: Identity) => dtlsCertificate(cert, key);

  it('polls an eIM by its key, its CA, or a pre-shared key', async () => {
    for (const options of [
      { certificate: shown(good), peer: { trust: { pin: good.spki }, name: NAME } },
      { certificate: shown(good), peer: { trust: { roots: [ca.der] }, name: NAME } },
      {},
    ]) {
      const { clock, link } = world(options);
      expect(Buffer.from(await clock.run(link.exchange(poll, any)))).toEqual(poll);
    }
  });

  const key = () => ({ trust: { pin: good.spki }, name: NAME });
  const root = () => ({ trust: { roots: [ca.der] }, name: NAME });
  it.each([
    ['another key', () => ({ certificate: shown(other), peer: key() }), /another key/],
    ['another CA', () => ({ certificate: shown(other), peer: root() }), /CA that is not trusted/],
    ['an expired certificate', () => ({ certificate: shown(expired), peer: root() }), /valid from/],
    [
      'another name',
      () => ({ certificate: shown(good), peer: { ...root(), name: 'other.example.com' } }),
      /another name/,
    ],
    [
      'another pre-shared key',
      () => ({ peer: { identity: 'device', key: Buffer.alloc(16) } }),
      /refused with decrypt_error.*expected DTLS 1.2 with the pre-shared key of device/,
    ],
  ])(
    'refuses an eIM with %s: says so, waits longer and longer, and sends nothing of ESipa',
    async (_what, options, why) => {
      const made = options();
      const { clock, link, lost, seen, sent } = world(made);
      const pauses: number[] = [];
      for (let i = 0; i < 6; i++) {
        const before = clock.ticks;
        await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({
          code: 'refused',
          message: expect.stringMatching(why),
        });
        pauses.push(clock.ticks - before);
      }
      expect(lost()).toHaveLength(6);
      for (const detail of lost()) {
        expect(detail).toMatch(why);
        if ('certificate' in made)
          expect(detail).toContain(expectation(made.peer.trust, made.peer.name, 'DTLS'));
      }
      // 1, 2, 4, 8, 16 s, each with a share of chance.
      expect(pauses[5]).toBeGreaterThan(8_000);
      expect(pauses[5]).toBeGreaterThan(4 * pauses[1]);
      expect(seen.data).toEqual([]);
      const types = new Set(sent.map(([type]) => type));
      expect([types.has(23), types.has(25)]).toEqual([false, false]);
    },
  );

  it('refuses a plain answer to a secure request, and to the handshake', async () => {
    const { clock, network, link, lost } = world({ certificate: shown(good), peer: key() });
    expect(Buffer.from(await clock.run(link.exchange(poll, any)))).toEqual(poll);
    const plain: Buffer[] = [];
    network.server = (datagram) => {
      plain.push(datagram);
      network.deliver(generate({ ack: true, messageId: 1, code: '2.05', payload: poll }));
    };
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/not DTLS; expected DTLS with the key/),
    });
    expect(lost()).toEqual([expect.stringMatching(/not DTLS; expected DTLS with the key/)]);
    expect(Buffer.concat(plain).includes(poll)).toBe(false);
  });
});
