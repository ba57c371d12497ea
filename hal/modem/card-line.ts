import { isSuccess, UiccError } from '../contracts/index.js';
import type { AtCommand, AtResult } from './at-command.js';
import { type Expectation, hexDigit } from './at-parser.js';
import type { UiccContext } from './uicc-context.js';
import { fromAt, isBusy, REFUSED } from './uicc-error.js';

/** The AT commands that reach a card. */
export const Form = { csim: 0, cgla: 1, ccho: 2, cchc: 3, none: 4 } as const;

const PREFIXES = ['AT+CSIM=', 'AT+CGLA=', 'AT+CCHO=', 'AT+CCHC='] as const;
/** Each prefix has so many characters. */
const PREFIX = 8;
const EXPECTED: readonly (Expectation | undefined)[] = [
  { prefix: '+CSIM:' },
  { prefix: '+CGLA:' },
  { prefix: '+CCHO:', bare: 'handle' },
  undefined,
];
const NOTHING: readonly number[] = [];
const COMMA = 0x2c;
const QUOTE = 0x22;
const CR = 0x0d;
const BUSY_PAUSE = 500;
const LONGEST_PAUSE = 2_000;

/**
 * One command to the card as a line of the AT interface, sent again while modem or card are busy. It is made once for all
 * commands: the characters are worked out one by one while sending, and nothing but numbers is kept.
 *
 * Subclasses set a command up by prepare() or prepareOwn(), send it by sendLine(), and are told by answered() or failed(),
 * once and on an empty stack.
 */
export abstract class CardLine implements AtCommand {
  protected readonly context: UiccContext;
  /** Of the last line: the error result behind REFUSED, or the text of an answer that is not hex. */
  protected result: AtResult | undefined;
  /** Session handle of AT+CGLA and AT+CCHC, as the modem gave it. */
  protected handle = '';
  /** Bytes of response data in the last answer. */
  protected received = 0;
  deadline = 0;
  /** INS, P1 and P2 of a command of our own, whose data follows behind Lc; -1: `#data` is the whole command. */
  #header = -1;
  #data: ArrayLike<number> = NOTHING;
  #count = 0;
  #form = 0;
  #cla = 0;
  #le = -1;
  #sw = 0;
  #until = 0;
  #pause = 0;
  /** A line was set up and is not yet sent: done() sends it, when all that led to it is off the stack. */
  #isDue = false;

  constructor(context: UiccContext) {
    this.context = context;
  }

  /** What has become of a line. @param sw status word, 0 of a line that is no APDU, or REFUSED */
  protected abstract answered(sw: number): void;
  /** The line has brought no answer. */
  protected abstract failed(error: unknown): void;
  /** Response data; the view is only valid during the call. */
  protected abstract taken(bytes: Uint8Array): void;

  /** The next line carries command[0 … length), its first byte replaced. */
  protected prepare(command: ArrayLike<number>, length: number): void {
    this.#header = -1;
    this.#data = command;
    this.#count = length;
  }

  /** The next line carries a command of our own. @param header INS, P1, P2 as one number */
  protected prepareOwn(header: number, data: ArrayLike<number> = NOTHING): void {
    this.#header = header;
    this.#data = data;
    this.#count = data.length > 0 ? 5 + data.length : 4;
  }

