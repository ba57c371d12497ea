import { isSuccess, UiccError } from '../contracts/index.js';
import { HexCommand } from './at-command.js';
import { hexValue, MAX_HANDLE } from './at-parser.js';
import { DEADLINE } from './deadlines.js';
import { UiccBase, type UiccContext } from './uicc-base.js';
import { classByte } from './uicc-csim.js';
import { REFUSED, selectError } from './uicc-error.js';

const CGLA = { prefix: '+CGLA:' } as const;
const CSIM = { prefix: '+CSIM:' } as const;
const CCHO = { prefix: '+CCHO:', bare: 'handle' } as const;
const STALE_SESSIONS = 4;

/**
 * The card by AT+CCHO, AT+CGLA and AT+CCHC: the modem owns the channel and gives an opaque session handle, which is
 * kept as bytes and repeated as it came (at.md §3).
 */
export class CglaUicc extends UiccBase {
  readonly #handle = new Uint8Array(MAX_HANDLE);
  #handleLength = 0;
  readonly #openCommand = new HexCommand();
  readonly #csimCommand = new HexCommand();
  /** The modem wants the channel bits in CLA; undefined until learnt. */
  #claBits: boolean | undefined;
  /** AT+CSIM works beside: only so TERMINAL CAPABILITY reaches the basic channel. */
  #csimWorks: boolean | undefined;

  constructor(context: UiccContext) {
    super(context);
    this.hex.expect = CGLA;
    this.#openCommand.expect = CCHO;
    this.#csimCommand.expect = CSIM;
  }

  /** The session handle as text, for logs; empty when none is open. */
  get session(): string {
    return String.fromCharCode(...this.#handle.subarray(0, this.#handleLength));
  }

  /** Says whether AT+CSIM is worth trying for TERMINAL CAPABILITY. */
  set csimWorks(works: boolean) {
    this.#csimWorks = works;
  }

  protected override async openChannel(aid: ArrayLike<number>): Promise<void> {
    const { fixedSession } = this.context.quirks;
    if (fixedSession !== undefined) {
      this.#keepHandle(fixedSession);
      const sw = await this.select(aid);
      if (sw !== REFUSED && isSuccess(sw)) return;
      this.forgetChannel();
      throw selectError(sw, this.refusal);
    }
    const { client } = this.context;
    const send = () => {
      this.own.set(aid);
      this.#openCommand.begin('AT+CCHO="').payload(this.own, aid.length);
      return client.commandWithBytes(this.#openCommand, DEADLINE.channel);
    };
    let result = await this.patiently(DEADLINE.simBusy, send);
    if (!result.ok) {
      // No such applet, or no free channel: only the second can be helped (at.md §3).
      await this.cleanUp(true);
      result = await this.patiently(DEADLINE.simBusy, send);
    }
    if (!result.ok) throw new UiccError('noChannel', `AT+CCHO: the modem answers ${result.text}`);
    if (!this.#keepHandle(result.text)) {
      throw new UiccError('malformed', `AT+CCHO: no session handle in "${result.text}"`);
    }
  }

  protected override async closeChannel(): Promise<void> {
    if (this.context.quirks.fixedSession !== undefined || this.#handleLength === 0) return;
    await this.context.client.command(`AT+CCHC=${this.session}`, DEADLINE.channel);
  }

  protected override async closeStale(failed: boolean): Promise<void> {
    if (this.context.quirks.fixedSession !== undefined) return;
    const { client } = this.context;
    const close = (session: string | number) =>
      this.patiently(0, () => client.command(`AT+CCHC=${session}`, DEADLINE.channel));
    if (this.#handleLength > 0) await close(this.session);
    this.#handleLength = 0;
    for (let session = 1; session <= STALE_SESSIONS; session++) await close(session);
    if (!failed || !this.#csimWorks) return;
    // Handles that cannot be guessed: the channels behind them can.
    for (let channel = 1; channel < STALE_SESSIONS; channel++) {
      this.own.set([0x00, 0x70, 0x80, channel]);
      await this.rawBasic(this.own, 4, DEADLINE.apdu);
    }
  }

  protected override forgetChannel(): void {
    this.#handleLength = 0;
  }

  protected override async raw(
    cla: number,
    command: Uint8Array,
    length: number,
    le: number,
    deadline: number,
  ): Promise<number> {
    const bits = this.#claBits ?? this.context.quirks.cglaClaBits;
    const channel = this.#channelNumber();
    const withBits = bits === true && channel > 0;
    const sw = await this.#send(withBits ? classByte(cla, channel) : cla, command, length, le, deadline);
    if (sw === REFUSED || bits !== undefined) return sw;
    if (sw !== 0x6881 && sw !== 0x6e00) {
      this.#claBits = false;
      return sw;
    }
    if (channel === 0) return sw;
    const again = await this.#send(classByte(cla, channel), command, length, le, deadline);
    if (again !== REFUSED && again !== 0x6881 && again !== 0x6e00) this.#claBits = true;
    return again;
  }

  protected override async rawBasic(command: Uint8Array, length: number, deadline: number): Promise<number> {
    if (this.#csimWorks !== false) {
      const hex = this.#csimCommand;
      hex
        .begin('AT+CSIM=')
        .decimal(2 * length)
        .text(',"')
        .payload(command, length);
      const patience = this.#csimWorks === undefined ? DEADLINE.query : deadline;
      try {
        const sw = await this.line(patience, hex);
        this.#csimWorks = sw !== REFUSED;
        if (this.#csimWorks) return sw;
      } catch (error) {
        if (!(error instanceof UiccError) || error.code === 'closed') throw error;
        this.#csimWorks = false;
      }
    }
    // The session's channel is the second best place, and only there once it is open.
    if (this.#handleLength === 0) return REFUSED;
    return this.#send(command[0], command, length, -1, deadline);
  }

  #send(cla: number, command: Uint8Array, length: number, le: number, deadline: number): Promise<number> {
    const characters = 2 * (length + (le >= 0 ? 1 : 0));
    const { hex } = this;
    hex.begin('AT+CGLA=').bytes(this.#handle, this.#handleLength).text(',').decimal(characters).text(',"');
    hex.payload(command, length, cla, le);
    return this.line(deadline);
  }

  /** The handle as a channel number 1…19, or 0 when it is anything else. */
  #channelNumber(): number {
    if (this.#handleLength === 0 || this.#handleLength > 2) return 0;
    let number = 0;
    for (let i = 0; i < this.#handleLength; i++) {
      const digit = this.#handle[i] - 0x30;
      if (digit < 0 || digit > 9) return 0;
      number = number * 10 + digit;
    }
    return number <= 19 ? number : 0;
  }

  /** Takes the handle out of `+CCHO: 1`, `+CCHO: "1"`, or the bare handle. */
  #keepHandle(answer: string): boolean {
    let i = answer.indexOf(':') + 1;
    while (i < answer.length && (answer[i] === ' ' || answer[i] === '"')) i++;
    let length = 0;
    while (i < answer.length && length < MAX_HANDLE && hexValue(answer.charCodeAt(i)) >= 0) {
      this.#handle[length++] = answer.charCodeAt(i++);
    }
    this.#handleLength = length;
    return length > 0;
  }
}
