import { randomInt } from 'node:crypto';
import { bodyOf, keyIdOf, oids, spkiOfPoint } from './certificate.js';
import {
  bits,
  boolean,
  context,
  octets,
  oid,
  oidBody,
  primitive,
  printable,
  sequence,
  set,
  time,
  unsigned,
  utf8,
} from './der.js';
import { PkiError } from './error.js';
import { isScalar, publicPoint, signDer } from './signature.js';
import type { EimCredentials, Pki } from './types.js';

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
      critical(oids.basicConstraints, sequence(boolean(true))),
      policy(oids.roleCi),
      critical(oids.keyUsage, bits(Uint8Array.of(0x06), 1)),
      extension(oids.subjectAltName, sequence(registeredId('2.999.1'))),
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
      critical(oids.keyUsage, bits(Uint8Array.of(0x04), 2)),
      policy(oids.roleEum),
      extension(oids.subjectAltName, sequence(registeredId('2.999.5'))),
      critical(oids.basicConstraints, sequence(boolean(true), unsigned(0))),
      extension(oids.crlDistributionPoints, sequence(distributionPoint('http://ci.example.com/crl'))),
      critical(oids.nameConstraints, sequence(context(0, sequence(context(4, permitted))))),
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
      critical(oids.keyUsage, bits(Uint8Array.of(0x80), 7)),
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
      critical(oids.keyUsage, bits(Uint8Array.of(0x80), 7)),
      extension(oids.subjectAltName, sequence(primitive(0x82, Buffer.from(eimFqdn, 'latin1')))),
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

function issue(
  issuer: Key,
  issuerName: Uint8Array,
  certificate: {
    serial: Uint8Array;
    subject: Uint8Array;
    key: Key;
    from: number;
    to: number;
    extensions: Uint8Array[];
  },
): Uint8Array {
  const algorithm = sequence(oid(oids.ecdsaSha256));
  const tbs = sequence(
    context(0, unsigned(2)),
    unsigned(certificate.serial),
    algorithm,
    issuerName,
    sequence(time(certificate.from), time(certificate.to)),
    certificate.subject,
    sequence(bodyOf(spkiOfPoint(certificate.key.point))),
    context(3, sequence(...certificate.extensions)),
  );
  return sequence(tbs, algorithm, bits(signDer(issuer.privateKey, tbs)));
}

function name(...attributes: [type: string, value: string][]): Uint8Array {
  const short: string[] = [oids.country, oids.serialNumber];
  return sequence(
    ...attributes.map(([type, value]) =>
      set(sequence(oid(type), short.includes(type) ? printable(value) : utf8(value))),
    ),
  );
}

function extension(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), octets(value));
}

function critical(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), boolean(true), octets(value));
}

const policy = (id: string): Uint8Array => critical(oids.policies, sequence(sequence(oid(id))));
const registeredId = (id: string): Uint8Array => primitive(0x88, oidBody(id));
const subjectKeyIdentifier = (key: Key): Uint8Array =>
  extension(oids.subjectKeyId, octets(keyIdOf(key.point)));
const authorityKeyIdentifier = (key: Key): Uint8Array =>
  extension(oids.authorityKeyId, sequence(primitive(0x80, keyIdOf(key.point))));
const distributionPoint = (url: string): Uint8Array =>
  sequence(context(0, context(0, primitive(0x86, Buffer.from(url, 'latin1')))));

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