  /** The command prepared, for an observer. */
  protected copyOfCommand(cla: number): Uint8Array {
    const copy = new Uint8Array(this.#count);
    for (let i = 0; i < copy.length; i++) copy[i] = this.byteAt(i);
    if (copy.length > 0) copy[0] = cla;
    return copy;
  }

  /**
   * @param cla the first byte
   * @param le one byte more at the end; -1 = none
   * @param deadline milliseconds for each try
   * @param patience milliseconds for all tries
   */
  protected sendLine(form: number, cla: number, le: number, deadline: number, patience = deadline): void {
    this.#form = form;
    this.#cla = cla;
    this.#le = le;
    this.deadline = deadline;
    this.#until = this.context.options.time.ticks + patience;
    this.#pause = BUSY_PAUSE;
    this.#isDue = true;
  }

  /** Sends nothing, but answered() is called in turn, on an empty stack. */
  protected sendNothing(): void {
    this.sendLine(Form.none, 0, -1, 0);
    this.again();
  }

  /** The last line once more, with another Le. */
  protected sendAgain(le: number, deadline = this.deadline): void {
    this.sendLine(this.#form, this.#cla, le, deadline);
  }

  get text(): string {
    return '';
  }

  get expect(): Expectation | undefined {
    return EXPECTED[this.#form];
  }

  get answersInHex(): boolean {
    return this.#form <= Form.cgla;
  }

  get size(): number {
    if (this.#form === Form.none) return 0;
    if (this.#form === Form.cchc) return PREFIX + this.handle.length + 1;
    return this.headSize + 2 * this.bytes + 2;
  }

  at(i: number): number {
    if (i < PREFIX) return PREFIXES[this.#form].charCodeAt(i);
    if (this.#form === Form.cchc) return this.handleAt(i - PREFIX, CR);
    const head = this.headSize;
    if (i < head) return this.headAt(i - PREFIX);
    const n = i - head;
    const count = this.bytes;
    if (n >= 2 * count) return n === 2 * count ? QUOTE : CR;
    const byte = this.byteAt(n >> 1);
    return hexDigit(n & 1 ? byte & 0x0f : byte >> 4);
  }

  receive(bytes: Uint8Array, start: number, count: number): void {
    const end = start + count - 2;
    this.#sw = (bytes[end] << 8) | bytes[end + 1];
    this.received = count - 2;
    if (count > 2) this.taken(bytes.subarray(start, end));
  }

  done(result: AtResult | undefined, error?: unknown): void {
    try {
      if (!result) this.failed(fromAt(error));
      else if (!this.isWorthAnotherTry(result)) {
        this.result = result;
        this.answered(result.ok ? this.#sw : REFUSED);
      }
    } catch (fault) {
      this.failed(fault);
    }
    if (this.#isDue) this.again();
  }

  /** Modem or card are busy, and there is time: it is sent again after a pause. */
  private isWorthAnotherTry({ cme }: AtResult): boolean {
    const { timer, time } = this.context.options;
    const pause = this.#pause;
    if (!isBusy(cme) || time.ticks + pause > this.#until) return false;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE);
    timer.set(() => this.again(), pause);
    return true;
  }

  private again(): void {
    this.#isDue = false;
    this.#sw = 0;
    this.received = 0;
    this.context.client.send(this);
  }

  /** Bytes that are sent in hex. */
  private get bytes(): number {
    return this.#count + (this.#le >= 0 ? 1 : 0);
  }

  private byteAt(i: number): number {
    if (i === 0) return this.#cla;
    if (i >= this.#count) return this.#le;
    const header = this.#header;
    if (header < 0) return this.#data[i];
    if (i < 4) return (header >> (8 * (3 - i))) & 0xff;
    return i === 4 ? this.#count - 5 : this.#data[i - 5];
  }

  /** Characters before the hex. */
  private get headSize(): number {
    if (this.#form === Form.ccho) return PREFIX + 1;
    const handle = this.#form === Form.cgla ? this.handle.length + 1 : 0;
    return PREFIX + handle + digits(2 * this.bytes) + 2;
  }

  /** `"`, `<length>,"` or `<handle>,<length>,"`. */
  private headAt(index: number): number {
    let i = index;
    if (this.#form === Form.ccho) return QUOTE;
    if (this.#form === Form.cgla) {
      const length = this.handle.length;
      if (i <= length) return this.handleAt(i, COMMA);
      i -= length + 1;
    }
    const characters = 2 * this.bytes;
    const count = digits(characters);
    if (i < count) return 0x30 + (Math.floor(characters / 10 ** (count - 1 - i)) % 10);
    return i === count ? COMMA : QUOTE;
  }

  private handleAt(i: number, behind: number): number {
    return i < this.handle.length ? this.handle.charCodeAt(i) : behind;
  }
}

function digits(number: number): number {
  if (number < 10) return 1;
  return number < 100 ? 2 : 3;
}

/** Did the card carry the command out? */
export function succeeded(sw: number): boolean {
  return sw !== REFUSED && isSuccess(sw);
}

/** Nothing more can be sent. */
export function isClosed(error: unknown): boolean {
  return error instanceof UiccError && error.code === 'closed';
}
