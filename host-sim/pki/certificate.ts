import { createHash, X509Certificate as NodeCertificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { id_ce_nameConstraints, NameConstraints } from '@peculiar/asn1-x509';
import { readElement, writeElement } from '../asn1/ber.js';
import { PkiError } from './error.js';
import { pointOf, spkiOfKey } from './keys.js';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  CertificatePolicyExtension,
  type KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from './x509.js';

/** Attributes of a name, and the policies of the roles in remote SIM provisioning (SGP.22, crypto.md §5). */
export const oids = {
  commonName: '2.5.4.3',
  serialNumber: '2.5.4.5',
  country: '2.5.4.6',
  organization: '2.5.4.10',
  description: '2.5.4.13',
  roleCi: '2.23.146.1.2.1.0',
  roleEuicc: '2.23.146.1.2.1.1',
  roleEum: '2.23.146.1.2.1.2',
  roleDpTls: '2.23.146.1.2.1.3',
  roleDpAuth: '2.23.146.1.2.1.4',
  roleDpPb: '2.23.146.1.2.1.5',
  roleDsTls: '2.23.146.1.2.1.6',
  roleDsAuth: '2.23.146.1.2.1.7',
} as const;

/** Prefix of every id-rspRole policy. */
export const rolePrefix = '2.23.146.1.2.1.';

/** What the checks of this project need of an X.509 certificate. */
export interface Certificate {
  der: Uint8Array;
  /** SubjectPublicKeyInfo, whole DER. */
  spki: Uint8Array;
  /** Uncompressed P-256 point, 65 bytes. */
  publicKey: Uint8Array;
  /** What it says. */
  x509: X509Certificate;
  /** Verifies without WebCrypto, which would have to be awaited. */
  node: NodeCertificate;
}

/** @throws PkiError 'malformed' or 'unsupportedKey' */
export function parseCertificate(der: Uint8Array): Certificate {
  return guarded(() => {
    // The parsers of the libraries overlook bytes behind the certificate.
    const { bytes } = readElement(der);
    const x509 = new X509Certificate(bytes);
    // Made when they are asked for: now is the time for them to fail.
    void [x509.extensions, x509.notBefore, x509.notAfter];
    const node = new NodeCertificate(bytes);
    return { der: bytes, spki: spkiOfKey(node.publicKey), publicKey: pointOf(node.publicKey), x509, node };
  });
}

/** Uncompressed point of a certificate's key. @throws PkiError 'malformed' or 'unsupportedKey' */
export function publicKeyOf(certificateDer: Uint8Array): Uint8Array {
  return guarded(() => pointOf(new NodeCertificate(certificateDer).publicKey));
}

/** SubjectPublicKeyInfo of a certificate, whole DER. @throws PkiError 'malformed' */
export function spkiOf(certificateDer: Uint8Array): Uint8Array {
  return guarded(() => spkiOfKey(new NodeCertificate(certificateDer).publicKey));
}

/**
 * [n] Certificate and [n] SubjectPublicKeyInfo replace the outer SEQUENCE (es10.md T5): what stands inside A5 or A6 is
 * the body, and becomes X.509 again with 30 and a length in front.
 */
export function rewrap(body: Uint8Array): Uint8Array {
  return writeElement(0x30, body);
}

/** The body for A5 or A6: everything behind the outer 30 and its length. @throws PkiError 'malformed' */
export function bodyOf(der: Uint8Array): Uint8Array {
  const { tag, content } = guarded(() => readElement(der));
  if (tag !== 0x30) throw new PkiError('malformed', 'neither a certificate nor a public key');
  return content;
}

/** EID that an eUICC certificate names, 16 bytes. @throws PkiError 'malformed' */
export function eidOfCertificate(certificateDer: Uint8Array): Uint8Array {
  const { x509 } = parseCertificate(certificateDer);
  const digits = attributeOf(x509.subjectName, oids.serialNumber) ?? '';
  if (!/^\d{32}$/.test(digits)) throw new PkiError('malformed', 'the subject has no EID of 32 digits');
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** registeredID of subjectAltName, dotted. @throws PkiError 'malformed' */
export function oidOfCertificate(certificateDer: Uint8Array): string | undefined {
  return alternativeName(parseCertificate(certificateDer), 'id');
}

/** SHA-1 of the public key's bits, RFC 5280 §4.2.1.2 (1). */
export function keyIdOf(point: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha1').update(point).digest());
}

export function subjectKeyId({ x509 }: Certificate): Uint8Array | undefined {
  return fromHex(x509.getExtension(SubjectKeyIdentifierExtension)?.keyId);
}

export function authorityKeyId({ x509 }: Certificate): Uint8Array | undefined {
  return fromHex(x509.getExtension(AuthorityKeyIdentifierExtension)?.keyId);
}

export function policiesOf({ x509 }: Certificate): readonly string[] {
  return x509.getExtension(CertificatePolicyExtension)?.policies ?? [];
}

export function hasKeyUsage({ x509 }: Certificate, usage: KeyUsageFlags): boolean {
  return ((x509.getExtension(KeyUsagesExtension)?.usages ?? 0) & usage) !== 0;
}

export function isCa({ x509 }: Certificate): boolean {
  return x509.getExtension(BasicConstraintsExtension)?.ca ?? false;
}

/** The first dNSName or registeredID of subjectAltName. */
export function alternativeName({ x509 }: Certificate, type: 'dns' | 'id'): string | undefined {
  const names = x509.getExtension(SubjectAlternativeNameExtension)?.names.items;
  return names?.find((name) => name.type === type)?.value;
}

/** Permitted directory names of nameConstraints; undefined without the extension. @throws PkiError 'malformed' */
export function permittedNames({ x509 }: Certificate): Name[] | undefined {
  const extension = x509.getExtension(id_ce_nameConstraints);
  if (!extension) return undefined;
  const { permittedSubtrees = [] } = guarded(() => AsnConvert.parse(extension.value, NameConstraints));
  return permittedSubtrees.flatMap(({ base }) => (base.directoryName ? [new Name(base.directoryName)] : []));
}

export function attributeOf(name: Name, type: string): string | undefined {
  return name.getField(type).at(0);
}

export function isSignedBy({ node }: Certificate, issuer: Certificate): boolean {
  return node.verify(issuer.node.publicKey);
}

function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new PkiError('malformed', `the certificate cannot be read: ${detail}`, { cause });
  }
}

function fromHex(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : Uint8Array.from(Buffer.from(text, 'hex'));
}
