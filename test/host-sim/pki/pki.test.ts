import { X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  bodyOf,
  ChainError,
  keyIdOf,
  loadPki,
  makeEim,
  makePki,
  type Pki,
  PkiError,
  pem,
  pkcs8,
  publicKeyOf,
  publicPoint,
  rewrap,
  savePki,
  sec1,
  sign,
  spkiOf,
  verify,
  verifyEuiccChain,
} from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';

const eid = '89049032123451234512345678901235';
const now = Date.UTC(2026, 0, 1);
const eims = [
  { eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' },
  { eimId: '2.999.7.1', eimIdType: 1, eimFqdn: 'other.example.com' },
  { eimId: 'x'.repeat(128), eimIdType: 3, eimFqdn: 'third.example.com' },
] as const;
const make = (seed = 1, of = eid) => makePki({ eid: of, eims, now, random: seeded(seed) });
const chainOf = (pki: Pki) => ({
  euicc: pki.euicc.certificate,
  eum: pki.euicc.eumCertificate,
  cis: pki.ciCertificates,
  eid: pki.euicc.eid,
});

const folders: string[] = [];
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'xs-ipa-pki-'));
  folders.push(dir);
  return dir;
}
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

function failure(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('makePki', () => {
  it('makes certificates that another X.509 implementation reads and verifies', async () => {
    const pki = await make();
    const [ci] = pki.ciCertificates.map((der) => new X509Certificate(der));
    const eum = new X509Certificate(pki.euicc.eumCertificate);
    const euicc = new X509Certificate(pki.euicc.certificate);
    expect(ci.verify(ci.publicKey)).toBe(true);
    expect(eum.verify(ci.publicKey)).toBe(true);
    expect(euicc.verify(eum.publicKey)).toBe(true);
    expect(eum.checkIssued(ci)).toBe(true);
    expect(euicc.checkIssued(eum)).toBe(true);
    expect([ci.ca, eum.ca, euicc.ca]).toEqual([true, true, false]);
    expect(ci.subjectAltName).toBe('Registered ID:2.999.1');
    expect(euicc.subject).toContain(`serialNumber=${eid}`);
    for (const eim of pki.eims) {
      const certificate = new X509Certificate(eim.certificate);
      expect(certificate.verify(certificate.publicKey)).toBe(true);
      expect(certificate.subjectAltName).toBe(`DNS:${eim.eimFqdn}`);
    }
  });

  it('passes its own chain check, dates included', async () => {
    const pki = await make();
    expect(() => verifyEuiccChain({ ...chainOf(pki), now })).not.toThrow();
    expect(() => verifyEuiccChain({ ...chainOf(pki), now: Date.UTC(2070, 0, 1) })).toThrow(
      /CI .*not valid at 2070/,
    );
  });

  it('follows from its random numbers alone', async () => {
    expect(await make(1)).toEqual(await make(1));
    expect((await make(2)).euicc.privateKey).not.toEqual((await make(1)).euicc.privateKey);
  });

  it('has keys that fit the certificates, and the key identifier of its CI', async () => {
    const pki = await make();
    expect(publicPoint(pki.euicc.privateKey)).toEqual(publicKeyOf(pki.euicc.certificate));
    expect(pki.euicc.ciKeyId).toEqual(keyIdOf(publicKeyOf(pki.ciCertificates[0])));
    for (const eim of pki.eims) expect(spkiOf(eim.certificate)).toEqual(eim.publicKey);
  });

  it('makes an eIM alone, to stand beside a loaded hierarchy', () => {
    const eim = makeEim(eims[1], { now, random: seeded(4) });
    const certificate = new X509Certificate(eim.certificate);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(eim).toMatchObject({ ...eims[1], publicKey: spkiOf(eim.certificate) });
    expect(makeEim(eims[1], { now }).privateKey).not.toEqual(makeEim(eims[1], { now }).privateKey);
    expect(() => makeEim({ ...eims[1], eimId: '' }, { now })).toThrow(PkiError);
  });

  it('refuses an EID that is none', async () => {
    await expect(makePki({ eid: '8904', eims, now })).rejects.toThrow(PkiError);
  });
});

describe('verifyEuiccChain names the check that fails', () => {
  const check = (chain: Parameters<typeof verifyEuiccChain>[0]) => {
    const error = failure(() => verifyEuiccChain(chain));
    return error instanceof ChainError ? error.check : error;
  };

  it('for parts of another hierarchy', async () => {
    const [mine, other] = [await make(1), await make(2)];
    expect(check({ ...chainOf(mine), cis: other.ciCertificates })).toBe('ciUnknown');
    expect(check({ ...chainOf(mine), cis: [] })).toBe('ciUnknown');
    expect(
      check({ ...chainOf(mine), cis: [...other.ciCertificates, ...mine.ciCertificates] }),
    ).toBeUndefined();
    expect(check({ ...chainOf(mine), euicc: other.euicc.certificate })).toBe('euiccSignature');
    expect(check({ ...chainOf(mine), eum: mine.eims[0].certificate })).toBe('ciUnknown');
  });

  it('for the EID of another eUICC', async () => {
    const pki = await make();
    const another = Buffer.from('89049032123451234512345678901334', 'hex');
    expect(check({ ...chainOf(pki), eid: another })).toBe('eid');
  });

  it('for any bit that is turned, and for bytes behind the certificate', async () => {
    const pki = await make();
    for (let at = 0; at < pki.euicc.certificate.length; at += 29) {
      const euicc = Uint8Array.from(pki.euicc.certificate);
      euicc[at] ^= 1;
      expect(check({ ...chainOf(pki), euicc }), `byte ${at}`).toBeDefined();
    }
    const euicc = Uint8Array.from([...pki.euicc.certificate, 0]);
    expect(check({ ...chainOf(pki), euicc })).toBeInstanceOf(PkiError);
  });

  it('never with an error of a foreign type, whatever the bytes', async () => {
    const pki = await make();
    const der = pki.euicc.certificate;
    const damage = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(der.length), (changes, length) => {
        const euicc = Uint8Array.from(der);
        for (const [at, value] of changes) euicc[at] = value;
        const error = failure(() =>
          verifyEuiccChain({ ...chainOf(pki), euicc: euicc.subarray(0, length || der.length) }),
        );
        return error === undefined || error instanceof ChainError || error instanceof PkiError;
      }),
      { numRuns: 300 },
    );
  });
});

