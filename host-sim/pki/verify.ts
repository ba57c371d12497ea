import * as asn1 from '@peculiar/asn1-x509';
import { sameBytes } from '../bytes.js';
import {
  alternativeName,
  attributeOf,
  authorityKeyId,
  type Certificate,
  hasKeyUsage,
  isCa,
  isSignedBy,
  oids,
  parseCertificate,
  permittedNames,
  policiesOf,
  subjectKeyId,
} from './certificate.js';
import { type ChainCheck, ChainError, PkiError } from './error.js';
import { KeyUsageFlags } from './x509.js';

/** Extensions these checks deal with; any other one that is critical ends the verification. */
const known: readonly string[] = [
  asn1.id_ce_subjectKeyIdentifier,
  asn1.id_ce_authorityKeyIdentifier,
  asn1.id_ce_keyUsage,
  asn1.id_ce_certificatePolicies,
  asn1.id_ce_basicConstraints,
  asn1.id_ce_nameConstraints,
  asn1.id_ce_subjectAltName,
  asn1.id_ce_cRLDistributionPoints,
];

/**
 * Checks the chain eUICC → EUM → CI as crypto.md §5 describes it. The CI is found by key identifier, never by name;
 * the EUM's constraint on serialNumber is a prefix of the EID, which generic path validators do not know.
 *
 * @param chain.eid 16 bytes
 * @param chain.now milliseconds since 1970; validity dates are looked at only when it is given
 * @throws ChainError naming the failed check; PkiError 'malformed' for something that is not a certificate
 */
export function verifyEuiccChain(chain: {
  euicc: Uint8Array;
  eum: Uint8Array;
  cis: readonly Uint8Array[];
  eid: Uint8Array;
  now?: number;
}): void {
  const euicc = parseCertificate(chain.euicc);
  const eum = parseCertificate(chain.eum);
  const ci = findCi(eum, chain.cis);

  ensure(isSignedBy(eum, ci), 'eumSignature', "the CI's key did not sign the EUM certificate");
  ensure(isSignedBy(euicc, eum), 'euiccSignature', "the EUM's key did not sign the eUICC certificate");
  ensure(
    policiesOf(eum).includes(oids.roleEum),
    'eumPolicy',
    'the EUM certificate lacks the policy id-rspRole-eum',
  );
  ensure(
    policiesOf(euicc).includes(oids.roleEuicc),
    'euiccPolicy',
    'the eUICC certificate lacks the policy id-rspRole-euicc',
  );
  ensure(
    isCa(eum) && hasKeyUsage(eum, KeyUsageFlags.keyCertSign),
    'eumUsage',
    'the EUM certificate may not sign certificates',
  );
  ensure(
    hasKeyUsage(euicc, KeyUsageFlags.digitalSignature),
    'euiccUsage',
    'the eUICC certificate may not sign data',
  );
  for (const certificate of [eum, euicc]) checkCritical(certificate);

  const eid = Buffer.from(chain.eid).toString('hex');
  const subject = attributeOf(euicc.x509.subjectName, oids.serialNumber);
  ensure(subject === eid, 'eid', `the eUICC certificate is for EID ${subject ?? '(none)'}, not for ${eid}`);
  checkConstraints(eum, euicc, eid);

  const { now } = chain;
  if (now === undefined) return;
  checkValidity('CI', ci.der, now);
  checkValidity('EUM', eum.der, now);
  checkValidity('eUICC', euicc.der, now);
}

/** What a server's certificate says once it is believed. */
export interface ServerIdentity {
  /** registeredID of subjectAltName, dotted. */
  oid: string;
  /** Uncompressed point, 65 bytes. */
  publicKey: Uint8Array;
}

/**
 * Checks CERT.DPauth, CERT.DPpb or CERT.DSauth against its CI (SGP.22 §4.5.2, crypto.md §3, §5).
 *
 * @param chain.ciKeyId only the CI with this key identifier will do; undefined for any of `cis`
 * @param chain.oid the registeredID it has to have, such as that of CERT.DPauth for CERT.DPpb
 * @param chain.now milliseconds since 1970; validity dates are looked at only when it is given
 * @throws ChainError naming the failed check; PkiError 'malformed' for something that is not a certificate
 */
