import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { XsIpaError } from '../../hal/contracts/index.js';
import { openTls, type TlsOptions, tlsError } from '../../hal/node/tls.js';
import type { TlsSessions } from '../../hal/node/tls-sessions.js';
import type { Bearer, StreamTarget } from '../modem/bearer.js';
import { readHello, trustOfHello } from './hello.js';

export interface Relay {
  port: number;
  /** What crossed the modem's data connection to the target so far, TLS or DTLS included. */
  readonly bytes: { readonly up: number; readonly down: number };
  close(): void;
}

/** How a device's connections are secured on their way. */
export interface Security {
  /** For the next connection. */
  sessions?: TlsSessions;
  /** A server was not the one that the device expects, or the device did not say whom it expects. */
  onRefused?: (error: XsIpaError) => void;
}

/**
 * A modem's data connection for a device in another process: what connects here is connected to `target` while the modem is
 * registered, and is cut off when it is not.
 * @param security the device begins with a hello (wire.ts), and TLS is spoken to the target in its name
 */
export async function relay(bearer: Bearer, target: StreamTarget, security?: Security): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (security) secured(bearer, target, security, socket);
    else joined(socket, bearer.open(target));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get bytes() {
      return bearer.crossed('tcp', target.host, target.port);
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Ends and breaks are the same to a device; 'close' follows every error. */
function joined(socket: Socket, stream: Duplex): void {
  bound(socket, stream);
  socket.pipe(stream);
  stream.pipe(socket);
}

function bound(socket: Socket, stream: Duplex): void {
  stream.on('error', () => {});
  stream.on('close', () => socket.destroy());
  socket.on('close', () => stream.destroy());
}

function secured(bearer: Bearer, target: StreamTarget, security: Security, socket: Socket): void {
  const { host, port } = target;
  const { sessions, onRefused } = security;
  let begun = Buffer.alloc(0);
  const refuse = (error: unknown, options?: TlsOptions) => {
    const refusal = options ? tlsError(options, error) : error;
    if (refusal instanceof XsIpaError) onRefused?.(refusal);
    socket.destroy();
  };
  const hear = (bytes: Buffer) => {
    begun = Buffer.concat([begun, bytes]);
    try {
      const found = readHello(begun);
      if (!found) return;
      socket.off('data', hear);
      socket.pause();
      const { hello, length } = found;
      const trust = trustOfHello(hello);
      const options: TlsOptions = { host, port, serverName: hello.name, trust, sessions };
      const stream = openTls({ ...options, openStream: () => bearer.open({ host, port }) }, () => {
        // Nothing of the device's leaves before the server is the right one.
        stream.write(begun.subarray(length));
        socket.pipe(stream);
        stream.pipe(socket);
      });
      stream.once('error', (error) => refuse(error, options));
      bound(socket, stream);
    } catch (error) {
      refuse(error);
    }
  };
  socket.on('data', hear);
}
