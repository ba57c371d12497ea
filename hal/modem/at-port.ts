import type { HalEvent, Observer, SerialConfiguration, SerialPort, Time, Timer } from '../contracts/index.js';
import type { AtCommand } from './at-command.js';
import { LineBuffer } from './line-buffer.js';

export interface AtPortOptions {
  serial: SerialConfiguration;
  timer: Timer;
  time: Time;
  /** Longest line that can be received, in characters (600). A 256-byte answer with status word has about 530. */
  lineSize?: number;
  observe?: Observer<HalEvent>;
}

const LINE = 600;
/** Commands are put together for write() in pieces of this size. */
const PIECE = 64;

/** A serial port that reads lines and writes commands piece by piece, with one timer. */
export abstract class AtPort {
  protected readonly options: AtPortOptions;
  protected readonly lines: LineBuffer;
  readonly #piece = new Uint8Array(PIECE);
  #port: SerialPort | undefined;
  #writable = 0;
  #reading = false;
  #timer: unknown;

  constructor(options: AtPortOptions) {
    this.options = options;
    this.lines = new LineBuffer(options.lineSize ?? LINE);
  }

  get isOpen(): boolean {
    return this.#port !== undefined;
  }

  /** Received lines that were too long for the buffer and were dropped. */
  get overlongLines(): number {
    return this.lines.overlong;
  }

  /** Opens the port; nothing happens if it is open. */
  open(): void {
    if (this.#port) return;
    this.lines.reset();
    this.#writable = 0;
    const { io, ...rest } = this.options.serial;
    this.#port = new io({ ...rest, ...this.callbacks() });
  }

  /** bytes[start … end) of `lines` is a line. */
  protected abstract onLine(start: number, end: number): void;
  /** All lines that have arrived were told: what follows from them begins on an empty stack. */
  protected abstract work(): void;
  protected abstract onRoom(): void;
  protected abstract onTimer(): void;
  protected abstract onBroken(reason: unknown): void;

  /** Idempotent. */
  protected closePort(): void {
    const port = this.#port;
    this.#port = undefined;
    this.calm();
    port?.close();
  }

  /** Calls onTimer() after so many milliseconds, instead of when it was asked to before. */
  protected wakeIn(milliseconds: number): void {
    const { timer } = this.options;
    timer.clear(this.#timer);
    this.#timer = timer.set(() => this.timeIsUp(), milliseconds);
  }

  protected calm(): void {
    this.options.timer.clear(this.#timer);
    this.#timer = undefined;
  }

  /** How many characters of `command` can be written at once when `sent` are out already. */
  protected fitting(command: AtCommand, sent: number): number {
    return this.#port ? Math.min(this.#writable, this.#piece.length, command.size - sent) : 0;
  }

  /** Writes `count` characters of `command`, from the `sent`-th on. */
  protected write(command: AtCommand, sent: number, count: number): void {
    const piece = this.#piece;
    for (let i = 0; i < count; i++) piece[i] = command.at(sent + i);
    this.#writable -= count;
    this.#port?.write(count === piece.length ? piece : piece.subarray(0, count));
  }

  /** Writes a short text at once; false when the port has no room for all of it. */
  protected writeText(text: string): boolean {
    const port = this.#port;
    if (!port || this.#writable < text.length) return false;
    for (let i = 0; i < text.length; i++) this.#piece[i] = text.charCodeAt(i);
    this.#writable -= text.length;
    port.write(this.#piece.subarray(0, text.length));
    return true;
  }

  /** Made once, and closing over nothing but `this`: each name that they mentioned would take heap as long as they live. */
  private callbacks() {
    return {
      onReadable: () => this.readLines(),
      onWritable: (count: number) => this.writable(count),
      onError: (reason?: unknown) => this.onBroken(reason),
    };
  }

  private writable(count: number): void {
    this.#writable = count;
    this.onRoom();
  }

  private timeIsUp(): void {
    this.#timer = undefined;
    this.onTimer();
  }

  private readLines(): void {
    const port = this.#port;
    // A port may announce bytes from inside read() or write(); the loop that runs already takes them.
    if (!port || this.#reading) return;
    this.#reading = true;
    const { lines } = this;
    try {
      while (this.#port === port && lines.fill(port)) {
        while (lines.next()) if (this.#port === port) this.onLine(lines.start, lines.end);
      }
    } finally {
      this.#reading = false;
    }
    this.work();
  }
}
