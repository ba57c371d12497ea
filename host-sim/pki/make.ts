import { randomInt } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import * as asn1 from '@peculiar/asn1-x509';
import { hex } from '../bytes.js';
import { keyIdOf, oids } from './certificate.js';
import { PkiError } from './error.js';
import { spkiOfPoint } from './keys.js';
import { isScalar, publicPoint, signDer } from './signature.js';
import type { EimCredentials, Pki } from './types.js';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  CertificatePolicyExtension,
  CRLDistributionPointsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from './x509.js';

const day = 86_400_000;
const year = 365 * day;
/** "No expiry" of RFC 5280. */
const never = Date.UTC(9999, 11, 31, 23, 59, 59);
const organization = 'xs-ipa test EUM';

export interface PkiOptions {
  /** 32 decimal digits, as text or as 16 bytes. */
  eid: string | Uint8Array;
  eims: readonly Pick<EimCredentials, 'eimId' | 'eimIdType' | 'eimFqdn'>[];
  /** Milliseconds since 1970; certificates are valid from the day before. */
  now: number;
  /** 0 ≤ x < 1. Keys and serial numbers follow from it: the same numbers make the same hierarchy. Default: secure. */
  random?: () => number;
}

/**
 * A test hierarchy with the policies, usages and constraints of crypto.md §5: CI → EUM → eUICC, and self-signed eIMs.
 * The keys of CI and EUM are not kept.
 *
 * @throws PkiError 'argument'
 */
export async function makePki(options: PkiOptions): Promise<Pki> {
  const random = options.random ?? secure;
  const eid = Uint8Array.from(
    typeof options.eid === 'string' ? Buffer.from(checkedEid(options.eid), 'hex') : options.eid,
  );
  const digits = checkedEid(Buffer.from(eid).toString('hex'));
  const from = dayBefore(options.now);
  const serial = () => serialNumber(random);

  const ci = makeKey(random);
  const ciName = name(
    [oids.commonName, 'xs-ipa test CI'],
    [oids.organization, 'xs-ipa'],
    [oids.country, 'XX'],
  );
  const ciCertificate = issue(ci, ciName, {
    serial: serial(),
    subject: ciName,
    key: ci,
    from,
    to: from + 35 * year,
    extensions: [
      subjectKeyIdentifier(ci),
      new BasicConstraintsExtension(true, undefined, true),
      policy(oids.roleCi),
      usage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign),
      alternativeName('id', '2.999.1'),
    ],
  });

  const eum = makeKey(random);
  const eumName = name(
    [oids.country, 'XX'],
    [oids.organization, organization],
    [oids.commonName, 'xs-ipa test EUM'],
  );
  const permitted = name([oids.organization, organization], [oids.serialNumber, digits.slice(0, 8)]);
  const eumCertificate = issue(ci, ciName, {
    serial: serial(),
    subject: eumName,
    key: eum,
    from,
    to: from + 34 * year,
    extensions: [
      authorityKeyIdentifier(ci),
      subjectKeyIdentifier(eum),
      usage(KeyUsageFlags.keyCertSign),
      policy(oids.roleEum),
      alternativeName('id', '2.999.5'),
      new BasicConstraintsExtension(true, 0, true),
      new CRLDistributionPointsExtension(['http://ci.example.com/crl']),
      nameConstraints(permitted),
    ],
  });

  const euicc = makeKey(random);
  const euiccCertificate = issue(eum, eumName, {
    serial: serial(),
    subject: name(
      [oids.country, 'XX'],
      [oids.organization, organization],
      [oids.serialNumber, digits],
      [oids.commonName, 'xs-ipa test eUICC'],
    ),
    key: euicc,
    from,
    to: never,
    extensions: [
      authorityKeyIdentifier(eum),
      subjectKeyIdentifier(euicc),
      usage(KeyUsageFlags.digitalSignature),
      policy(oids.roleEuicc),
    ],
  });

  return {
    ciCertificates: [ciCertificate],
    euicc: {
      eid,
      privateKey: euicc.privateKey,
      certificate: euiccCertificate,
      eumCertificate,
      ciKeyId: keyIdOf(ci.point),
    },
    eims: options.eims.map((eim) => eimCredentials(eim, random, serial(), from)),
  };
}

