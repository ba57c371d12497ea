import type { ByteSink } from '../../hal/contracts/index.js';
import { MAX_DEPTH, TlvError } from './error.js';

/**
 * Writes DER into one buffer that is kept from message to message. begin() and end() stand around what a constructed
 * element contains; the length is put in afterwards and takes as few bytes as it needs.
 *
 * It is a ByteSink: a card's answer is collected in it as it arrives.
 *
 * @throws TlvError `overflow` when a message would become longer than `limit`; only clear() makes sense then
 */
export class Writer implements ByteSink {
  length = 0;
  #bytes: Uint8Array;
  readonly #limit: number;
  readonly #initial: number;
  // Where the contents of the open elements start. It keeps its size: an array that shrinks is allocated anew.
  readonly #open: number[] = [];
  #depth = 0;

  /**
   * @param capacity bytes to start with, and to go back to after release()
   * @param limit bytes it may grow to
   */
  constructor(capacity: number, limit = capacity) {
    this.#bytes = new Uint8Array(capacity);
    this.#initial = capacity;
    this.#limit = limit;
  }

  /** What has been written; a view, valid until the next call that writes. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Empties the buffer; its memory stays. */
  clear(): this {
    this.length = 0;
    this.#depth = 0;
    return this;
  }

  /** Empties the buffer and gives back what a long message made it grow to. */
  release(): void {
    this.clear();
    if (this.#bytes.length > this.#initial) this.#bytes = new Uint8Array(this.#initial);
  }

  /** Appends bytes as they are. */
  write(bytes: ArrayLike<number>): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  byte(value: number): this {
    this.#room(1);
    this.#bytes[this.length++] = value;
    return this;
  }

  /** Opens a constructed element. */
  begin(tag: number): this {
    if (this.#depth >= MAX_DEPTH) throw new TlvError('tooDeep', 'nested too deeply', this.length);
    this.#tag(tag);
    this.byte(0);
    this.#open[this.#depth++] = this.length;
    return this;
  }

  /** Closes the element of the last begin(). */
  end(): this {
    if (this.#depth === 0) throw new TlvError('badValue', 'end() without begin()', this.length);
    const start = this.#open[--this.#depth];
    const length = this.length - start;
    const more = lengthOfLength(length) - 1;
    if (more > 0) {
      this.#room(more);
      this.#bytes.copyWithin(start + more, start, this.length);
      this.length += more;
    }
    const end = this.length;
    this.length = start - 1;
    this.#length(length);
    this.length = end;
    return this;
  }

  /** A primitive element; without `value` an empty one (NULL). */
  primitive(tag: number, value?: ArrayLike<number>): this {
    this.#tag(tag);
    this.#length(value ? value.length : 0);
    if (value) this.write(value);
    return this;
  }

  /** INTEGER under `tag`, minimal two's complement (es10.md T10). */
  integer(tag: number, value: number): this {
    if (!Number.isSafeInteger(value)) throw new TlvError('badValue', 'not a safe integer', this.length);
    let size = 1;
    for (let limit = 0x80; value >= limit || value < -limit; limit *= 256) size++;
    this.#tag(tag);
    this.#length(size);
    for (let shift = 256 ** (size - 1); size > 0; size--, shift /= 256)
      this.byte(Math.floor(value / shift) & 0xff);
    return this;
  }

  /** Characters of an ASCII string under `tag`; others become `?`. eIM ids and FQDNs are ASCII. */
  ascii(tag: number, text: string): this {
    this.#tag(tag);
    this.#length(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      this.byte(code < 0x80 ? code : 0x3f);
    }
    return this;
  }

  /** Only tag and length; the value follows with write(). */
  header(tag: number, length: number): this {
    if (!(length >= 0 && length <= 0xffffffff))
      throw new TlvError('badValue', 'a length fits in four bytes', this.length);
    this.#tag(tag);
    this.#length(length);
    return this;
  }

  #tag(tag: number): void {
    if (tag > 0xffff) this.byte(tag >> 16);
    if (tag > 0xff) this.byte(tag >> 8);
    this.byte(tag);
  }

  #length(length: number): void {
    let bytes = lengthOfLength(length) - 1;
    if (bytes === 0) {
      this.byte(length);
      return;
    }
    this.byte(0x80 | bytes);
    while (bytes-- > 0) this.byte(length >>> (8 * bytes));
  }

  #room(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#limit) {
      throw new TlvError(
        'overflow',
        `a message grew beyond ${this.#limit} bytes; raise the limit`,
        this.length,
      );
    }
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
}

/** Bytes that the length field of a value of `length` bytes takes. */
export function lengthOfLength(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x100) return 2;
  if (length < 0x10000) return 3;
  return length < 0x1000000 ? 4 : 5;
}
