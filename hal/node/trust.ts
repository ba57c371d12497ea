import { createHash, X509Certificate } from 'node:crypto';

/** Whom a TLS or DTLS client trusts. */
export type TlsTrust =
  /** The computer's own roots. */
  | { roots: 'system' }
  /** These certificates and nothing else: PEM (one file may hold several), or DER. */
  | { roots: readonly (string | Uint8Array)[] }
  /** This public key, whoever vouches for it: a SubjectPublicKeyInfo, DER. Names are not looked at, dates are. */
  | { pin: Uint8Array };

/**
 * How to trust what the tag A6 of an EimConfigurationData holds (spec/esipa.md §7): a CA is the only root, any other certificate
 * is pinned by its key.
 * @param kind of the alternative: A0 a SubjectPublicKeyInfo, A1 a certificate; both whole, DER
 */
export function trustOf(kind: 'publicKey' | 'certificate', der: Uint8Array): TlsTrust {
  if (kind === 'publicKey') return { pin: der };
  const certificate = new X509Certificate(der);
  return certificate.ca ? { roots: [der] } : { pin: spki(certificate) };
}

/** For a log: what a server has to show. */
export function expectation(trust: TlsTrust, name: string, protocol: 'TLS' | 'DTLS' = 'TLS'): string {
  if ('pin' in trust) {
    const hash = createHash('sha256').update(trust.pin).digest('hex');
    return `${protocol} with the key whose SubjectPublicKeyInfo has the SHA-256 ${hash}`;
  }
  if (trust.roots === 'system')
    return `${protocol} with a valid certificate for ${name} of a CA that this computer trusts`;
  const subjects = trust.roots
    .flatMap(certificatesOf)
    .map((root) => new X509Certificate(root).subject.replaceAll('\n', ', '));
  return `${protocol} with a valid certificate for ${name} of ${subjects.join(' or ')}`;
}

/** Why a certificate does not do where a key is pinned. */
export function pinRefusal(
  certificate: X509Certificate | undefined,
  pin: Uint8Array,
  now = Date.now(),
): string | undefined {
  if (!certificate) return 'showed no certificate';
  if (!spki(certificate).equals(pin)) return 'has another key than the one that is pinned';
  return dateRefusal(certificate, now);
}

/** Why a certificate does not do at this time. */
export function dateRefusal({ validFrom, validTo }: X509Certificate, now: number): string | undefined {
  const valid = now >= Date.parse(validFrom) && now <= Date.parse(validTo);
  return valid ? undefined : `has a certificate that is valid from ${validFrom} to ${validTo}`;
}

/** The certificates of a PEM file, or the one of a DER. */
export function certificatesOf(root: string | Uint8Array): (string | Uint8Array)[] {
  const text = Buffer.from(root).toString('latin1');
  return text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [root];
}

/** An address is no server name (RFC 6066 §3). */
export function isName(host: string): boolean {
  return !host.includes(':') && !/^[\d.]+$/.test(host);
}

function spki(certificate: X509Certificate): Buffer {
  return certificate.publicKey.export({ type: 'spki', format: 'der' });
}
