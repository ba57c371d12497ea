import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ClientHello } from '../../../../hal/node/dtls/hello.js';
import {
  type DtlsCertificate,
  DtlsError,
  type DtlsExpectation,
  dtlsCertificate,
} from '../../../../hal/node/dtls/index.js';
import { checkChain } from '../../../../hal/node/dtls/server-certificate.js';
import { exchangeFor } from '../../../../hal/node/dtls/server-secrets.js';
import { expectation, type TlsTrust } from '../../../../hal/node/trust.js';
import { seeded } from '../../../../host-sim/random.js';
import { type Identity, identity } from '../identity.js';
import { type DtlsWorldOptions, dtlsWorld, keepSaying, say, spoiler, untilHeard } from './world.js';

const NAME = 'eim.example.com';
const now = Date.UTC(2026, 5, 1);

describe('DTLS with a certificate or a raw public key', () => {
  let ca: Identity;
  let good: Identity;
  let other: Identity;
  let expired: Identity;
  let early: Identity;
  let client: Identity;
  let foreign: Identity;
  let forged: Identity;
  /** Each issued by the next; the last by the CA. */
  let chain: Identity[];

  beforeAll(async () => {
    ca = await identity('CA', { ca: true, now });
    const signed = (options = {}, name = NAME) => identity(name, { now, issuer: ca, ...options });
    good = await signed();
    other = await signed({}, 'other.example.com');
    expired = await signed({ from: -5 });
    early = await signed({ from: 1 });
    client = await signed({ isClient: true });
    foreign = await identity(NAME, { now });
    forged = await identity(NAME, { now, issuer: good });
    chain = [ca];
    for (const name of ['Top CA', 'Middle CA', 'Lower CA', NAME])
      chain.unshift(await identity(name, { now, issuer: chain[0], ca: name !== NAME }));
    chain.pop();
  });

  const shown = (...identities: Identity[]): DtlsCertificate =>
    dtlsCertificate(identities.map(({ cert }) => cert).join('\n'), identities[0].key);
  const reach = (
    certificate: DtlsCertificate | undefined,
    trust: TlsTrust,
    options: Omit<DtlsWorldOptions, 'peer'> & Partial<DtlsExpectation> = {},
  ) => dtlsWorld({ certificate, now, ...options, peer: { trust, name: options.name ?? NAME } });

  it.each([
    ['a root', () => [shown(good), { roots: [ca.der] }] as const],
    ['a root in PEM, among others', () => [shown(good), { roots: [`${foreign.cert}${ca.cert}`] }] as const],
    ['a root behind three CAs', () => [shown(...chain), { roots: [ca.der] }] as const],
    ['a root, the root shown as well', () => [shown(good, ca), { roots: [ca.der] }] as const],
    ['itself as a root', () => [shown(foreign), { roots: [foreign.der] }] as const],
    ['a pinned key', () => [shown(good), { pin: good.spki }] as const],
  ])('trusts %s, and carries datagrams both ways', async (_what, material) => {
    const [certificate, trust] = material();
    const { clock, socket, seen, heard, server } = reach(certificate, trust);
    const one = socket();
    say(one, 'hello');
    await clock.advance(100);
    expect([seen.opened, seen.data, heard, seen.refused]).toEqual([[''], ['hello'], ['re: hello'], []]);
    expect([clock.pending, server.sessions]).toEqual([0, 1]);
  });

  it('goes on with its session from another socket and another address', async () => {
    const { clock, socket, seen, heard, network, move } = reach(shown(good), { pin: good.spki });
    let one = socket();
    say(one, 'a');
    await clock.advance(100);
    one.close();
    move();
    network.sent = { up: 0, down: 0, bytes: 0 };
    one = socket();
    say(one, 'b');
    await clock.advance(100);
    expect([heard, seen.opened.length]).toEqual([['re: a', 're: b'], 1]);
    expect([network.sent.up, network.sent.down]).toEqual([1, 1]);
  });

  it('shows only its key to a client that has it pinned, and nobody looks at a name then', async () => {
    const sizes = [];
    for (const trust of [{ pin: good.spki }, { roots: [ca.der] }]) {
      const { clock, socket, heard, received } = reach(shown(good), trust, {
        name: 'pin' in trust ? 'other.example.com' : NAME,
      });
      say(socket(), 'a');
      await clock.advance(100);
      expect(heard).toEqual(['re: a']);
      const plain = Buffer.concat(received);
      expect(plain.includes(good.spki)).toBe(true);
      expect(plain.includes(good.der)).toBe('roots' in trust);
      sizes.push(plain.length);
    }
    expect(sizes[0]).toBeLessThan(sizes[1] - 200);
  });

  const wrong = (
    what: string,
    why: RegExp,
    alert: string,
    material: () => readonly [DtlsCertificate, TlsTrust],
  ) => [what, why, alert, material] as const;
  it.each([
    wrong(
      'another key than the pinned one',
      /another key than the one that is pinned/,
      'certificate_unknown',
      () => [shown(good), { pin: other.spki }],
    ),
    wrong('a certificate of another CA', /of a CA that is not trusted/, 'unknown_ca', () => [
      shown(foreign),
      { roots: [ca.der] },
    ]),
    wrong('a chain with a gap', /of a CA that is not trusted/, 'unknown_ca', () => [
      shown(chain[0], chain[2]),
      { roots: [ca.der] },
    ]),
    wrong('a certificate that another server has issued', /of a CA that is not trusted/, 'unknown_ca', () => [
      shown(forged, good),
      { roots: [ca.der] },
    ]),
    wrong('a test CA by the roots of this computer', /of a CA that is not trusted/, 'unknown_ca', () => [
      shown(good),
      { roots: 'system' },
    ]),
    wrong('an expired certificate', /valid from May 2\d .* to May 2\d/, 'certificate_expired', () => [
      shown(expired),
      { roots: [ca.der] },
    ]),
    wrong('a certificate that is not valid yet', /valid from Jun {2}2/, 'certificate_expired', () => [
      shown(early),
      { roots: [ca.der] },
    ]),
    wrong('another name', /another name.*other\.example\.com/, 'certificate_unknown', () => [
      shown(other),
      { roots: [ca.der] },
    ]),
    wrong("a client's certificate", /not for servers/, 'certificate_unknown', () => [
      shown(client),
      { roots: [ca.der] },
    ]),
    wrong("another's certificate", /does not have the key that it shows/, 'decrypt_error', () => [
      { chain: [good.der], key: shown(other).key },
      { roots: [ca.der] },
    ]),
  ])('refuses %s: says what was expected, and sends nothing', async (_what, why, alert, material) => {
    const [certificate, trust] = material();
    const { clock, socket, seen, errors, sent, server } = reach(certificate, trust);
    say(socket(), 'secret words');
    await clock.advance(60_000);
    expect(errors).toEqual([expect.stringMatching(why)]);
    expect(errors[0]).toContain(`DTLS with ${NAME}: the server`);
    expect(errors[0]).toContain(`expected ${expectation(trust, NAME, 'DTLS')}`);
    expect(seen.refused).toEqual([expect.stringContaining(`the client refused with ${alert}`)]);
    expect([seen.opened, seen.data, server.sessions, clock.pending]).toEqual([[], [], 0, 0]);
    // ClientHello twice, and the alert.
    expect(sent.map(([type]) => type)).toEqual([22, 22, 21]);
  });

  it('looks at the dates of a certificate with a pinned key', () => {
    const check = (one: Identity) => checkChain([one.der], { pin: one.spki }, NAME, now);
    expect(check(good).export({ type: 'spki', format: 'der' })).toEqual(good.spki);
    expect(() => check(expired)).toThrow(/valid from May/);
    expect(() => checkChain([], { pin: good.spki }, NAME, now)).toThrow('no certificate');
    expect(() => checkChain([good.spki], { pin: good.spki }, NAME, now)).toThrow('cannot be read');
  });

  it('takes a certificate with any byte changed for what it is, and refuses it', () => {
    for (const trust of [{ pin: good.spki }, { roots: [ca.der] }]) {
      const faults = new Set<string>();
      for (let at = 0; at < other.der.length; at++) {
        const changed = Buffer.from(other.der);
        changed[at] ^= 1;
        for (const chain of [[changed], [foreign.der, changed]]) {
          let fault: unknown;
          try {
            checkChain(chain, trust, NAME, now);
          } catch (error) {
            fault = error;
          }
          expect(fault, `byte ${at}`).toBeInstanceOf(DtlsError);
          faults.add((fault as DtlsError).code);
        }
      }
      expect([...faults].sort()).toEqual(['protocol', 'untrusted']);
    }
  });

  it('ends a handshake in which the key of a certificate is of an unknown kind', async () => {
    const strange = Buffer.from(good.der);
    strange[strange.indexOf('2a8648ce3d0201', 'hex') + 6] ^= 0x40;
    const { clock, socket, errors, seen } = reach(
      { chain: [strange], key: shown(good).key },
      { roots: [ca.der] },
    );
    say(socket(), 'secret words');
    await clock.advance(60_000);
    expect(errors).toEqual([expect.stringMatching(/a certificate that cannot be read/)]);
    expect([seen.opened, seen.data]).toEqual([[], []]);
  });

  it('refuses what is no DTLS, at the end of its attempts and with what was expected', async () => {
    const { clock, socket, network, errors, heard, sent } = reach(shown(good), { pin: good.spki });
    network.server = (datagram) => {
      sent.push(datagram);
      network.deliver(Buffer.from('6045000061ff', 'hex'));
    };
    say(socket(), 'a');
    await clock.advance(200_000);
    expect(errors).toEqual([expect.stringMatching(/something that is not DTLS; expected DTLS with the key/)]);
    expect([heard, sent.length]).toEqual([[], 3]);
  });

  it('gives up a standing session whose server answers in plain, and says so', async () => {
    const { clock, socket, network, errors, heard } = reach(shown(good), { pin: good.spki });
    let one = socket();
    say(one, 'a');
    await clock.advance(100);
    one.close();
    network.server = () => network.deliver(Buffer.from('6045000061ff', 'hex'));
    one = socket();
    for (let i = 0; i < 4; i++) say(one, 'b');
    await clock.advance(200_000);
    expect(heard).toEqual(['re: a']);
    expect(errors).toEqual([expect.stringMatching(/something that is not DTLS; expected DTLS with the key/)]);
  });

  it('says that one side has a pre-shared key and the other has none', async () => {
    const wanted = reach(undefined, { pin: good.spki });
    say(wanted.socket(), 'a');
    await wanted.clock.advance(60_000);
    expect(wanted.errors).toEqual([
      expect.stringMatching(/the server refused with handshake_failure; expected DTLS with the key/),
    ]);
    expect(wanted.seen.refused).toEqual([
      expect.stringContaining('the client has none of TLS_PSK_WITH_AES_128_CCM_8'),
    ]);
    const shared = dtlsWorld({ certificate: shown(good) });
    say(shared.socket(), 'a');
    await shared.clock.advance(60_000);
    expect(shared.errors).toEqual([
      expect.stringContaining('expected DTLS 1.2 with the pre-shared key of device'),
    ]);
    expect(shared.seen.refused).toEqual([
      expect.stringContaining('none of TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'),
    ]);
  });

  it('takes no key of another curve, nor one that is not of the certificate', () => {
    expect(() => dtlsCertificate(good.cert, other.key)).toThrow('not that of the certificate');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(() => dtlsCertificate(good.cert, key)).toThrow('secp256r1');
  });

  it.each([
    ['a curve', { groups: [29] }, 'secp256r1', 40],
    ['a signature', { signatures: [0x0804] }, 'ECDSA with SHA-256', 40],
    ['a signature, saying none', { signatures: undefined }, 'ECDSA with SHA-256', 40],
    ['a form of certificate', { certificateTypes: [1] }, 'neither certificates nor raw public keys', 43],
  ])('says that a client lacks %s', (_what, lack, why, alert) => {
    const hello: ClientHello = {
      random: Buffer.alloc(32),
      cookie: Buffer.alloc(0),
      suites: [0xc0ae],
      extendedMasterSecret: true,
      renegotiationInfo: true,
      connectionId: undefined,
      groups: [23],
      signatures: [0x0403],
    };
    const secrets = { certificate: shown(good) };
    expect(exchangeFor(hello, secrets, randomBytes).suite.name).toBe('TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8');
    expect(() => exchangeFor({ ...hello, ...lack }, secrets, randomBytes)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(why), alert }),
    );
  });

  it('gets there through a network that loses 30 %, doubles and reorders', async () => {
    const weather = { loss: 0.3, duplicates: 0.2, delay: [50, 3_000] } as const;
    let datagrams = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const [certificate, trust] =
        seed % 2 === 0 ? [shown(...chain), { roots: [ca.der] }] : [shown(good), { pin: good.spki }];
      const world = reach(certificate, trust, { weather, seed });
      datagrams += await untilHeard(world);
      expect(world.heard[0]).toMatch(/^re: message/);
      expect(new Set(world.heard).size).toBe(world.heard.length);
    }
    expect(datagrams / 100).toBeLessThan(60);
  });

  it('survives any datagram, as server and as client', async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = seeded(seed);
      const it1 = reach(shown(...chain), { roots: [ca.der] }, { seed });
      const { network, server, seen, heard } = it1;
      const spoil = spoiler(random);
      it1.hooks.spoil = (datagram) => (random() < 0.5 ? spoil(datagram) : datagram);
      const { server: take } = network;
      network.server = (datagram) => {
        server.take(spoil(datagram), { address: '10.0.0.8', port: seed });
        take?.(random() < 0.3 ? spoil(datagram) : datagram);
      };
      await keepSaying(it1, 'a');
      expect(seen.data.every((text) => text === 'a')).toBe(true);
      expect(heard.every((text) => text === 're: a')).toBe(true);
    }
  });
});
