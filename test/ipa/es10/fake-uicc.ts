import type { ByteSink, Uicc } from '../../../hal/contracts/index.js';

/** What the card does with one whole request: its response data, or a status word, or both. */
export type CardAnswer = Uint8Array | number | { data: Uint8Array; sw: number };

/** A card that records its APDUs and answers each whole request (all its STORE DATA blocks) by a function. */
export class FakeUicc implements Uicc {
  /** Commands as they came, copies. */
  readonly apdus: Uint8Array[] = [];
  readonly deadlines: (number | undefined)[] = [];
  /** Requests put together from their blocks. */
  readonly requests: Uint8Array[] = [];
  /** Bytes of an answer that are handed over at a time. */
  piece = 256;
  readonly #answer: (request: Uint8Array) => CardAnswer;
  #collected: number[] = [];
  #busy = false;

  constructor(answer: (request: Uint8Array) => CardAnswer) {
    this.#answer = answer;
  }

  async open(): Promise<Uint8Array> {
    return new Uint8Array(0);
  }

  async transmit(command: Uint8Array, sink: ByteSink, deadline?: number): Promise<number> {
    if (this.#busy) throw new Error('one transmit() at a time');
    this.#busy = true;
    try {
      this.apdus.push(command.slice());
      this.deadlines.push(deadline);
      this.#collected.push(...command.subarray(5));
      await Promise.resolve();
      if (command[2] === 0x11) return 0x9000;
      const request = Uint8Array.from(this.#collected);
      this.#collected = [];
      this.requests.push(request);
      const answer = this.#answer(request);
      if (typeof answer === 'number') return answer;
      const { data, sw } = answer instanceof Uint8Array ? { data: answer, sw: 0x9000 } : answer;
      // One buffer for all pieces: whoever keeps a view instead of a copy reads garbage.
      const lent = new Uint8Array(this.piece);
      for (let at = 0; at < data.length; at += this.piece) {
        const piece = data.subarray(at, at + this.piece);
        lent.set(piece);
        sink.write(lent.subarray(0, piece.length));
        lent.fill(0xee);
      }
      return sw;
    } finally {
      this.#busy = false;
    }
  }

  async close(): Promise<void> {}
}
