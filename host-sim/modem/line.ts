import { CmeError } from './error.js';

/** What a line that was too long reads as: no command has this name. */
const TOO_LONG = 'AT?';

/**
 * Turns what a TE (or a person) types into command lines (V.250 §5.2). A line ends with CR, or with LF for programs such as
 * `nc`; what does not begin with AT is dropped without a word, and so is the LF behind a CR.
 */
export class LineEditor {
  readonly #limit: number;
  #line: number[] = [];
  #overflow = false;
  /** For `A/`; a modem that has had no command line repeats an empty one. */
  #last = 'AT';

  /** @param limit longest line in characters; a longer one is dropped and reads as a command that is not known */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns a whole command line, or undefined while there is none */
  put(byte: number): string | undefined {
    switch (byte) {
      case 0x0a:
      case 0x0d: {
        const line = String.fromCharCode(...this.#line).trim();
        const tooLong = this.#overflow;
        this.clear();
        if (!/^AT/i.test(line)) return undefined;
        this.#last = tooLong ? TOO_LONG : line;
        return this.#last;
      }
      case 0x2f:
        // A/ has no line end.
        if (this.#line.length !== 1 || (this.#line[0] | 0x20) !== 0x61) return this.#add(byte);
        this.clear();
        return this.#last;
      case 0x08:
      case 0x7f:
        this.#line.pop();
        return undefined;
      case 0x1b:
        this.clear();
        return undefined;
      default:
        if (byte < 0x20 || byte > 0x7e) return undefined;
        return this.#add(byte);
    }
  }

  #add(byte: number): undefined {
    if (this.#line.length >= this.#limit) this.#overflow = true;
    else this.#line.push(byte);
  }

  clear(): void {
    this.#line = [];
    this.#overflow = false;
  }
}

/** One command of a line. */
export interface Command {
  /** Upper case, with its prefix: `E`, `&F`, `+CSIM`. */
  name: string;
  /** `AT+X`, `AT+X=…`, `AT+X?`, `AT+X=?`; basic commands with a number are `set`. */
  form: 'run' | 'set' | 'read' | 'test';
  /** Between the commas, without quotes and outer spaces. */
  parameters: string[];
}

/**
 * Splits a command line (V.250 §5.3): basic commands follow each other, extended ones are separated by `;`.
 * @param text begins with AT
 */
export function parseLine(text: string): Command[] {
  const commands: Command[] = [];
  let at = 2;
  while (at < text.length) {
    const char = text[at];
    if (char === ' ' || char === ';') {
      at++;
    } else if (isLetter(char) || char === '&') {
      const name = text.slice(at, at + (char === '&' ? 2 : 1)).toUpperCase();
      at += name.length;
      const start = at;
      while (at < text.length && text[at] >= '0' && text[at] <= '9') at++;
      const parameters = at > start ? [text.slice(start, at)] : [];
      commands.push({ name, form: parameters.length > 0 ? 'set' : 'run', parameters });
    } else {
      const end = endOfCommand(text, at);
      commands.push(extended(text.slice(at, end)));
      at = end;
    }
  }
  return commands;
}

function endOfCommand(text: string, from: number): number {
  let quoted = false;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    else if (text[at] === ';' && !quoted) return at;
  }
  return text.length;
}

function extended(text: string): Command {
  const equals = text.indexOf('=');
  if (equals < 0) {
    const body = text.trimEnd();
    return body.endsWith('?')
      ? { name: body.slice(0, -1).trim().toUpperCase(), form: 'read', parameters: [] }
      : { name: body.toUpperCase(), form: 'run', parameters: [] };
  }
  const name = text.slice(0, equals).trim().toUpperCase();
  const rest = text.slice(equals + 1).trim();
  return rest === '?'
    ? { name, form: 'test', parameters: [] }
    : { name, form: 'set', parameters: splitParameters(rest) };
}

function splitParameters(text: string): string[] {
  const parameters: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    if (at < text.length && (text[at] !== ',' || quoted)) continue;
    parameters.push(unquote(text.slice(start, at).trim()));
    start = at + 1;
  }
  return parameters;
}

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function isLetter(char: string): boolean {
  const upper = char.toUpperCase();
  return upper >= 'A' && upper <= 'Z';
}

/** A parameter that must be one of 0…most. @throws CmeError 50 */
export function smallNumber(text: string | undefined, most: number): number {
  if (text === undefined || !/^\d{1,5}$/.test(text) || Number(text) > most) throw new CmeError(50);
  return Number(text);
}
