import { type ByteSink, type Uicc, UiccError, XsIpaError } from '../contracts/index.js';
import { ApduRecord } from './apdu-record.js';
import { CardChain } from './card-chain.js';
import { isClosed, succeeded } from './card-line.js';
import { DEADLINE } from './deadlines.js';
import { COMBINED_CAPABILITY, TERMINAL_CAPABILITY } from './uicc-context.js';
import { isBusy, meansLost, REFUSED, swText } from './uicc-error.js';

/** Status words of a channel that was never opened, or whose application is no longer selected (at.md §6). */
const CHANNEL_GONE: readonly number[] = [0x6881, 0x6999];
/** INS, P1, P2. */
const SELECT = 0xa40400;
const SELECT_OTHERWISE = 0xa40404;
const STATUS = 0xf20000;

// What is under way. Each call begins on an empty stack; opening goes through its steps in this order.
const IDLE = 0;
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
/** A command of the caller's, and what may come after it. */
const TRANSMIT = 11;
const COMMAND = 12;
const COMMAND_COMBINED = 13;
const COMMAND_CAPABILITY = 14;
const COMMAND_STATUS = 15;
const CLOSE = 16;
const CLOSING = 17;
const CHECK = 18;
const CHECKING = 19;
const PROBE = 20;
const PROBING = 21;

/**
 * Opening, commands and the state of the channel; the two subclasses bring bytes to the card. One call at a time goes step
 * by step through its lines, without a function that waits: the promise the caller has is all there is of it.
 */
export abstract class UiccBase extends CardChain implements Uicc {
  #isOpen = false;
  /** No ES10 command has been answered since open(). */
  #fresh = false;
  #step = IDLE;
  /** The card took TERMINAL CAPABILITY before the channel was open. */
  #taken = false;
  #aid: ArrayLike<number> | undefined;
  #fci: Uint8Array | undefined;
  #command: Uint8Array | undefined;
  #sink: ByteSink | undefined;
  #deadline = 0;
  #refusal = '';
  #record: ApduRecord | undefined;
  #resolve: ((value: unknown) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  /** Calls that came while another one was under way. */
  #waiting: (() => void) | undefined;

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
    if (this.#step !== IDLE) return this.later(() => this.open(aid));
    this.#aid = aid;
    return this.begin(OPEN) as Promise<Uint8Array>;
  }

  transmit(command: Uint8Array, sink: ByteSink, deadline: number = DEADLINE.apdu): Promise<number> {
    if (this.#step !== IDLE) {
      return Promise.reject(new XsIpaError('usage', 'transmit() was called while another call is under way'));
    }
    if (!this.#isOpen) {
      const message = 'no channel to the card is open: call open() first';
      return Promise.reject(new UiccError('channelLost', message));
    }
    this.#command = command;
    this.#sink = sink;
    this.#deadline = deadline;
    return this.begin(TRANSMIT) as Promise<number>;
  }

