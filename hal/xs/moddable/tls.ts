import TCP from 'embedded:io/socket/tcp';
import TLSSocket from 'embedded:io/socket/tcp/tls';
import type { TcpConfiguration, TcpConstructor } from '../../contracts/index.js';

/**
 * TLS 1.2 of the SDK over its TCP, as the socket of an MQTT client. The handshake wants about 4 KB of stack, 10 KB of chunks
 * and 6 KB of slots: more `creation` than the plain build has (docs/firmware.md).
 *
 * @param secure options of the SDK's class: serverName, certificate (DER), clientCertificates, clientKey, …
 */
export function tlsSocket(secure: Record<string, unknown>): TcpConfiguration {
  return { io: TLSSocket as unknown as TcpConstructor, TCP: { io: TCP }, secure, nodelay: true };
}
