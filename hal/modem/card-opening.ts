import { CardCall, IDLE } from './card-call.js';
import { isClosed, succeeded } from './card-line.js';
import { DEADLINE } from './deadlines.js';
import { COMBINED_CAPABILITY, TERMINAL_CAPABILITY } from './uicc-context.js';

/** INS, P1, P2. */
const SELECT = 0xa40400;
const SELECT_OTHERWISE = 0xa40404;

// Opening goes through its steps in this order.
const OPEN = 1;
const CLOSING_FIRST = 2;
const CLEANING = 3;
const CAPABILITY = 4;
const COMBINED = 5;
/** The subclass opens its channel. */
const CHANNEL = 6;
const CLEANING_AGAIN = 7;
const SELECTING = 8;
const SELECTING_OTHERWISE = 9;
const CAPABILITY_AFTER = 10;
const CLOSE = 11;
const CLOSING = 12;
/** Steps of other calls begin here. */
export const FIRST_FREE_STEP = 13;

/** Opening and closing; the two ways to the card bring the channel. */
export abstract class CardOpening extends CardCall {
  #isOpen = false;
  /** The card took TERMINAL CAPABILITY before the channel was open. */
  #isCapable = false;
  #aid: ArrayLike<number> | undefined;
  #fci: Uint8Array | undefined;

  /** Bit of this way in `UiccContext.cleaned`. */
  abstract readonly way: number;
  /** Sends the line that gives the channel back. @returns false when there is none */
  protected abstract sendClose(): boolean;
  /** The answer to it. @returns true when one more line was sent */
  protected closeAnswered(_sw: number): boolean {
    return false;
  }
  /** Begins to close what may be open from before. @param failed opening has failed, as it does when no channel is free */
  protected abstract startCleaning(failed: boolean): void;
  /** @returns false when nothing more is to be closed */
  protected abstract sendNextClose(): boolean;
  /** Begins, and after cleaning begins again, to open a channel; ends in select() or opened(). */
  protected abstract startChannel(aid: ArrayLike<number>, again: boolean): void;
  protected abstract channelAnswered(sw: number): void;
  /** Nothing is left open when this fails. */
  protected abstract channelFailed(error: unknown): void;
  protected abstract selected(sw: number): void;
  protected channelData(_bytes: Uint8Array): void {}
  protected abstract forgetChannel(): void;
  /** The channel is there, and the application selected. */
  protected abstract onOpened(): void;
  /** Of the steps that are not about opening or closing. */
  protected abstract callAnswered(sw: number): void;
  protected abstract callFailed(error: unknown): void;
  protected abstract callData(bytes: Uint8Array): void;
  /** Sends the command prepared to the basic channel. */
  protected abstract sendBasic(cla: number, deadline: number): void;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The AT interface was left or started anew: the next open() first closes channels of the life before. */
  restart(): void {
    this.#isOpen = false;
    this.context.cleaned = 0;
  }

  /** The card was reset: no channel is left. */
  cardReset(): void {
    this.#isOpen = false;
    this.forgetChannel();
  }

  open(aid: ArrayLike<number>): Promise<Uint8Array> {
    if (this.step !== IDLE) return this.later(() => this.open(aid));
    this.#aid = aid;
    return this.begin(OPEN) as Promise<Uint8Array>;
  }

  close(): Promise<void> {
    if (this.step !== IDLE) return this.later(() => this.close());
    return this.#isOpen ? (this.begin(CLOSE) as Promise<void>) : Promise.resolve();
  }

  protected get capability(): ArrayLike<number> {
    return this.context.options.terminalCapability ?? TERMINAL_CAPABILITY;
  }

  protected override rest(): void {
    super.rest();
    this.#aid = undefined;
  }

  protected override taken(bytes: Uint8Array): void {
    this.addToRecord(bytes);
    switch (this.step) {
      case SELECTING:
      case SELECTING_OTHERWISE:
        this.keepFci(bytes);
        return;
      case CHANNEL:
        this.channelData(bytes);
        return;
      default:
        this.callData(bytes);
    }
  }

