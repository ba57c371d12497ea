import type { TimerHandle } from '../../hal/contracts/index.js';
import type { Clock } from '../clock.js';

interface Slice {
  begun: number;
  due: number;
  bytes: Uint8Array;
}

/** One direction of a serial line: bytes arrive when their last bit has passed, 10 bits per character. */
class Pipe {
  readonly #clock: Clock;
  readonly #perByte: number;
  readonly #deliver: (bytes: Uint8Array, begun: number) => void;
  #queue: Slice[] = [];
  #free = 0;
  #timer: TimerHandle | undefined;
  #armed = false;
  #firing = false;
  #waiting = 0;

  /**
   * @param baud bits per second; 0 = no pacing, yet never within the call that pushes
   * @param deliver takes a slice and the moment at which its first bit went out
   */
  constructor(clock: Clock, baud: number, deliver: (bytes: Uint8Array, begun: number) => void) {
    this.#clock = clock;
    this.#perByte = baud > 0 ? 10_000 / baud : 0;
    this.#deliver = deliver;
  }

  /** Time of one character in milliseconds. */
  get character(): number {
    return this.#perByte;
  }

  /** Milliseconds until everything has passed. */
  get remaining(): number {
    return this.#queue.length === 0 ? 0 : Math.max(0, this.#free - this.#clock.ticks);
  }

  /** Bytes that are still on their way. */
  get waiting(): number {
    return this.#waiting;
  }

  /** @param since earliest moment for the first bit; in the past for an echo, which runs beside what it repeats */
  push(bytes: Uint8Array, since = this.#clock.ticks): void {
    if (bytes.length === 0) return;
    const begun = Math.max(this.#free, since);
    const due = begun + bytes.length * this.#perByte;
    this.#free = due;
    this.#waiting += bytes.length;
    this.#queue.push({ begun, due, bytes });
    this.#arm();
  }

  /** Drops everything that is on its way. */
  clear(): void {
    this.#clock.clear(this.#timer);
    this.#armed = false;
    this.#queue = [];
    this.#waiting = 0;
    this.#free = 0;
  }

  #arm(): void {
    const head = this.#queue[0];
    if (this.#armed || this.#firing || !head) return;
    this.#armed = true;
    this.#timer = this.#clock.set(() => this.#fire(), Math.max(0, head.due - this.#clock.ticks));
  }

  #fire(): void {
    this.#armed = false;
    this.#firing = true;
    // The head is due by definition, even where floating point or an early timer says otherwise.
    for (let due = true; due; due = this.#queue.length > 0 && this.#queue[0].due <= this.#clock.ticks) {
      const head = this.#queue.shift();
      if (!head) break;
      this.#waiting -= head.bytes.length;
      this.#deliver(head.bytes, head.begun);
    }
    this.#firing = false;
    this.#arm();
  }
}

/** What sits at the other end of the modem's serial line. */
export interface Te {
  receive(bytes: Uint8Array): void;
  /** `bytes` left the TE's transmit buffer. */
  sent?(bytes: number): void;
}

const LONGEST_SLICE = 96;

/** The modem's serial port: paced both ways, answers cut into random slices. */
export class Uart {
  readonly bytes = { up: 0, down: 0 };
  readonly #random: () => number;
  readonly #up: Pipe;
  readonly #down: Pipe;
  #te: Te | undefined;
  /** Who wrote what is on its way up, in order. */
  readonly #writers: (Te | undefined)[] = [];
  /** Whose characters arrived last. */
  #speaker: Te | undefined;

  /**
   * @param arrived takes what the TE sent, with the moment at which its first bit was on the line; `other` when it is not
   *   of the TE before
   */
  constructor(
    clock: Clock,
    baud: number,
    random: () => number,
    arrived: (bytes: Uint8Array, begun: number, other: boolean) => void,
  ) {
    this.#random = random;
    this.#up = new Pipe(clock, baud, (bytes, begun) => {
      this.bytes.up += bytes.length;
      const writer = this.#writers.shift();
      const other = writer !== this.#speaker;
      this.#speaker = writer;
      arrived(bytes, begun, other);
      // One that has left is told nothing.
      if (writer === this.#te) writer?.sent?.(bytes.length);
    });
    this.#down = new Pipe(clock, baud, (bytes) => {
      this.bytes.down += bytes.length;
      this.#te?.receive(bytes);
    });
  }

  get te(): Te | undefined {
    return this.#te;
  }

  /** Bytes from the TE that have not arrived. */
  get backlog(): number {
    return this.#up.waiting;
  }

  attach(te: Te): void {
    this.#te = te;
  }

  /** What the TE wrote still arrives, what comes back is lost; the modem notices nothing. */
  detach(te: Te): void {
    if (this.#te !== te) return;
    this.#te = undefined;
    this.#down.clear();
  }

  /** The modem's transmitter stops in the middle of a character. */
  silence(): void {
    this.#down.clear();
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#writers.push(this.#te);
    this.#up.push(bytes.slice());
  }

  /** Milliseconds until the TE has everything that was sent. */
  get remaining(): number {
    return this.#down.remaining;
  }

  /** Modem to TE. Without a TE the characters go nowhere. */
  send(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  /** Repeats what the TE sends, one character behind it. @param begun as told by `arrived` */
  echo(bytes: Uint8Array, begun: number): void {
    this.#send(bytes, begun + this.#up.character);
  }

  #send(bytes: Uint8Array, since?: number): void {
    if (!this.#te) return;
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + Math.floor(this.#random() * LONGEST_SLICE));
      this.#down.push(bytes.slice(at, end), since);
      at = end;
    }
  }
}
