import { type ByteSink, type Uicc, UiccError } from '../contracts/index.js';
import { CglaUicc } from './uicc-cgla.js';
import type { UiccContext } from './uicc-context.js';
import { CsimUicc } from './uicc-csim.js';

export type Access = 'csim' | 'cgla';

/**
 * The card by whichever way works: the preferred one first, the other when that cannot open; then that one only. Only the
 * way in use is there.
 */
export class AutoUicc implements Uicc {
  readonly #context: UiccContext;
  #first: Access = 'csim';
  #second: Access | undefined = 'cgla';
  #way: CsimUicc | CglaUicc | undefined;
  #wayIs: Access = 'csim';
  /** The way in use has opened the application once. */
  #isProven = false;

  constructor(context: UiccContext) {
    this.#context = context;
  }

  get access(): Access {
    return this.#isProven ? this.#wayIs : this.#first;
  }

  /** What to try, best first. What has been proven stays. */
  prefer(first: Access, second?: Access): void {
    this.#first = first;
    this.#second = second;
    if (this.#wayIs !== first && this.#wayIs !== second) this.#isProven = false;
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
    return this.by(this.access).transmit(command, sink, deadline);
  }

  close(): Promise<void> {
    return this.#way?.close() ?? Promise.resolve();
  }

  private async find(aid: ArrayLike<number>): Promise<Uint8Array> {
    let failure: unknown;
    try {
      return await this.prove(this.#first, aid);
    } catch (error) {
      if (!this.#second || !(error instanceof UiccError) || error.code === 'closed') throw error;
      failure = error;
    }
    try {
      return await this.prove(this.#second, aid);
    } catch (error) {
      throw error instanceof UiccError && error.code !== 'closed' ? failure : error;
    }
  }

  private async prove(access: Access, aid: ArrayLike<number>): Promise<Uint8Array> {
    if (this.#wayIs !== access) await this.close();
    const fci = await this.by(access).open(aid);
    this.#isProven = true;
    return fci;
  }

  private by(access: Access): CsimUicc | CglaUicc {
    if (!this.#way || this.#wayIs !== access) {
      this.#way = access === 'csim' ? new CsimUicc(this.#context) : new CglaUicc(this.#context);
      this.#wayIs = access;
    }
    return this.#way;
  }
}
