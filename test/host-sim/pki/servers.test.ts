import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  ChainError,
  loadPki,
  makePki,
  makeServerCertificate,
  publicPoint,
  savePki,
  verifyServerChain,
} from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';

const now = Date.UTC(2026, 0, 1);
const pki = await makePki({ eid: '89049032123451234512345678901235', eims: [], now, random: seeded(1) });
const other = await makePki({ eid: '89049032123451234512345678901235', eims: [], now, random: seeded(2) });
const [smdp] = pki.smdps;
const cis = pki.ciCertificates;
const names = { address: 'smdp.example.com', oid: '2.999.10' };

const failed = (chain: Parameters<typeof verifyServerChain>[0]): string => {
  try {
    verifyServerChain(chain);
  } catch (error) {
    if (error instanceof ChainError) return error.check;
    throw error;
  }
  return 'believed';
};

it('an SM-DP+ has three certificates with their roles and one OID', () => {
  for (const [role, { certificate, privateKey }] of [
    ['dpAuth', smdp.auth],
    ['dpPb', smdp.pb],
  ] as const) {
    expect(verifyServerChain({ certificate, role, cis, ciKeyId: smdp.ciKeyId, now })).toEqual({
      oid: '2.999.10',
      publicKey: publicPoint(privateKey),
    });
  }
  const tls = new X509Certificate(smdp.tls.certificate);
  expect(tls.subjectAltName).toContain('DNS:smdp.example.com');
  expect(tls.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  const [smds] = pki.smdss;
  expect(failed({ certificate: smds.auth.certificate, role: 'dsAuth', cis })).toBe('believed');
});

it.each([
  ['another role', { certificate: smdp.auth.certificate, role: 'dpPb' }, 'serverPolicy'],
  ['an SM-DS', { certificate: pki.smdss[0].auth.certificate, role: 'dpAuth' }, 'serverPolicy'],
  ['TLS', { certificate: smdp.tls.certificate, role: 'dpAuth' }, 'serverPolicy'],
  ['another CI', { certificate: other.smdps[0].auth.certificate, role: 'dpAuth' }, 'ciUnknown'],
  ['the eUICC', { certificate: pki.euicc.certificate, role: 'dpAuth' }, 'ciUnknown'],
  ['another OID', { certificate: smdp.pb.certificate, role: 'dpPb', oid: '2.999.11' }, 'serverOid'],
  ['time gone by', { certificate: smdp.pb.certificate, role: 'dpPb', now: Date.UTC(2031, 0, 1) }, 'validity'],
  [
    'a forged signature',
    {
      certificate: makeServerCertificate(
        { certificate: cis[0], privateKey: smdp.auth.privateKey },
        { ...names, role: 'dpAuth', now },
      ).certificate,
      role: 'dpAuth',
    },
    'ciUnknown',
  ],
] as const)('refuses the certificate of %s', (_title, chain, check) => {
  expect(failed({ cis, ...chain })).toBe(check);
});

it('survives a folder of files, and the CI can issue more', () => {
  const dir = mkdtempSync(join(tmpdir(), 'xs-ipa-servers-'));
  try {
    savePki(dir, pki);
    const loaded = loadPki(dir);
    expect(loaded.smdps).toEqual(pki.smdps);
    expect(loaded.smdss).toEqual(pki.smdss);
    const made = makeServerCertificate(loaded.ci!, { ...names, role: 'dpAuth', now });
    expect(failed({ certificate: made.certificate, role: 'dpAuth', cis, now })).toBe('believed');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
