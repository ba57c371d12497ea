import { createPrivateKey, createPublicKey } from 'node:crypto';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { dtlsCertificate } from '../../hal/node/dtls/index.js';
import { expectation, type TlsTrust } from '../../hal/node/trust.js';
import type { Pki } from '../../host-sim/pki/index.js';
import { type Identity, identity } from '../hal/node/identity.js';
import { readPoll } from '../host-sim/eim/fake-device.js';
import { describeWith } from '../tools.js';
import { LibcoapScene, poll, secured, testPki } from './libcoap.js';

const NAME = 'localhost';

const scene = new LibcoapScene();
afterEach(() => scene.close());

let pki: Pki;
let ca: Identity;
let middle: Identity;
/** Issued by the CA, and by the one in the middle. */
let good: Identity;
let chained: Identity;
let expired: Identity;
let foreign: Identity;
beforeAll(async () => {
  pki = await testPki();
  ca = await identity('CA', { ca: true });
  middle = await identity('Middle CA', { ca: true, issuer: ca });
  good = await identity(NAME, { issuer: ca });
  chained = await identity(NAME, { issuer: middle });
  expired = await identity(NAME, { issuer: ca, from: -5 });
  foreign = await identity(NAME, { issuer: await identity('Another CA', { ca: true }) });
});

/** Private and public key, as libcoap wants them. */
function rawKey({ key }: Identity): string {
  const secret = createPrivateKey(key);
  const both = [
    secret.export({ type: 'sec1', format: 'pem' }),
    createPublicKey(secret).export({ type: 'spki', format: 'pem' }),
  ];
  return scene.file('key.pem', both.join(''));
}

describeWith(
  ['coap-client-openssl', 'coap-client-gnutls'],
  "libcoap's client and our eIM's certificate",
  (tools) => {
    const serve = async (shown: Identity) => {
      const certificate = dtlsCertificate(`${shown.cert}${middle.cert}`, shown.key);
      const { secure, problems } = await scene.serve(pki, { certificate });
      return { url: secure.replace('127.0.0.1', NAME), problems };
    };
    const clients = ['coap-client-openssl', 'coap-client-gnutls'] as const;

    it.each(clients)('%s polls, by its CA', async (name) => {
      const { url, problems } = await serve(chained);
      const { answer } = await scene.post(tools[name], url, poll, '-C', scene.file('ca.pem', ca.cert));
      expect(readPoll(answer).ipaEuiccDataRequest).toBeDefined();
      expect(problems).toEqual([]);
    });

    it('coap-client-gnutls polls, by raw public key', async () => {
      const { url, problems } = await serve(chained);
      const { answer } = await scene.post(tools['coap-client-gnutls'], url, poll, '-M', rawKey(chained));
      expect(readPoll(answer).ipaEuiccDataRequest).toBeDefined();
      expect(problems).toEqual([]);
    });

    // With GnuTLS libcoap 4.3.1 lets an unknown CA pass.
    it('coap-client-openssl refuses another CA', async () => {
      const { url, problems } = await serve(foreign);
      const trust = ['-B', '1', '-C', scene.file('ca.pem', ca.cert)];
      const { answer } = await scene.post(tools['coap-client-openssl'], url, poll, ...trust);
      expect(answer).toBeUndefined();
      expect(problems).toEqual([expect.stringContaining('the client refused with')]);
    });
  },
);

describeWith(
  ['coap-server-openssl', 'coap-server-gnutls', 'coap-client-notls'],
  "our link and the certificate of libcoap's server",
  (tools) => {
    type Server = 'coap-server-openssl' | 'coap-server-gnutls';
    const servers: Server[] = ['coap-server-openssl', 'coap-server-gnutls'];
    /** @returns the port with DTLS */
    const start = async (name: Server, ...options: string[]) =>
      (await scene.serveLibcoap(tools[name], tools['coap-client-notls'], ...options)) + 1;
    const shows = (one: Identity) => [
      ...['-c', scene.file('cert.pem', one === chained ? `${one.cert}${middle.cert}` : one.cert)],
      ...['-j', scene.file('key.pem', one.key)],
    ];
    const reach = (port: number, trust: TlsTrust, name = NAME) => scene.link(port, secured({ trust, name }));
    const any = () => true;
    const large = Buffer.concat([Buffer.from('bf50820bb4', 'hex'), Buffer.alloc(2_996, 7)]);

    it.each(
      servers.flatMap((name) => [
        [name, 'a root', () => ({ roots: [ca.der] })] as const,
        [name, 'its key', () => ({ pin: good.spki })] as const,
      ]),
    )('polls %s, by %s', async (name, _what, trust) => {
      const { link } = reach(await start(name, ...shows(good)), trust());
      expect(Buffer.from(await link.exchange(poll, any))).toEqual(poll);
      expect(Buffer.from(await link.exchange(large, any))).toEqual(large);
    });

    it('polls coap-server-gnutls, by the root of a chain', async () => {
      const { link } = reach(await start('coap-server-gnutls', ...shows(chained)), { roots: [ca.der] });
      expect(Buffer.from(await link.exchange(poll, any))).toEqual(poll);
    });

    it('polls coap-server-gnutls, by raw public key', async () => {
      const { link } = reach(await start('coap-server-gnutls', '-n', '-M', rawKey(good)), { pin: good.spki });
      expect(Buffer.from(await link.exchange(poll, any))).toEqual(poll);
    });

    it.each(servers)('says what it expected of %s', async (name) => {
      const roots = { roots: [ca.der] };
      for (const [shown, trust, why, server = NAME] of [
        [foreign, roots, /of a CA that is not trusted/],
        [expired, roots, /valid from/],
        [expired, { pin: expired.spki }, /valid from/],
        [good, { pin: foreign.spki }, /another key than the one that is pinned/],
        [good, roots, /another name/, 'eim.example.com'],
      ] as const) {
        const { refusal } = reach(await start(name, ...shows(shown)), trust, server);
        const { detail, isHeard } = await refusal();
        expect(detail).toMatch(why);
        expect(detail).toContain(`expected ${expectation(trust, server, 'DTLS')}`);
        expect(isHeard).toBe(false);
      }
    });

    it('says that a server wants a certificate of the device', async () => {
      const { refusal } = reach(await start('coap-server-gnutls', '-M', rawKey(good)), { pin: good.spki });
      const { detail } = await refusal();
      expect(detail).toMatch(
        /refused with bad_certificate; it asked for a certificate of this client, which has none/,
      );
    });
  },
);
