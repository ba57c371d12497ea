import { createHash } from 'node:crypto';
import { type Element, readElement } from '../asn1/ber.js';
import { bits, oid, readOid, readTime, sequence } from './der.js';
import { PkiError } from './error.js';
import { verify } from './signature.js';

/** Object identifiers of X.509 and of the roles in remote SIM provisioning (SGP.22, crypto.md §5). */
export const oids = {
  ecPublicKey: '1.2.840.10045.2.1',
  p256: '1.2.840.10045.3.1.7',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  serialNumber: '2.5.4.5',
  country: '2.5.4.6',
  organization: '2.5.4.10',
  description: '2.5.4.13',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  policies: '2.5.29.32',
  authorityKeyId: '2.5.29.35',
  roleCi: '2.23.146.1.2.1.0',
  roleEuicc: '2.23.146.1.2.1.1',
  roleEum: '2.23.146.1.2.1.2',
} as const;

/** Prefix of every id-rspRole policy. */
export const rolePrefix = '2.23.146.1.2.1.';

/** One attribute of a distinguished name. */
export interface NameAttribute {
  type: string;
  value: string;
}

export interface Extension {
  critical: boolean;
  /** Content of extnValue. */
  value: Uint8Array;
}

/** What the checks of this project need of an X.509 certificate. Views into one private copy. */
export interface Certificate {
  der: Uint8Array;
  /** tbsCertificate with tag and length: what is signed. */
  tbs: Uint8Array;
  /** DER signature value. */
  signature: Uint8Array;
  issuer: NameAttribute[];
  subject: NameAttribute[];
  /** Milliseconds since 1970, NaN when unreadable. */
  notBefore: number;
  notAfter: number;
  /** SubjectPublicKeyInfo, whole DER. */
  spki: Uint8Array;
  /** Uncompressed P-256 point, 65 bytes. */
  publicKey: Uint8Array;
  extensions: ReadonlyMap<string, Extension>;
}

/** @throws PkiError 'malformed' */
export function parseCertificate(der: Uint8Array): Certificate {
  return guarded('the certificate', () => {
    const root = expect(readElement(der), 0x30);
    const [tbs, , signature] = root.children;
    const fields = [...expect(tbs, 0x30).children];
    if (fields[0]?.tag === 0xa0) fields.shift();
    const [, , issuer, validity, subject, spki] = fields;
    const extensions = new Map<string, Extension>();
    for (const extension of fields.find((field) => field.tag === 0xa3)?.children[0]?.children ?? []) {
      const parts = extension.children;
      extensions.set(readOid(expect(parts[0], 0x06).content), {
        critical: parts[1]?.tag === 0x01 && parts[1].content[0] !== 0,
        value: expect(parts[parts.length - 1], 0x04).content,
      });
    }
    const [from, to] = expect(validity, 0x30).children;
    return {
      der: root.bytes,
      tbs: tbs.bytes,
      signature: expect(signature, 0x03).content.subarray(1),
      issuer: readName(issuer),
      subject: readName(subject),
      notBefore: readTime(from.tag, from.content),
      notAfter: readTime(to.tag, to.content),
      spki: spki.bytes,
      publicKey: pointOf(spki),
      extensions,
    };
  });
}

/** Uncompressed point of a certificate's key. @throws PkiError 'malformed' */
export function publicKeyOf(certificateDer: Uint8Array): Uint8Array {
  return parseCertificate(certificateDer).publicKey;
}

/** SubjectPublicKeyInfo of a certificate, whole DER. @throws PkiError 'malformed' */
export function spkiOf(certificateDer: Uint8Array): Uint8Array {
  return parseCertificate(certificateDer).spki;
}

/** Uncompressed point in a SubjectPublicKeyInfo. @throws PkiError 'malformed' */
export function pointOfSpki(spki: Uint8Array): Uint8Array {
  return guarded('the public key', () => pointOf(readElement(spki)));
}

/** SubjectPublicKeyInfo around an uncompressed P-256 point. */
export function spkiOfPoint(point: Uint8Array): Uint8Array {
  return sequence(sequence(oid(oids.ecPublicKey), oid(oids.p256)), bits(point));
}

