import { createHash } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import * as asn1 from '@peculiar/asn1-x509';
import { keyIdOf, oids, parseCertificate, subjectKeyId } from './certificate.js';
import {
  authorityKeyIdentifier,
  day,
  dayBefore,
  issue,
  type Key,
  makeKey,
  name,
  policy,
  secure,
  serialNumber,
  subjectKeyIdentifier,
  usage,
  year,
} from './issue.js';
import { publicPoint } from './signature.js';
import type { CiCredentials, Credential, ServerNames, SmdpCredentials, SmdsCredentials } from './types.js';
import {
  CRLDistributionPointsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  SubjectAlternativeNameExtension,
} from './x509.js';

// Certificates of SM-DP+ and SM-DS: crypto.md §5, SGP.22 §4.5.2.

export const defaultSmdp: ServerNames = { address: 'smdp.example.com', oid: '2.999.10' };
export const defaultSmds: ServerNames = { address: 'smds.example.com', oid: '2.999.15' };

export type ServerRole = 'dpTls' | 'dpAuth' | 'dpPb' | 'dsTls' | 'dsAuth';

const roles: Readonly<Record<ServerRole, string>> = {
  dpTls: oids.roleDpTls,
  dpAuth: oids.roleDpAuth,
  dpPb: oids.roleDpPb,
  dsTls: oids.roleDsTls,
  dsAuth: oids.roleDsAuth,
};

export interface ServerCertificateOptions extends ServerNames {
  role: ServerRole;
  /** Milliseconds since 1970; valid from the day before. */
  now: number;
  /** Milliseconds since 1970; default: three years. */
  until?: number;
  /** 0 ≤ x < 1; default: secure. */
  random?: () => number;
}

/** One certificate of a server with a new key, issued by `ci`. */
export function makeServerCertificate(ci: CiCredentials, options: ServerCertificateOptions): Credential {
  const { role, address, oid, now, random = secure } = options;
  const key = makeKey(random);
  const isTls = role === 'dpTls' || role === 'dsTls';
  const issuer: Key = { privateKey: ci.privateKey, point: publicPoint(ci.privateKey) };
  const from = dayBefore(now);
  const certificate = issue(issuer, subjectOf(ci), {
    serial: serialNumber(random),
    subject: name([oids.organization, 'xs-ipa'], [oids.commonName, address.slice(0, 64)]),
    key,
    from,
    to: options.until ?? from + 3 * year,
    extensions: [
      authorityKeyIdentifier(issuer),
      subjectKeyIdentifier(key),
      usage(KeyUsageFlags.digitalSignature),
      policy(roles[role], !isTls),
      new CRLDistributionPointsExtension(['http://ci.example.com/crl']),
      ...(isTls
        ? [
            new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth], true),
            // A test server runs on this very machine, whatever it is called.
            new SubjectAlternativeNameExtension([
              { type: 'dns', value: address },
              { type: 'dns', value: 'localhost' },
              { type: 'ip', value: '127.0.0.1' },
              { type: 'id', value: oid },
            ]),
          ]
        : [new SubjectAlternativeNameExtension([{ type: 'id', value: oid }])]),
    ],
  });
  return { privateKey: key.privateKey, certificate };
}

/** All certificates of an SM-DP+; keys follow from the CI's key and the names. */
export function makeSmdp(ci: CiCredentials, names: ServerNames, now: number): SmdpCredentials {
  return {
    ...server(ci, names, now, 'dpAuth', 'dpTls'),
    pb: makeServerCertificate(ci, { ...names, role: 'dpPb', now, random: stream(ci, names, 'dpPb') }),
  };
}

/** The TLS certificate of an eIM; its key follows from the CI's key and the name, so that a pin of it stays good. */
export function makeEimTls(ci: CiCredentials, eimFqdn: string, now: number, until?: number): Credential {
  const key = makeKey(stream(ci, { address: eimFqdn, oid: '' }, 'eimTls'));
  const issuer: Key = { privateKey: ci.privateKey, point: publicPoint(ci.privateKey) };
  const from = dayBefore(until === undefined ? now : Math.min(now, until - day));
  const certificate = issue(issuer, subjectOf(ci), {
    serial: serialNumber(stream(ci, { address: eimFqdn, oid: String(from) }, 'eimTls')),
    subject: name([oids.organization, 'xs-ipa'], [oids.commonName, eimFqdn.slice(0, 64)]),
    key,
    from,
    to: until ?? from + 3 * year,
    extensions: [
      authorityKeyIdentifier(issuer),
      subjectKeyIdentifier(key),
      usage(KeyUsageFlags.digitalSignature),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth], false),
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: eimFqdn },
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  return { privateKey: key.privateKey, certificate };
}

/** All certificates of an SM-DS. */
export function makeSmds(ci: CiCredentials, names: ServerNames, now: number): SmdsCredentials {
  return server(ci, names, now, 'dsAuth', 'dsTls');
}

function server(
  ci: CiCredentials,
  names: ServerNames,
  now: number,
  auth: ServerRole,
  tls: ServerRole,
): SmdsCredentials {
  const make = (role: ServerRole) =>
    makeServerCertificate(ci, { ...names, role, now, random: stream(ci, names, role) });
  const ciKeyId = subjectKeyId(parseCertificate(ci.certificate)) ?? keyIdOf(publicPoint(ci.privateKey));
  return { address: names.address, oid: names.oid, ciKeyId, auth: make(auth), tls: make(tls) };
}

/** Numbers that nobody knows without the CI's key, and that take none from the source the hierarchy is made with. */
function stream(ci: CiCredentials, { address, oid }: ServerNames, role: ServerRole | 'eimTls'): () => number {
  let count = 0;
  return () => {
    const hash = createHash('sha256').update(ci.privateKey).update(`${role} ${oid} ${address} ${count++}`);
    return hash.digest().readUInt32BE() / 2 ** 32;
  };
}

const subjectOf = (ci: CiCredentials) =>
  AsnConvert.parse(ci.certificate, asn1.Certificate).tbsCertificate.subject;
