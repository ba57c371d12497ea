import {
  type ByteSink,
  type HalEvent,
  isSuccess,
  type Observer,
  type Time,
  type Timer,
  type Uicc,
  UiccError,
  XsIpaError,
} from '../contracts/index.js';
import type { AtClient } from './at-client.js';
import { type AtResult, HexCommand } from './at-command.js';
import { DEADLINE } from './deadlines.js';
import type { Quirks } from './quirks.js';
import { fromAt, isBusy, meansLost, REFUSED, swText } from './uicc-error.js';

/** `80AA…`: IPAd supported (es10.md §1.3). */
export const TERMINAL_CAPABILITY = [0x80, 0xaa, 0, 0, 5, 0xa9, 3, 0x84, 1, 1] as const;
/** The same with the device capabilities of SGP.22. */
export const COMBINED_CAPABILITY = [0x80, 0xaa, 0, 0, 8, 0xa9, 6, 0x83, 1, 7, 0x84, 1, 1] as const;

/** What both ways to the card share. */
export interface UiccContext {
  client: AtClient;
  timer: Timer;
  time: Time;
  quirks: Quirks;
  /** Most bytes to ask for by GET RESPONSE, for boards whose UART loses bytes; 0 = no limit. */
  maxResponse: number;
  /** The TERMINAL CAPABILITY command. */
  terminalCapability: ArrayLike<number>;
  observe?: Observer<HalEvent>;
  /** The card turned out to have been reset. */
  onLost?: () => void;
}

/** GET RESPONSE for one command: enough for 64 KB in pieces of 16. */
const MAX_ROUNDS = 4_096;
const BUSY_PAUSE = 500;
const EMPTY: readonly number[] = [];
/** Status words of a channel that was never opened, or whose application is no longer selected (at.md §6). */
const CHANNEL_GONE: readonly number[] = [0x6881, 0x6999];
const NOTHING: ByteSink = { write() {} };

/** TERMINAL CAPABILITY, GET RESPONSE, status words and retries; the two subclasses bring bytes to the card. */
export abstract class UiccBase implements Uicc {
  protected readonly context: UiccContext;
  protected readonly hex = new HexCommand();
  /** For commands of our own. */
  protected readonly own = new Uint8Array(48);
  /** The error result behind REFUSED. */
  protected refusal: AtResult | undefined;
  readonly #fci = new Uint8Array(258);
  #fciLength = 0;
  #isOpen = false;
  #inUse = false;
  #cleaned = false;
  /** No ES10 command has been answered since open(). */
  #fresh = false;
  #getResponseClass = 0x00;
  readonly #getResponseCommand = new Uint8Array(4);
  readonly #statusCommand = new Uint8Array(4);
  /** Status word before any GET RESPONSE. */
  #firstSw = 0;
  #sink: ByteSink = NOTHING;
  #sw = 0;
  #received = 0;

