import { AtError } from './at-error.js';
import { type Expectation, NO_CODE } from './at-parser.js';

/** What a command ended in. */
export interface AtResult {
  /** The final result was OK. */
  readonly ok: boolean;
  /** Code of +CME ERROR; -1 for any other error, or none. */
  readonly cme: number;
  /** The answer line if OK, else the error line. Empty after a hex command that ended in OK. */
  readonly text: string;
}

const QUOTE = 0x22;
const CR = 0x0d;

/**
 * Something to be sent, and who is told what became of it. The client reads it character by character while it sends, so
 * nothing of it needs to be held whole; it must not change until done() was called, and may be sent again from there.
 */
export interface AtCommand {
  /** A text command without its CR: its echo is known by it. Empty where bytes are sent in hex. */
  readonly text: string;
  /** Number of characters including CR; 0 = nothing is to be sent, only done() to be called when its turn has come. */
  readonly size: number;
  /** The i-th character as it goes over the line. */
  at(i: number): number;
  readonly expect: Expectation | undefined;
  /** Milliseconds from the moment the command is sent. */
  readonly deadline: number;
  /**
   * An answer `<prefix> <length>,"<hex>"` has to come before OK: receive() is called once with its decoded bytes,
   * bytes[start … start + count), which are only valid during the call. What it throws becomes the error.
   */
  readonly answersInHex: boolean;
  receive(bytes: Uint8Array, start: number, count: number): void;
  /** Not a command: only `AT` is sent, at most so many times, until the modem answers it. */
  readonly attempts?: number;
  /** Called once: with a result, or with an error. The stack is empty then. */
  done(result: AtResult | undefined, error?: unknown): void;
}

/** A text command, answered by text. Once done() was called it may be changed and sent again. */
export abstract class TextCommand implements AtCommand {
  text: string;
  deadline: number;
  expect: Expectation | undefined;

  /** @param text without CR */
  constructor(text: string, deadline: number, expect?: Expectation) {
    this.text = text;
    this.deadline = deadline;
    this.expect = expect;
  }

  get size(): number {
    return this.text.length + 1;
  }

  get answersInHex(): boolean {
    return false;
  }

  at(i: number): number {
    return i < this.text.length ? this.text.charCodeAt(i) : CR;
  }

  receive(): void {}

  abstract done(result: AtResult | undefined, error?: unknown): void;
}

/**
 * An error result is a result like others; or an error `refused`; or even silence is a result, since not to answer says
 * something too: then all errors but `closed` become one that is not OK.
 */
export type FailureRule = 'is a result' | 'is an error' | 'includes silence';

/** A text command whose outcome settles a promise. */
export class PromisedCommand extends TextCommand {
  attempts: number | undefined;
  failure: FailureRule = 'is a result';
  readonly #resolve: (result: AtResult) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    text: string,
    deadline: number,
    expect: Expectation | undefined,
    resolve: (result: AtResult) => void,
    reject: (error: unknown) => void,
  ) {
    super(text, deadline, expect);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  done(result: AtResult | undefined, error?: unknown): void {
    const { failure } = this;
    if (result && (result.ok || failure !== 'is an error')) this.#resolve(result);
    else if (result) {
      this.#reject(new AtError('refused', `the modem refused ${this.text}: ${result.text}`));
    } else if (failure === 'includes silence' && error instanceof AtError && error.code !== 'closed') {
      this.#resolve({ ok: false, cme: NO_CODE, text: error.message });
    } else this.#reject(error);
  }
}

/** The whole line without CR, for an observer. */
export function lineOf(command: AtCommand): Uint8Array {
  const line = new Uint8Array(Math.max(0, command.size - 1));
  for (let i = 0; i < line.length; i++) line[i] = command.at(i);
  return line;
}

/** Short, for messages. */
export function nameOf(command: AtCommand): string {
  let name = '';
  for (let i = 0; i < command.size - 1; i++) {
    const character = command.at(i);
    if (character === QUOTE) return `${name}…`;
    name += String.fromCharCode(character);
  }
  return name;
}
