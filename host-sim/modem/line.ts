import { CmeError } from './error.js';

/** Turns what a TE (or a person) types into command lines, and says what to echo. */
export class LineEditor {
  readonly #limit: number;
  #line: number[] = [];
  #overflow = false;

  /** @param limit longest line in characters; a longer one is dropped and reads as `?`, which is no command line */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns a whole line, or undefined while it goes on */
  put(byte: number): string | undefined {
    switch (byte) {
      case 0x0d: {
        const line = this.#overflow ? '?' : String.fromCharCode(...this.#line);
        this.clear();
        return line;
      }
      case 0x08:
      case 0x7f:
        this.#line.pop();
        return undefined;
      case 0x1b:
        this.clear();
        return undefined;
      default:
        if (byte < 0x20 || byte > 0x7e) return undefined;
        if (this.#line.length >= this.#limit) this.#overflow = true;
        else this.#line.push(byte);
        return undefined;
    }
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
 * @returns undefined when the line is not a command line
 */
export function parseLine(line: string): Command[] | undefined {
  const text = line.trim();
  if (text.slice(0, 2).toUpperCase() !== 'AT') return undefined;
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
