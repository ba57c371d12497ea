import { asText, type Expectation, hexDigit } from './at-parser.js';

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
/** `AT+CGLA=`, a session handle, the length and punctuation. */
const HEAD = 64;

/**
 * A command that carries bytes: a head such as `AT+CSIM=10,"`, the bytes in hex, a closing quote. Made once and used
 * again for every APDU; the hex characters are never held, but made one by one while sending.
 */
export class HexCommand {
  readonly head = new Uint8Array(HEAD);
  headLength = 0;
  data: Uint8Array = this.head;
  length = 0;
  /** Sent in place of data[0]; -1 = none. */
  first = -1;
  /** Sent after data; -1 = none. */
  last = -1;
  expect: Expectation = {};

  /** Starts a new head. */
  begin(text: string): this {
    this.headLength = 0;
    return this.text(text);
  }

  text(text: string): this {
    for (let i = 0; i < text.length; i++) this.head[this.headLength++] = text.charCodeAt(i);
    return this;
  }

  bytes(bytes: Uint8Array, length: number): this {
    for (let i = 0; i < length; i++) this.head[this.headLength++] = bytes[i];
    return this;
  }

  decimal(value: number): this {
    let divisor = 1;
    while (divisor * 10 <= value) divisor *= 10;
    for (; divisor >= 1; divisor = Math.floor(divisor / 10)) {
      this.head[this.headLength++] = 0x30 + (Math.floor(value / divisor) % 10);
    }
    return this;
  }

  /** Sets the bytes to send: data[0 … length), the first one replaced and one more appended where not -1. */
  payload(data: Uint8Array, length: number, first = -1, last = -1): this {
    this.data = data;
    this.length = length;
    this.first = first;
    this.last = last;
    return this;
  }

  /** Number of characters including CR. */
  get size(): number {
    return this.headLength + 2 * (this.length + (this.last >= 0 ? 1 : 0)) + 2;
  }

  /** The i-th character as it goes over the line. */
  at(i: number): number {
    if (i < this.headLength) return this.head[i];
    const n = i - this.headLength;
    const index = n >> 1;
    const count = this.length + (this.last >= 0 ? 1 : 0);
    if (index >= count) return n === 2 * count ? QUOTE : CR;
    let byte = this.last;
    if (index === 0 && this.first >= 0) byte = this.first;
    else if (index < this.length) byte = this.data[index];
    return hexDigit(n & 1 ? byte & 0x0f : byte >> 4);
  }
}

/** A command as it goes over the line: `hex` if there is one, else `text`; both without CR. */
export interface Sendable {
  text: string;
  hex: HexCommand | undefined;
}

/** Number of characters including CR. */
export function sizeOf(command: Sendable): number {
  return command.hex ? command.hex.size : command.text.length + 1;
}

export function characterOf(command: Sendable, i: number): number {
  if (command.hex) return command.hex.at(i);
  return i < command.text.length ? command.text.charCodeAt(i) : CR;
}

/** The whole line without CR, for an observer. */
export function lineOf(command: Sendable): Uint8Array {
  const line = new Uint8Array(sizeOf(command) - 1);
  for (let i = 0; i < line.length; i++) line[i] = characterOf(command, i);
  return line;
}

/** Short, for messages. */
export function nameOf(command: Sendable | undefined): string {
  if (!command) return 'the command';
  return command.hex ? `${asText(command.hex.head, 0, command.hex.headLength)}…` : command.text;
}