/**
 * [n] Certificate and [n] SubjectPublicKeyInfo replace the outer SEQUENCE (es10.md T5): what stands inside A5 or A6 is
 * the body, and becomes X.509 again with 30 and a length in front.
 */
export function rewrap(body: Uint8Array): Uint8Array {
  return sequence(body);
}

/** The body for A5 or A6: everything behind the outer 30 and its length. @throws PkiError 'malformed' */
export function bodyOf(der: Uint8Array): Uint8Array {
  return guarded('the certificate or key', () => expect(readElement(der), 0x30).content);
}

/** SHA-1 of the public key's bits, RFC 5280 §4.2.1.2 (1). */
export function keyIdOf(point: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha1').update(point).digest());
}

export function subjectKeyId(certificate: Certificate): Uint8Array | undefined {
  return extension(certificate, oids.subjectKeyId, 0x04)?.content;
}

export function authorityKeyId(certificate: Certificate): Uint8Array | undefined {
  return extension(certificate, oids.authorityKeyId, 0x30)?.children.find((part) => part.tag === 0x80)
    ?.content;
}

export function policiesOf(certificate: Certificate): string[] {
  const policies = extension(certificate, oids.policies, 0x30)?.children ?? [];
  return policies.flatMap((policy) => policy.children.slice(0, 1)).map((id) => readOid(id.content));
}

/** Bit n of keyUsage: 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
export function hasKeyUsage(certificate: Certificate, bit: number): boolean {
  const usage = extension(certificate, oids.keyUsage, 0x03)?.content ?? Uint8Array.of(0);
  return ((usage[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0;
}

export function isCa(certificate: Certificate): boolean {
  const constraints = extension(certificate, oids.basicConstraints, 0x30);
  return constraints?.children[0]?.tag === 0x01 && constraints.children[0].content[0] !== 0;
}

/** dNSName and registeredID entries of subjectAltName. */
export function alternativeNames(certificate: Certificate): { dns: string[]; oids: string[] } {
  const names = extension(certificate, oids.subjectAltName, 0x30)?.children ?? [];
  return {
    dns: names.filter((name) => name.tag === 0x82).map((name) => text(name.content)),
    oids: names.filter((name) => name.tag === 0x88).map((name) => readOid(name.content)),
  };
}

/** Permitted directory names of nameConstraints; undefined without the extension. */
export function permittedNames(certificate: Certificate): NameAttribute[][] | undefined {
  const subtrees = extension(certificate, oids.nameConstraints, 0x30)?.children.find(
    (part) => part.tag === 0xa0,
  );
  return subtrees?.children
    .map((subtree) => subtree.children[0])
    .filter((name) => name?.tag === 0xa4)
    .map((name) => readName(name.children[0]));
}

export function attributeOf(name: readonly NameAttribute[], type: string): string | undefined {
  return name.find((attribute) => attribute.type === type)?.value;
}

export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  return verify(issuer.publicKey, certificate.signature, certificate.tbs);
}

function extension(certificate: Certificate, id: string, tag: number): Element | undefined {
  const found = certificate.extensions.get(id);
  return found && guarded(`extension ${id}`, () => expect(readElement(found.value), tag));
}

function readName(name: Element): NameAttribute[] {
  return expect(name, 0x30).children.flatMap((rdn) =>
    rdn.children.map((attribute) => ({
      type: readOid(expect(attribute.children[0], 0x06).content),
      value: text(attribute.children[1].content),
    })),
  );
}

function pointOf(spki: Element): Uint8Array {
  const [algorithm, key] = expect(spki, 0x30).children;
  const curve = expect(algorithm, 0x30).children[1];
  if (!curve || readOid(curve.content) !== oids.p256)
    throw new PkiError('unsupportedKey', 'only NIST P-256 keys are supported');
  const point = expect(key, 0x03).content.subarray(1);
  if (point.length !== 65 || point[0] !== 4)
    throw new PkiError('malformed', 'the public key is not an uncompressed point');
  return point;
}

function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag)
    throw new PkiError(
      'malformed',
      `${tag.toString(16)} expected, found ${element?.tag.toString(16) ?? 'nothing'}`,
    );
  return element;
}

function guarded<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new PkiError('malformed', `${what} cannot be read: ${detail}`, { cause });
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
