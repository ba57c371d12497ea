import type { SerialPort } from '../contracts/index.js';
import { digest, type Span } from './at-parser.js';

/**
 * Collects received bytes in one buffer that never grows, and hands out whole lines. A line that does not fit is dropped
 * up to its end and counted.
 */
export class LineBuffer {
  readonly bytes: Uint8Array;
  /** Lines dropped because they were longer than the buffer. */
  overlong = 0;
  #used = 0;
  #skipping = false;
  readonly #span: Span = { start: 0, end: 0 };

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  reset(): void {
    this.#used = 0;
    this.#skipping = false;
  }

  /** Reads all that waits at `port`. `take` may change the bytes of its line, and nothing else. */
  fill(port: SerialPort, take: (start: number, end: number) => void): void {
    for (;;) {
      const room = this.#used === 0 ? this.bytes : this.bytes.subarray(this.#used);
      const count = port.read(room);
      if (!(count > 0)) return;
      this.#used += Math.min(count, room.length);
      this.#takeLines(take);
    }
  }

  #takeLines(take: (start: number, end: number) => void): void {
    const { bytes } = this;
    const line = this.#span;
    const used = this.#used;
    let from = 0;
    for (;;) {
      const consumed = digest(bytes, from, used, line);
      if (consumed === 0) break;
      from += consumed;
      if (this.#skipping) this.#skipping = false;
      else if (line.end > line.start) take(line.start, line.end);
    }
    if (from > 0) bytes.copyWithin(0, from, used);
    this.#used = used - from;
    if (this.#used < bytes.length) return;
    if (!this.#skipping) this.overlong++;
    this.#skipping = true;
    this.#used = 0;
  }
}
