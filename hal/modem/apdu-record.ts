import type { HalEvent, Observer } from '../contracts/index.js';

/** One APDU for an observer: the command, and the response as it comes. */
export class ApduRecord {
  readonly #command: Uint8Array;
  #response = new Uint8Array(32);
  #length = 0;

  constructor(command: Uint8Array) {
    this.#command = command;
  }

  add(bytes: Uint8Array): void {
    const end = this.#length + bytes.length;
    if (end > this.#response.length) {
      const longer = new Uint8Array(end + (end >> 2));
      longer.set(this.#response);
      this.#response = longer;
    }
    this.#response.set(bytes, this.#length);
    this.#length = end;
  }

  /** A command that the modem refused is not told of. */
  tell(observe: Observer<HalEvent>, sw: number): void {
    if (sw < 0) return;
    const response = this.#response.subarray(0, this.#length);
    observe({ event: 'apdu', command: this.#command, response, sw });
  }
}
