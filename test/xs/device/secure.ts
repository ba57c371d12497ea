import { TCP, UDP } from 'host';
import type { TcpOptions, TcpSocket, UdpOptions, UdpSocket } from '../../../hal/contracts/index.js';
import { BYE } from '../../../host-sim/xs/wire.js';
import { type Hello, helloBytes } from './hello.js';

/** TCP whose other end speaks TLS in the device's name, once it was told whom to trust. */
export class SecureTcp implements TcpSocket {
  readonly #socket: TcpSocket;
  readonly #onWritable: TcpOptions['onWritable'];
  #hello: Hello | undefined;

  constructor(options: TcpOptions) {
    this.#onWritable = options.onWritable;
    this.#hello = options.hello as Hello;
    this.#socket = new TCP({ ...options, onWritable: (count) => this.writable(count) });
  }

  read(buffer: Uint8Array): number | undefined {
    return this.#socket.read(buffer);
  }

  write(buffer: Uint8Array): number | undefined {
    return this.#socket.write(buffer);
  }

  close(): void {
    this.#socket.close();
  }

  private writable(count: number): void {
    let room = count;
    if (this.#hello) {
      const bytes = helloBytes(this.#hello);
      this.#hello = undefined;
      this.#socket.write(bytes);
      room -= bytes.length;
    }
    this.#onWritable?.(room);
  }
}

/** UDP whose other end speaks DTLS in the device's name. */
export class SecureUdp implements UdpSocket {
  readonly #socket: UdpSocket;
  readonly #relay: { address: string; port: number };
  #hello: Hello | undefined;
  #closed = false;

  constructor(options: UdpOptions) {
    const { onReadable, onError } = options;
    this.#relay = options.relay as { address: string; port: number };
    this.#hello = options.hello as Hello;
    this.#socket = new UDP({ onReadable, onError });
  }

  read(): ReturnType<UdpSocket['read']> {
    return this.#socket.read();
  }

  write(datagram: Uint8Array, address: string, port: number): void {
    if (this.#hello) {
      this.#socket.write(helloBytes(this.#hello), address, port);
      this.#hello = undefined;
    }
    this.#socket.write(datagram, address, port);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { address, port } = this.#relay;
    this.#socket.write(Uint8Array.of(BYE), address, port);
    this.#socket.close();
  }
}
