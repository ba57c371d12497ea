import { XsIpaError } from '../../hal/contracts/index.js';
import { TlvError, type TlvErrorCode } from '../tlv/index.js';

/** Bytes of a STORE DATA command before its data: CLA, INS, P1, P2, Lc. */
const HEADER = 5;
/** With fewer a header could fill a block before it is known how long the segment is. */
const LEAST_BLOCK = 16;
const MORE = 0x11;
const LAST = 0x91;

// Which element comes next.
const PACKAGE = 0;
const INITIALISE = 1;
// 2: ConfigureISDP
const METADATA = 3;
const METADATA_PART = 4;
const KEYS_OR_PROFILE = 5;
const PROFILE = 6;
const PROFILE_PART = 7;
const NOTHING = 8;

const TAGS = [0xbf36, 0xbf23, 0xa0, 0xa1, 0x88, 0xa3, 0xa3, 0x86, 0] as const;
const SESSION_KEYS = 0xa2;

/**
 * Turns a Bound Profile Package that arrives in pieces of any size into the STORE DATA commands of procedures.md §5, each as
 * soon as its bytes are there. It holds one command and nothing else; what it does not take stays with the source.
 *
 * ```
 * for (let at = 0; at < piece.length; ) {
 *   at += segmenter.push(piece, at);
 *   if (segmenter.ready) await transmit(segmenter.command());
 * }
 * segmenter.finish();
 * ```
 *
 * @throws TlvError for anything that is no Bound Profile Package; reset() is needed after it
 */
export class BppSegmenter {
  /** A command waits in command(); push() takes nothing until it was fetched. */
  ready = false;
  /** Bytes of the package taken so far. */
  consumed = 0;
  /** Length of the whole package; 0 until it is known. */
  total = 0;

  readonly #command: Uint8Array;
  readonly #size: number;
  /** Data bytes of the block at hand, and its number in its chain. */
  #fill = 0;
  #number = 0;
  #last = false;
  #expected = PACKAGE;
  /** How far a header is read: 0 tag, 1 second byte of it, 2 length, 3 further bytes of the length, 4 in a value. */
  #step = 0;
  #tag = 0;
  #length = 0;
  #lengthBytes = 0;
  /** Bytes to come of the value, of the A1 or A3 around it, and of the package. */
  #value = 0;
  #inner = 0;
  #outer = 0;

  /**
   * @param command memory for one command: 5 bytes more than a block, which has 16 to 255
   * @throws XsIpaError `badOption`
   */
  constructor(command: Uint8Array) {
    this.#size = command.length - HEADER;
    if (this.#size < LEAST_BLOCK || this.#size > 255) {
      throw new XsIpaError(
        'badOption',
        `blocks of ${this.#size} bytes; a package is loaded in blocks of 16 to 255`,
      );
    }
    this.#command = command;
  }

  /** The package was taken to its end. Its last command may still be ready. */
  get complete(): boolean {
    return this.#expected === NOTHING;
  }

  /** Ready for the next package. */
  reset(): this {
    this.ready = this.#last = false;
    this.consumed = this.total = 0;
    this.#fill = this.#number = this.#step = this.#tag = this.#length = this.#lengthBytes = 0;
    this.#value = this.#inner = this.#outer = 0;
    this.#expected = PACKAGE;
    return this;
  }

