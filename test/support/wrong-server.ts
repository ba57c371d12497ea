import { once } from 'node:events';
import { type AddressInfo, createServer as createPlainServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Identity } from '../hal/node/identity.js';

/** A server that nobody should talk to. */
export interface WrongServer {
  port: number;
  /** What it has heard in the clear; of a TLS server nothing. */
  plain: Buffer[];
  /** What it has heard under TLS. */
  secret: Buffer[];
  close(): void;
}

/** @param shown what it shows for TLS, or what it says in the clear instead; with an empty text it hangs up */
export async function wrongServer(shown: Identity | string): Promise<WrongServer> {
  const plain: Buffer[] = [];
  const secret: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server: Server =
    typeof shown === 'string'
      ? createPlainServer((socket) => {
          socket.on('data', (part) => plain.push(part));
          if (shown === '') socket.end();
          else socket.write(shown);
        })
      : createTlsServer({ cert: shown.cert, key: shown.key }, (socket) => {
          socket.on('data', (part: Buffer) => secret.push(part));
          socket.on('error', () => {});
        });
  server.on('tlsClientError', () => {});
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    plain,
    secret,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
