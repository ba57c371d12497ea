// Lines of the AT interface (at.md §1): pure functions over a byte buffer. Nothing here keeps state or makes strings.

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;

/** A piece of the buffer: `start` inclusive, `end` exclusive. */
export interface Span {
  start: number;
  end: number;
}

/**
 * Finds the next complete line in `bytes[from … to)`. CR and LF both end a line, because an echo may end with CR alone;
 * the empty lines this makes come back as empty spans.
 * @param line receives the line without spaces, control characters and line noise (≥ 7F) at its ends
 * @returns bytes consumed including one line end; 0 when no line is complete
 */
export function digest(bytes: Uint8Array, from: number, to: number, line: Span): number {
  for (let i = from; i < to; i++) {
    if (bytes[i] !== LF && bytes[i] !== CR) continue;
    let start = from;
    let end = i;
    while (start < end && isNoise(bytes[start])) start++;
    while (end > start && isNoise(bytes[end - 1])) end--;
    line.start = start;
    line.end = end;
    return i + 1 - from;
  }
  return 0;
}

function isNoise(byte: number): boolean {
  return byte <= SPACE || byte >= 0x7f;
}

/** How the answer of the command outstanding looks. */
export interface Expectation {
  /** `+CSIM:` and the like. */
  prefix?: string;
  /**
   * What may come without that prefix: a session handle (+CCHO of some modems), a number of 15–22 digits, also behind
   * another prefix (IMEI, ICCID: AT+CICCID gives +ICCID), or any line that does not look like an unsolicited one
   * (identity texts).
   */
  bare?: 'handle' | 'digits' | 'text';
  /** +CREG, +CGREG, +CEREG: the answer is `<n>,<stat>…`, the unsolicited line `<stat>…` (at.md §5). */
  registration?: boolean;
}

export type LineKind = 'ok' | 'error' | 'answer' | 'urc';

/** Says what a line is to a command that expects `expected`; echo is recognised before, by {@link isEcho}. */
export function classify(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: Expectation | undefined,
): LineKind {
  if (equals(bytes, start, end, 'OK')) return 'ok';
  if (isErrorFinal(bytes, start, end)) return 'error';
  if (!expected) return 'urc';
  if (expected.prefix !== undefined && startsWith(bytes, start, end, expected.prefix)) {
    if (!expected.registration) return 'answer';
    return isRegistrationAnswer(bytes, start + expected.prefix.length, end) ? 'answer' : 'urc';
  }
  switch (expected.bare) {
    case 'handle':
      return isHandle(bytes, start, end) ? 'answer' : 'urc';
    case 'digits':
      return isLongNumber(bytes, start, end) ? 'answer' : 'urc';
    case 'text':
      return isPlainText(bytes, start, end) ? 'answer' : 'urc';
    default:
      return 'urc';
  }
}

const FINALS = [
  'ERROR',
  'NO CARRIER',
  'BUSY',
  'NO ANSWER',
  'NO DIALTONE',
  'NO DIAL TONE',
  'ABORTED',
  'COMMAND NOT SUPPORT',
] as const;

function isErrorFinal(bytes: Uint8Array, start: number, end: number): boolean {
  if (startsWith(bytes, start, end, '+CM')) {
    return startsWith(bytes, start, end, '+CME ERROR') || startsWith(bytes, start, end, '+CMS ERROR');
  }
  for (const text of FINALS) if (equals(bytes, start, end, text)) return true;
  return false;
}

/** True for the command just sent coming back, whole or with its rest lost: no other line begins with `AT+`. */
export function isEcho(bytes: Uint8Array, start: number, end: number, command: string): boolean {
  return startsWith(bytes, start, end, 'AT+') || (command !== '' && equals(bytes, start, end, command));
}

export function equals(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  return end - start === text.length && startsWith(bytes, start, end, text);
}

export function startsWith(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** `<n>,<stat>[,…]` as against `<stat>[,"tac",…]`: the second field of an answer is a bare number of at most two digits. */
function isRegistrationAnswer(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  while (i < end && bytes[i] !== COMMA) i++;
  if (i >= end) return false;
  i = skipSpaces(bytes, i + 1, end);
  let digits = 0;
  while (i < end && isDigit(bytes[i])) {
    digits++;
    i++;
  }
  i = skipSpaces(bytes, i, end);
  return digits >= 1 && digits <= 2 && (i >= end || bytes[i] === COMMA);
}

/** The longest session handle that is kept. */
export const MAX_HANDLE = 32;

function isHandle(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || end - start > MAX_HANDLE) return false;
  for (let i = start; i < end; i++) if (hexValue(bytes[i]) < 0) return false;
  return true;
}

