import { keyIdOf, oids } from './certificate.js';
import { PkiError } from './error.js';
import {
  alternativeName,
  authorityKeyIdentifier,
  dayBefore,
  issue,
  makeKey,
  name,
  nameConstraints,
  policy,
  secure,
  serialNumber,
  subjectKeyIdentifier,
  usage,
  year,
} from './issue.js';
import { spkiOfPoint } from './keys.js';
import { defaultSmdp, defaultSmds, makeSmdp, makeSmds } from './servers.js';
import type { CiCredentials, EimCredentials, Pki, ServerNames } from './types.js';
import { BasicConstraintsExtension, CRLDistributionPointsExtension, KeyUsageFlags } from './x509.js';

/** "No expiry" of RFC 5280. */
const never = Date.UTC(9999, 11, 31, 23, 59, 59);
const organization = 'xs-ipa test EUM';

export interface PkiOptions {
  /** 32 decimal digits, as text or as 16 bytes. */
  eid: string | Uint8Array;
  eims: readonly Pick<EimCredentials, 'eimId' | 'eimIdType' | 'eimFqdn'>[];
  /** Default: one SM-DP+ and one SM-DS. */
  smdps?: readonly ServerNames[];
  smdss?: readonly ServerNames[];
  /** Milliseconds since 1970; certificates are valid from the day before. */
  now: number;
  /** 0 ≤ x < 1. Keys and serial numbers follow from it: the same numbers make the same hierarchy. Default: secure. */
  random?: () => number;
}

/**
 * A test hierarchy with the policies, usages and constraints of crypto.md §5: CI → EUM → eUICC, CI → SM-DP+
 * and SM-DS, and self-signed eIMs.
 * The key of the CI is kept, so that servers can be added (servers.ts); that of the EUM is not.
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

  const issuer: CiCredentials = { privateKey: ci.privateKey, certificate: ciCertificate };
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
    ci: issuer,
    smdps: (options.smdps ?? [defaultSmdp]).map((smdp) => makeSmdp(issuer, smdp, options.now)),
    smdss: (options.smdss ?? [defaultSmds]).map((smds) => makeSmds(issuer, smds, options.now)),
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

function checkedEid(eid: string): string {
  if (!/^\d{32}$/.test(eid)) throw new PkiError('argument', `an EID has 32 decimal digits, "${eid}" has not`);
  return eid;
}
