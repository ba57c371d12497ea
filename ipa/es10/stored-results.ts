import { Found, TlvError, TlvStream, type Writer } from '../tlv/index.js';
import type { AnswerReader, Es10 } from './es10.js';
import { Es10Tag } from './tags.js';

/**
 * All stored eUICC Package Results, one after the other: RetrieveNotificationsList with 82 00 (es10.md §4.4). The list may
 * be longer than any buffer; only one result is held at a time.
 * @param scratch holds the present result; one that does not fit is passed over
 * @param take gets each element BF51 …, valid during the call
 * @param begin called before the first one; again when the list had to be asked for again, and comes a second time
 * @returns how many were passed over
 * @throws Es10Error, TlvError when the list cannot be read, UiccError
 */
export function eachStoredResult(
  es10: Es10,
  scratch: Writer,
  take: (result: Uint8Array) => void,
  begin?: () => void,
): Promise<number> {
  es10.request.clear().begin(Es10Tag.retrieveNotificationsList).begin(0xa0).primitive(0x82).end().end();
  return es10.stream(new ResultReader(scratch, take, begin));
}

/** BF2B {A2 {BF51 …}} as it comes from the card. */
class ResultReader implements AnswerReader<number> {
  #passedOver = 0;
  readonly #stream = new TlvStream();
  readonly #scratch: Writer;
  readonly #take: (result: Uint8Array) => void;
  readonly #begin: (() => void) | undefined;
  #fits = false;

  constructor(scratch: Writer, take: (result: Uint8Array) => void, begin: (() => void) | undefined) {
    this.#scratch = scratch;
    this.#take = take;
    this.#begin = begin;
  }

  begin(): void {
    this.#stream.reset();
    this.#passedOver = 0;
    this.#begin?.();
  }

  finish(): number {
    return this.#passedOver;
  }

  write(bytes: Uint8Array): void {
    const stream = this.#stream;
    stream.feed(bytes);
    for (let found = stream.next(); found !== Found.nothing; found = stream.next()) {
      const { tag, depth } = stream;
      if (found === Found.header && depth < 2) {
        if (depth === 0 ? tag === Es10Tag.retrieveNotificationsList : tag === 0xa2) stream.enter();
      } else if (depth === 2 && tag === Es10Tag.loadEuiccPackage) this.result(found);
    }
  }

  private result(found: Found): void {
    const scratch = this.#scratch;
    const { tag, length, data } = this.#stream;
    if (found === Found.end) {
      if (this.#fits) this.#take(scratch.bytes);
      else this.#passedOver++;
      return;
    }
    try {
      if (found === Found.header) {
        this.#fits = true;
        scratch.clear().header(tag, length);
        scratch.expect(length);
      } else if (this.#fits && data) scratch.write(data);
    } catch (error) {
      if (!(error instanceof TlvError)) throw error;
      this.#fits = false;
    }
  }
}
