import type { TcpConstructor, TcpSocket } from '../../../hal/contracts/index.js';
import { CONSOLE_EVENTS } from '../../../host-sim/xs/wire.js';

interface ConsoleOptions {
  io: TcpConstructor;
  address: string;
  port: number;
  onReady: () => void;
  /** `data` is lent. */
  onCommand: (command: number, data: Uint8Array) => void;
  onLost: () => void;
}

/**
 * The device's debug console (host-sim/xs/wire.ts). Events are written out at once, byte strings as they are lent, all else
 * in pieces, so that the heap holds nothing of them; what the socket has no room for is counted.
 */
export class Console {
  readonly #options: ConsoleOptions;
  readonly #socket: TcpSocket;
  readonly #piece = new Uint8Array(32);
  readonly #header = new Uint8Array(3);
  #filled = 0;
  #data: Uint8Array | undefined;
  #received = 0;
  #room = 0;
  #ready = false;
  #unheard = 0;

  constructor(options: ConsoleOptions) {
    const { io, address, port } = options;
    this.#options = options;
    this.#socket = new io({
      address,
      port,
      onReadable: (count) => this.#readable(count),
      onWritable: (count) => {
        this.#room = count;
        if (this.#ready) return;
        this.#ready = true;
        options.onReady();
      },
      onError: () => options.onLost(),
    });
  }

  tell(event: { event: string }): void {
    const { event: name } = event;
    if (name === 'at') return;
    if (this.#unheard > 0 && name !== 'unheard') {
      const count = this.#unheard;
      this.#unheard = 0;
      this.tell({ event: 'unheard', count } as { event: string });
      // It may have been too much again.
      if (this.#unheard > 0) this.#unheard = count;
    }
    for (let index = 0; index < CONSOLE_EVENTS.length; index++) {
      if (CONSOLE_EVENTS[index][0] === name) {
        this.#write(index, event as unknown as Record<string, unknown>);
        return;
      }
    }
  }

  #write(index: number, event: Record<string, unknown>): void {
    const fields = CONSOLE_EVENTS[index];
    let size = 1;
    for (let i = 1; i < fields.length; i++) size += this.#sizeOf(event[fields[i]]);
    if (size > this.#room) {
      this.#unheard++;
      return;
    }
    this.#byte(index);
    for (let i = 1; i < fields.length; i++) this.#value(event[fields[i]]);
    this.#flush();
  }

  #sizeOf(value: unknown): number {
    if (value === undefined) return 1;
    if (typeof value === 'string' || value instanceof Uint8Array) return 3 + value.length;
    if (typeof value === 'number') return 3 + String(value).length;
    let size = 3;
    for (const entry of value as readonly unknown[]) size += this.#sizeOf(entry);
    return size;
  }

  #value(value: unknown): void {
    if (value === undefined) this.#byte(0x2d);
    else if (typeof value === 'string') this.#text(0x74, value);
    else if (typeof value === 'number') this.#text(0x6e, String(value));
    else if (value instanceof Uint8Array) {
      this.#head(0x62, value.length);
      this.#flush();
      if (value.length > 0) this.#room = this.#socket.write(value) ?? this.#room - value.length;
    } else {
      const list = value as readonly unknown[];
      this.#head(0x6c, list.length);
      for (const entry of list) this.#value(entry);
    }
  }

  #text(kind: number, text: string): void {
    this.#head(kind, text.length);
    for (let i = 0; i < text.length; i++) this.#byte(text.charCodeAt(i) & 0xff);
  }

  #head(kind: number, length: number): void {
    this.#byte(kind);
    this.#byte(length >> 8);
    this.#byte(length & 0xff);
  }

  #byte(byte: number): void {
    if (this.#filled === this.#piece.length) this.#flush();
    this.#piece[this.#filled++] = byte;
  }

  #flush(): void {
    const count = this.#filled;
    this.#filled = 0;
    if (count === 0) return;
    const bytes = count === this.#piece.length ? this.#piece : this.#piece.subarray(0, count);
    this.#room = this.#socket.write(bytes) ?? this.#room - count;
  }

  #readable(count: number): void {
    for (let left = count; left > 0; ) {
      const into = this.#data ?? this.#header;
      const missing = into.length - this.#received;
      const got = left < missing ? left : missing;
      if (got > 0) this.#socket.read(into.subarray(this.#received, this.#received + got));
      left -= got;
      this.#received += got;
      if (got < missing) return;
      this.#received = 0;
      const header = this.#header;
      if (!this.#data) {
        const length = (header[1] << 8) | header[2];
        this.#data = new Uint8Array(length);
        if (length > 0) continue;
      }
      const data = this.#data;
      this.#data = undefined;
      this.#options.onCommand(header[0], data);
    }
  }
}
