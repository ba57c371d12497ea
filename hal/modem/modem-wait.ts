import { isRegistered } from '../contracts/index.js';
import { type AtResult, TextCommand } from './at-command.js';
import { AtError } from './at-error.js';
import { type Expectation, NO_CODE } from './at-parser.js';
import { DEADLINE } from './deadlines.js';
import type { ModemState } from './modem-state.js';
import { REGISTRATION } from './registration.js';
import { isBusy } from './uicc-error.js';

/** Unsolicited lines may be missing, so waiting also asks, this often; milliseconds. */
const POLL = 2_000;

export type Awaited = 'simReset' | 'simReady' | 'registered';

export const SIM_QUERY = 'AT+CPIN?';
export const SIM_ANSWER: Expectation = { prefix: '+CPIN:' };

/** Waits for something the modem may report by itself or may have to be asked for. It is the question, too. */
export class ModemWait extends TextCommand {
  next: ModemWait | undefined;
  readonly #state: ModemState;
  readonly #what: Awaited;
  /** Resets of the card that do not count. */
  readonly #since: number;
  readonly #end: number;
  readonly #resolve: (came: boolean) => void;
  readonly #reject: (error: unknown) => void;
  /** The modem has been asked, and what it said can be believed. */
  #isAsked = false;
  #question = 0;
  #timer: unknown;

  /**
   * Begins at once; ends with true when it has come, with false at the deadline, or with an AtError `closed`.
   * @param deadline milliseconds
   */
  constructor(
    state: ModemState,
    what: Awaited,
    deadline: number,
    since: number,
    resolve: (came: boolean) => void,
    reject: (error: unknown) => void,
  ) {
    super(SIM_QUERY, DEADLINE.query, SIM_ANSWER);
    this.#state = state;
    this.#what = what;
    this.#since = since;
    this.#end = state.options.time.ticks + deadline;
    this.#resolve = resolve;
    this.#reject = reject;
    this.next = state.waits;
    state.waits = this;
    // On an empty stack: whoever waits stands on a long one.
    state.options.timer.set(() => this.begin(), 0);
  }

  /** Something has been noticed. */
  wake(): void {
    if (this.#timer !== undefined) this.look();
  }

  override done(result: AtResult | undefined, error?: unknown): void {
    if (!result && error instanceof AtError && error.code !== 'closed') {
      this.answered({ ok: false, cme: NO_CODE, text: error.message });
    } else if (result) this.answered(result);
    else this.leave(error);
  }

  private get hasCome(): boolean {
    const state = this.#state;
    switch (this.#what) {
      case 'simReset':
        return state.simResets > this.#since;
      case 'simReady':
        return this.#isAsked && state.simReady;
      default:
        return this.#isAsked && isRegistered(state.stat);
    }
  }

  private begin(): void {
    if (this.hasCome) this.leave();
    else {
      this.#question = 0;
      this.ask();
    }
  }

  private ask(): void {
    if (this.#what === 'registered') {
      const { query, expect } = REGISTRATION[this.#question];
      this.text = query;
      this.expect = expect;
    }
    this.#state.client.send(this);
  }

  private answered(result: AtResult): void {
    const state = this.#state;
    if (this.#what === 'registered') {
      state.registrationAnswered(result);
      if (++this.#question < REGISTRATION.length) {
        this.ask();
        return;
      }
      this.#isAsked = true;
    } else {
      const busy = isBusy(state.simAnswered(result));
      this.#isAsked = !busy;
      if (this.#what === 'simReset') {
        // Busy after it was ready: the modem is reading the files of a card that has started anew.
        if (busy && state.simReady) state.simLost();
        // Not every modem shows that it reset the card; a channel that is gone does.
        if (state.uicc.isOpen) {
          state.uicc.check().then(
            () => this.pause(),
            (error) => this.leave(error),
          );
          return;
        }
      }
    }
    this.pause();
  }

  private pause(): void {
    const { ticks } = this.#state.options.time;
    const wait = Math.min(POLL, this.#end - ticks);
    if (this.hasCome || wait <= 0) this.leave();
    else {
      this.#timer = this.#state.options.timer.set(() => {
        this.#timer = undefined;
        this.resume();
      }, wait);
    }
  }

  /** The pause is over. */
  private resume(): void {
    if (this.#state.client.isOpen && this.#state.options.time.ticks < this.#end && !this.hasCome)
      this.begin();
    else this.look();
  }

  private look(): void {
    const { client, options } = this.#state;
    if (!client.isOpen) this.leave(new AtError('closed', 'the AT interface was closed while waiting'));
    else if (this.hasCome || options.time.ticks >= this.#end) this.leave();
  }

  private leave(error?: unknown): void {
    const state = this.#state;
    state.options.timer.clear(this.#timer);
    this.#timer = undefined;
    if (state.waits === this) state.waits = this.next;
    else {
      let before = state.waits;
      while (before && before.next !== this) before = before.next;
      if (before) before.next = this.next;
    }
    if (error === undefined) this.#resolve(this.hasCome);
    else this.#reject(error);
  }
}
