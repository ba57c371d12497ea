import type {
  SerialConfiguration,
  SerialConstructor,
  SerialOptions,
  SerialPort,
} from '../../hal/contracts/index.js';
import type { Clock } from '../../host-sim/clock.js';

export interface ScriptOptions {
  clock: Clock;
  /** Bytes per delivery: the numbers are used in turn. Whole answers when absent. */
  slices?: readonly number[];
  /** What onWritable announces; room returns 1 ms after it was used. Unlimited when absent. */
  room?: number;
  /** Milliseconds between slices. */
  pace?: number;
  /** Answers a command line (without CR). Nothing is sent for undefined. */
  answer: (line: string, script: ScriptedSerial) => string | undefined;
}

/** The modem's end of a serial line, for tests: answers by a function, delivers in slices on the given clock. */
export class ScriptedSerial {
  /** Command lines received, without CR. */
  readonly received: string[] = [];
  /** Everything written, CR included. */
  written = '';
  readonly configuration: SerialConfiguration;
  opened = 0;
  readonly #options: ScriptOptions;
  #line = '';
  #outgoing: number[] = [];
  #waiting: number[] = [];
  #slice = 0;
  #delivering = false;
  #te: SerialOptions | undefined;
  #room: number;

  constructor(options: ScriptOptions) {
    this.#options = options;
    this.#room = options.room ?? 1_000_000;
    this.configuration = { io: this.#class() };
  }

  /** Sends to the TE. */
  send(text: string): void {
    this.sendBytes(Buffer.from(text, 'latin1'));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#outgoing.push(...bytes);
    if (this.#delivering || this.#outgoing.length === 0) return;
    this.#delivering = true;
    this.#options.clock.set(() => this.#deliver(), this.#options.pace ?? 0);
  }

  sendLater(text: string, milliseconds: number): void {
    this.#options.clock.set(() => this.send(text), milliseconds);
  }

  /** The port breaks. */
  break(reason: unknown): void {
    this.#te?.onError?.(reason);
  }

  #deliver(): void {
    const { slices, clock, pace } = this.#options;
    const size = slices ? slices[this.#slice++ % slices.length] : this.#outgoing.length;
    this.#waiting.push(...this.#outgoing.splice(0, size));
    this.#delivering = false;
    if (this.#outgoing.length > 0) {
      this.#delivering = true;
      clock.set(() => this.#deliver(), pace ?? 0);
    }
    this.#te?.onReadable?.(this.#waiting.length);
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length > this.#room)
      throw new Error(`wrote ${bytes.length} bytes where ${this.#room} were allowed`);
    const { room, clock, answer } = this.#options;
    if (room !== undefined) {
      if (this.#room === room) {
        clock.set(() => {
          this.#room = room;
          this.#te?.onWritable?.(room);
        }, 1);
      }
      this.#room -= bytes.length;
    }
    for (const byte of bytes) {
      const character = String.fromCharCode(byte);
      this.written += character;
      if (character !== '\r') {
        this.#line += character;
        continue;
      }
      const line = this.#line;
      this.#line = '';
      this.received.push(line);
      const text = answer(line, this);
      if (text !== undefined) this.send(text);
    }
  }

  #class(): SerialConstructor {
    const script = this;
    return class implements SerialPort {
      #open = true;

      constructor(options: SerialOptions) {
        script.#te = options;
        script.opened++;
        script.#options.clock.set(() => {
          if (this.#open) options.onWritable?.(script.#room);
        }, 0);
      }

      read(buffer: Uint8Array): number {
        const bytes = script.#waiting.splice(0, buffer.length);
        buffer.set(bytes);
        return bytes.length;
      }

      write(buffer: Uint8Array): void {
        if (!this.#open) throw new Error('write after close');
        script.#take(buffer);
      }

      close(): void {
        this.#open = false;
        script.#te = undefined;
      }
    };
  }
}

/** Answer lines framed as a modem does; the last one is the final result. */
export function lines(...texts: string[]): string {
  return texts.map((text) => `\r\n${text}\r\n`).join('');
}
