import { type ByteSink, type Uicc, UiccError, XsIpaError } from '../contracts/index.js';
import { IDLE } from './card-call.js';
import { isClosed, succeeded } from './card-line.js';
import { CardOpening, FIRST_FREE_STEP } from './card-opening.js';
import { DEADLINE } from './deadlines.js';
import { COMBINED_CAPABILITY } from './uicc-context.js';
import { isBusy, meansLost, REFUSED, swText } from './uicc-error.js';

/** Status words of a channel that was never opened, or whose application is no longer selected (at.md §6). */
const CHANNEL_GONE: readonly number[] = [0x6881, 0x6999];
/** INS, P1, P2. */
const STATUS = 0xf20000;

// A command of the caller's, and what may come after it.
const TRANSMIT = FIRST_FREE_STEP;
const COMMAND = FIRST_FREE_STEP + 1;
const COMMAND_COMBINED = FIRST_FREE_STEP + 2;
const COMMAND_CAPABILITY = FIRST_FREE_STEP + 3;
const COMMAND_STATUS = FIRST_FREE_STEP + 4;
const CHECK = FIRST_FREE_STEP + 5;
const CHECKING = FIRST_FREE_STEP + 6;
const PROBE = FIRST_FREE_STEP + 7;
const PROBING = FIRST_FREE_STEP + 8;

/** Commands to an application that was opened, and what they say about the channel. */
export abstract class UiccBase extends CardOpening implements Uicc {
  /** No ES10 command has been answered since open(). */
  #fresh = false;
  #command: Uint8Array | undefined;
  #sink: ByteSink | undefined;
  #deadline = 0;
  #refusal = '';

  transmit(command: Uint8Array, sink: ByteSink, deadline: number = DEADLINE.apdu): Promise<number> {
    if (this.step !== IDLE) {
      return Promise.reject(new XsIpaError('usage', 'transmit() was called while another call is under way'));
    }
    if (!this.isOpen) {
      const message = 'no channel to the card is open: call open() first';
      return Promise.reject(new UiccError('channelLost', message));
    }
    this.#command = command;
    this.#sink = sink;
    this.#deadline = deadline;
    return this.begin(TRANSMIT) as Promise<number>;
  }

  /** Finds out whether the channel is still there, and reports it if not. */
  check(): Promise<void> {
    if (!this.isOpen || this.step !== IDLE) return Promise.resolve();
    return this.begin(CHECK) as Promise<void>;
  }

  /** Does the modem pass an APDU to the card? Asks with a real one, TERMINAL CAPABILITY. */
  probe(): Promise<boolean> {
    if (this.step !== IDLE) return this.later(() => this.probe());
    return this.begin(PROBE) as Promise<boolean>;
  }

  protected override onOpened(): void {
    this.#fresh = true;
  }

  protected override rest(): void {
    super.rest();
    this.#command = this.#sink = undefined;
    this.#refusal = '';
  }

  protected override callData(bytes: Uint8Array): void {
    if (this.step === COMMAND) this.#sink?.write(bytes);
  }

  protected override callFailed(error: unknown): void {
    const step = this.step;
    if (step === PROBE || step === PROBING) this.finish(false);
    else if ((step === CHECK || step === CHECKING) && !isClosed(error)) this.finish(undefined);
    else this.fail(error);
  }

  private sendCommand(): void {
    const command = this.#command;
    if (!command) return;
    this.step = COMMAND;
    this.prepare(command, command.length);
    this.record(command[0]);
    const cla = command[0];
    const instruction = command[1];
    // SELECT and the last block of STORE DATA expect a response.
    const wantsLe = instruction === 0xa4 || (instruction === 0xe2 && (command[2] & 0x80) !== 0);
    this.startChain(cla, wantsLe && command.length > 5, this.#deadline);
  }

  protected override callAnswered(sw: number): void {
    this.tellRecord(sw);
    switch (this.step) {
      case TRANSMIT:
        if (this.isOpen) this.sendCommand();
        else this.fail(lostError('the card was reset'));
        return;
      case CHECK:
        this.sendStatus(CHECKING);
        return;
      case CHECKING:
        if (sw === REFUSED ? meansLost(this.result?.cme ?? -1) : CHANNEL_GONE.includes(sw))
          this.lost('STATUS');
        this.finish(undefined);
        return;
      case PROBE:
        this.sendProbe();
        return;
      case PROBING:
        this.finish(sw !== REFUSED);
        return;
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
    this.step = step;
    this.prepareOwn(STATUS);
    this.sendRaw(0x80, 0, DEADLINE.query);
  }

  private sendProbe(): void {
    this.step = PROBING;
    const { length } = this.capability;
    if (length === 0) this.prepareOwn(STATUS);
    else this.prepare(this.capability, length);
    this.sendBasic(0x80, DEADLINE.query);
  }

  private lost(what: string): UiccError {
    this.cardReset();
    this.context.simLost?.();
    return lostError(what);
  }
}

function lostError(what: string): UiccError {
  return new UiccError('channelLost', `the channel to the card is gone (${what}): call open() again`);
}

function refused(text: string): UiccError {
  return new UiccError('refused', `the modem refused the APDU: ${text}`);
}
