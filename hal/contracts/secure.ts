import type { TcpConfiguration } from './tcp.js';
import type { UdpConfiguration } from './udp.js';

/** The server at the other end of TLS or DTLS, and how to know that it is the right one. */
export interface SecurePeer {
  /** For SNI, and for the check of names where it is made. */
  serverName: string;
  /**
   * Whom to trust (esipa.md §7): this public key, or this certificate if it is a CA's, or the public key of this certificate.
   * Whole DER. The platform's roots when absent.
   */
  trust?: { kind: 'publicKey' | 'certificate'; der: Uint8Array };
}

/** TLS to a server. @throws XsIpaError `badTrust` for a certificate that cannot be read */
export type SecureTcp = (peer: SecurePeer) => TcpConfiguration;

/**
 * DTLS to a server: a class whose datagrams are the application's, with the handshake behind it. Keys that are shared before
 * are the class's own business.
 *
 * @throws XsIpaError for a peer that it cannot be sure of
 */
export type SecureUdp = (peer: SecurePeer) => UdpConfiguration;
