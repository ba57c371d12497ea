import { X509Certificate } from 'node:crypto';
import type { ConfigurationOptions } from '../eim/index.js';
import { type EimCredentials, makeEimTls, type Pki, pem, pkcs8 } from '../pki/index.js';
import { readPem, UsageError } from './operands.js';

/** What devices are to trust. */
export const trustKinds = ['key', 'certificate', 'system'] as const;

type TrustKind = (typeof trustKinds)[number];

/** What an eIM of the command line is made of. */
export interface EimMaterial {
  credentials: EimCredentials;
  pki: Pick<Pki, 'ci'>;
  /** Milliseconds since 1970. */
  now: number;
}

/** What a server shows: PEM; and what stands of it in configurations (A6). */
export interface ServedTls {
  cert: string;
  key: string;
  trustedTls: ConfigurationOptions['trustedTls'];
}

/** What the options of `eim serve` say of it. */
export interface TlsOptions {
  https?: number;
  httpsCert?: string;
  httpsKey?: string;
  httpsTrust?: TrustKind;
  coaps?: number;
  coapsCert?: string;
  coapsKey?: string;
  coapsTrust?: TrustKind;
}

export interface EimTls {
  https: ServedTls | undefined;
  coaps: ServedTls | undefined;
  /** For A6, which has room for one key or certificate. */
  trustedTls: ConfigurationOptions['trustedTls'];
}

/** The certificates of --https and --coaps: from files, or one of the test CI for both. @throws UsageError */
export function eimTls(options: TlsOptions, material: EimMaterial): EimTls {
  const { httpsCert, httpsKey, httpsTrust, coapsCert, coapsKey, coapsTrust } = options;
  if (coapsTrust !== undefined && options.coaps === undefined)
    throw new UsageError('--coaps-trust belongs to --coaps');
  const https = servedTls('--https', options.https, [httpsCert, httpsKey], httpsTrust, material);
  const isShared = coapsCert === undefined && coapsKey === undefined && options.coaps !== undefined;
  const files = isShared ? [httpsCert, httpsKey] : [coapsCert, coapsKey];
  const coaps = servedTls('--coaps', options.coaps, files, coapsTrust ?? httpsTrust, material);
  if (https && coaps && textOf(https) !== textOf(coaps))
    throw new UsageError(
      'a configuration has one key or certificate to be trusted (A6): give --https and --coaps the same one, or both --https-trust system and --coaps-trust system',
    );
  return { https, coaps, trustedTls: (https ?? coaps)?.trustedTls };
}

function textOf({ trustedTls }: ServedTls): string {
  return trustedTls ? JSON.stringify(trustedTls) : '';
}

function servedTls(
  option: '--https' | '--coaps',
  port: number | undefined,
  [cert, key]: (string | undefined)[],
  trust: TrustKind | undefined,
  material: EimMaterial,
): ServedTls | undefined {
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError(`${option}-cert and ${option}-key belong together`);
  if (port === undefined) {
    if (cert !== undefined) throw new UsageError(`${option}-cert and ${option}-key belong to ${option}`);
    return undefined;
  }
  const tls =
    cert !== undefined && key !== undefined ? { cert: readPem(cert), key: readPem(key) } : ownTls(material);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(tls.cert);
  } catch (cause) {
    throw new UsageError(`${cert} is no certificate in PEM`, { cause });
  }
  return { ...tls, trustedTls: trustedTls(certificate, trust ?? 'key') };
}

function trustedTls(certificate: X509Certificate, trust: TrustKind): ConfigurationOptions['trustedTls'] {
  if (trust === 'system') return undefined;
  return trust === 'certificate'
    ? { certificate: Uint8Array.from(certificate.raw) }
    : { publicKey: Uint8Array.from(certificate.publicKey.export({ type: 'spki', format: 'der' })) };
}

/** A certificate of the test CI; where its key was not kept, the eIM's own. */
export function ownTls({ credentials, pki: { ci }, now }: EimMaterial): { cert: string; key: string } {
  const { privateKey, certificate } = ci ? makeEimTls(ci, credentials.eimFqdn, now) : credentials;
  return { cert: pem('CERTIFICATE', certificate), key: pem('PRIVATE KEY', pkcs8(privateKey)) };
}
