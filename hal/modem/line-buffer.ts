import type { SerialPort } from '../contracts/index.js';
import { digest, type Span } from './at-parser.js';

/**
 * Collects received bytes in one buffer that never grows, and hands out whole lines. A line that does not fit is dropped
 * up to its end and counted.
 */
export class LineBuffer implements Span {
  readonly bytes: Uint8Array;
  /** Lines dropped because they were longer than the buffer. */
  overlong = 0;
  /** The line that next() found: bytes[start … end). */
  start = 0;
  end = 0;
  /** Bytes from here on are not yet looked at, up to `#used`. */
  #from = 0;
  #used = 0;
  #skipping = false;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  reset(): void {
    this.#from = this.#used = 0;
    this.#skipping = false;
  }

  /** Reads what fits of what waits at `port`; false when nothing does. To be called when next() has nothing more. */
  fill(port: SerialPort): boolean {
    const { bytes } = this;
    const room = this.#used === 0 ? bytes : bytes.subarray(this.#used);
    const count = port.read(room);
    if (!(count > 0)) return false;
    this.#used += Math.min(count, room.length);
    return true;
  }

  /** Finds the next line; its bytes are valid until the call after, and may be changed. @returns false when none is whole */
  next(): boolean {
    const { bytes } = this;
    for (;;) {
      const consumed = digest(bytes, this.#from, this.#used, this);
      if (consumed === 0) break;
      this.#from += consumed;
      if (this.#skipping) this.#skipping = false;
      else if (this.end > this.start) return true;
    }
    if (this.#from > 0) bytes.copyWithin(0, this.#from, this.#used);
    this.#used -= this.#from;
    this.#from = 0;
    if (this.#used < bytes.length) return false;
    if (!this.#skipping) this.overlong++;
    this.#skipping = true;
    this.#used = 0;
    return false;
  }
}
