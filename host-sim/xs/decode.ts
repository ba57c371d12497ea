import type { Happening } from '../trace/index.js';
import { CONSOLE_EVENTS } from './wire.js';

const MINUS = 0x2d;
const BYTES = 0x62;
const LIST = 0x6c;
const NUMBER = 0x6e;
const TEXT = 0x74;

/** An event of the device, how an operation ended, or how many events it could not tell. */
export type Told = Happening | { event: 'operated'; result: number } | { event: 'unheard'; count: number };

/** Puts together what comes from a device's console (wire.ts). @throws Error when it is not what a device says */
export class ConsoleDecoder {
  readonly #take: (told: Told) => void;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(take: (told: Told) => void) {
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      this.#at = 0;
      const told = this.#frame();
      if (!told) return;
      this.#bytes = this.#bytes.subarray(this.#at);
      this.#take(told);
    }
  }

  /** undefined while it is not there whole. */
  #frame(): Told | undefined {
    try {
      const [event, ...fields] = CONSOLE_EVENTS[this.#byte()] ?? [];
      if (event === undefined) throw new Error('the device tells an event that does not exist');
      const told: Record<string, unknown> = { event };
      for (const field of fields) {
        const value = this.#value();
        if (value !== undefined) told[field] = value;
      }
      return told as unknown as Told;
    } catch (error) {
      if (error instanceof Incomplete) return undefined;
      throw error;
    }
  }

  #value(): unknown {
    const kind = this.#byte();
    if (kind === MINUS) return undefined;
    const length = (this.#byte() << 8) | this.#byte();
    if (kind === LIST) return Array.from({ length }, () => this.#value());
    if (this.#at + length > this.#bytes.length) throw new Incomplete();
    const bytes = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    if (kind === BYTES) return new Uint8Array(bytes);
    const text = Buffer.from(bytes).toString('latin1');
    if (kind === NUMBER) return Number(text);
    if (kind === TEXT) return text;
    throw new Error(`the device tells a value of the unknown kind ${kind}`);
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new Incomplete();
    return this.#bytes[this.#at++];
  }
}

class Incomplete extends Error {}
