import { type ByteSink, type Uicc, UiccError } from '../contracts/index.js';
import type { CglaUicc } from './uicc-cgla.js';
import type { CsimUicc } from './uicc-csim.js';

export type Access = 'csim' | 'cgla';

/** The card by whichever way works: the preferred one first, the other when that cannot open; then that one only. */
export class AutoUicc implements Uicc {
  readonly #csim: CsimUicc;
  readonly #cgla: CglaUicc;
  #order: readonly Access[];
  /** The way that has opened the application once. */
  #proven: Access | undefined;

  constructor(csim: CsimUicc, cgla: CglaUicc, order: readonly Access[]) {
    this.#csim = csim;
    this.#cgla = cgla;
    this.#order = order;
  }

  get access(): Access {
    return this.#proven ?? this.#order[0];
  }

  /** What to try, best first. What has been proven stays. */
  prefer(order: readonly Access[]): void {
    this.#order = order;
    if (this.#proven !== undefined && !order.includes(this.#proven)) this.#proven = undefined;
  }

  get isOpen(): boolean {
    return this.#csim.isOpen || this.#cgla.isOpen;
  }

  /** Sends a harmless command if a channel is open: a lost one is found out and reported. */
  async check(): Promise<void> {
    if (this.isOpen) await this.#by(this.access).check();
  }

  restart(): void {
    this.#csim.restart();
    this.#cgla.restart();
  }

  cardReset(): void {
    this.#csim.cardReset();
    this.#cgla.cardReset();
  }

  async open(aid: ArrayLike<number>): Promise<Uint8Array> {
    await this.close();
    if (this.#proven) return this.#by(this.#proven).open(aid);
    let first: unknown;
    for (const access of this.#order) {
      try {
        const fci = await this.#by(access).open(aid);
        this.#proven = access;
        return fci;
      } catch (error) {
        if (!(error instanceof UiccError) || error.code === 'closed') throw error;
        first ??= error;
      }
    }
    throw first;
  }

  transmit(command: Uint8Array, sink: ByteSink, deadline?: number): Promise<number> {
    return this.#by(this.access).transmit(command, sink, deadline);
  }

  async close(): Promise<void> {
    await this.#csim.close();
    await this.#cgla.close();
  }

  #by(access: Access): CsimUicc | CglaUicc {
    return access === 'csim' ? this.#csim : this.#cgla;
  }
}