describe('certificate bodies (es10.md T5)', () => {
  it('lose and regain the outer SEQUENCE', async () => {
    const { certificate } = (await make()).euicc;
    const body = bodyOf(certificate);
    expect(body.length).toBe(certificate.length - 4);
    expect(rewrap(body)).toEqual(certificate);
  });
});

describe('signatures', () => {
  it('verify raw and as DER, and fail for anything else', async () => {
    const { privateKey, certificate } = (await make()).euicc;
    const data = Buffer.from('to be signed');
    const raw = sign(privateKey, data.subarray(0, 4), data.subarray(4));
    const point = publicKeyOf(certificate);
    const trim = (half: Uint8Array) => {
      let bytes = [...half];
      while (bytes[0] === 0) bytes = bytes.slice(1);
      if (bytes[0] >= 0x80) bytes.unshift(0);
      return [0x02, bytes.length, ...bytes];
    };
    const pair = [...trim(raw.subarray(0, 32)), ...trim(raw.subarray(32))];
    expect(raw.length).toBe(64);
    expect(verify(point, raw, data)).toBe(true);
    expect(verify(point, Uint8Array.from([0x30, pair.length, ...pair]), data)).toBe(true);
    expect(verify(point, raw, data, Uint8Array.of(0))).toBe(false);
    expect(verify(point, raw.subarray(1), data)).toBe(false);
    expect(verify(point, new Uint8Array(64), data)).toBe(false);
  });
});

