import { AtPort } from './at-port.js';

/** Silence that counts as drained, the longest drain, and how long `AT` may take; milliseconds. */
const QUIET = 300;
const DRAIN = 3_000;
const ALIVE = 2_000;

// What is going on.
const RESTING = 0;
/** Waiting for silence before `AT`. */
const DRAINING = 1;
/** `AT` is out. */
const ASKING = 2;
/** `AT` was answered: waiting for silence again. */
const SETTLING = 3;

/**
 * Finds the way back to a known state: waits for silence, sends `AT`, expects OK and silence again (at.md §1.1 rule 5).
 *
 * Modems carry out commands in order, so whatever a late command still has to say comes before that last silence. So do
 * the OKs of earlier attempts.
 */
export abstract class AtRecovery extends AtPort {
  /** It has to be found before anything else is sent. */
  protected isLost = false;
  #state = RESTING;
  #attempts = 0;
  #unfinished = false;
  #lastLine = 0;
  #drainUntil = 0;

  protected get isRecovering(): boolean {
    return this.#state !== RESTING;
  }

  /** It has ended: the modem answers, or does not. */
  protected abstract onRecovered(alive: boolean): void;

  /** @param unfinished part of a command is out: it has to be ended before the modem listens to another */
  protected recover(attempts: number, unfinished = false): void {
    this.#attempts = attempts;
    this.#unfinished = unfinished;
    this.drain(DRAINING);
  }

  /** The port is gone. */
  protected abandonRecovery(): void {
    if (this.#state !== RESTING) this.isLost = true;
    this.#state = RESTING;
  }

  /** A line has come while it runs. */
  protected recoverByLine(ok: boolean): void {
    this.#lastLine = this.options.time.ticks;
    if (ok && this.#state === ASKING) this.drain(SETTLING);
  }

  /** The timer has run out while it runs. */
  protected recoverByTimer(): void {
    if (this.#state === ASKING) {
      if (--this.#attempts > 0) this.drain(DRAINING);
      else this.endRecovery(false);
      return;
    }
    const wait = Math.min(this.#lastLine + QUIET, this.#drainUntil) - this.options.time.ticks;
    if (wait > 0) this.wakeIn(wait);
    else if (this.#state === SETTLING) this.endRecovery(true);
    else this.ask();
  }

  private ask(): void {
    this.#state = ASKING;
    this.wakeIn(ALIVE);
    if (!this.writeText(this.#unfinished ? '\rAT\r' : 'AT\r')) return;
    this.#unfinished = false;
    const { observe } = this.options;
    if (observe) observe({ event: 'at', direction: 'tx', line: Uint8Array.of(0x41, 0x54), kind: 'command' });
  }

  private drain(state: number): void {
    const { ticks } = this.options.time;
    this.#state = state;
    this.#lastLine = ticks;
    this.#drainUntil = ticks + DRAIN;
    this.wakeIn(QUIET);
  }

  private endRecovery(alive: boolean): void {
    this.#state = RESTING;
    this.isLost = !alive;
    this.onRecovered(alive);
  }
}