  constructor(context: UiccContext) {
    this.context = context;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The AT interface was left or started anew: the next open() first closes channels of the life before. */
  restart(): void {
    this.#isOpen = false;
    this.#cleaned = false;
  }

  /** The card was reset: no channel is left. */
  cardReset(): void {
    this.#isOpen = false;
    this.forgetChannel();
  }

  async open(aid: ArrayLike<number>): Promise<Uint8Array> {
    // What follows begins on an empty stack; see AtClient.
    await undefined;
    await this.close();
    if (!this.#cleaned) {
      this.#cleaned = true;
      await this.cleanUp();
    }
    this.#fciLength = 0;
    const before = await this.sendCapability(this.context.terminalCapability);
    if (!before) await this.sendCapability(COMBINED_CAPABILITY);
    await this.openChannel(aid);
    this.#isOpen = true;
    this.#fresh = true;
    // Some cards take it only now (open-questions Q21).
    if (!before) await this.sendCapability(this.context.terminalCapability);
    return this.#fci.subarray(0, this.#fciLength);
  }

  /** Finds out whether the channel is still there, and reports it if not. */
  async check(): Promise<void> {
    if (!this.#isOpen || this.#inUse) return;
    this.#inUse = true;
    try {
      const sw = await this.#status();
      if (sw === REFUSED ? meansLost(this.refusal?.cme ?? -1) : CHANNEL_GONE.includes(sw))
        this.#lost('STATUS');
    } catch (error) {
      if (error instanceof UiccError && error.code === 'closed') throw error;
    } finally {
      this.#inUse = false;
    }
  }

  async transmit(command: Uint8Array, sink: ByteSink, deadline: number = DEADLINE.apdu): Promise<number> {
    if (this.#inUse) throw new XsIpaError('usage', 'transmit() was called while another one is running');
    if (!this.#isOpen)
      throw new UiccError('channelLost', 'no channel to the card is open: call open() first');
    this.#inUse = true;
    try {
      let sw = await this.apdu(command, command.length, sink, deadline);
      if (sw === 0x6985 && this.#fresh && (await this.#capabilityAgain())) {
        sw = await this.apdu(command, command.length, sink, deadline);
      }
      this.#fresh = false;
      if (sw === REFUSED) throw await this.#refused();
      if (CHANNEL_GONE.includes(sw)) throw this.#lost(`status word ${swText(sw)}`);
      return sw;
    } finally {
      this.#inUse = false;
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      await this.closeChannel();
    } catch {
      // Whatever is left is closed as a stale channel when opening fails.
    }
    this.forgetChannel();
  }

  /** Opens a channel and selects; leaves nothing open when it fails. */
  protected abstract openChannel(aid: ArrayLike<number>): Promise<void>;
  protected abstract closeChannel(): Promise<void>;
  /** @param failed opening has failed, as it does when no channel is free */
  protected abstract closeStale(failed: boolean): Promise<void>;
  protected abstract forgetChannel(): void;
  /** One command APDU with base class, without chaining. @returns status word or REFUSED */
  protected abstract raw(
    cla: number,
    command: Uint8Array,
    length: number,
    le: number,
    deadline: number,
  ): Promise<number>;
  /** TERMINAL CAPABILITY goes to the basic channel. @returns status word or REFUSED */
  protected abstract rawBasic(command: Uint8Array, length: number, deadline: number): Promise<number>;

  /** Closes what an earlier life of ours may have left open; errors do not matter. */
  protected async cleanUp(failed = false): Promise<void> {
    try {
      await this.closeStale(failed);
    } catch (error) {
      if (error instanceof UiccError && error.code === 'closed') throw error;
    }
  }

  /** One logical command on our channel: 61xx and 6Cxx dealt with. @returns status word or REFUSED */
  protected async apdu(
    command: Uint8Array,
    length: number,
    sink: ByteSink,
    deadline: number,
  ): Promise<number> {
    const { observe } = this.context;
    if (!observe) return this.#chain(command, length, sink, deadline);
    // Bytes, not a list of numbers: those take 16 times as much of a device's heap.
    let seen: Uint8Array = new Uint8Array(32);
    let count = 0;
    const tee: ByteSink = {
      write(bytes) {
        const end = count + bytes.length;
        if (end > seen.length) {
          const longer = new Uint8Array(end + (end >> 2));
          longer.set(seen);
          seen = longer;
        }
        seen.set(bytes, count);
        count = end;
        sink.write(bytes);
      },
    };
    const sw = await this.#chain(command, length, tee, deadline);
    this.observed(command, length, seen.subarray(0, count), sw);
    return sw;
  }

  /** SELECT by DF name; P2 00, and 04 on 6A86. Keeps the FCI. */
  protected async select(aid: ArrayLike<number>): Promise<number> {
    const command = this.own;
    command.set([0x00, 0xa4, 0x04, 0x00, aid.length]);
    command.set(aid, 5);
    const length = 5 + aid.length;
    const fci: ByteSink = { write: (bytes) => this.#keepFci(bytes) };
    let sw = await this.apdu(command, length, fci, DEADLINE.apdu);
    if (sw === 0x6a86) {
      command[3] = 0x04;
      sw = await this.apdu(command, length, fci, DEADLINE.apdu);
    }
    // Selected; only the FCI cannot be had, which ES10 does not need (es10.md §1.2).
    if (this.#firstSw >> 8 === 0x61 && !(sw >= 0 && isSuccess(sw))) return 0x9000;
    return sw;
  }

  /** Sends `hex` and repeats it while the card or the modem is busy. @returns status word or REFUSED */
  protected line(deadline: number, hex: HexCommand = this.hex): Promise<number> {
    const { client } = this.context;
    const send = () => {
      this.#sw = 0;
      this.#received = 0;
      return client.exchange(hex, this.#receive, deadline);
    };
    return this.patiently(deadline, send).then(this.#statusOf);
  }

  /** Runs `send` again after a pause for as long as the modem says "busy" and `patience` ms are not over. */
  protected async patiently(patience: number, send: () => Promise<AtResult>): Promise<AtResult> {
    const { time, timer } = this.context;
    const until = time.ticks + patience;
    // What follows begins on an empty stack; see AtClient.
    await undefined;
    for (let pause = BUSY_PAUSE; ; pause = Math.min(2 * pause, 2_000)) {
      let result: AtResult;
      try {
        result = await send();
      } catch (error) {
        throw fromAt(error);
      }
      if (!isBusy(result.cme) || time.ticks + pause > until) return result;
      await new Promise<void>((resolve) => timer.set(resolve, pause));
    }
  }

  /** @returns true when the card took it */
  protected async sendCapability(command: ArrayLike<number>): Promise<boolean> {
    if (command.length === 0) return true;
    this.own.set(command);
    const sw = await this.rawBasic(this.own, command.length, DEADLINE.simBusy);
    this.observed(this.own, command.length, EMPTY, sw);
    return sw >= 0 && isSuccess(sw);
  }

  /** Tells the observer of a command that did not go through apdu(). */
  protected observed(command: Uint8Array, length: number, response: ArrayLike<number>, sw: number): void {
    const { observe } = this.context;
    if (!observe || sw < 0) return;
    const bytes = response instanceof Uint8Array ? response : Uint8Array.from(response);
    observe({ event: 'apdu', command: command.slice(0, length), response: bytes, sw });
  }

  /** Response data of commands sent by raw() and rawBasic() goes to `sink` while `run` runs. */
  protected withSink(sink: ByteSink, run: () => Promise<number>): Promise<number> {
    this.#sink = sink;
    return run().finally(this.#noSink);
  }

  readonly #noSink = (): void => {
    this.#sink = NOTHING;
  };

  readonly #statusOf = (result: AtResult): number => {
    if (result.ok) return this.#sw;
    this.refusal = result;
    return REFUSED;
  };

  readonly #receive = (bytes: Uint8Array): void => {
    const count = bytes.length - 2;
    this.#sw = (bytes[count] << 8) | bytes[count + 1];
    this.#received = count;
    if (count > 0) this.#sink.write(bytes.subarray(0, count));
  };

  #chain(command: Uint8Array, length: number, sink: ByteSink, deadline: number): Promise<number> {
    return this.withSink(sink, () => this.#fetch(command, length, deadline));
  }

  async #fetch(command: Uint8Array, length: number, deadline: number): Promise<number> {
    // From here on an empty stack (docs/design.md §4).
    await undefined;
    const { quirks } = this.context;
    const wantsLe = length > 5 && (command[1] === 0xa4 || (command[1] === 0xe2 && (command[2] & 0x80) !== 0));
    let sw = await this.raw(command[0], command, length, quirks.leWithData && wantsLe ? 0 : -1, deadline);
    if (sw >> 8 === 0x6c) sw = await this.raw(command[0], command, length, sw & 0xff, deadline);
    this.#firstSw = sw;
    for (let rounds = 0; sw >> 8 === 0x61; rounds++) {
      if (rounds === MAX_ROUNDS)
        throw new UiccError('malformed', 'the response does not end: 61xx again and again');
      sw = await this.#getResponse(sw & 0xff, deadline);
      if (sw >> 8 === 0x61 && this.#received === 0) {
        throw new UiccError('malformed', `GET RESPONSE gives no data but status word ${swText(sw)} again`);
      }
    }
    return sw;
  }

  /** @param le bytes that wait, 0 = 256 or more */
  async #getResponse(le: number, deadline: number): Promise<number> {
    const { maxResponse, quirks } = this.context;
    const limit = maxResponse || quirks.maxResponse || 256;
    const wanted = Math.min(le || 256, limit) & 0xff;
    let sw = await this.#getResponseOnce(wanted, deadline);
    if (sw === 0x6e00) {
      this.#getResponseClass ^= 0x80;
      sw = await this.#getResponseOnce(wanted, deadline);
      // Neither will do: keep the regular one.
      if (sw === 0x6e00) this.#getResponseClass = 0x00;
    }
    if (sw >> 8 === 0x6c) sw = await this.#getResponseOnce(sw & 0xff, deadline);
    return sw;
  }

  #getResponseOnce(le: number, deadline: number): Promise<number> {
    const command = this.#getResponseCommand;
    command[1] = 0xc0;
    return this.raw(this.#getResponseClass, command, 4, le, deadline);
  }

  /** ES10 says 6985 right after opening: TERMINAL CAPABILITY has not arrived (es10.md §1.6). */
  async #capabilityAgain(): Promise<boolean> {
    this.#fresh = false;
    if (this.context.terminalCapability.length === 0) return false;
    if (await this.sendCapability(COMBINED_CAPABILITY)) return true;
    return this.sendCapability(this.context.terminalCapability);
  }

  #keepFci(bytes: Uint8Array): void {
    const room = this.#fci.length - this.#fciLength;
    const piece = bytes.length > room ? bytes.subarray(0, room) : bytes;
    this.#fci.set(piece, this.#fciLength);
    this.#fciLength += piece.length;
  }

  async #refused(): Promise<UiccError> {
    const { cme, text } = this.refusal ?? { cme: -1, text: 'ERROR' };
    if (meansLost(cme)) return this.#lost(text);
    // A bare ERROR may mean anything: if the channel takes not even STATUS, it is gone.
    if (!isBusy(cme)) {
      const sw = await this.#status();
      if (sw === REFUSED || CHANNEL_GONE.includes(sw)) return this.#lost(text);
    }
    return new UiccError('refused', `the modem refused the APDU: ${text}`);
  }

  /** A harmless command on our channel; what the card thinks of it does not matter. */
  #status(): Promise<number> {
    this.#statusCommand[0] = 0x80;
    this.#statusCommand[1] = 0xf2;
    return this.withSink(NOTHING, () => this.raw(0x80, this.#statusCommand, 4, 0, DEADLINE.query));
  }

  #lost(what: string): UiccError {
    this.cardReset();
    this.context.onLost?.();
    return new UiccError('channelLost', `the channel to the card is gone (${what}): call open() again`);
  }
}
