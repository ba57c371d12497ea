import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import type { Bearer, StreamTarget } from '../modem/bearer.js';

export interface Relay {
  port: number;
  /** What went through so far. */
  readonly bytes: { readonly up: number; readonly down: number };
  close(): void;
}

/**
 * A modem's data connection for a device in another process: what connects here is connected to `target` while the modem is
 * registered, and is cut off when it is not.
 */
export function relay(bearer: Bearer, target: StreamTarget): Promise<Relay> {
  const sockets = new Set<Socket>();
  const bytes = { up: 0, down: 0 };
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const stream = bearer.open(target);
    socket.pipe(stream);
    stream.pipe(socket);
    socket.on('data', ({ length }) => {
      bytes.up += length;
    });
    stream.on('data', ({ length }) => {
      bytes.down += length;
    });
    // Ends and breaks are the same to a device; 'close' follows every error.
    stream.on('error', () => {});
    socket.on('error', () => {});
    stream.on('close', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      stream.destroy();
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        bytes,
        close: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}