function isLongNumber(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === COLON) start = skipSpaces(bytes, i + 1, end);
  if (end - start > 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE) {
    start++;
    end--;
  }
  // An ICCID of 19 digits may carry its filler.
  while (end > start && (bytes[end - 1] | 0x20) === 0x66) end--;
  if (end - start < 15 || end - start > 22) return false;
  for (let i = start; i < end; i++) if (!isDigit(bytes[i])) return false;
  return true;
}

const READY_TEXTS = ['RDY', 'RING', 'READY', 'Call Ready', 'SMS Ready', 'SMS DONE', 'PB DONE'] as const;

function isPlainText(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start];
  // + # $ % * @ ^ open an unsolicited line.
  if (first === 0x2b || first === 0x5e || first === 0x2a || first === 0x40) return false;
  if (first >= 0x23 && first <= 0x25) return false;
  for (const text of READY_TEXTS) if (equals(bytes, start, end, text)) return false;
  return end > start;
}

/** Hex answer: the syntax is not `<prefix>: <number>,"<hex>"`. */
export const BAD_SYNTAX = -1;
/** Hex answer: `<length>` is not the number of hex characters that follow. */
export const BAD_LENGTH = -2;

/**
 * Decodes `+CSIM: <length>,"<hex>"` (and +CGLA) in place: the bytes are written from `start` on. Upper and lower case,
 * quotes and the space after the colon are optional; fields after the hex are ignored.
 * @returns number of bytes (at least 2: a status word), or BAD_SYNTAX or BAD_LENGTH
 */
export function decodeHexAnswer(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] !== COLON) i++;
  i = skipSpaces(bytes, i + 1, end);
  const first = i;
  let length = 0;
  while (i < end && isDigit(bytes[i]) && i - first < 6) length = length * 10 + (bytes[i++] - 0x30);
  if (i === first) return BAD_SYNTAX;
  i = skipSpaces(bytes, i, end);
  if (i >= end || bytes[i] !== COMMA) return BAD_SYNTAX;
  i = skipSpaces(bytes, i + 1, end);
  const quoted = i < end && bytes[i] === QUOTE;
  if (quoted) i++;
  const hex = i;
  while (i < end && hexValue(bytes[i]) >= 0) i++;
  const characters = i - hex;
  if (quoted && (i >= end || bytes[i] !== QUOTE)) return i >= end ? BAD_LENGTH : BAD_SYNTAX;
  if (quoted) i++;
  i = skipSpaces(bytes, i, end);
  if (i < end && bytes[i] !== COMMA) return BAD_SYNTAX;
  if (characters !== length || characters % 2 !== 0 || characters < 4) return BAD_LENGTH;
  const count = characters / 2;
  for (let n = 0; n < count; n++) {
    bytes[start + n] = (hexValue(bytes[hex + 2 * n]) << 4) | hexValue(bytes[hex + 2 * n + 1]);
  }
  return count;
}

/** Nothing says which error it was. */
export const NO_CODE = -1;

// Texts of AT+CMEE=2 (3GPP TS 27.007 §9.2), in lower case.
const CME_TEXTS: readonly (readonly [string, number])[] = [
  ['phone failure', 0],
  ['operation not allowed', 3],
  ['operation not supported', 4],
  ['sim not inserted', 10],
  ['sim pin required', 11],
  ['sim puk required', 12],
  ['sim failure', 13],
  ['sim busy', 14],
  ['sim wrong', 15],
  ['memory full', 20],
  ['invalid index', 21],
  ['not found', 22],
  ['no network service', 30],
  ['incorrect parameters', 50],
  ['parameters error', 50],
  ['unknown', 100],
];

/** @returns the code of a `+CME ERROR:` line, numeric or text; NO_CODE for any other line or an unknown text */
export function cmeCode(bytes: Uint8Array, start: number, end: number): number {
  if (!startsWith(bytes, start, end, '+CME ERROR')) return NO_CODE;
  let i = start + 10;
  if (i < end && bytes[i] === COLON) i++;
  i = skipSpaces(bytes, i, end);
  if (i >= end) return NO_CODE;
  if (isDigit(bytes[i])) {
    let code = 0;
    for (let digits = 0; i < end && isDigit(bytes[i]); digits++) {
      if (digits === 5) return NO_CODE;
      code = code * 10 + (bytes[i++] - 0x30);
    }
    return i === end ? code : NO_CODE;
  }
  for (const [text, code] of CME_TEXTS) if (equalsIgnoringCase(bytes, i, end, text)) return code;
  return NO_CODE;
}

function equalsIgnoringCase(bytes: Uint8Array, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[start + i];
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/** ASCII text of a line; never on the APDU path. */
export function asText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

export function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

export function hexDigit(nibble: number): number {
  // Upper case: some modems take nothing else (at.md §10, field.md §1).
  return nibble < 10 ? 0x30 + nibble : 0x37 + nibble;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function skipSpaces(bytes: Uint8Array, i: number, end: number): number {
  while (i < end && bytes[i] === SPACE) i++;
  return i;
}
