import * as asn1 from '@peculiar/asn1-x509';
import { sameBytes } from '../bytes.js';
import {
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
  for (const certificate of [eum, euicc]) {
    for (const { type, critical } of certificate.x509.extensions) {
      ensure(!critical || known.includes(type), 'criticalExtension', `unknown critical extension ${type}`);
    }
  }

  const eid = Buffer.from(chain.eid).toString('hex');
  const subject = attributeOf(euicc.x509.subjectName, oids.serialNumber);
  ensure(subject === eid, 'eid', `the eUICC certificate is for EID ${subject ?? '(none)'}, not for ${eid}`);
  checkConstraints(eum, euicc, eid);

  const { now } = chain;
  if (now === undefined) return;
  for (const [who, { x509 }] of [
    ['CI', ci],
    ['EUM', eum],
    ['eUICC', euicc],
  ] as const) {
    const valid = now >= x509.notBefore.getTime() && now <= x509.notAfter.getTime();
    ensure(valid, 'validity', `the ${who} certificate is not valid at ${new Date(now).toISOString()}`);
  }
}

/** The CI certificate an EUM certificate hangs from. Generations of one CI share key and key identifier, not the name. */
function findCi(eum: Certificate, cis: readonly Uint8Array[]): Certificate {
  const wanted = authorityKeyId(eum);
  ensure(wanted !== undefined, 'ciUnknown', 'the EUM certificate does not name the key of its CI');
  for (const der of cis) {
    const ci = parseCertificate(der);
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
