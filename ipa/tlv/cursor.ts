import { MAX_DEPTH, TlvError } from './error.js';

/**
 * Reads BER-TLV in place: no tree, no copy. A cursor stands on one element at a time; next() moves along the present
 * level, enter() and leave() change it.
 *
 * Definite lengths only; lengths and integers longer than they need be are accepted, because cards send them. Every view
 * it returns shares the buffer's memory.
 *
 * @throws TlvError and nothing else, whatever the bytes
 */
export class Cursor {
  /** Tag of the present element with all its bytes, for example 0x5A, 0xBF51, 0x9F70; 0 before the first next(). */
  tag = 0;
  /** Offset of the present element's tag. */
  start = 0;
  /** Offset of its value. */
  valueStart = 0;
  /** Offset behind its value. */
  valueEnd = 0;

  #bytes: Uint8Array;
  #position = 0;
  #end = 0;
  // Ends of the levels around the present one. It keeps its size: an array that shrinks is allocated anew.
  readonly #ends: number[] = [];
  #depth = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.reset(bytes, start, end);
  }

  /** Starts over on other bytes; spares a new object. @throws TlvError `badValue` for a range outside of `bytes` */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): this {
    // Written so that NaN fails too.
    if (!(start >= 0 && start <= end && end <= bytes.length))
      throw new TlvError('badValue', 'the range to read is not within the bytes', 0);
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
    this.#depth = 0;
    this.tag = 0;
    this.start = this.valueStart = this.valueEnd = start;
    return this;
  }

  /** Number of bytes of the value. */
  get length(): number {
    return this.valueEnd - this.valueStart;
  }

  /** View of the value. */
  get value(): Uint8Array {
    return this.#bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** View of the whole element with tag and length. */
  get element(): Uint8Array {
    return this.#bytes.subarray(this.start, this.valueEnd);
  }

  /** Number of elements entered and not left: where it is 0, a walk through unknown contents must not leave(). */
  get depth(): number {
    return this.#depth;
  }

  /** Moves to the next element of this level. @returns false at the end of the level */
  next(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#position;
    if (at >= end) {
      this.tag = 0;
      this.start = this.valueStart = this.valueEnd = end;
      return false;
    }
    const start = at;
    let tag = bytes[at++];
    if (tag === 0 || tag === 0xff) throw new TlvError('badTag', 'no tag starts with 00 or FF', start);
    if ((tag & 0x1f) === 0x1f) {
      for (let count = 0; ; count++) {
        if (at >= end) throw new TlvError('truncated', 'the bytes end inside a tag', start);
        if (count === 2) throw new TlvError('badTag', 'a tag has more than three bytes', start);
        const byte = bytes[at++];
        tag = (tag << 8) | byte;
        if (byte < 0x80) break;
      }
    }
    if (at >= end) throw new TlvError('truncated', 'the bytes end before a length', start);
    let length = bytes[at++];
    if (length >= 0x80) {
      let count = length & 0x7f;
      if (count === 0) throw new TlvError('indefiniteLength', 'indefinite lengths are not allowed', start);
      if (count > 4) throw new TlvError('badLength', 'a length has more than four bytes', start);
      if (at + count > end) throw new TlvError('truncated', 'the bytes end inside a length', start);
      length = 0;
      while (count-- > 0) length = length * 256 + bytes[at++];
    }
    if (length > end - at)
      throw new TlvError('lengthBeyond', 'a length leads beyond the enclosing bytes', start);
    this.tag = tag;
    this.start = start;
    this.valueStart = at;
    this.valueEnd = at + length;
    this.#position = this.valueEnd;
    return true;
  }

  /** Is the present element one with `tag`? */
  is(tag: number): boolean {
    return this.tag === tag;
  }

  /** Moves to the next element; does it have `tag`? */
  nextIs(tag: number): boolean {
    return this.next() && this.tag === tag;
  }

  /** Moves on until an element with `tag`; those between are passed over. @returns false if there is none */
  find(tag: number): boolean {
    while (this.next()) if (this.tag === tag) return true;
    return false;
  }

  /** Moves to the next element, which must have `tag`. */
  expect(tag: number): this {
    const at = this.#position;
    if (!this.next() || this.tag !== tag) {
      throw new TlvError('wrongTag', `expected tag ${tag.toString(16)}, found ${this.tag.toString(16)}`, at);
    }
    return this;
  }

  /** Goes into the present element: next() then moves along what it contains. */
  enter(): this {
    if (this.#depth >= MAX_DEPTH) throw new TlvError('tooDeep', 'nested too deeply', this.start);
    this.#ends[this.#depth++] = this.#end;
    this.#end = this.valueEnd;
    this.#position = this.valueStart;
    return this;
  }

  /** Goes back to the level of the last enter(), behind the element that was entered; there is no present element then. */
  leave(): this {
    if (this.#depth === 0) throw new TlvError('badValue', 'leave() without enter()', this.start);
    const at = this.#end;
    this.#end = this.#ends[--this.#depth];
    this.#position = this.start = this.valueStart = this.valueEnd = at;
    this.tag = 0;
    return this;
  }

  /** The value as INTEGER: two's complement, at most eight bytes, and no further from 0 than Number.MAX_SAFE_INTEGER. */
  integer(): number {
    const bytes = this.#bytes;
    let at = this.valueStart;
    const end = this.valueEnd;
    if (at >= end || end - at > 8)
      throw new TlvError('badValue', 'not an INTEGER of one to eight bytes', this.start);
    let value = bytes[at++];
    if (value >= 0x80) value -= 0x100;
    while (at < end) value = value * 256 + bytes[at++];
    if (!Number.isSafeInteger(value))
      throw new TlvError('badValue', 'an INTEGER is beyond 53 bits', this.start);
    return value;
  }

  /** The value as BIT STRING: is bit `index` set? Bit 0 is the first; any count of unused bits is accepted. How flags such as pprIds of a
   * download are read. */
  bit(index: number): boolean {
    const at = this.valueStart + 1 + (index >> 3);
    return at < this.valueEnd && (this.#bytes[at] & (0x80 >> (index & 7))) !== 0;
  }
}

/** Are the same bytes in both? */
export function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
