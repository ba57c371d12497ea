import { isSuccess, UiccError } from '../contracts/index.js';
import { Form } from './card-line.js';
import { DEADLINE } from './deadlines.js';
import { UiccBase } from './uicc-base.js';
import { Way } from './uicc-context.js';
import { REFUSED, selectError, swText } from './uicc-error.js';

const NO_CHANNEL = -1;
const STALE_CHANNELS = 3;
/** INS, P1, P2 of MANAGE CHANNEL. */
const MANAGE_OPEN = 0x700000;
const MANAGE_CLOSE = 0x708000;

// Parts of opening a channel.
const OPENING = 0;
const OPENING_SIZED = 1;
const SELECTING = 2;
const GIVING_UP = 3;

/** The card by AT+CSIM: logical channel and class byte are ours (at.md §2, es10.md §1.1). */
export class CsimUicc extends UiccBase {
  #channel = NO_CHANNEL;
  #part = OPENING;
  /** Opening has failed once, and stale channels have been closed since. */
  #isAgain = false;
  /** The stale channel to close next; 0 = the one that was ours. */
  #stale = 0;
  /** MANAGE CHANNEL went out with Le. */
  #isSized = false;
  /** Why the channel is given up. */
  #error: unknown;

  /** Number of the logical channel, -1 when none is open. */
  get channel(): number {
    return this.#channel;
  }

  override get way(): number {
    return Way.csim;
  }

  protected override startChannel(_aid: ArrayLike<number>, again: boolean): void {
    this.#isAgain = again;
    if (this.context.quirks.basicChannel) {
      this.#channel = 0;
      this.selectOnChannel();
      return;
    }
    this.#channel = NO_CHANNEL;
    this.#part = OPENING;
    this.prepareOwn(MANAGE_OPEN);
    this.record(0);
    this.sendLine(Form.csim, 0, 1, DEADLINE.simBusy);
  }

  protected override channelData(bytes: Uint8Array): void {
    this.#channel = bytes[0];
  }

  protected override channelAnswered(sw: number): void {
    if (this.#part === GIVING_UP) {
      if (!this.closeAnswered(sw)) this.givenUp();
    } else if (this.#part === OPENING && sw >> 8 === 0x6c) {
      this.#part = OPENING_SIZED;
      this.sendAgain(sw & 0xff, DEADLINE.apdu);
    } else this.managed(sw);
  }

  protected override channelFailed(error: unknown): void {
    if (this.#part === SELECTING) this.giveUp(error);
    else if (this.#part === GIVING_UP) this.givenUp();
    else this.openFailed(error);
  }

  protected override selected(sw: number): void {
    if (sw !== REFUSED && isSuccess(sw)) this.opened();
    else this.giveUp(selectError(sw, this.result));
  }

  protected override sendClose(): boolean {
    if (this.#channel <= 0) return false;
    this.sendCloseOf(this.#channel);
    return true;
  }

  /** 4 bytes, and 5 on 6700 (open-questions Q24). */
  protected override closeAnswered(sw: number): boolean {
    if (sw === 0x6700 && !this.#isSized) {
      this.#isSized = true;
      this.sendAgain(0);
      return true;
    }
    this.tellRecord(sw);
    return false;
  }

  protected override startCleaning(): void {
    this.#stale = this.#channel > STALE_CHANNELS ? 0 : 1;
  }

  protected override sendNextClose(): boolean {
    if (this.context.quirks.basicChannel || this.#stale > STALE_CHANNELS) return false;
    this.sendCloseOf(this.#stale || this.#channel);
    this.#stale++;
    return true;
  }

  protected override forgetChannel(): void {
    this.#channel = NO_CHANNEL;
  }

  protected override sendRaw(cla: number, le: number, deadline: number): void {
    this.sendLine(Form.csim, classByte(cla, Math.max(0, this.#channel)), le, deadline);
  }

  protected override sendBasic(cla: number, deadline: number): void {
    this.sendLine(Form.csim, cla, -1, deadline);
  }

  private managed(sw: number): void {
    this.tellRecord(sw);
    const isFull = sw === 0x6a81 || sw === 0x6881 || (sw === REFUSED && this.result?.cme === 13);
    if (isFull && !this.#isAgain) this.cleanAndRetry();
    else if (sw === REFUSED) {
      this.openFailed(new UiccError('noChannel', `MANAGE CHANNEL: the modem answers ${this.result?.text}`));
    } else if (!isSuccess(sw)) {
      this.openFailed(new UiccError('noChannel', `MANAGE CHANNEL: status word ${swText(sw)}`));
    } else if (this.#channel < 1 || this.#channel > 19) {
      this.#channel = NO_CHANNEL;
      this.openFailed(new UiccError('malformed', 'MANAGE CHANNEL gave no channel number from 1 to 19'));
    } else this.selectOnChannel();
  }

  private selectOnChannel(): void {
    this.#part = SELECTING;
    this.select();
  }

  private sendCloseOf(channel: number): void {
    this.#isSized = false;
    this.prepareOwn(MANAGE_CLOSE | channel);
    this.record(0);
    this.sendLine(Form.csim, 0, -1, DEADLINE.apdu);
  }

  private giveUp(error: unknown): void {
    this.#part = GIVING_UP;
    this.#error = error;
    if (!this.sendClose()) this.givenUp();
  }

  private givenUp(): void {
    const error = this.#error;
    this.#error = undefined;
    this.#channel = NO_CHANNEL;
    this.openFailed(error);
  }
}

/** Class byte for a logical channel: `0n`/`8n` for 0–3, `40+`/`C0+` for 4–19 (es10.md §1.1). */
export function classByte(base: number, channel: number): number {
  if (channel < 4) return base | channel;
  return (base & 0x80 ? 0xc0 : 0x40) + channel - 4;
}
