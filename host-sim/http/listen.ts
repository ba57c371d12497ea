import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpError } from './problem.js';

export interface Listening {
  readonly port: number;
  /** Idempotent; ends the connections there are. */
  close(): Promise<void>;
}

/**
 * @param what "control interface", for the error
 * @param port 0: any free one
 * @throws HttpError 'network' when the port cannot be had
 */
export async function listen(server: Server, what: string, host: string, port: number): Promise<Listening> {
  const bound = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is in use' : cause.message;
      reject(new HttpError('network', `no ${what} on ${host}:${port}: ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
  let closing: Promise<void> | undefined;
  return {
    port: bound,
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}
