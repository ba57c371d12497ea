import { isSuccess, UiccError } from '../contracts/index.js';
import { hexValue, MAX_HANDLE } from './at-parser.js';
import { Form, isClosed } from './card-line.js';
import { DEADLINE } from './deadlines.js';
import { UiccBase } from './uicc-base.js';
import { Way } from './uicc-context.js';
import { classByte } from './uicc-csim.js';
import { REFUSED, selectError } from './uicc-error.js';

const STALE_SESSIONS = 4;
/** INS, P1, P2 of MANAGE CHANNEL. */
const MANAGE_CLOSE = 0x708000;

// What the line that is out tries.
const PLAIN = 0;
/** Without channel bits, while nobody knows whether the modem wants them. */
const WITHOUT_BITS = 1;
const WITH_BITS = 2;
/** The basic channel by AT+CSIM. */
const BASIC = 3;

/**
 * The card by AT+CCHO, AT+CGLA and AT+CCHC: the modem owns the channel and gives an opaque session handle, which is
 * repeated as it came (at.md §3).
 */
export class CglaUicc extends UiccBase {
  /** The modem wants the channel bits in CLA; undefined until learnt. */
  #claBits: boolean | undefined;
  #tries = PLAIN;
  #isAgain = false;
  #failed = false;
  /** The session to close next: 0 = ours; above STALE_SESSIONS: channels. */
  #stale = 0;
  #baseClass = 0;
  #lastLe = -1;
  #lastDeadline = 0;

  /** The session handle as text, for logs; empty when none is open. */
  get session(): string {
    return this.handle;
  }

  override get way(): number {
    return Way.cgla;
  }

  protected override startChannel(aid: ArrayLike<number>, again: boolean): void {
    const { fixedSession } = this.context.quirks;
    if (fixedSession !== undefined) {
      this.keepHandle(fixedSession);
      this.select();
      return;
    }
    this.#isAgain = again;
    this.prepare(aid, aid.length);
    this.sendLine(Form.ccho, aid[0], -1, DEADLINE.channel, DEADLINE.simBusy);
  }

  protected override channelAnswered(sw: number): void {
    const text = this.result?.text ?? '';
    if (sw === REFUSED) {
      // No such applet, or no free channel: only the second can be helped (at.md §3).
      if (!this.#isAgain) this.cleanAndRetry();
      else this.openFailed(new UiccError('noChannel', `AT+CCHO: the modem answers ${text}`));
    } else if (this.keepHandle(text)) this.opened();
    else this.openFailed(new UiccError('malformed', `AT+CCHO: no session handle in "${text}"`));
  }

  protected override channelFailed(error: unknown): void {
    this.openFailed(error);
  }

  protected override selected(sw: number): void {
    if (sw !== REFUSED && isSuccess(sw)) {
      this.opened();
      return;
    }
    this.forgetChannel();
    this.openFailed(selectError(sw, this.result));
  }

  protected override sendClose(): boolean {
    if (this.context.quirks.fixedSession !== undefined || this.handle === '') return false;
    this.sendLine(Form.cchc, 0, -1, DEADLINE.channel, 0);
    return true;
  }

  protected override startCleaning(failed: boolean): void {
    this.#failed = failed;
    this.#stale = this.handle === '' ? 1 : 0;
  }

  protected override sendNextClose(): boolean {
    if (this.context.quirks.fixedSession !== undefined) return false;
    const stale = this.#stale++;
    if (stale <= STALE_SESSIONS) {
      if (stale > 0) this.handle = String(stale);
      return this.sendClose();
    }
    this.handle = '';
    const channel = stale - STALE_SESSIONS;
    if (!this.#failed || !this.context.csimWorks || channel >= STALE_SESSIONS) return false;
    // Handles that cannot be guessed: the channels behind them can.
    this.prepareOwn(MANAGE_CLOSE | channel);
    this.sendBasic(0, DEADLINE.apdu);
    return true;
  }

  protected override forgetChannel(): void {
    this.handle = '';
  }

  protected override sendRaw(cla: number, le: number, deadline: number): void {
    const bits = this.#claBits ?? this.context.quirks.cglaClaBits;
    this.#baseClass = cla;
    this.#lastLe = le;
    this.#lastDeadline = deadline;
    this.#tries = bits === undefined ? WITHOUT_BITS : PLAIN;
    const channel = this.channelNumber();
    this.sendLine(Form.cgla, bits && channel > 0 ? classByte(cla, channel) : cla, le, deadline);
  }

  protected override sendBasic(cla: number, deadline: number): void {
    const { csimWorks } = this.context;
    this.#baseClass = cla;
    this.#lastDeadline = deadline;
    if (csimWorks === false) {
      this.sendBasicInSession();
      return;
    }
    this.#tries = BASIC;
    this.sendLine(Form.csim, cla, -1, csimWorks === undefined ? DEADLINE.query : deadline);
  }

  protected override answered(sw: number): void {
    const tried = this.#tries;
    this.#tries = PLAIN;
    const isRefused = sw === 0x6881 || sw === 0x6e00;
    if (tried === BASIC) {
      this.context.csimWorks = sw !== REFUSED;
      if (sw === REFUSED) {
        this.sendBasicInSession();
        return;
      }
    } else if (tried === WITHOUT_BITS && sw !== REFUSED) {
      const channel = this.channelNumber();
      if (!isRefused) this.#claBits = false;
      else if (channel > 0) {
        this.#tries = WITH_BITS;
        this.sendLine(Form.cgla, classByte(this.#baseClass, channel), this.#lastLe, this.#lastDeadline);
        return;
      }
    } else if (tried === WITH_BITS && sw !== REFUSED && !isRefused) this.#claBits = true;
    super.answered(sw);
  }

  protected override failed(error: unknown): void {
    const tried = this.#tries;
    this.#tries = PLAIN;
    if (tried === BASIC && !isClosed(error)) {
      this.context.csimWorks = false;
      this.sendBasicInSession();
    } else super.failed(error);
  }

  /** The session's channel is the second best place, and only there once it is open. */
  private sendBasicInSession(): void {
    if (this.handle === '') super.answered(REFUSED);
    else this.sendLine(Form.cgla, this.#baseClass, -1, this.#lastDeadline);
  }

  /** The handle as a channel number 1…19, or 0 when it is anything else. */
  private channelNumber(): number {
    const { handle } = this;
    if (handle.length > 2) return 0;
    let number = 0;
    for (let i = 0; i < handle.length; i++) {
      const digit = handle.charCodeAt(i) - 0x30;
      if (digit < 0 || digit > 9) return 0;
      number = number * 10 + digit;
    }
    return number <= 19 ? number : 0;
  }

  /** Takes the handle out of `+CCHO: 1`, `+CCHO: "1"`, or the bare handle. */
  private keepHandle(answer: string): boolean {
    let start = answer.indexOf(':') + 1;
    while (start < answer.length && (answer[start] === ' ' || answer[start] === '"')) start++;
    let end = start;
    while (end < answer.length && end - start < MAX_HANDLE && hexValue(answer.charCodeAt(end)) >= 0) end++;
    this.handle = answer.slice(start, end);
    return end > start;
  }
}
