import { connect, type Socket } from 'node:net';
import { type TcpOptions, type TcpSocket, XsIpaError } from '../contracts/index.js';

/** What onWritable announces when nothing is under way. */
const ROOM = 4_096;
/** Unread bytes after which the peer is held back. */
const WINDOW = 4_096;

/** The contract's TCP socket on node:net. Options of its own: `room` and `window` in bytes, to be as small as a device. */
export class NodeTcp implements TcpSocket {
  readonly #options: TcpOptions;
  readonly #socket: Socket;
  readonly #window: number;
  readonly #chunks: Uint8Array[] = [];
  #waiting = 0;
  #room = 0;
  #closed = false;
  #ended = false;
  #reason: unknown;

  constructor(options: TcpOptions) {
    const { address, host, port, noDelay = true, room = ROOM, window = WINDOW } = options;
    const target = address ?? host;
    if (target === undefined) throw new XsIpaError('usage', 'a TCP connection needs an address or a host');
    this.#options = options;
    this.#window = window as number;
    const socket = connect({ host: target, port, noDelay });
    this.#socket = socket;
    socket.once('connect', () => {
      if (this.#closed) return;
      this.#room = room as number;
      options.onWritable?.(this.#room);
    });
    socket.on('data', (bytes: Uint8Array) => {
      if (this.#closed) return;
      this.#chunks.push(bytes);
      this.#waiting += bytes.length;
      if (this.#waiting >= this.#window) socket.pause();
      options.onReadable?.(this.#waiting);
    });
    socket.on('error', (error) => this.#end(error));
    socket.on('end', () => this.#end(undefined));
    socket.on('close', () => this.#end(undefined));
  }

  read(buffer: Uint8Array): number | undefined {
    if (this.#closed || this.#waiting === 0) return undefined;
    if (buffer.length === 0 || buffer.length > this.#waiting) {
      throw new XsIpaError('usage', `${buffer.length} bytes to read where ${this.#waiting} wait`);
    }
    for (let count = 0; count < buffer.length; ) {
      const [chunk] = this.#chunks;
      const part = chunk.subarray(0, buffer.length - count);
      buffer.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#waiting -= buffer.length;
    if (this.#waiting < this.#window) this.#socket.resume();
    if (this.#ended && this.#waiting === 0) setImmediate(() => this.#report());
    return buffer.length;
  }

  write(buffer: Uint8Array): number {
    if (this.#closed) throw new XsIpaError('usage', 'write() after close()');
    if (buffer.length > this.#room) {
      throw new XsIpaError('usage', `${buffer.length} bytes written where onWritable allowed ${this.#room}`);
    }
    this.#room -= buffer.length;
    // The caller may use its buffer again at once; the stream keeps what it is given.
    this.#socket.write(buffer.slice(), (error) => {
      if (this.#closed || this.#ended || error) return;
      this.#room += buffer.length;
      this.#options.onWritable?.(this.#room);
    });
    return this.#room;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#chunks.length = 0;
    // What was written is still delivered, as by lwIP and by the kernel.
    this.#socket.destroySoon();
  }

  #end(reason: unknown): void {
    this.#reason ??= reason;
    if (this.#ended) return;
    this.#ended = true;
    if (this.#waiting === 0) setImmediate(() => this.#report());
  }

  #report(): void {
    if (this.#closed) return;
    this.close();
    this.#socket.destroy();
    this.#options.onError?.(this.#reason);
  }
}
