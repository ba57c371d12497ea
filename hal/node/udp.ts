import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type UdpOptions, type UdpSocket, XsIpaError } from '../contracts/index.js';

type Datagram = ArrayBuffer & { address: string; port: number };

/** Datagrams that wait to be read; a device has room for few. */
const WAITING = 16;

/** The contract's UDP socket on node:dgram. */
export class NodeUdp implements UdpSocket {
  readonly #socket: Socket;
  readonly #waiting: Datagram[] = [];
  /** Sent before the socket was bound. */
  #early: { datagram: Uint8Array; address: string; port: number }[] | undefined = [];
  /** Datagrams that Node has not given away yet. */
  #leaving = 0;
  #closed = false;

  constructor(options: UdpOptions) {
    const { address, port = 0, onReadable, onError } = options;
    this.#socket = createSocket(address !== undefined && isIPv6(address) ? 'udp6' : 'udp4');
    this.#socket.on('message', (bytes, { address, port }) => {
      if (this.#closed || this.#waiting.length === WAITING) return;
      this.#waiting.push(Object.assign(Uint8Array.from(bytes).buffer, { address, port }));
      onReadable?.(this.#waiting.length);
    });
    this.#socket.on('error', (error) => {
      if (this.#closed) return;
      this.close();
      onError?.(error);
    });
    this.#socket.bind(port, address, () => {
      const early = this.#early;
      this.#early = undefined;
      if (!this.#closed)
        for (const { datagram, address, port } of early ?? []) this.#send(datagram, address, port);
    });
  }

  read(): Datagram | undefined {
    return this.#waiting.shift();
  }

  write(datagram: Uint8Array, address: string, port: number): void {
    if (this.#closed) throw new XsIpaError('usage', 'write() after close()');
    // The caller may use its memory again at once.
    const copy = Uint8Array.from(datagram);
    if (this.#early) this.#early.push({ datagram: copy, address, port });
    else this.#send(copy, address, port);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    // What was said last is still on its way out.
    if (this.#leaving === 0) this.#socket.close();
  }

  #send(datagram: Uint8Array, address: string, port: number): void {
    this.#leaving++;
    // What cannot be sent is lost, as the contract says.
    this.#socket.send(datagram, port, address, () => {
      if (--this.#leaving === 0 && this.#closed) this.#socket.close();
    });
  }
}
