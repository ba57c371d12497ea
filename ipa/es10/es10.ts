import { type ByteSink, isSuccess, type Uicc, XsIpaError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError } from '../error.js';
import { Cursor, Writer } from '../tlv/index.js';
import { Deadline } from './tags.js';

interface Es10Options {
  /** Bytes of a STORE DATA block, 1…255. Modems with short lines need less (es10.md §1.5). */
  blockSize?: number;
  /** Longest answer that is collected; longer ones end in a TlvError `overflow`. */
  answerLimit?: number;
}

/**
 * ES10 on the wire: a request TLV goes out as STORE DATA blocks, the answer is collected (es10.md §1.5).
 * Owns one small request buffer, one command buffer and one answer buffer; everything it returns is lent
 * until the next call.
 */
export class Es10 {
  readonly uicc: Uicc;
  /** For callers to build their requests in. */
  readonly request = new Writer(64, 2048);
  readonly #answer: Writer;
  readonly #cursor: Cursor;
  readonly #command: Uint8Array;
  readonly #blockSize: number;

  constructor(uicc: Uicc, options: Es10Options = {}) {
    this.uicc = uicc;
    this.#blockSize = options.blockSize ?? 255;
    if (!Number.isInteger(this.#blockSize) || this.#blockSize < 1 || this.#blockSize > 255)
      throw new XsIpaError('badOption', `blockSize is ${this.#blockSize}; it must be 1 to 255`);
    this.#command = new Uint8Array(5 + this.#blockSize);
    this.#answer = new Writer(256, options.answerLimit ?? 32_768);
    this.#cursor = new Cursor(this.#command, 0, 0);
  }

  /** Room for one STORE DATA with a full block; whoever writes to it must not call a function in between. */
  get command(): Uint8Array {
    return this.#command;
  }

  /**
   * Runs one function.
   * @param request the request TLV; {@link Es10.request} where not given
   * @returns a cursor on the response element, for example BF3E
   * @throws Es10Error for a status word, IpaError `unexpectedAnswer`, TlvError, UiccError
   */
  async call(
    request: Uint8Array = this.request.bytes,
    deadline: number = Deadline.ordinary,
  ): Promise<Cursor> {
    this.#answer.clear();
    const tag = (request[0] << 8) | request[1];
    await this.relay(request, this.#answer, deadline);
    const cursor = this.#cursor.reset(this.#answer.bytes);
    if (!cursor.nextIs(tag)) {
      throw new IpaError(
        'unexpectedAnswer',
        `the eUICC answered ${tag.toString(16)} with ${this.#answer.length === 0 ? 'nothing' : cursor.tag.toString(16)}`,
      );
    }
    return cursor;
  }

  /**
   * Runs one function and passes its answer on to `into` as it comes.
   * @throws Es10Error for a status word, and with 6700 for more than 256 blocks; TlvError `overflow`, UiccError
   */
  async relay(request: Uint8Array, into: ByteSink, deadline: number = Deadline.ordinary): Promise<void> {
    const command = this.#command;
    const size = this.#blockSize;
    const tag = (request[0] << 8) | request[1];
    // P2 counts blocks in one byte. The card would answer the same (wrong length), but only after most of it.
    if (request.length > size * 256) throw new Es10Error(tag, 0x6700);
    command[0] = 0x80;
    command[1] = 0xe2;
    for (let at = 0, block = 0; at < request.length; block++) {
      const length = Math.min(size, request.length - at);
      const last = at + length === request.length;
      command[2] = last ? 0x91 : 0x11;
      command[3] = block;
      command[4] = length;
      command.set(request.subarray(at, at + length), 5);
      at += length;
      // Continues on an empty stack: the way down to the serial port needs much of the small stack of a microcontroller.
      await undefined;
      const sw = await this.uicc.transmit(
        command.subarray(0, 5 + length),
        into,
        last ? deadline : Deadline.ordinary,
      );
      if (!isSuccess(sw)) throw new Es10Error(tag, sw);
    }
  }

  /** Gives back the memory of a long answer. */
  release(): void {
    this.#answer.release();
    this.request.release();
  }
}
