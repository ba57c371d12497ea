import { Found, TlvError, TlvStream, Writer } from '../tlv/index.js';
import type { AnswerSink } from './link.js';
import { EsipaTag } from './tags.js';

const BOUND_PROFILE_PACKAGE = 0xbf36;

/**
 * GetBoundProfilePackageResponseEsipa, BF3A {A0 {[80 transactionId], BF36 …} | 81 error}, as it comes: passes on the
 * bytes of the BoundProfilePackage and holds none of them.
 */
export class BppAnswer implements AnswerSink {
  /** The eIM's error (esipa.md §6), undefined when there was none. */
  refusal: number | undefined;
  readonly #into: AnswerSink;
  readonly #stream = new TlvStream();
  readonly #header = new Writer(8);
  #passing = false;

  constructor(into: AnswerSink) {
    this.#into = into;
  }

  /** @throws TlvError when the bytes are no such answer, and what the receiver throws */
  async take(piece: Uint8Array): Promise<boolean> {
    const stream = this.#stream;
    stream.feed(piece);
    for (let found = stream.next(); found !== Found.nothing; found = stream.next()) {
      const { depth, data } = stream;
      if (found === Found.header) this.#header.clear();
      if (found === Found.header && depth < 2) this.open();
      else if (found === Found.header) {
        this.#passing = stream.tag === BOUND_PROFILE_PACKAGE;
        if (!this.#passing) continue;
        this.#header.header(stream.tag, stream.length);
        if (!(await this.#into.take(this.#header.bytes))) return false;
      } else if (found === Found.data && data) {
        if (depth === 1) this.refusal = (this.refusal ?? 0) * 256 + data[data.length - 1];
        else if (this.#passing && !(await this.#into.take(data))) return false;
      }
    }
    return true;
  }

  private open(): void {
    const { tag, depth } = this.#stream;
    if (depth === 0 ? tag === EsipaTag.getBoundProfilePackage : tag === 0xa0) this.#stream.enter();
    else if (depth !== 1 || tag !== 0x81)
      throw new TlvError('wrongTag', `expected a Bound Profile Package, found tag ${tag.toString(16)}`, 0);
  }
}
