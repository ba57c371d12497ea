import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { SimModemError } from './error.js';
import type { TeLine, TePort } from './serial.js';

/** Bytes a client may be ahead of the serial line before its socket is held back. */
const MOST_BACKLOG = 16_384;

/**
 * Serves the modem's serial port over TCP, raw bytes both ways, one TE at a time. The modem lives on when a TE leaves:
 * the next one finds echo and channels as they were left.
 * @param where port 0 takes a free one
 */
export function listenTcp(
  modem: TePort,
  where: { host: string; port: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A peer that vanishes is an ordinary end; 'close' follows.
    socket.on('error', () => socket.destroy());
    serve(modem, socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where.port, where.host, () => {
      server.removeListener('error', reject);
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

function serve(modem: TePort, socket: Socket): void {
  let line: TeLine;
  try {
    line = modem.connectTe(
      (bytes) => void (socket.writable && socket.write(bytes)),
      () => {
        if (line.backlog < MOST_BACKLOG) socket.resume();
      },
    );
  } catch (error) {
    if (!(error instanceof SimModemError)) throw error;
    socket.end(`\r\nBUSY: ${error.message}\r\n`);
    return;
  }
  socket.setNoDelay(true);
  socket.on('data', (bytes: Buffer) => {
    line.write(bytes);
    if (line.backlog >= MOST_BACKLOG) socket.pause();
  });
  socket.on('close', () => line.close());
}