  /**
   * Takes bytes until a command is ready or all are used up.
   * @returns how many it took
   */
  push(bytes: Uint8Array, from = 0, to = bytes.length): number {
    let at = from;
    while (at < to && !this.ready) {
      if (this.#step === 4) at += this.copy(bytes, at, to);
      else this.header(bytes[at++]);
    }
    return at - from;
  }

  /**
   * The command that is ready: 80 E2, P1 91 for the last of its chain, P2 its number in it. Lent until the next push().
   */
  command(): Uint8Array {
    if (!this.ready) throw new XsIpaError('usage', 'command() before one is ready');
    const command = this.#command;
    command[0] = 0x80;
    command[1] = 0xe2;
    command[2] = this.#last ? LAST : MORE;
    command[3] = this.#number;
    command[4] = this.#fill;
    const length = HEADER + this.#fill;
    this.#number = this.#last ? 0 : this.#number + 1;
    this.#fill = 0;
    this.ready = this.#last = false;
    return command.subarray(0, length);
  }

  /** The source has no more. @throws TlvError `truncated` when the package does not end here */
  finish(): void {
    if (!this.complete) this.fail('truncated', 'the package was cut off');
  }

  private header(byte: number): void {
    if (this.complete) this.fail('lengthBeyond', 'bytes behind the package');
    this.put(byte);
    switch (this.#step) {
      case 0:
        this.#tag = byte;
        this.#step = (byte & 0x1f) === 0x1f ? 1 : 2;
        return;
      case 1:
        this.#tag = (this.#tag << 8) | byte;
        if (byte >= 0x80) this.fail('badTag', 'a tag of more than two bytes');
        this.#step = 2;
        return;
      case 2:
        if (byte < 0x80) {
          this.#length = byte;
          this.element();
          return;
        }
        this.#lengthBytes = byte & 0x7f;
        if (this.#lengthBytes === 0) this.fail('indefiniteLength', 'indefinite lengths are not allowed');
        if (this.#lengthBytes > 3) this.fail('badLength', 'a length of more than three bytes');
        this.#length = 0;
        this.#step = 3;
        return;
      default:
        this.#length = (this.#length << 8) | byte;
        if (--this.#lengthBytes === 0) this.element();
    }
  }

  /** One byte of a header into the block; it goes off everything around it. */
  private put(byte: number): void {
    this.#command[HEADER + this.#fill++] = byte;
    this.consumed++;
    if (this.#expected === PACKAGE) return;
    if (this.#outer-- === 0) this.fail('lengthBeyond', 'a header leads beyond the package');
    if (this.isPart && this.#inner-- === 0) this.fail('lengthBeyond', 'a header leads beyond its list');
  }

  private get isPart(): boolean {
    return this.#expected === METADATA_PART || this.#expected === PROFILE_PART;
  }

  /** Tag and length of an element are there. */
  private element(): void {
    const length = this.#length;
    const expected = this.#expected;
    const hasKeys = expected === KEYS_OR_PROFILE && this.#tag === SESSION_KEYS;
    if (this.#tag !== TAGS[expected] && !hasKeys) {
      const found = this.#tag.toString(16).toUpperCase();
      this.fail('wrongTag', `${found} where ${TAGS[expected].toString(16).toUpperCase()} must stand`);
    }
    if (expected === PACKAGE) {
      this.#outer = length;
      this.total = this.consumed + length;
      this.#expected = INITIALISE;
      this.#step = 0;
      this.notOver();
      return;
    }
    if (length > this.#outer) this.fail('lengthBeyond', 'an element leads beyond the package');
    if (expected === METADATA || (expected >= KEYS_OR_PROFILE && expected <= PROFILE && !hasKeys)) {
      // Of the lists only the header is a segment.
      this.#inner = length;
      this.#expected = expected === METADATA ? METADATA_PART : PROFILE_PART;
      this.segmentEnd();
      return;
    }
    if (this.isPart && length > this.#inner) this.fail('lengthBeyond', 'an element leads beyond its list');
    if (this.#fill + length > this.#size * 256) this.fail('overflow', `a segment of ${length} bytes`);
    if (hasKeys) this.#expected = PROFILE;
    else if (expected < METADATA) this.#expected = expected + 1;
    this.#value = length;
    this.#step = 4;
    if (length === 0) this.segmentEnd();
    else if (this.#fill === this.#size) this.ready = true;
  }

  private copy(bytes: Uint8Array, at: number, to: number): number {
    const count = Math.min(to - at, this.#value, this.#size - this.#fill);
    const command = this.#command;
    const start = HEADER + this.#fill;
    for (let i = 0; i < count; i++) command[start + i] = bytes[at + i];
    this.#fill += count;
    this.#value -= count;
    this.#outer -= count;
    if (this.isPart) this.#inner -= count;
    this.consumed += count;
    if (this.#value === 0) this.segmentEnd();
    else if (this.#fill === this.#size) this.ready = true;
    return count;
  }

  private segmentEnd(): void {
    this.ready = this.#last = true;
    this.#step = 0;
    if (this.isPart && this.#inner === 0) {
      this.#expected = this.#expected === METADATA_PART ? KEYS_OR_PROFILE : NOTHING;
    }
    this.notOver();
  }

  /** The package may end after its profile elements and nowhere else, and must end there. */
  private notOver(): void {
    if (this.complete && this.#outer > 0)
      this.fail('lengthBeyond', 'the package is longer than its elements');
    if (!this.complete && this.#outer === 0)
      this.fail('truncated', 'the package ends before its last element');
  }

  private fail(code: TlvErrorCode, message: string): never {
    throw new TlvError(code, `Bound Profile Package: ${message}`, this.consumed);
  }
}
