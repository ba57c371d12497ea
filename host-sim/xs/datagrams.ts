import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import type { Relay } from './relay.js';

/**
 * As relay(), for datagrams: each socket of the device has one of its own towards `target`, whose answers and whose own
 * requests go back to it. What comes while there is no registration is lost.
 */
export async function datagramRelay(target: {
  host: string;
  port: number;
}): Promise<Relay & { readonly datagrams: { readonly up: number; readonly down: number } }> {
  const inner = createSocket('udp4');
  const outer = new Map<number, Socket>();
  const bytes = { up: 0, down: 0 };
  const datagrams = { up: 0, down: 0 };
  await new Promise<void>((resolve, reject) => {
    inner.once('error', reject);
    inner.bind(0, '127.0.0.1', resolve);
  });
  inner.removeAllListeners('error');
  inner.on('error', () => {});
  const outerOf = (port: number): Socket => {
    const known = outer.get(port);
    if (known) return known;
    const socket = createSocket('udp4');
    outer.set(port, socket);
    socket.on('error', () => {});
    socket.on('message', (datagram) => {
      bytes.down += datagram.length;
      datagrams.down++;
      inner.send(datagram, port, '127.0.0.1', () => {});
    });
    return socket;
  };
  inner.on('message', (datagram, { port }) => {
    bytes.up += datagram.length;
    datagrams.up++;
    outerOf(port).send(datagram, target.port, target.host, () => {});
  });
  return {
    port: (inner.address() as AddressInfo).port,
    bytes,
    datagrams,
    close: () => {
      for (const socket of outer.values()) socket.close();
      outer.clear();
      inner.close();
    },
  };
}
