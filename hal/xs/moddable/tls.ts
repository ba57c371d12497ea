import type { SecureTcp, TcpConfiguration, TcpConstructor } from '../../contracts/index.js';
import { XsTcp } from './tcp.js';
import { trustOf } from './tls-certificates.js';
import { KeptSession } from './tls-session.js';
import { TlsSocket } from './tls-socket.js';

/**
 * TLS 1.2 of the SDK over its TCP. The handshake wants about 4 KB of stack, 10 KB of chunks and 6 KB of slots: more `creation`
 * than the plain build has (docs/firmware.md).
 */
export const tlsSocket: SecureTcp | undefined = ({ serverName, trust }): TcpConfiguration => ({
  io: TlsSocket as unknown as TcpConstructor,
  TCP: { io: XsTcp },
  serverName,
  trust: trustOf(trust),
  kept: new KeptSession(),
});
