import { createPublicKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Certificates, refusal } from '../../../hal/xs/moddable/tls-trust.js';
import { makeEimTls, makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';

const NAME = 'eim.example.com';
const now = Date.UTC(2027, 0, 1);
const day = 86_400_000;

/** Node's reading of certificates, with these roots. */
function certificates(roots: readonly Uint8Array[] = []): Certificates {
  const isSigned = (one: Uint8Array, by: Uint8Array) =>
    new X509Certificate(one).verify(new X509Certificate(by).publicKey);
  return {
    read(der) {
      const one = new X509Certificate(der);
      const names = (one.subjectAltName ?? '')
        .split(', ')
        .map((name) => name.replace(/^(DNS|IP Address):/, ''));
      return {
        key: spki(der),
        from: +new Date(one.validFrom),
        to: +new Date(one.validTo),
        isCa: one.ca,
        names,
      };
    },
    isSigned,
    isSignedByRoot: (der) => roots.some((root) => isSigned(der, root)),
  };
}

function spki(der: Uint8Array): Uint8Array {
  const { publicKey } = new X509Certificate(der);
  return Uint8Array.from(
    createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({
      type: 'spki',
      format: 'der',
    }),
  );
}

let pki: Pki;
let ca: Uint8Array;
let server: Uint8Array;
let other: Uint8Array;
beforeAll(async () => {
  const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
  pki = await makePki({ eid: '89049032123451234512345678901235', eims, now, random: seeded(1) });
  [ca] = pki.ciCertificates;
  server = makeEimTls(pki.ci!, NAME, now).certificate;
  const elsewhere = await makePki({ eid: '89049032123451234512345678901235', eims, now, random: seeded(2) });
  other = makeEimTls(elsewhere.ci!, NAME, now).certificate;
});

describe('refusal', () => {
  const reader = certificates();

  it('takes the server with the pinned key, by whatever name', () => {
    expect(refusal([server], { key: spki(server) }, 'elsewhere.example', now, reader)).toBeUndefined();
    expect(refusal([other], { key: spki(server) }, NAME, now, reader)).toContain('key is not the one');
    // A key that only stands behind the server's does not count.
    expect(refusal([other, server], { key: spki(server) }, NAME, now, reader)).toContain(
      'key is not the one',
    );
  });

  it('takes a server that the CA vouches for, with the name that it goes by', () => {
    expect(refusal([server], { ca }, NAME, now, reader)).toBeUndefined();
    expect(refusal([server, ca], { ca }, NAME, now, reader)).toBeUndefined();
    expect(refusal([server], { ca }, '127.0.0.1', now, reader)).toBeUndefined();
    expect(refusal([server], { ca }, 'other.example.com', now, reader)).toContain(
      'not for other.example.com',
    );
    expect(refusal([other], { ca }, NAME, now, reader)).toContain('nobody that is trusted');
    expect(refusal([other, ca], { ca }, NAME, now, reader)).toContain('do not fit');
  });

  it('takes none that comes from a certificate that is no CA', () => {
    expect(refusal([other, server], { ca }, NAME, now, reader)).toContain('no valid CA');
    expect(refusal([server, other, ca], { ca: other }, NAME, now, certificates([other]))).toContain(
      'no valid CA',
    );
  });

  it("goes by the platform's roots where nothing is pinned", () => {
    expect(refusal([server], undefined, NAME, now, certificates([ca]))).toBeUndefined();
    expect(refusal([other], undefined, NAME, now, certificates([ca]))).toContain('nobody that is trusted');
  });

  it('looks at dates where there is a clock', () => {
    const late = now + 4 * 365 * day;
    expect(refusal([server], { ca }, NAME, late, reader)).toContain('expired');
    expect(refusal([server], { key: spki(server) }, NAME, late, reader)).toContain('expired');
    expect(refusal([server], { key: spki(server) }, NAME, now - 2 * day, reader)).toContain('not valid yet');
    // Where there is none, a key can be compared and a certificate cannot be judged.
    expect(refusal([server], { key: spki(server) }, NAME, 5_000, reader)).toBeUndefined();
    expect(refusal([server], { ca }, NAME, 5_000, reader)).toContain('the clock is not set');
    expect(refusal([server], undefined, NAME, 5_000, certificates([ca]))).toContain('the clock is not set');
  });

  it('takes no chain that is empty or endless', () => {
    expect(refusal([], { ca }, NAME, now, reader)).toContain('no certificate');
    expect(refusal([server, ca, ca, ca, ca], { ca }, NAME, now, reader)).toContain('5 certificates');
  });

  it.each([
    ['*.example.com', 'eim.example.com', true],
    ['*.EXAMPLE.com', 'EIM.example.COM', true],
    ['*.example.com', 'a.eim.example.com', false],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['*', 'eim', false],
    ['e*.example.com', 'eim.example.com', false],
    ['*.0.2.1', '192.0.2.1', false],
    ['192.0.2.1', '192.0.2.1', true],
  ])('a certificate for %s and the server %s: %s', (name, serverName, isRight) => {
    const named: Certificates = {
      read: () => ({ key: spki(server), from: 0, to: now * 2, isCa: false, names: [name] }),
      isSigned: () => true,
      isSignedByRoot: () => true,
    };
    const reason = refusal([server], undefined, serverName, now, named);
    if (isRight) expect(reason).toBeUndefined();
    else expect(reason).toContain('is not for');
  });
});