  close(): Promise<void> {
    if (this.#step !== IDLE) return this.later(() => this.close());
    return this.#isOpen ? (this.begin(CLOSE) as Promise<void>) : Promise.resolve();
  }

  /** Finds out whether the channel is still there, and reports it if not. */
  check(): Promise<void> {
    if (!this.#isOpen || this.#step !== IDLE) return Promise.resolve();
    return this.begin(CHECK) as Promise<void>;
  }

  /** Does the modem pass an APDU to the card? Asks with a real one, TERMINAL CAPABILITY. */
  probe(): Promise<boolean> {
    if (this.#step !== IDLE) return this.later(() => this.probe());
    return this.begin(PROBE) as Promise<boolean>;
  }

  private begin(step: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#step = step;
      this.#resolve = resolve;
      this.#reject = reject;
      this.sendNothing();
    });
  }

  private later<T>(again: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      const before = this.#waiting;
      this.#waiting = () => {
        before?.();
        resolve(again());
      };
    });
  }

  private finish(value: unknown): void {
    const resolve = this.#resolve;
    this.rest();
    resolve?.(value);
    this.next();
  }

  private fail(error: unknown): void {
    const reject = this.#reject;
    this.rest();
    reject?.(error);
    this.next();
  }

  private rest(): void {
    this.endChain();
    this.#step = IDLE;
    this.#resolve = this.#reject = this.#command = this.#sink = this.#aid = this.#record = undefined;
    this.#refusal = '';
  }

  private next(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  private get capability(): ArrayLike<number> {
    return this.context.options.terminalCapability ?? TERMINAL_CAPABILITY;
  }

  protected override taken(bytes: Uint8Array): void {
    this.#record?.add(bytes);
    switch (this.#step) {
      case COMMAND:
        this.#sink?.write(bytes);
        return;
      case SELECTING:
      case SELECTING_OTHERWISE:
        this.keepFci(bytes);
        return;
      case CHANNEL:
        this.channelData(bytes);
        return;
      default:
    }
  }

  /** The line that was out, or the chain of them, has ended in `sw`. */
  protected override proceed(sw: number): void {
    switch (this.#step) {
      case OPEN:
        this.#step = CLOSING_FIRST;
        if (!this.#isOpen || !this.sendClose()) this.closedFirst();
        return;
      case TRANSMIT:
        if (this.#isOpen) this.sendCommand();
        else this.fail(this.lostError('the card was reset'));
        return;
      case CLOSE:
        this.#step = CLOSING;
        if (!this.#isOpen || !this.sendClose()) this.finishClose();
        return;
      case CHECK:
        this.sendStatus(CHECKING);
        return;
      case PROBE:
        this.sendProbe();
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
        this.#taken = succeeded(sw);
        if (this.#taken) this.beginChannel(false);
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
      case CLOSING:
        if (!this.closeAnswered(sw)) this.finishClose();
        return;
      case CHECKING:
        if (sw === REFUSED ? meansLost(this.result?.cme ?? -1) : CHANNEL_GONE.includes(sw))
          this.lost('STATUS');
        this.finish(undefined);
        return;
      case PROBING:
        this.finish(sw !== REFUSED);
        return;
      default:
        this.commandAnswered(sw);
    }
  }

  /** A line has brought no answer: what that means for the step. */
  protected override failed(error: unknown): void {
    this.breakChain();
    switch (this.#step) {
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
        this.#step = CHANNEL;
        this.channelFailed(error);
        return;
      case CHECK:
      case CHECKING:
        if (isClosed(error)) this.fail(error);
        else this.finish(undefined);
        return;
      case PROBE:
      case PROBING:
        this.finish(false);
        return;
      default:
        this.fail(error);
    }
  }

  // Opening and closing ---------------------------------------------------------------------------------------------

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
    this.#step = step;
    this.startCleaning(step === CLEANING_AGAIN);
    if (!this.sendNextClose()) this.cleaned();
  }

  private cleaned(): void {
    this.forgetChannel();
    if (this.#step === CLEANING_AGAIN) this.beginChannel(true);
    else this.startCapability();
  }

  private startCapability(): void {
    this.#taken = true;
    if (this.capability.length === 0) this.beginChannel(false);
    else this.sendCapability(CAPABILITY, this.capability);
  }

  private beginChannel(again: boolean): void {
    this.#step = CHANNEL;
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
    this.#step = step;
    this.prepareOwn(header, this.#aid);
    this.record(0);
    this.startChain(0, true, DEADLINE.apdu);
  }

  private selectAnswered(sw: number): void {
    this.tellRecord(sw);
    if (sw === 0x6a86 && this.#step === SELECTING) {
      this.sendSelect(SELECTING_OTHERWISE, SELECT_OTHERWISE);
      return;
    }
    this.#step = CHANNEL;
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
    this.#fresh = true;
    // Some cards take it only now (open-questions Q21).
    if (this.#taken) this.finishOpen();
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

  private sendCapability(step: number, command: ArrayLike<number>): void {
    this.#step = step;
    this.prepare(command, command.length);
    this.record(command[0]);
    this.sendBasic(command[0], DEADLINE.simBusy);
  }

  // A command -------------------------------------------------------------------------------------------------------

  private sendCommand(): void {
    const command = this.#command;
    if (!command) return;
    this.#step = COMMAND;
    this.prepare(command, command.length);
    this.record(command[0]);
    const cla = command[0];
    const instruction = command[1];
    // SELECT and the last block of STORE DATA expect a response.
    const wantsLe = instruction === 0xa4 || (instruction === 0xe2 && (command[2] & 0x80) !== 0);
    this.startChain(cla, wantsLe && command.length > 5, this.#deadline);
  }

  private commandAnswered(sw: number): void {
    this.tellRecord(sw);
    switch (this.#step) {
      case COMMAND:
        // ES10 says 6985 right after opening: TERMINAL CAPABILITY has not arrived (es10.md §1.6).
        if (sw === 0x6985 && this.#fresh && this.capability.length > 0) {
          this.#fresh = false;
          this.sendCapability(COMMAND_COMBINED, COMBINED_CAPABILITY);
        } else this.conclude(sw);
        return;
      case COMMAND_COMBINED:
        if (succeeded(sw)) this.sendCommand();
        else this.sendCapability(COMMAND_CAPABILITY, this.capability);
        return;
      case COMMAND_CAPABILITY:
        if (succeeded(sw)) this.sendCommand();
        else this.conclude(0x6985);
        return;
      case COMMAND_STATUS:
        this.fail(
          sw === REFUSED || CHANNEL_GONE.includes(sw) ? this.lost(this.#refusal) : refused(this.#refusal),
        );
        return;
      default:
    }
  }

  private conclude(sw: number): void {
    this.#fresh = false;
    if (CHANNEL_GONE.includes(sw)) this.fail(this.lost(`status word ${swText(sw)}`));
    else if (sw !== REFUSED) this.finish(sw);
    else {
      const { cme, text } = this.result ?? { cme: -1, text: 'ERROR' };
      if (meansLost(cme)) this.fail(this.lost(text));
      else if (isBusy(cme)) this.fail(refused(text));
      else {
        // A bare ERROR may mean anything: if the channel takes not even STATUS, it is gone.
        this.#refusal = text;
        this.sendStatus(COMMAND_STATUS);
      }
    }
  }

  /** A harmless command on our channel; what the card thinks of it does not matter. */
  private sendStatus(step: number): void {
    this.#step = step;
    this.prepareOwn(STATUS);
    this.sendRaw(0x80, 0, DEADLINE.query);
  }

  private sendProbe(): void {
    this.#step = PROBING;
    const { length } = this.capability;
    if (length === 0) this.prepareOwn(STATUS);
    else this.prepare(this.capability, length);
    this.sendBasic(0x80, DEADLINE.query);
  }

  private lost(what: string): UiccError {
    this.cardReset();
    this.context.simLost?.();
    return this.lostError(what);
  }

  private lostError(what: string): UiccError {
    return new UiccError('channelLost', `the channel to the card is gone (${what}): call open() again`);
  }

  // For the observer ------------------------------------------------------------------------------------------------

  /** The command prepared is one that an observer is told of, with this class. */
  protected record(cla: number): void {
    this.#record = this.context.options.observe ? new ApduRecord(this.copyOfCommand(cla)) : undefined;
  }

  protected tellRecord(sw: number): void {
    const { observe } = this.context.options;
    if (observe) this.#record?.tell(observe, sw);
    this.#record = undefined;
  }
}

function refused(text: string): UiccError {
  return new UiccError('refused', `the modem refused the APDU: ${text}`);
}
