import { UiccError } from '../contracts/index.js';
import { CardLine } from './card-line.js';
import { swText } from './uicc-error.js';

/** GET RESPONSE for one command: enough for 64 KB in pieces of 16. */
const MAX_ROUNDS = 4_096;
/** Bytes that are asked for after a long answer got lost; its line fits into the FIFO of any board's UART. */
const SHORT = 48;
/** INS, P1, P2. */
const GET_RESPONSE = 0xc00000;

// The line that is out.
const NONE = 0;
const COMMAND = 1;
/** The command again, with the Le that 6Cxx asked for. */
const COMMAND_SIZED = 2;
const GET = 3;
/** GET RESPONSE again, with the other class. */
const GET_OTHERWISE = 4;
const GET_SIZED = 5;

/** One logical command on our channel: 61xx and 6Cxx dealt with. */
export abstract class CardChain extends CardLine {
  /** Status word before any GET RESPONSE. */
  protected firstSw = 0;
  #phase = NONE;
  #cla = 0;
  #deadline = 0;
  #rounds = 0;
  #getResponseClass = 0x00;
  /** Le of the last GET RESPONSE. */
  #wanted = 0;
  /** Bytes to ask for at most, learnt; 0 = no limit. */
  #short = 0;

  /** Sends the command prepared on our channel. @param cla its base class */
  protected abstract sendRaw(cla: number, le: number, deadline: number): void;
  /** The command is done. @param sw its last status word, or REFUSED */
  protected abstract proceed(sw: number): void;

  /** @param wantsLe the command has data and expects a response; then some modems need an Le */
  protected startChain(cla: number, wantsLe: boolean, deadline: number): void {
    this.#cla = cla;
    this.#deadline = deadline;
    this.#rounds = 0;
    this.#phase = COMMAND;
    this.sendRaw(cla, wantsLe && this.context.quirks.leWithData ? 0 : -1, deadline);
  }

  protected endChain(): void {
    this.#phase = NONE;
  }

  /** A line has brought no answer, or a mangled one. If much was asked for, a UART that loses bytes may be why: no more of that. */
  protected breakChain(): void {
    if (this.#phase >= GET && (this.#wanted || 256) > SHORT) this.#short = SHORT;
    this.#phase = NONE;
  }

  protected override answered(sw: number): void {
    const phase = this.#phase;
    if (phase === NONE) {
      this.proceed(sw);
      return;
    }
    const isSized = sw >> 8 === 0x6c;
    if (phase === COMMAND && isSized) {
      this.#phase = COMMAND_SIZED;
      this.sendRaw(this.#cla, sw & 0xff, this.#deadline);
    } else if (phase === GET && sw === 0x6e00) {
      this.#getResponseClass ^= 0x80;
      this.getResponse(GET_OTHERWISE, this.#wanted);
    } else if ((phase === GET || phase === GET_OTHERWISE) && isSized) {
      this.getResponse(GET_SIZED, sw & 0xff);
    } else {
      // Neither will do: keep the regular one.
      if (phase === GET_OTHERWISE && sw === 0x6e00) this.#getResponseClass = 0x00;
      if (phase <= COMMAND_SIZED) this.firstSw = sw;
      if (sw >> 8 === 0x61) this.fetchMore(sw, phase);
      else {
        this.#phase = NONE;
        this.proceed(sw);
      }
    }
  }

  /** @param sw 61xx: so many bytes wait, 00 = 256 or more */
  private fetchMore(sw: number, phase: number): void {
    if (phase >= GET && this.received === 0) {
      throw new UiccError('malformed', `GET RESPONSE gives no data but status word ${swText(sw)} again`);
    }
    if (this.#rounds++ === MAX_ROUNDS) {
      throw new UiccError('malformed', 'the response does not end: 61xx again and again');
    }
    const limit = this.#short || this.context.options.maxResponse || this.context.quirks.maxResponse || 256;
    this.getResponse(GET, Math.min(sw & 0xff || 256, limit) & 0xff);
  }

  private getResponse(phase: number, le: number): void {
    this.#phase = phase;
    this.#wanted = le;
    this.prepareOwn(GET_RESPONSE);
    this.sendRaw(this.#getResponseClass, le, this.#deadline);
  }
}
