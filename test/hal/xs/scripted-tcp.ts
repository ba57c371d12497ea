import type { TcpConstructor, TcpOptions, TcpSocket } from '../../../hal/contracts/index.js';

/** A TCP peer under the test's hand, as strict as a device's: reading or writing more than allowed fails. */
export class ScriptedTcp {
  readonly io: TcpConstructor;
  options: TcpOptions | undefined;
  closed = false;
  /** Everything written so far. */
  sent = Buffer.alloc(0);
  room = 0;
  #waiting = Buffer.alloc(0);

  constructor() {
    const peer = this;
    this.io = class implements TcpSocket {
      constructor(options: TcpOptions) {
        peer.options = options;
      }

      read(buffer: Uint8Array): number {
        if (buffer.length === 0 || buffer.length > peer.#waiting.length) throw new Error('invalid');
        buffer.set(peer.#waiting.subarray(0, buffer.length));
        peer.#waiting = peer.#waiting.subarray(buffer.length);
        return buffer.length;
      }

      write(buffer: Uint8Array): undefined {
        if (buffer.length > peer.room) throw new Error('would block');
        peer.room -= buffer.length;
        peer.sent = Buffer.concat([peer.sent, buffer]);
      }

      close(): void {
        peer.closed = true;
      }
    };
  }

  /** Bytes in the socket that nobody has read. */
  get unread(): number {
    return this.#waiting.length;
  }

  /** Gives room for `count` bytes in all. */
  allow(count: number): void {
    this.room = count;
    if (!this.closed) this.options?.onWritable?.(count);
  }

  receive(bytes: Uint8Array): void {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    if (!this.closed) this.options?.onReadable?.(this.#waiting.length);
  }

  lose(reason?: unknown): void {
    if (!this.closed) this.options?.onError?.(reason);
  }

  /** What was written since the last call. */
  take(): Buffer {
    const sent = this.sent;
    this.sent = Buffer.alloc(0);
    return sent;
  }
}
