import { createHash, X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { XsIpaError } from '../contracts/index.js';
import type { TlsSessions } from './tls-sessions.js';
import { certificatesOf, expectation, isName, pinRefusal, type TlsTrust } from './trust.js';

export interface TlsOptions {
  /** Where the server is. */
  host: string;
  port: number;
  /** For SNI and the check of the name, when it is another than `host`: behind a tunnel, or for tests. */
  serverName?: string;
  /** The system's roots when absent. */
  trust?: TlsTrust;
  /** PEM of a client certificate and its key, where the server wants one. */
  certificate?: string | Uint8Array;
  key?: string | Uint8Array;
  /** Where sessions are kept for the next connection; without it each one begins with a full handshake. */
  sessions?: TlsSessions;
  /** Opens the byte stream under TLS instead of a socket of this computer: for a simulated modem's data connection. */
  openStream?: () => Duplex;
}

/**
 * What the client offers beside its version: with forward secrecy and authenticated encryption only, so that a ClientHello is
 * 160 bytes shorter than with all of OpenSSL's list.
 */
export const OFFER = {
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ].join(':'),
  sigalgs: [
    'ECDSA+SHA256',
    'ECDSA+SHA384',
    'RSA-PSS+SHA256',
    'RSA-PSS+SHA384',
    'RSA+SHA256',
    'RSA+SHA384',
    'RSA+SHA512',
  ].join(':'),
  ecdhCurve: 'X25519:P-256:P-384',
};

/**
 * Opens TLS 1.2 or later to a server. Nothing of what is written leaves before the server has shown what is expected of it;
 * one that does not is left with an 'error' that {@link tlsError} explains.
 * @param opened called when the server is trusted
 */
export function openTls(options: TlsOptions, opened?: (stream: TLSSocket) => void): TLSSocket {
  const { host, port, certificate, key, sessions } = options;
  const trust: TlsTrust = options.trust ?? { roots: 'system' };
  const name = nameOf(options);
  const identity = sessions && identityOf(options, trust);
  const session = identity === undefined ? undefined : sessions?.take(identity);
  const settings: ConnectionOptions = {
    ...(options.openStream ? { socket: options.openStream() } : { host, port }),
    ...(isName(name) && { servername: name }),
    minVersion: 'TLSv1.2',
    ...OFFER,
    cert: certificate as string | Buffer | undefined,
    key: key as string | Buffer | undefined,
    session: session?.ticket,
    ...('pin' in trust
      ? { rejectUnauthorized: false }
      : trust.roots !== 'system' && { ca: trust.roots.map(pem) }),
  };
  const stream = connect(settings);
  stream.setNoDelay(true);
  let trusted = false;
  let ticket = session?.ticket;
  let until = session?.until ?? Number.POSITIVE_INFINITY;
  const keep = () => {
    if (trusted && ticket && identity !== undefined) sessions?.keep(identity, { ticket, until });
  };
  stream.on('session', (newest: Buffer) => {
    ticket = newest;
    keep();
  });
  stream.once('secureConnect', () => {
    // In a session that goes on Node has no certificate. The one of its beginning was checked for the same trust.
    if (!stream.isSessionReused()) {
      const certificate = stream.getPeerX509Certificate();
      const refusal = 'pin' in trust ? pinRefusal(certificate, trust.pin) : undefined;
      if (refusal) {
        stream.destroy(
          new XsIpaError('untrusted', `the server ${name} ${refusal}; expected ${expectation(trust, name)}`),
        );
        return;
      }
      if (certificate) until = Date.parse(certificate.validTo);
      // What was offered was not accepted.
      if (ticket === session?.ticket) ticket = undefined;
    }
    trusted = true;
    // Accepted, it is good for another time until the server gives a newer one.
    keep();
    opened?.(stream);
  });
  return stream;
}

/**
 * What an 'error' of a stream of {@link openTls} says of the server: that it is not the one that is expected or speaks no TLS
 * (`untrusted`), does not want this client (`refused`), or hung up (`lost`). None where the network failed.
 */
export function tlsError(options: TlsOptions, reason: unknown): XsIpaError | undefined {
  if (reason instanceof XsIpaError) return reason;
  const code = String((reason as { code?: unknown } | undefined)?.code ?? '');
  const name = nameOf(options);
  const expected = expectation(options.trust ?? { roots: 'system' }, name);
  const error = (what: string, why: string) =>
    new XsIpaError(what, `the server ${name} ${why}`, { cause: reason });
  if (/ALERT/.test(code)) {
    const own = options.certificate ? 'its' : 'no';
    return error(
      'refused',
      `refuses this client, which showed ${own} certificate${detailOf(reason)}; expected ${expected}`,
    );
  }
  if (isRefusal(code))
    return error('untrusted', `is not the one that is expected${detailOf(reason)}; expected ${expected}`);
  if (reason instanceof Error && /before secure TLS connection/.test(reason.message))
    return tlsUnfinished(options);
  return undefined;
}

/** The error of a connection that ended before TLS stood. */
export function tlsUnfinished(options: TlsOptions): XsIpaError {
  const name = nameOf(options);
  const expected = expectation(options.trust ?? { roots: 'system' }, name);
  return new XsIpaError(
    'lost',
    `the server ${name} ended the connection when TLS began; expected ${expected}`,
  );
}

/** The reason of a failure for people: OpenSSL's own messages have line numbers of its source. Empty, or begins with a colon. */
export function detailOf(reason: unknown): string {
  const { reason: short } = (reason ?? {}) as { reason?: unknown };
  if (typeof short === 'string') return `: ${short}`;
  return reason instanceof Error ? `: ${reason.message}` : '';
}

/** Codes of OpenSSL's verification and of a conversation that is no TLS, as Node gives them. */
function isRefusal(code: string): boolean {
  return (
    /^(CERT_|CRL_|ERR_TLS_CERT|ERR_SSL_|EPROTO)/.test(code) ||
    /(SELF_SIGNED_CERT|ISSUER_CERT|LEAF_SIGNATURE|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH)/.test(code)
  );
}

/** Sessions are for the same server, trusted for the same reason, by the same client. */
function identityOf({ host, port, serverName, certificate }: TlsOptions, trust: TlsTrust): string {
  const hash = createHash('sha256').update(JSON.stringify([host, port, serverName, Object.keys(trust)]));
  const add = (bytes: string | Uint8Array) => {
    // Of a fixed length, so that two lists of the same bytes in other pieces differ.
    hash.update(createHash('sha256').update(bytes).digest());
  };
  if ('pin' in trust) add(trust.pin);
  else if (trust.roots === 'system') add('system');
  else trust.roots.forEach(add);
  hash.update('client');
  if (certificate) add(certificate);
  return hash.digest('base64');
}

function nameOf({ serverName, host }: TlsOptions): string {
  return serverName ?? host;
}

function pem(root: string | Uint8Array): string {
  return certificatesOf(root)
    .map((one) => (typeof one === 'string' ? one : new X509Certificate(one).toString()))
    .join('\n');
}