  /** The line that was out, or the chain of them, has ended in `sw`. */
  protected override proceed(sw: number): void {
    switch (this.step) {
      case OPEN:
        this.step = CLOSING_FIRST;
        if (!this.#isOpen || !this.sendClose()) this.closedFirst();
        return;
      case CLOSING_FIRST:
        if (!this.closeAnswered(sw)) this.closedFirst();
        return;
      case CLEANING:
      case CLEANING_AGAIN:
        if (!this.closeAnswered(sw) && !this.sendNextClose()) this.cleaned();
        return;
      case CAPABILITY:
        this.tellRecord(sw);
        this.#isCapable = succeeded(sw);
        if (this.#isCapable) this.beginChannel(false);
        else this.sendCapability(COMBINED, COMBINED_CAPABILITY);
        return;
      case COMBINED:
        this.tellRecord(sw);
        this.beginChannel(false);
        return;
      case CHANNEL:
        this.channelAnswered(sw);
        return;
      case SELECTING:
      case SELECTING_OTHERWISE:
        this.selectAnswered(sw);
        return;
      case CAPABILITY_AFTER:
        this.tellRecord(sw);
        this.finishOpen();
        return;
      case CLOSE:
        this.step = CLOSING;
        if (!this.#isOpen || !this.sendClose()) this.finishClose();
        return;
      case CLOSING:
        if (!this.closeAnswered(sw)) this.finishClose();
        return;
      default:
        this.callAnswered(sw);
    }
  }

  /** A line has brought no answer: what that means for the step. */
  protected override failed(error: unknown): void {
    this.breakChain();
    switch (this.step) {
      // Whatever is left open is closed as a stale channel when opening fails.
      case OPEN:
      case CLOSING_FIRST:
        this.closedFirst();
        return;
      case CLOSE:
      case CLOSING:
        this.finishClose();
        return;
      case CLEANING:
      case CLEANING_AGAIN:
        if (isClosed(error)) this.fail(error);
        else this.cleaned();
        return;
      case CHANNEL:
      case SELECTING:
      case SELECTING_OTHERWISE:
        this.step = CHANNEL;
        this.channelFailed(error);
        return;
      case CAPABILITY:
      case COMBINED:
      case CAPABILITY_AFTER:
        this.fail(error);
        return;
      default:
        this.callFailed(error);
    }
  }

  private finishClose(): void {
    this.#isOpen = false;
    this.forgetChannel();
    this.finish(undefined);
  }

  private closedFirst(): void {
    if (this.#isOpen) this.forgetChannel();
    this.#isOpen = false;
    const { context } = this;
    const cleaned = context.cleaned ?? 0;
    if (cleaned & this.way) {
      this.startCapability();
      return;
    }
    context.cleaned = cleaned | this.way;
    this.clean(CLEANING);
  }

  private clean(step: number): void {
    this.step = step;
    this.startCleaning(step === CLEANING_AGAIN);
    if (!this.sendNextClose()) this.cleaned();
  }

  private cleaned(): void {
    this.forgetChannel();
    if (this.step === CLEANING_AGAIN) this.beginChannel(true);
    else this.startCapability();
  }

  private startCapability(): void {
    this.#isCapable = true;
    if (this.capability.length === 0) this.beginChannel(false);
    else this.sendCapability(CAPABILITY, this.capability);
  }

  private beginChannel(again: boolean): void {
    this.step = CHANNEL;
    this.startChannel(this.#aid ?? [], again);
  }

  /** Opening has failed for want of a free channel, perhaps: closes all and calls startChannel() again. */
  protected cleanAndRetry(): void {
    this.clean(CLEANING_AGAIN);
  }

  /** SELECT by DF name; P2 00, and 04 on 6A86. Keeps the FCI; ends in selected(). */
  protected select(): void {
    this.sendSelect(SELECTING, SELECT);
  }

  private sendSelect(step: number, header: number): void {
    this.step = step;
    this.#fci = undefined;
    this.prepareOwn(header, this.#aid);
    this.record(0);
    this.startChain(0, true, DEADLINE.apdu);
  }

  private selectAnswered(sw: number): void {
    this.tellRecord(sw);
    if (sw === 0x6a86 && this.step === SELECTING) {
      this.sendSelect(SELECTING_OTHERWISE, SELECT_OTHERWISE);
      return;
    }
    this.step = CHANNEL;
    // Selected; only the FCI cannot be had, which ES10 does not need (es10.md §1.2).
    this.selected(this.firstSw >> 8 === 0x61 && !succeeded(sw) ? 0x9000 : sw);
  }

  private keepFci(bytes: Uint8Array): void {
    const before = this.#fci;
    this.#fci = new Uint8Array((before?.length ?? 0) + bytes.length);
    if (before) this.#fci.set(before);
    this.#fci.set(bytes, before?.length ?? 0);
  }

  /** The subclass has its channel, and the application is selected. */
  protected opened(): void {
    this.#isOpen = true;
    this.onOpened();
    // Some cards take it only now (open-questions Q21).
    if (this.#isCapable) this.finishOpen();
    else this.sendCapability(CAPABILITY_AFTER, this.capability);
  }

  private finishOpen(): void {
    const fci = this.#fci ?? new Uint8Array(0);
    this.#fci = undefined;
    this.finish(fci);
  }

  protected openFailed(error: unknown): void {
    this.fail(error);
  }

  protected sendCapability(step: number, command: ArrayLike<number>): void {
    this.step = step;
    this.prepare(command, command.length);
    this.record(command[0]);
    this.sendBasic(command[0], DEADLINE.simBusy);
  }
}