/** Credentials of one eIM, self-signed: for use beside a hierarchy that was loaded. @throws PkiError 'argument' */
export function makeEim(
  eim: PkiOptions['eims'][number],
  options: Pick<PkiOptions, 'now' | 'random'>,
): EimCredentials {
  const random = options.random ?? secure;
  return eimCredentials(eim, random, serialNumber(random), dayBefore(options.now));
}

function eimCredentials(
  { eimId, eimIdType, eimFqdn }: PkiOptions['eims'][number],
  random: () => number,
  serial: Uint8Array,
  from: number,
): EimCredentials {
  if (eimId.length < 1 || eimId.length > 128)
    throw new PkiError('argument', 'an eimId has 1 to 128 characters');
  const key = makeKey(random);
  // The common name may have 64 characters only; the description carries id and type back through a folder of files.
  const subject = name(
    [oids.commonName, eimId.slice(0, 64)],
    [oids.description, `eim ${eimIdType} ${eimId}`],
  );
  const certificate = issue(key, subject, {
    serial,
    subject,
    key,
    from,
    to: from + 20 * year,
    extensions: [
      subjectKeyIdentifier(key),
      usage(KeyUsageFlags.digitalSignature),
      alternativeName('dns', eimFqdn),
    ],
  });
  const publicKey = spkiOfPoint(key.point);
  return { eimId, eimIdType, eimFqdn, privateKey: key.privateKey, publicKey, certificate };
}

interface Key {
  privateKey: Uint8Array;
  point: Uint8Array;
}

function makeKey(random: () => number): Key {
  let privateKey: Uint8Array;
  do privateKey = bytesOf(random, 32);
  while (!isScalar(privateKey));
  return { privateKey, point: publicPoint(privateKey) };
}

/** The library signs with WebCrypto only, which is neither synchronous nor deterministic. */
function issue(
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

function name(...attributes: [type: string, value: string][]): asn1.Name {
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

function nameConstraints(permitted: asn1.Name): Extension {
  const base = new asn1.GeneralName({ directoryName: permitted });
  const permittedSubtrees = new asn1.GeneralSubtrees([new asn1.GeneralSubtree({ base })]);
  const value = AsnConvert.serialize(new asn1.NameConstraints({ permittedSubtrees }));
  return new Extension(asn1.id_ce_nameConstraints, true, value);
}

const usage = (flags: KeyUsageFlags) => new KeyUsagesExtension(flags, true);
const policy = (id: string) => new CertificatePolicyExtension([id], true);
const alternativeName = (type: 'dns' | 'id', value: string) =>
  new SubjectAlternativeNameExtension([{ type, value }]);
const subjectKeyIdentifier = (key: Key) => new SubjectKeyIdentifierExtension(hex(keyIdOf(key.point)));
const authorityKeyIdentifier = (key: Key) => new AuthorityKeyIdentifierExtension(hex(keyIdOf(key.point)));
const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

function checkedEid(eid: string): string {
  if (!/^\d{32}$/.test(eid)) throw new PkiError('argument', `an EID has 32 decimal digits, "${eid}" has not`);
  return eid;
}

const secure = (): number => randomInt(2 ** 32) / 2 ** 32;
const dayBefore = (now: number): number => Math.floor(now / 1000) * 1000 - day;
const serialNumber = (random: () => number): Uint8Array =>
  Uint8Array.from([0x40 | (byteOf(random) & 0x3f), ...bytesOf(random, 7)]);
const byteOf = (random: () => number): number => Math.floor(random() * 256) & 0xff;
const bytesOf = (random: () => number, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => byteOf(random));