describe('a folder of files', () => {
  it('gives back what was saved', async () => {
    const pki = await make();
    const dir = folder();
    savePki(dir, pki);
    const loaded = loadPki(dir);
    expect(loaded).toEqual(pki);
  });

  it('is sorted by content: DER or PEM, SEC1 or PKCS#8, all names alike, several blocks in one file', async () => {
    const pki = await make();
    const dir = folder();
    const blocks = [
      pem('CERTIFICATE', pki.euicc.eumCertificate),
      pem('EC PARAMETERS', Uint8Array.of(6, 0)),
      pem('EC PRIVATE KEY', sec1(pki.euicc.privateKey)),
      pem('CERTIFICATE', pki.ciCertificates[0]),
    ];
    writeFileSync(join(dir, 'a'), blocks.join('some words\n'));
    writeFileSync(join(dir, 'b.key'), pki.euicc.certificate);
    writeFileSync(join(dir, 'c.crt'), pkcs8(pki.eims[1].privateKey));
    writeFileSync(join(dir, 'd'), pki.eims[1].certificate);
    writeFileSync(join(dir, 'README.md'), '# nothing to see');
    const loaded = loadPki(dir);
    expect(loaded.euicc.privateKey).toEqual(pki.euicc.privateKey);
    expect(loaded.eims).toEqual([pki.eims[1]]);
  });

  it.each<[string, RegExp, (dir: string, pki: Pki) => void]>([
    [
      'a stray key',
      /stray\.key does not belong to any certificate/,
      (dir) => {
        writeFileSync(
          join(dir, 'stray.key'),
          pem('PRIVATE KEY', pkcs8(Uint8Array.from({ length: 32 }, (_, i) => i + 1))),
        );
      },
    ],
    [
      'a missing eUICC key',
      /no private key for euicc\.crt\.pem/,
      (dir) => rmSync(join(dir, 'euicc.key.pem')),
    ],
    ['a missing CI', /no CI certificate/, (dir) => rmSync(join(dir, 'ci.crt.pem'))],
    ['a missing eUICC', /no eUICC certificate/, (dir) => rmSync(join(dir, 'euicc.crt.pem'))],
    ['a missing EUM', /no EUM certificate/, (dir) => rmSync(join(dir, 'eum.crt.pem'))],
    [
      'two eUICCs',
      /more than one eUICC certificate.*euicc\.crt\.pem, z\.pem/,
      (dir, pki) => {
        writeFileSync(join(dir, 'z.pem'), pem('CERTIFICATE', pki.euicc.certificate));
      },
    ],
    [
      'an eIM without key',
      /no private key for the eIM certificate eim-2/,
      (dir) => rmSync(join(dir, 'eim-2.key.pem')),
    ],
    [
      'a damaged file',
      /broken\.der: /,
      (dir) => writeFileSync(join(dir, 'broken.der'), Uint8Array.of(0x30, 5, 1)),
    ],
    [
      'another format',
      /text\.pem: neither PEM nor DER/,
      (dir) => writeFileSync(join(dir, 'text.pem'), 'hello'),
    ],
    [
      'an encrypted key',
      /locked: the key is encrypted/,
      (dir) => {
        writeFileSync(join(dir, 'locked'), pem('ENCRYPTED PRIVATE KEY', Uint8Array.of(0x30, 0)));
      },
    ],
  ])('says what is wrong: %s', async (_, message, damage) => {
    const pki = await make();
    const dir = folder();
    savePki(dir, pki);
    damage(dir, pki);
    const error = failure(() => loadPki(dir));
    expect(error).toBeInstanceOf(PkiError);
    expect((error as PkiError).message).toMatch(message);
  });

  it('says that the chain is broken', async () => {
    const [mine, other] = [await make(1), await make(2)];
    const dir = folder();
    savePki(dir, mine);
    rmSync(join(dir, 'ci.key.pem'));
    writeFileSync(join(dir, 'ci.crt.pem'), pem('CERTIFICATE', other.ciCertificates[0]));
    expect(() => loadPki(dir)).toThrow(
      /chain of euicc\.crt\.pem and eum\.crt\.pem fails: no CI with key identifier/,
    );
  });

  it('says that there is no folder', () => {
    expect(() => loadPki(join(folder(), 'none'))).toThrow(/not a folder/);
  });
});

// Not part of the repository: without the files there is nothing to test, and no test.
const sgp26 = process.env.XS_IPA_SGP26 ?? resolve(import.meta.dirname, '../../../../shared/sgp26');

if (process.env.XS_IPA_SGP26 !== undefined || existsSync(sgp26)) {
  describe('the GSMA SGP.26 test set', () => {
    it('loads, with the prefix constraint of its EUM', () => {
      const dir = folder();
      const { keys } = JSON.parse(readFileSync(join(sgp26, 'keys.json'), 'utf8')) as {
        keys: Record<string, string>;
      };
      for (const role of ['CI', 'EUM', 'EUICC', 'S_SM_DPauth', 'S_SM_DPpb']) {
        copyFileSync(join(sgp26, `CERT_${role}_ECDSA_NIST.der`), join(dir, `${role}.der`));
        const key = keys[`${role}_ECDSA_NIST`];
        writeFileSync(join(dir, `${role}.key`), sec1(Buffer.from(key, 'hex')));
      }
      const pki = loadPki(dir);
      expect(Buffer.from(pki.euicc.eid).toString('hex')).toBe('89049032123451234512345678901235');
      expect(Buffer.from(pki.euicc.ciKeyId).toString('hex')).toBe('f54172bdf98a95d65cbeb88a38a1c11d800a85c3');
      expect(pki.eims).toEqual([]);
      const other = Buffer.from('89049033123451234512345678901235', 'hex');
      expect(() => verifyEuiccChain({ ...chainOf(pki), eid: other })).toThrow(ChainError);
    });
  });
}
