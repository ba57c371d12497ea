import type { ByteSink } from '../../hal/contracts/index.js';
import { MAX_DEPTH, TlvError } from './error.js';

/** Longest message that is believed in before it is there. */
const MOST_EXPECTED = 4096;

/**
 * Writes DER into one buffer that is kept from message to message until release(). begin() and end() stand around what a constructed
 * element contains; the length is put in afterwards and takes as few bytes as it needs.
 *
 * It is a ByteSink: a card's answer is collected in it as it arrives.
 *
 * @throws TlvError `overflow` when a message would become longer than `limit`; only clear() makes sense then
 */
export class Writer implements ByteSink {
  length = 0;
  #bytes: Uint8Array | undefined;
  readonly #limit: number;
  readonly #initial: number;
  // Where the contents of the open elements start. It keeps its size: an array that shrinks is allocated anew.
  #open: number[] | undefined;
  #depth = 0;

  /**
   * @param capacity bytes to start with; nothing is held before the first are written, and after release()
   * @param limit bytes it may grow to
   */
  constructor(capacity: number, limit = capacity) {
    this.#initial = capacity;
    this.#limit = limit;
  }

  /** What has been written; a view, valid until the next call that writes. */
  get bytes(): Uint8Array {
    return this.#bytes ? this.#bytes.subarray(0, this.length) : new Uint8Array(0);
  }

  /** Empties the buffer; its memory stays. */
  clear(): this {
    this.length = 0;
    this.#depth = 0;
    return this;
  }

  /** Empties the buffer and gives its memory back. */
  release(): void {
    this.clear();
    this.#bytes = this.#open = undefined;
  }

  /** Takes back what was written behind `length`; elements that were opened there must not be. */
  cut(length: number): void {
    this.length = length;
  }

  /** What has been written, for good: the buffer lets go of it, and holds nothing. */
  detach(): Uint8Array {
    const { bytes } = this;
    this.release();
    return bytes;
  }

  /** Appends bytes as they are. */
  write(bytes: ArrayLike<number>): void {
    this.room(bytes.length).set(bytes, this.length);
    this.length += bytes.length;
  }

  byte(value: number): this {
    this.room(1)[this.length++] = value;
    return this;
  }

  /**
   * `count` further bytes are to come: makes room for them at once, as far as one may believe somebody else's length.
   * A buffer that grows while it is written holds both the old and the new memory for a moment, again and again.
   */
  expect(count: number): void {
    // The lengths of the elements that are open grow, too.
    const wanted = Math.min(this.length + count + 3 * this.#depth, this.#limit, MOST_EXPECTED);
    if (wanted > (this.#bytes?.length ?? this.#initial)) this.resize(wanted);
  }

  /** A view of `count` bytes behind what has been written, for somebody to fill; advance() takes them as written. */
  space(count: number): Uint8Array {
    return this.room(count).subarray(this.length, this.length + count);
  }

  advance(count: number): void {
    this.length += count;
  }

  /** Opens a constructed element. */
  begin(tag: number): this {
    if (this.#depth >= MAX_DEPTH) throw new TlvError('tooDeep', 'nested too deeply', this.length);
    this.tag(tag);
    this.byte(0);
    this.#open ??= [];
    this.#open[this.#depth++] = this.length;
    return this;
  }

  /** Closes the element of the last begin(). */
  end(): this {
    if (!this.#open || this.#depth === 0)
      throw new TlvError('badValue', 'end() without begin()', this.length);
    const start = this.#open[--this.#depth];
    const length = this.length - start;
    const more = lengthOfLength(length) - 1;
    if (more > 0) {
      this.room(more).copyWithin(start + more, start, this.length);
      this.length += more;
    }
    const end = this.length;
    this.length = start - 1;
    this.lengthField(length);
    this.length = end;
    return this;
  }

  /** A primitive element; without `value` an empty one (NULL). */
  primitive(tag: number, value?: ArrayLike<number>): this {
    this.tag(tag);
    this.lengthField(value ? value.length : 0);
    if (value) this.write(value);
    return this;
  }

  /** INTEGER under `tag`, minimal two's complement (es10.md T10). */
  integer(tag: number, value: number): this {
    if (!Number.isSafeInteger(value)) throw new TlvError('badValue', 'not a safe integer', this.length);
    let size = 1;
    for (let limit = 0x80; value >= limit || value < -limit; limit *= 256) size++;
    this.tag(tag);
    this.lengthField(size);
    for (let shift = 256 ** (size - 1); size > 0; size--, shift /= 256)
      this.byte(Math.floor(value / shift) & 0xff);
    return this;
  }

  /** Characters of an ASCII string under `tag`; others become `?`. eIM ids and FQDNs are ASCII. */
  ascii(tag: number, text: string): this {
    this.tag(tag);
    this.lengthField(text.length);
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
    this.tag(tag);
    this.lengthField(length);
    return this;
  }

  private tag(tag: number): void {
    if (tag > 0xffff) this.byte(tag >> 16);
    if (tag > 0xff) this.byte(tag >> 8);
    this.byte(tag);
  }

  private lengthField(length: number): void {
    let bytes = lengthOfLength(length) - 1;
    if (bytes === 0) {
      this.byte(length);
      return;
    }
    this.byte(0x80 | bytes);
    while (bytes-- > 0) this.byte(length >>> (8 * bytes));
  }

  private room(count: number): Uint8Array {
    const bytes = this.#bytes;
    const needed = this.length + count;
    if (bytes && needed <= bytes.length) return bytes;
    if (needed > this.#limit) {
      throw new TlvError(
        'overflow',
        `a message grew beyond ${this.#limit} bytes; raise the limit`,
        this.length,
      );
    }
    return this.resize(
      Math.min(this.#limit, Math.max(this.#initial, bytes ? needed + (needed >> 2) : needed)),
    );
  }

  private resize(capacity: number): Uint8Array {
    const bytes = new Uint8Array(capacity);
    if (this.#bytes && this.length > 0) bytes.set(this.#bytes);
    this.#bytes = bytes;
    return bytes;
  }
}

/** Bytes that the length field of a value of `length` bytes takes. */
export function lengthOfLength(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x100) return 2;
  if (length < 0x10000) return 3;
  return length < 0x1000000 ? 4 : 5;
}
