import { MAX_DEPTH, TlvError } from './error.js';

/** What {@link TlvStream.next} found. */
export const Found = {
  /** All bytes that were fed are used up. */
  nothing: 0,
  /** Tag and length of an element: `tag`, `length`, `depth`. Call enter() to see what it contains one by one. */
  header: 1,
  /** A piece of the value of an element that was not entered: `data`, valid until the next call. */
  data: 2,
  /** The element at `depth` is complete; `tag` is its tag. */
  end: 3,
} as const;

export type Found = (typeof Found)[keyof typeof Found];

/**
 * Reads BER-TLV that arrives in pieces of any size, holding nothing but the tags and lengths of the open elements:
 * a Bound Profile Package from the network, a long answer from the card.
 *
 * ```
 * stream.feed(piece);
 * for (let found = stream.next(); found !== Found.nothing; found = stream.next()) …
 * ```
 *
 * @throws TlvError and nothing else; after an error the stream must be reset()
 */
export class TlvStream {
  tag = 0;
  /** Length of the value of the element that was found. */
  length = 0;
  /** 0 for the outermost elements. */
  depth = 0;
  /** View into the piece that was fed. */
  data: Uint8Array | undefined;
  /** Bytes consumed since reset(). */
  consumed = 0;

  #piece: Uint8Array | undefined;
  #at = 0;
  /** How far the header is read: 0 tag, 1 further tag bytes, 2 length, 3 further length bytes, 4 in a value. */
  #step = 0;
  #tagBytes = 0;
  #lengthBytes = 0;
  // Of the open elements, outermost first. They keep their size: an array that shrinks is allocated anew.
  readonly #tags: number[] = [];
  readonly #lengths: number[] = [];
  readonly #remaining: number[] = [];
  #open = 0;
  #entered = 0;

  /** Forgets everything, an error too: one stream serves message after message. */
  reset(): this {
    this.tag = this.length = this.depth = this.consumed = 0;
    this.data = this.#piece = undefined;
    this.#at = this.#step = this.#tagBytes = this.#lengthBytes = this.#open = this.#entered = 0;
    return this;
  }

  /** Takes the next piece; the former one must be used up. */
  feed(piece: Uint8Array): void {
    if (this.#piece && this.#at < this.#piece.length) {
      throw new TlvError('badValue', 'the former piece is not used up', this.consumed);
    }
    this.#piece = piece;
    this.#at = 0;
  }

  /** True between elements of the outermost level: where a message may end. False at its end means that it was cut off. */
  get complete(): boolean {
    return this.#open === 0 && this.#step === 0;
  }

  /** After `header`: what the element contains is found one by one. */
  enter(): void {
    const last = this.#open - 1;
    if (this.#step !== 4 || this.#entered !== last || this.#remaining[last] !== this.#lengths[last]) {
      throw new TlvError('badValue', 'enter() is only for the header just found', this.consumed);
    }
    if (last >= MAX_DEPTH) throw new TlvError('tooDeep', 'nested too deeply', this.consumed);
    this.#entered++;
    this.#step = 0;
  }

  next(): Found {
    const open = this.#open;
    // A value or an entered element that is used up ends, whether bytes wait or not.
    if (open > 0 && this.#remaining[open - 1] === 0 && (this.#step === 4 || this.#step === 0))
      return this.close();
    const piece = this.#piece;
    if (piece) {
      if (this.#step === 4 && this.#at < piece.length) return this.value(piece);
      while (this.#at < piece.length) {
        const byte = piece[this.#at];
        this.take();
        if (this.headerByte(byte)) return Found.header;
      }
      // The piece belongs to whoever fed it; holding on to it would keep its memory.
      this.#piece = this.data = undefined;
    }
    return Found.nothing;
  }

  /** One byte of a header. @returns true when the header is complete */
  private headerByte(byte: number): boolean {
    switch (this.#step) {
      case 0:
        if (byte === 0 || byte === 0xff)
          throw new TlvError('badTag', 'no tag starts with 00 or FF', this.consumed - 1);
        this.tag = byte;
        this.#tagBytes = 1;
        this.#step = (byte & 0x1f) === 0x1f ? 1 : 2;
        return false;
      case 1:
        if (++this.#tagBytes > 3)
          throw new TlvError('badTag', 'a tag has more than three bytes', this.consumed);
        this.tag = (this.tag << 8) | byte;
        if (byte < 0x80) this.#step = 2;
        return false;
      case 2:
        if (byte < 0x80) {
          this.length = byte;
          return this.opened();
        }
        this.#lengthBytes = byte & 0x7f;
        if (this.#lengthBytes === 0)
          throw new TlvError('indefiniteLength', 'indefinite lengths are not allowed', this.consumed);
        if (this.#lengthBytes > 4)
          throw new TlvError('badLength', 'a length has more than four bytes', this.consumed);
        this.length = 0;
        this.#step = 3;
        return false;
      default:
        this.length = this.length * 256 + byte;
        return --this.#lengthBytes === 0 && this.opened();
    }
  }

  private opened(): boolean {
    const open = this.#open;
    if (open > 0 && this.length > this.#remaining[open - 1]) {
      throw new TlvError('lengthBeyond', 'a length leads beyond the enclosing element', this.consumed);
    }
    this.depth = open;
    this.#tags[open] = this.tag;
    this.#lengths[open] = this.#remaining[open] = this.length;
    this.#open++;
    this.#step = 4;
    return true;
  }

  private value(piece: Uint8Array): Found {
    const last = this.#open - 1;
    const remaining = this.#remaining;
    const count = Math.min(piece.length - this.#at, remaining[last]);
    this.data = piece.subarray(this.#at, this.#at + count);
    this.depth = last;
    this.tag = this.#tags[last];
    this.length = this.#lengths[last];
    this.#at += count;
    this.consumed += count;
    for (let i = 0; i <= last; i++) remaining[i] -= count;
    return Found.data;
  }

  /** One byte of a header goes off everything that is open. */
  private take(): void {
    this.#at++;
    this.consumed++;
    const remaining = this.#remaining;
    const open = this.#open;
    // What encloses an element has at least as many bytes left as the element itself.
    if (open > 0 && remaining[open - 1] === 0)
      throw new TlvError('lengthBeyond', 'a header leads beyond the enclosing element', this.consumed);
    for (let i = 0; i < open; i++) remaining[i]--;
  }

  private close(): Found {
    const last = --this.#open;
    if (this.#entered > last) this.#entered = last;
    this.tag = this.#tags[last];
    this.length = this.#lengths[last];
    this.depth = last;
    this.#step = 0;
    return Found.end;
  }
}
