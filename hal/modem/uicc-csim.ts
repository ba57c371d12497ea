import { type ByteSink, isSuccess, UiccError } from '../contracts/index.js';
import { DEADLINE } from './deadlines.js';
import { UiccBase, type UiccContext } from './uicc-base.js';
import { REFUSED, selectError, swText } from './uicc-error.js';

const CSIM = { prefix: '+CSIM:' } as const;
const NONE = -1;
const STALE_CHANNELS = 3;

/** The card by AT+CSIM: logical channel and class byte are ours (at.md §2, es10.md §1.1). */
export class CsimUicc extends UiccBase {
  #channel = NONE;

  constructor(context: UiccContext) {
    super(context);
    this.hex.expect = CSIM;
  }

  /** Number of the logical channel, -1 when none is open. */
  get channel(): number {
    return this.#channel;
  }

  /** True when the modem passes an APDU to the card: asks with a real one, TERMINAL CAPABILITY. */
  async probe(): Promise<boolean> {
    this.own.set(this.context.terminalCapability.length > 0 ? this.context.terminalCapability : STATUS);
    const length = this.context.terminalCapability.length || STATUS.length;
    return (await this.rawBasic(this.own, length, DEADLINE.query)) !== REFUSED;
  }

  protected override async openChannel(aid: ArrayLike<number>): Promise<void> {
    if (this.context.quirks.basicChannel) this.#channel = 0;
    else {
      let sw = await this.#manageOpen();
      if (sw === 0x6a81 || sw === 0x6881 || (sw === REFUSED && this.refusal?.cme === 13)) {
        await this.cleanUp(true);
        sw = await this.#manageOpen();
      }
      if (sw === REFUSED) {
        throw new UiccError('noChannel', `MANAGE CHANNEL: the modem answers ${this.refusal?.text}`);
      }
      if (!isSuccess(sw)) throw new UiccError('noChannel', `MANAGE CHANNEL: status word ${swText(sw)}`);
      if (this.#channel < 1 || this.#channel > 19) {
        this.#channel = NONE;
        throw new UiccError('malformed', 'MANAGE CHANNEL gave no channel number from 1 to 19');
      }
    }
    let sw: number;
    try {
      sw = await this.select(aid);
    } catch (error) {
      await this.#giveUp();
      throw error;
    }
    if (sw !== REFUSED && isSuccess(sw)) return;
    const error = selectError(sw, this.refusal);
    await this.#giveUp();
    throw error;
  }

  protected override async closeChannel(): Promise<void> {
    if (this.#channel > 0) await this.#manageClose(this.#channel);
  }

  protected override async closeStale(): Promise<void> {
    if (this.context.quirks.basicChannel) return;
    if (this.#channel > STALE_CHANNELS) await this.#manageClose(this.#channel);
    for (let channel = 1; channel <= STALE_CHANNELS; channel++) await this.#manageClose(channel);
    this.#channel = NONE;
  }

  protected override forgetChannel(): void {
    this.#channel = NONE;
  }

  protected override raw(
    cla: number,
    command: Uint8Array,
    length: number,
    le: number,
    deadline: number,
  ): Promise<number> {
    return this.#send(classByte(cla, Math.max(0, this.#channel)), command, length, le, deadline);
  }

  protected override rawBasic(command: Uint8Array, length: number, deadline: number): Promise<number> {
    return this.#send(command[0], command, length, -1, deadline);
  }

  #send(cla: number, command: Uint8Array, length: number, le: number, deadline: number): Promise<number> {
    const characters = 2 * (length + (le >= 0 ? 1 : 0));
    this.hex.begin('AT+CSIM=').decimal(characters).text(',"').payload(command, length, cla, le);
    return this.line(deadline);
  }

  async #manageOpen(): Promise<number> {
    this.#channel = NONE;
    const number: ByteSink = {
      write: (bytes) => {
        this.#channel = bytes[0];
      },
    };
    this.own.set(MANAGE_OPEN);
    const sw = await this.withSink(number, async () => {
      const first = await this.#send(0, this.own, 4, 1, DEADLINE.simBusy);
      return first >> 8 === 0x6c ? this.#send(0, this.own, 4, first & 0xff, DEADLINE.apdu) : first;
    });
    this.observed(this.own, 4, this.#channel < 0 ? [] : [this.#channel], sw);
    return sw;
  }

  /** 4 bytes, and 5 on 6700 (open-questions Q24). */
  async #manageClose(channel: number): Promise<void> {
    this.own.set(MANAGE_OPEN);
    this.own[2] = 0x80;
    this.own[3] = channel;
    let sw = await this.#send(0, this.own, 4, -1, DEADLINE.apdu);
    if (sw === 0x6700) sw = await this.#send(0, this.own, 4, 0, DEADLINE.apdu);
    this.observed(this.own, 4, [], sw);
  }

  async #giveUp(): Promise<void> {
    try {
      await this.closeChannel();
    } catch {
      // The error that led here is the one to report.
    }
    this.#channel = NONE;
  }
}

const MANAGE_OPEN = [0x00, 0x70, 0x00, 0x00] as const;
const STATUS = [0x80, 0xf2, 0x00, 0x00] as const;

/** Class byte for a logical channel: `0n`/`8n` for 0–3, `40+`/`C0+` for 4–19 (es10.md §1.1). */
export function classByte(base: number, channel: number): number {
  if (channel < 4) return base | channel;
  return (base & 0x80 ? 0xc0 : 0x40) + channel - 4;
}
