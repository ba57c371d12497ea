import { type ByteSink, type Uicc, UiccError } from '../contracts/index.js';
import { CglaUicc } from './uicc-cgla.js';
import { type UiccContext, Way } from './uicc-context.js';
import { CsimUicc } from './uicc-csim.js';

export type Access = 'csim' | 'cgla';

/**
 * The card by whichever way works: the preferred one first, the other when that cannot open; then that one only. Only the
 * way in use is there.
 */
export class AutoUicc implements Uicc {
  readonly #context: UiccContext;
  /** Of {@link Way}. */
  #first: number = Way.csim;
  #second: number = Way.cgla;
  #way: CsimUicc | CglaUicc | undefined;
  /** The way in use has opened the application once. */
  #isProven = false;

  constructor(context: UiccContext) {
    this.#context = context;
  }

  get access(): Access {
    return this.preferred === Way.csim ? 'csim' : 'cgla';
  }

  /** What to try, best first. What has been proven stays. */
  prefer(first: Access, second?: Access): void {
    this.#first = Way[first];
    this.#second = second ? Way[second] : 0;
    const way = this.#way?.way;
    if (way !== this.#first && way !== this.#second) this.#isProven = false;
  }

  get isOpen(): boolean {
    return this.#way?.isOpen ?? false;
  }

  /** Sends a harmless command if a channel is open: a lost one is found out and reported. */
  check(): Promise<void> {
    return this.#way?.check() ?? Promise.resolve();
  }

  /** Does AT+CSIM pass an APDU to the card? */
  csimAnswers(): Promise<boolean> {
    return new CsimUicc(this.#context).probe();
  }

  restart(): void {
    this.#context.cleaned = 0;
    this.#way?.restart();
  }

  cardReset(): void {
    this.#way?.cardReset();
  }

  open(aid: ArrayLike<number>): Promise<Uint8Array> {
    return this.#isProven && this.#way ? this.#way.open(aid) : this.find(aid);
  }

  transmit(command: Uint8Array, sink: ByteSink, deadline?: number): Promise<number> {
    return this.by(this.preferred).transmit(command, sink, deadline);
  }

  close(): Promise<void> {
    return this.#way?.close() ?? Promise.resolve();
  }

  private get preferred(): number {
    return this.#isProven && this.#way ? this.#way.way : this.#first;
  }

  /** Tries both ways; the first failure is the one to report. */
  private async find(aid: ArrayLike<number>): Promise<Uint8Array> {
    // From here on an empty stack (docs/design.md §4).
    await undefined;
    let failure: unknown;
    for (let access = this.#first; access !== 0; access = access === this.#first ? this.#second : 0) {
      try {
        if (this.#way && this.#way.way !== access) await this.close();
        const fci = await this.by(access).open(aid);
        this.#isProven = true;
        return fci;
      } catch (error) {
        if (!(error instanceof UiccError) || error.code === 'closed') throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  private by(access: number): CsimUicc | CglaUicc {
    if (this.#way?.way !== access) {
      this.#way = access === Way.csim ? new CsimUicc(this.#context) : new CglaUicc(this.#context);
    }
    return this.#way;
  }
}
