import { type TcpConfiguration, XsIpaError } from '../../contracts/index.js';

/** Stands for tls.ts in a build without TLS. */
export function tlsSocket(_secure: Record<string, unknown>): TcpConfiguration {
  throw new XsIpaError('usage', 'this firmware is built without TLS: include firmware/manifest_tls.json');
}
