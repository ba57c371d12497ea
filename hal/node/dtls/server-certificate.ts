import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { checkServerIdentity, rootCertificates } from 'node:tls';
import { certificatesOf, dateRefusal, pinRefusal, type TlsTrust } from '../trust.js';
import { DtlsError } from './error.js';

const BAD_CERTIFICATE = 42;
const CERTIFICATE_EXPIRED = 45;
const CERTIFICATE_UNKNOWN = 46;
const UNKNOWN_CA = 48;
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';

function untrusted(text: string, alert: number): DtlsError {
  return new DtlsError('untrusted', `the server ${text}`, alert);
}

/** The key of a server that shows nothing else. @throws DtlsError 'untrusted', 'protocol' */
export function checkRawKey(spki: Uint8Array, trust: TlsTrust): KeyObject {
  if (!('pin' in trust) || !Buffer.from(trust.pin).equals(spki))
    throw untrusted('has another key than the one that is pinned', CERTIFICATE_UNKNOWN);
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    throw new DtlsError('protocol', 'the server shows a key that cannot be read', BAD_CERTIFICATE);
  }
}

/**
 * The key of a server's certificate, if that may be trusted: as for HTTPS, a path to a root with the name and the dates right,
 * or the key that is pinned.
 * @param chain DER, the server's own first; the order of the others does not matter
 * @param now milliseconds since 1970
 * @throws DtlsError 'untrusted', 'protocol'
 */
export function checkChain(
  chain: readonly Uint8Array[],
  trust: TlsTrust,
  name: string,
  now: number,
): KeyObject {
  const [own, ...others] = chain.map(read);
  if (!own) throw untrusted('showed no certificate', BAD_CERTIFICATE);
  if ('pin' in trust) {
    const refusal = pinRefusal(own, trust.pin, now);
    if (refusal) throw untrusted(refusal, dateRefusal(own, now) ? CERTIFICATE_EXPIRED : CERTIFICATE_UNKNOWN);
    return own.publicKey;
  }
  const roots = trust.roots === 'system' ? rootCertificates : trust.roots.flatMap(certificatesOf);
  checkPath(
    own,
    others,
    roots.map((root) => new X509Certificate(root)),
    now,
  );
  // Extended key usage, where there is one.
  const purposes = own.keyUsage as readonly string[] | undefined;
  if (purposes && !purposes.includes(SERVER_AUTHENTICATION))
    throw untrusted('has a certificate that is not for servers', CERTIFICATE_UNKNOWN);
  const mismatch = checkServerIdentity(name, own.toLegacyObject() as never);
  if (mismatch) throw untrusted(`has another name: ${mismatch.message}`, CERTIFICATE_UNKNOWN);
  return own.publicKey;
}

/** From certificate to issuer, until one is found that is trusted. */
function checkPath(
  own: X509Certificate,
  others: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  now: number,
): void {
  const left = new Set(others);
  for (let current = own; ; ) {
    checkDate(current, now);
    if (roots.some((root) => root.raw.equals(current.raw))) return;
    const root = roots.find((one) => hasIssued(one, current));
    if (root) {
      checkDate(root, now);
      return;
    }
    const issuer = [...left].find((one) => one.ca && hasIssued(one, current));
    if (!issuer) throw untrusted('has a certificate of a CA that is not trusted', UNKNOWN_CA);
    left.delete(issuer);
    current = issuer;
  }
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function checkDate(certificate: X509Certificate, now: number): void {
  const refusal = dateRefusal(certificate, now);
  if (refusal) throw untrusted(refusal, CERTIFICATE_EXPIRED);
}

function read(der: Uint8Array): X509Certificate {
  try {
    const certificate = new X509Certificate(der);
    // Read only when it is asked for, and its key may be of a kind that nobody knows.
    certificate.publicKey;
    return certificate;
  } catch {
    throw new DtlsError('protocol', 'the server shows a certificate that cannot be read', BAD_CERTIFICATE);
  }
}