export function verifyServerChain(chain: {
  certificate: Uint8Array;
  role: 'dpAuth' | 'dpPb' | 'dsAuth';
  cis: readonly Uint8Array[];
  ciKeyId?: Uint8Array;
  oid?: string;
  now?: number;
}): ServerIdentity {
  const server = parseCertificate(chain.certificate);
  const ci = findCi(server, chain.cis);
  const fits = !chain.ciKeyId || sameBytes(subjectKeyId(ci), chain.ciKeyId);
  ensure(fits, 'ciUnknown', 'the certificate hangs from another CI than the session');
  ensure(isSignedBy(server, ci), 'serverSignature', "the CI's key did not sign the server's certificate");
  const roles = { dpAuth: oids.roleDpAuth, dpPb: oids.roleDpPb, dsAuth: oids.roleDsAuth };
  ensure(
    policiesOf(server).includes(roles[chain.role]),
    'serverPolicy',
    `the certificate lacks the policy of the role ${chain.role}`,
  );
  ensure(
    !isCa(server) && hasKeyUsage(server, KeyUsageFlags.digitalSignature),
    'serverUsage',
    'the certificate may not sign data',
  );
  checkCritical(server);
  const oid = alternativeName(server, 'id');
  ensure(oid !== undefined, 'serverOid', 'the certificate has no registeredID');
  ensure(!chain.oid || chain.oid === oid, 'serverOid', `the certificate is of ${oid}, not of ${chain.oid}`);
  if (chain.now !== undefined) {
    checkValidity('CI', ci.der, chain.now);
    checkValidity("server's", server.der, chain.now);
  }
  return { oid, publicKey: server.publicKey };
}

function checkCritical({ x509 }: Certificate): void {
  for (const { type, critical } of x509.extensions)
    ensure(!critical || known.includes(type), 'criticalExtension', `unknown critical extension ${type}`);
}

/** @throws ChainError 'validity' */
export function checkValidity(who: string, certificate: Uint8Array, now: number): void {
  const { x509 } = parseCertificate(certificate);
  const valid = now >= x509.notBefore.getTime() && now <= x509.notAfter.getTime();
  ensure(valid, 'validity', `the ${who} certificate is not valid at ${new Date(now).toISOString()}`);
}

/** Trust anchors are few and used for every chain; whoever holds one does not change its bytes. */
const anchors = new WeakMap<Uint8Array, Certificate>();

function anchor(der: Uint8Array): Certificate {
  const known = anchors.get(der);
  if (known) return known;
  const parsed = parseCertificate(der);
  anchors.set(der, parsed);
  return parsed;
}

/** The CI certificate that one of an EUM or a server hangs from. Generations of one CI share key and key identifier, not the name. */
function findCi(issued: Certificate, cis: readonly Uint8Array[]): Certificate {
  const wanted = authorityKeyId(issued);
  ensure(wanted !== undefined, 'ciUnknown', 'the certificate does not name the key of its CI');
  for (const der of cis) {
    const ci = anchor(der);
    const id = subjectKeyId(ci);
    if (sameBytes(id, wanted)) return ci;
  }
  throw new ChainError(
    'ciUnknown',
    `no CI with key identifier ${Buffer.from(wanted).toString('hex')} is trusted`,
  );
}

function checkConstraints(eum: Certificate, euicc: Certificate, eid: string): void {
  const permitted = permittedNames(eum);
  ensure(permitted !== undefined, 'nameConstraints', 'the EUM certificate has no name constraints');
  const organization = attributeOf(euicc.x509.subjectName, oids.organization);
  const allowed = permitted.some((name) => {
    const prefix = attributeOf(name, oids.serialNumber);
    return (
      organization !== undefined &&
      attributeOf(name, oids.organization) === organization &&
      prefix !== undefined &&
      prefix.length > 0 &&
      eid.startsWith(prefix)
    );
  });
  ensure(
    allowed,
    'nameConstraints',
    `the EUM may not issue for EID ${eid} of ${organization ?? 'no organization'}`,
  );
}

function ensure(condition: boolean, check: ChainCheck, message: string): asserts condition {
  if (!condition) throw new ChainError(check, message);
}

/** Whether an error says "this chain is bad", as opposed to a fault of the program. */
export function isChainProblem(error: unknown): error is ChainError | PkiError {
  return error instanceof ChainError || error instanceof PkiError;
}
