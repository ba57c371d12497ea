import { type ByteSink, isSuccess, type Uicc, XsIpaError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError, isChannelGone } from '../error.js';
import { Cursor, Writer } from '../tlv/index.js';
import { Deadline } from './tags.js';

interface Es10Options {
  /** Bytes of a STORE DATA block, 1…255. Modems with short lines need less (es10.md §1.5). */
  blockSize?: number;
  /** Longest answer that is collected; longer ones end in a TlvError `overflow`. */
  answerLimit?: number;
}

/** Takes the answer of a function as it comes, however long it is. */
export interface AnswerReader<T> extends ByteSink {
  /** The answer begins; again when the way to the card was lost and the function is repeated. */
  begin(): void;
  /** The answer is complete. @returns what the caller gets */
  finish(): T;
}

/**
 * ES10 on the wire: a request TLV goes out as STORE DATA blocks, the answer is collected (es10.md §1.5).
 * Owns one small request buffer, one command buffer and one answer buffer; everything it returns is lent
 * until the next call.
 *
 * A function of ours is a request and a reader of its answer, so that one promise stands for the whole of it:
 * `es10.run(read)` where the answer is small, `es10.stream(reader)` where it may be long. Both repeat the function once when
 * the card was reset or the ISD-R deselected meanwhile. call() and relay() never repeat anything.
 */
export class Es10 implements ByteSink {
  readonly uicc: Uicc;
  /** For callers to build their requests in. */
  readonly request = new Writer(32, 2048);
  /** Whoever reaches the ISD-R again; where it is not given, nothing is repeated. */
  way: { openIsdR(): Promise<void> } | undefined;
  readonly #answer: Writer;
  #cursor: Cursor | undefined;
  #command: Uint8Array | undefined;
  readonly #blockSize: number;

  constructor(uicc: Uicc, options: Es10Options = {}) {
    this.uicc = uicc;
    this.#blockSize = options.blockSize ?? 255;
    if (!Number.isInteger(this.#blockSize) || this.#blockSize < 1 || this.#blockSize > 255)
      throw new XsIpaError('badOption', `blockSize is ${this.#blockSize}; it must be 1 to 255`);
    this.#answer = new Writer(32, options.answerLimit ?? 32_768);
  }

  /** Room for one STORE DATA with a full block; whoever writes to it must not call a function in between. */
  get command(): Uint8Array {
    return this.room(this.#blockSize);
  }

  /**
   * Runs the function in {@link Es10.request}; it must be one that may be repeated.
   * @param read gets a cursor on the response element, for example BF3E; what it returns is the result. Without it, that
   *   cursor is
   * @throws Es10Error for a status word, IpaError `unexpectedAnswer`, TlvError, UiccError, and what `read` throws
   */
  run<T = Cursor>(read?: (answer: Cursor) => T, deadline: number = Deadline.ordinary): Promise<T> {
    return this.send(this.request.bytes, this, deadline, read, undefined);
  }

  /** As run(), for an answer that is read as it comes. */
  stream<T>(reader: AnswerReader<T>, deadline: number = Deadline.ordinary): Promise<T> {
    return this.send(this.request.bytes, reader, deadline, undefined, reader);
  }

  /**
   * Runs one function, once.
   * @param request the request TLV; {@link Es10.request} where not given
   * @returns a cursor on the response element, for example BF3E
   * @throws Es10Error for a status word, IpaError `unexpectedAnswer`, TlvError, UiccError
   */
  call(request: Uint8Array = this.request.bytes, deadline: number = Deadline.ordinary): Promise<Cursor> {
    return this.send(request, this, deadline, undefined, undefined, false);
  }

  /**
   * Runs one function, once, and passes its answer on to `into` as it comes.
   * @throws Es10Error for a status word, and with 6700 for more than 256 blocks; TlvError `overflow`, UiccError
   */
  relay(request: Uint8Array, into: ByteSink, deadline: number = Deadline.ordinary): Promise<void> {
    return this.send(request, into, deadline, undefined, undefined, false);
  }

  /** Collects an answer; for run() and call(). */
  write(bytes: Uint8Array): void {
    if (this.#answer.length === 0) this.#answer.expect(announced(bytes));
    this.#answer.write(bytes);
  }

  /** Gives back all memory; everything lent is gone with it. */
  release(): void {
    this.#answer.release();
    this.request.release();
    this.#command = this.#cursor = undefined;
  }

  private async send<T>(
    request: Uint8Array,
    into: ByteSink,
    deadline: number,
    read: ((answer: Cursor) => T) | undefined,
    reader: AnswerReader<T> | undefined,
    again = this.way !== undefined,
  ): Promise<T> {
    for (let at = 0; at < request.length; ) {
      // Each block continues on an empty stack: a procedure stands above, the whole way to the serial port below.
      await undefined;
      try {
        if (at === 0) this.begin(request, reader);
        at = this.sent(request, at, await this.block(request, at, into, deadline));
      } catch (error) {
        if (!again || !isChannelGone(error)) throw error;
        again = false;
        at = 0;
        await this.way?.openIsdR();
      }
    }
    if (reader) return reader.finish();
    if (into !== this) return undefined as T;
    const answer = this.collected(tagOf(request));
    return read ? read(answer) : (answer as T);
  }

  private begin(request: Uint8Array, reader: AnswerReader<unknown> | undefined): void {
    const size = this.#blockSize;
    // P2 counts blocks in one byte. The card would answer the same (wrong length), but only after most of it.
    if (request.length > size * 256) throw new Es10Error(tagOf(request), 0x6700);
    this.room(Math.min(size, request.length));
    if (reader) reader.begin();
    else this.#answer.clear();
  }

  private room(block: number): Uint8Array {
    if (!this.#command || this.#command.length < 5 + block) this.#command = new Uint8Array(5 + block);
    return this.#command;
  }

  private block(request: Uint8Array, at: number, into: ByteSink, deadline: number): Promise<number> {
    const command = this.#command!;
    const size = this.#blockSize;
    const length = Math.min(size, request.length - at);
    const last = at + length === request.length;
    command[0] = 0x80;
    command[1] = 0xe2;
    command[2] = last ? 0x91 : 0x11;
    command[3] = at / size;
    command[4] = length;
    command.set(request.subarray(at, at + length), 5);
    return this.uicc.transmit(command.subarray(0, 5 + length), into, last ? deadline : Deadline.ordinary);
  }

  /** @returns where the next block begins */
  private sent(request: Uint8Array, at: number, sw: number): number {
    if (!isSuccess(sw)) throw new Es10Error(tagOf(request), sw);
    return at + Math.min(this.#blockSize, request.length - at);
  }

  private collected(tag: number): Cursor {
    const { bytes } = this.#answer;
    this.#cursor ??= new Cursor(bytes, 0, 0);
    const cursor = this.#cursor.reset(bytes);
    if (cursor.nextIs(tag)) return cursor;
    const answered = bytes.length === 0 ? 'nothing' : cursor.tag.toString(16);
    throw new IpaError('unexpectedAnswer', `the eUICC answered ${tag.toString(16)} with ${answered}`);
  }
}

function tagOf(request: Uint8Array): number {
  return (request[0] << 8) | request[1];
}

/** Length of the element that begins with `bytes`; NaN where they do not tell. */
function announced(bytes: Uint8Array): number {
  let at = (bytes[0] & 0x1f) === 0x1f ? 2 : 1;
  let length = bytes[at];
  if (length >= 0x80) {
    let more = length & 0x7f;
    for (length = 0; more > 0; more--) length = length * 256 + bytes[++at];
  }
  return at + 1 + length;
}
