import { randomInt } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import * as asn1 from '@peculiar/asn1-x509';
import { hex } from '../bytes.js';
import { keyIdOf, oids } from './certificate.js';
import { spkiOfPoint } from './keys.js';
import { isScalar, publicPoint, signDer } from './signature.js';
import {
  AuthorityKeyIdentifierExtension,
  CertificatePolicyExtension,
  Extension,
  type KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from './x509.js';

// How certificates of the test hierarchies are made; which ones there are is told by make.ts and servers.ts.

export const day = 86_400_000;
export const year = 365 * day;

export interface Key {
  privateKey: Uint8Array;
  point: Uint8Array;
}

export function makeKey(random: () => number): Key {
  let privateKey: Uint8Array;
  do privateKey = bytesOf(random, 32);
  while (!isScalar(privateKey));
  return { privateKey, point: publicPoint(privateKey) };
}

/** The library signs with WebCrypto only, which is neither synchronous nor deterministic. */
export function issue(
  issuer: Key,
  issuerName: asn1.Name,
  certificate: {
    serial: Uint8Array;
    subject: asn1.Name;
    key: Key;
    from: number;
    to: number;
    extensions: Extension[];
  },
): Uint8Array {
  const { serial, subject, key, from, to, extensions } = certificate;
  const signatureAlgorithm = new asn1.AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });
  const tbsCertificate = new asn1.TBSCertificate({
    version: asn1.Version.v3,
    serialNumber: bufferOf(serial),
    signature: signatureAlgorithm,
    issuer: issuerName,
    validity: new asn1.Validity({ notBefore: new Date(from), notAfter: new Date(to) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(spkiOfPoint(key.point), asn1.SubjectPublicKeyInfo),
    extensions: new asn1.Extensions(
      extensions.map(({ rawData }) => AsnConvert.parse(rawData, asn1.Extension)),
    ),
  });
  const signature = signDer(issuer.privateKey, new Uint8Array(AsnConvert.serialize(tbsCertificate)));
  const whole = new asn1.Certificate({
    tbsCertificate,
    signatureAlgorithm,
    signatureValue: bufferOf(signature),
  });
  return new Uint8Array(AsnConvert.serialize(whole));
}

export function name(...attributes: [type: string, value: string][]): asn1.Name {
  const short: string[] = [oids.country, oids.serialNumber];
  return new asn1.Name(
    attributes.map(([type, text]) => {
      const value = new asn1.AttributeValue(
        short.includes(type) ? { printableString: text } : { utf8String: text },
      );
      return new asn1.RelativeDistinguishedName([new asn1.AttributeTypeAndValue({ type, value })]);
    }),
  );
}

export function nameConstraints(permitted: asn1.Name): Extension {
  const base = new asn1.GeneralName({ directoryName: permitted });
  const permittedSubtrees = new asn1.GeneralSubtrees([new asn1.GeneralSubtree({ base })]);
  const value = AsnConvert.serialize(new asn1.NameConstraints({ permittedSubtrees }));
  return new Extension(asn1.id_ce_nameConstraints, true, value);
}

export const usage = (flags: KeyUsageFlags) => new KeyUsagesExtension(flags, true);
export const policy = (id: string, critical = true) => new CertificatePolicyExtension([id], critical);
export const alternativeName = (type: 'dns' | 'id', value: string) =>
  new SubjectAlternativeNameExtension([{ type, value }]);
export const subjectKeyIdentifier = (key: Key) => new SubjectKeyIdentifierExtension(hex(keyIdOf(key.point)));
export const authorityKeyIdentifier = (key: Key) =>
  new AuthorityKeyIdentifierExtension(hex(keyIdOf(key.point)));
const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

export const secure = (): number => randomInt(2 ** 32) / 2 ** 32;
export const dayBefore = (now: number): number => Math.floor(now / 1000) * 1000 - day;
export const serialNumber = (random: () => number): Uint8Array =>
  Uint8Array.from([0x40 | (byteOf(random) & 0x3f), ...bytesOf(random, 7)]);
const byteOf = (random: () => number): number => Math.floor(random() * 256) & 0xff;
const bytesOf = (random: () => number, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => byteOf(random));
