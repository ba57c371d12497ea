import { X509Certificate } from 'node:crypto';
import type { XsIpaError } from '../../hal/contracts/index.js';
import { type ConfigurationOptions, type Eim, serveHttp } from '../eim/index.js';
import { type EimCredentials, makeEimTls, type Pki, pem, pkcs8 } from '../pki/index.js';
import { withHint } from './eim-coap.js';
import { readBytes, UsageError } from './operands.js';

export interface HttpsServeOptions {
  host: string;
  https?: number;
  httpsCert?: string;
  httpsKey?: string;
  /** What devices are to trust. */
  httpsTrust?: 'key' | 'certificate' | 'system';
}

/** What serves ESipa over HTTPS, and what devices have to know of it. */
interface RunningHttps {
  shown: { httpsUrl: string };
  configuration: Pick<ConfigurationOptions, 'trustedTls'>;
  close(): Promise<void>;
}

/** @throws UsageError, HttpError for a port that cannot be had */
export async function startHttps(
  options: HttpsServeOptions,
  eim: Eim,
  { credentials, pki, now }: { credentials: EimCredentials; pki: Pki; now: number },
  onProblem: (problem: XsIpaError) => void,
): Promise<RunningHttps | undefined> {
  const { host, https: port, httpsCert, httpsKey, httpsTrust = 'key' } = options;
  if ((httpsCert === undefined) !== (httpsKey === undefined))
    throw new UsageError('--https-cert and --https-key belong together');
  if (port === undefined) {
    if (httpsCert !== undefined) throw new UsageError('--https-cert and --https-key belong to --https');
    return undefined;
  }
  const tls =
    httpsCert !== undefined && httpsKey !== undefined
      ? { cert: text(httpsCert), key: text(httpsKey) }
      : ownTls(credentials, pki, now);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(tls.cert);
  } catch (cause) {
    throw new UsageError(`${httpsCert} is no certificate in PEM`, { cause });
  }
  const running = await serveHttp({ eim, host, port, tls, onProblem }).catch((error: unknown) => {
    throw withHint(error, 'choose another with --https');
  });
  return {
    shown: { httpsUrl: running.url },
    configuration: { trustedTls: trustedTls(certificate, httpsTrust) },
    close: () => running.close(),
  };
}

function trustedTls(
  certificate: X509Certificate,
  trust: 'key' | 'certificate' | 'system',
): ConfigurationOptions['trustedTls'] {
  if (trust === 'system') return undefined;
  return trust === 'certificate'
    ? { certificate: Uint8Array.from(certificate.raw) }
    : { publicKey: Uint8Array.from(certificate.publicKey.export({ type: 'spki', format: 'der' })) };
}

/** A certificate of the test CI; where its key was not kept, the eIM's own. */
export function ownTls(
  credentials: EimCredentials,
  { ci }: Pick<Pki, 'ci'>,
  now: number,
): { cert: string; key: string } {
  const { privateKey, certificate } = ci ? makeEimTls(ci, credentials.eimFqdn, now) : credentials;
  return { cert: pem('CERTIFICATE', certificate), key: pem('PRIVATE KEY', pkcs8(privateKey)) };
}

function text(path: string): string {
  return readBytes(path, 'the PEM file').toString('utf8');
}
