import { MAX_DEPTH, TlvError } from './error.js';

/** What {@link TlvStream.next} found. */
export const Found = {
  /** All bytes that were fed are used up. */
  nothing: 0,
  /** Tag and length of an element: `tag`, `length`, `depth`. Call enter() to see what it contains one by one. */
  header: 1,
  /** A piece of the value of an element that was not entered: `data`. */
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
  /** Length of the value of the element whose header or end was found. */
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
  readonly #tags: number[] = [];
  readonly #lengths: number[] = [];
  readonly #remaining: number[] = [];
  #entered = 0;

  reset(): this {
    this.tag = this.length = this.depth = this.consumed = 0;
    this.data = this.#piece = undefined;
    this.#at = this.#step = this.#tagBytes = this.#lengthBytes = this.#entered = 0;
    this.#tags.length = this.#lengths.length = this.#remaining.length = 0;
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

  /** True between elements of the outermost level: where a message may end. */
  get complete(): boolean {
    return this.#tags.length === 0 && this.#step === 0;
  }

  /** After `header`: what the element contains is found one by one. */
  enter(): void {
    if (this.#step !== 4 || this.#entered !== this.#tags.length - 1) {
      throw new TlvError('badValue', 'enter() is only for the header just found', this.consumed);
    }
    if (this.#tags.length > MAX_DEPTH) throw new TlvError('tooDeep', 'nested too deeply', this.consumed);
    this.#entered++;
    this.#step = 0;
  }

  next(): Found {
    const open = this.#tags.length;
    // A value or an entered element that is used up ends, whether bytes wait or not.
    if (open > 0 && this.#remaining[open - 1] === 0 && (this.#step === 4 || this.#step === 0))
      return this.#close();
    const piece = this.#piece;
    if (!piece || this.#at >= piece.length) return Found.nothing;
    if (this.#step === 4) return this.#value(piece);
    while (this.#at < piece.length) {
      const byte = piece[this.#at];
      this.#take(1);
      if (this.#header(byte)) return Found.header;
    }
    return Found.nothing;
  }

  /** One byte of a header. @returns true when the header is complete */
  #header(byte: number): boolean {
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
          return this.#opened();
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
        return --this.#lengthBytes === 0 && this.#opened();
    }
  }

  #opened(): boolean {
    const open = this.#tags.length;
    if (open > 0 && this.length > this.#remaining[open - 1]) {
      throw new TlvError('lengthBeyond', 'a length leads beyond the enclosing element', this.consumed);
    }
    this.depth = open;
    this.#tags.push(this.tag);
    this.#lengths.push(this.length);
    this.#remaining.push(this.length);
    this.#step = 4;
    return true;
  }

  #value(piece: Uint8Array): Found {
    const open = this.#tags.length;
    const count = Math.min(piece.length - this.#at, this.#remaining[open - 1]);
    this.data = piece.subarray(this.#at, this.#at + count);
    this.depth = open - 1;
    this.tag = this.#tags[open - 1];
    this.#remaining[open - 1] -= count;
    // The element's own share is taken off here; those around it lose it in #take.
    this.#at += count;
    this.consumed += count;
    for (let i = 0; i < open - 1; i++) this.#remaining[i] -= count;
    return Found.data;
  }

  #take(count: number): void {
    this.#at += count;
    this.consumed += count;
    const remaining = this.#remaining;
    for (let i = 0; i < remaining.length; i++) {
      if (remaining[i] < count)
        throw new TlvError('lengthBeyond', 'a header leads beyond the enclosing element', this.consumed);
      remaining[i] -= count;
    }
  }

  #close(): Found {
    if (this.#step === 0 && this.#entered === this.#tags.length) this.#entered--;
    this.tag = this.#tags.pop() as number;
    this.length = this.#lengths.pop() as number;
    this.#remaining.pop();
    this.depth = this.#tags.length;
    this.#step = 0;
    return Found.end;
  }
}
