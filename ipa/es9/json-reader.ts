import { XsIpaError } from '../../hal/contracts/index.js';
import { JsonError, type JsonErrorCode } from './error.js';

/** A member that is looked for. */
export interface JsonField {
  /** Names from the outermost object down; elements of arrays have the path of their array. */
  path: readonly string[];
  /** Bytes come out decoded, text and numbers in UTF-8. */
  kind: 'text' | 'base64';
}

/** What {@link JsonReader.next} found. */
export const Json = {
  /** All bytes that were fed are used up. */
  nothing: 0,
  /** A wanted member begins: `field`. */
  begin: 1,
  /** A piece of its value: `data`, valid until the next call. */
  data: 2,
  /** It is complete. */
  end: 3,
  /** An object is over in which members were wanted: an element of an array, perhaps. */
  close: 4,
} as const;

export type Json = (typeof Json)[keyof typeof Json];

/** Deepest nesting that is passed over. */
export const JSON_DEPTH = 16;
/** Longest name that is looked at. */
const NAME_LIMIT = 32;
/** Longest number or literal. */
const TOKEN_LIMIT = 32;

// What the next byte belongs to.
const VALUE = 0;
const FIRST_NAME = 1;
const NEXT_NAME = 2;
const NAME = 3;
const COLON = 4;
const STRING = 5;
const TOKEN = 6;
const AFTER = 7;
const OVER = 8;
const FIRST_VALUE = 9;
const BROKEN = 10;

// How far an escape is read.
const PLAIN = 0;
const ESCAPE = 1;
/** 2 to 5: digits of \u. */
const UNICODE = 2;

/** Bytes that one character may add: a lone half of a pair, and what stands behind it. */
const MOST_AT_ONCE = 6;
const REPLACEMENT = 0xfffd;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads a JSON object that arrives in pieces of any size and finds the members it was told of, in any order; everything else
 * is passed over. Values come out in pieces of the lent buffer, base64 decoded: a Bound Profile Package of any length.
 *
 * ```
 * reader.feed(piece);
 * for (let found = reader.next(); found !== Json.nothing; found = reader.next()) …
 * ```
 *
 * @throws JsonError and nothing else; reset() is needed after it
 */
export class JsonReader {
  /** Index of the member that was found. */
  field = -1;
  /** View of the lent buffer. */
  data: Uint8Array | undefined;
  /** Bytes read since reset(). */
  consumed = 0;

  readonly #fields: readonly JsonField[];
  readonly #out: Uint8Array;
  readonly #name = new Uint8Array(NAME_LIMIT);
  #fill = 0;
  #piece: Uint8Array | undefined;
  #at = 0;
  #state = VALUE;
  #escape = PLAIN;
  #code = 0;
  /** The character just read stood as a \u escape. */
  #isUnit = false;
  /** First half of a pair of \u escapes. */
  #high = 0;
  #count = 0;
  /** Open objects and arrays; a bit for each, innermost lowest, 1 for an array. */
  #depth = 0;
  #arrays = 0;
  /** For each open object, and the value at hand behind them: which members fit the path so far, one bit each. */
  readonly #fits: number[] = [];
  #fit = 0;
  /** Names on the path, that is, open objects. */
  #level = 0;
  /** The member whose value is being read. */
  #wanted = -1;
  #begun = false;
  /** Of a number: it came out. */
  #given = false;
  #isBytes = false;
  // Base64: bits not yet put out, how many characters of four, and of padding.
  #bits = 0;
  #quarter = 0;
  #padding = 0;

  /**
   * @param fields at most 30
   * @param out memory for what comes out in one piece, 8 bytes or more
   */
  constructor(fields: readonly JsonField[], out: Uint8Array) {
    if (fields.length > 30 || out.length < 8)
      throw new XsIpaError('usage', 'at most 30 fields, at least 8 bytes');
    this.#fields = fields;
    this.#out = out;
    this.reset();
  }

  /** Forgets everything, an error too. */
  reset(): this {
    this.field = this.#wanted = -1;
    this.consumed = this.#at = this.#fill = this.#count = this.#depth = this.#arrays = this.#level = 0;
    this.#high = this.#bits = this.#quarter = this.#padding = 0;
    this.#state = VALUE;
    this.#escape = PLAIN;
    this.#begun = false;
    this.data = this.#piece = undefined;
    this.#fit = 2 ** this.#fields.length - 1;
    return this;
  }

  /** Takes the next piece; the former one must be used up. */
  feed(piece: Uint8Array): void {
    if (this.#piece) throw new XsIpaError('usage', 'the former piece is not used up');
    this.#piece = piece;
    this.#at = 0;
  }

  /** The object is complete; nothing but white space may follow. */
  get complete(): boolean {
    return this.#state === OVER;
  }

  /** The source has no more. @throws JsonError `truncated` */
  finish(): void {
    if (!this.complete) this.fail('truncated', 'the text was cut off');
  }

  next(): Json {
    this.data = undefined;
    this.#fill = 0;
    const piece = this.#piece;
    if (!piece) return Json.nothing;
    const start = this.#at;
    let found: Json = Json.nothing;
    while (found === Json.nothing && this.#at < piece.length) {
      found = this.#state === STRING ? this.string(piece) : this.byte(piece[this.#at++]);
    }
    this.consumed += this.#at - start;
    if (found === Json.nothing) {
      // What was decoded of a value that goes on in the next piece.
      if (this.#fill > 0) return this.give();
      // The piece belongs to whoever fed it; holding on to it would keep its memory.
      this.#piece = undefined;
    }
    return found;
  }

  private give(): Json {
    this.data = this.#out.subarray(0, this.#fill);
    return Json.data;
  }

  // Structure -------------------------------------------------------------------------------------------------------

  private byte(byte: number): Json {
    switch (this.#state) {
      case NAME:
        this.nameByte(byte);
        return Json.nothing;
      case TOKEN:
        return this.token(byte);
      default:
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return Json.nothing;
    }
    switch (this.#state) {
      case VALUE:
      case FIRST_VALUE:
        return this.value(byte);
      case FIRST_NAME:
        if (byte === 0x7d) return this.close(false);
        this.beginName(byte);
        return Json.nothing;
      case NEXT_NAME:
        this.beginName(byte);
        return Json.nothing;
      case COLON:
        if (byte !== 0x3a) this.fail('badJson', 'a name without a colon');
        this.#state = VALUE;
        return Json.nothing;
      case AFTER: {
        const inArray = (this.#arrays & 1) === 1;
        if (byte === 0x2c) this.#state = inArray ? VALUE : NEXT_NAME;
        else if (byte === (inArray ? 0x5d : 0x7d)) return this.close(inArray);
        else this.fail('badJson', 'no comma between two values');
        return Json.nothing;
      }
      case OVER:
        return this.fail('badJson', 'something behind the object');
      default:
        return this.fail('badJson', 'read on after an error');
    }
  }

  private value(byte: number): Json {
    if (this.#depth === 0 && byte !== 0x7b) this.fail('badJson', 'something else than an object');
    if (byte === 0x7b || byte === 0x5b) {
      this.open(byte === 0x5b);
      return Json.nothing;
    }
    if (byte === 0x5d && this.#state === FIRST_VALUE) return this.close(true);
    this.#count = 0;
    this.#wanted = this.wantedHere();
    if (byte === QUOTE) {
      this.#state = STRING;
      this.#escape = PLAIN;
      this.#high = this.#bits = this.#quarter = this.#padding = 0;
      this.#isBytes = this.#wanted >= 0 && this.#fields[this.#wanted].kind === 'base64';
      return this.begin();
    }
    this.#state = TOKEN;
    this.#given = false;
    return this.token(byte);
  }

  private begin(): Json {
    if (this.#wanted < 0) return Json.nothing;
    this.#begun = true;
    this.field = this.#wanted;
    return Json.begin;
  }

  private open(isArray: boolean): void {
    if (this.#depth === JSON_DEPTH) this.fail('tooDeep', 'nested too deeply');
    this.#depth++;
    this.#arrays = (this.#arrays << 1) | (isArray ? 1 : 0);
    this.#state = isArray ? FIRST_VALUE : FIRST_NAME;
    if (!isArray) this.#fits[this.#level++] = this.#fit;
  }

  private close(isArray: boolean): Json {
    this.#depth--;
    this.#arrays >>= 1;
    this.#state = this.#depth === 0 ? OVER : AFTER;
    if (isArray) return Json.nothing;
    this.#fit = this.#fits[--this.#level];
    return this.#fit !== 0 && this.#depth > 0 ? Json.close : Json.nothing;
  }

  private beginName(byte: number): void {
    if (byte !== QUOTE) this.fail('badJson', 'a member without a name');
    this.#state = NAME;
    this.#escape = PLAIN;
    this.#count = this.#high = 0;
  }

  private nameByte(byte: number): void {
    if (byte === QUOTE && this.#escape === PLAIN) {
      this.#fit = this.fitting();
      this.#state = COLON;
      return;
    }
    const code = this.unescape(byte);
    if (code < 0) return;
    // Names of ours are ASCII: one with anything else is none of them.
    if (this.#count < NAME_LIMIT) this.#name[this.#count] = code < 0x80 ? code : 0;
    this.#count++;
  }

  /** Of the members that fit the objects around, those that the name just read fits as well. */
  private fitting(): number {
    const around = this.#fits[this.#level - 1];
    let fit = 0;
    for (let i = 0; i < this.#fields.length; i++) {
      if ((around & (1 << i)) === 0) continue;
      const name = this.#fields[i].path[this.#level - 1];
      if (name !== undefined && this.isName(name)) fit |= 1 << i;
    }
    return fit;
  }

  private isName(name: string): boolean {
    if (name.length !== this.#count) return false;
    for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== this.#name[i]) return false;
    return true;
  }

  /** The member whose path ends here. */
  private wantedHere(): number {
    if (this.#fit === 0) return -1;
    for (let i = 0; i < this.#fields.length; i++) {
      if ((this.#fit & (1 << i)) !== 0 && this.#fields[i].path.length === this.#level) return i;
    }
    return -1;
  }

  // Numbers, true, false, null --------------------------------------------------------------------------------------

  /** A value without quotes; it ends where something else begins. */
  private token(byte: number): Json {
    const isLetter = byte >= 0x61 && byte <= 0x7a;
    const isNumeric =
      (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45;
    if (isLetter || isNumeric) {
      if (this.#count === TOKEN_LIMIT) this.fail('badJson', 'an endless number');
      this.#name[this.#count++] = byte;
      return Json.nothing;
    }
    const isNull = this.isName('null');
    if (!isNull && !this.isName('true') && !this.isName('false') && !this.isNumber()) {
      this.fail('badJson', 'a value that is none');
    }
    const isPresent = this.#wanted >= 0 && !isNull;
    // The byte that ended it is looked at again: first come begin, data and end of the value.
    this.#at--;
    if (isPresent && !this.#begun) return this.begin();
    if (isPresent && !this.#given) {
      this.#given = true;
      this.data = this.#name.subarray(0, this.#count);
      return Json.data;
    }
    this.#state = AFTER;
    return this.end();
  }

  /** `-? digits [. digits] [e ± digits]` */
  private isNumber(): boolean {
    const text = this.#name;
    const count = this.#count;
    let at = count > 0 && text[0] === 0x2d ? 1 : 0;
    const whole = at;
    at = this.digits(at);
    if (at === whole || (text[whole] === 0x30 && at > whole + 1)) return false;
    if (at < count && text[at] === 0x2e) {
      const fraction = at + 1;
      at = this.digits(fraction);
      if (at === fraction) return false;
    }
    if (at < count && (text[at] | 0x20) === 0x65) {
      at++;
      if (at < count && (text[at] === 0x2b || text[at] === 0x2d)) at++;
      const exponent = at;
      at = this.digits(exponent);
      if (at === exponent) return false;
    }
    return at === count;
  }

  private digits(from: number): number {
    let at = from;
    while (at < this.#count && this.#name[at] >= 0x30 && this.#name[at] <= 0x39) at++;
    return at;
  }

  // Strings ---------------------------------------------------------------------------------------------------------

  private string(piece: Uint8Array): Json {
    const limit = this.#out.length - MOST_AT_ONCE;
    while (this.#at < piece.length) {
      if (this.#fill > limit) return this.give();
      if (this.#escape === PLAIN) this.run(piece, limit);
      if (this.#at === piece.length) break;
      if (this.#fill > limit) return this.give();
      const byte = piece[this.#at];
      if (byte === QUOTE && this.#escape === PLAIN) {
        if (this.#fill === 0) this.finishString();
        if (this.#fill > 0) return this.give();
        this.#at++;
        this.#state = AFTER;
        return this.end();
      }
      this.#at++;
      const code = this.unescape(byte);
      if (code < 0 || this.#wanted < 0) continue;
      if (this.#isBytes) this.decode(code);
      else this.utf8(code);
    }
    return Json.nothing;
  }

  /** What needs no thought, which is nearly all: strings nobody wants, and base64. Stops at anything else. */
  private run(piece: Uint8Array, limit: number): void {
    const length = piece.length;
    let at = this.#at;
    if (this.#wanted < 0) {
      while (at < length && piece[at] !== QUOTE && piece[at] !== BACKSLASH && piece[at] >= 0x20) at++;
    } else if (this.#isBytes && this.#padding === 0) {
      const out = this.#out;
      let fill = this.#fill;
      let bits = this.#bits;
      let quarter = this.#quarter;
      while (at < length && fill <= limit) {
        const value = sextet(piece[at]);
        if (value < 0) break;
        at++;
        bits = ((bits & 0xff) << 6) | value;
        quarter = (quarter + 1) & 3;
        if (quarter !== 1) out[fill++] = bits >> (quarter === 0 ? 0 : 8 - 2 * quarter);
      }
      this.#fill = fill;
      this.#bits = bits;
      this.#quarter = quarter;
    }
    this.#at = at;
  }

  private end(): Json {
    const isWanted = this.#begun;
    this.#begun = false;
    this.#wanted = -1;
    return isWanted ? Json.end : Json.nothing;
  }

  /** @returns the byte or, of an escape that is complete, its code; -1 within an escape */
  private unescape(byte: number): number {
    this.#isUnit = false;
    if (this.#escape === PLAIN) {
      if (byte === BACKSLASH) {
        this.#escape = ESCAPE;
        return -1;
      }
      if (byte < 0x20) this.fail('badJson', 'a control character in a string');
      return byte;
    }
    if (this.#escape === ESCAPE) {
      if (byte === 0x75) {
        this.#escape = UNICODE;
        this.#code = 0;
        return -1;
      }
      this.#escape = PLAIN;
      return this.simpleEscape(byte);
    }
    const digit = hexDigit(byte);
    if (digit < 0) this.fail('badJson', 'a \\u without four digits');
    this.#code = this.#code * 16 + digit;
    if (++this.#escape < UNICODE + 4) return -1;
    this.#escape = PLAIN;
    this.#isUnit = true;
    return this.#code;
  }

  private simpleEscape(byte: number): number {
    switch (byte) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
        return byte;
      case 0x62:
        return 8;
      case 0x66:
        return 12;
      case 0x6e:
        return 10;
      case 0x72:
        return 13;
      case 0x74:
        return 9;
      default:
        return this.fail('badJson', 'an escape that is none');
    }
  }

  /** A byte of the text passes as it is, a \u escape becomes UTF-8; half of a pair alone becomes U+FFFD. */
  private utf8(code: number): void {
    const isLow = this.#isUnit && code >= 0xdc00 && code < 0xe000;
    const high = this.#high;
    this.#high = 0;
    if (isLow) {
      this.point(high > 0 ? 0x10000 + ((high & 0x3ff) << 10) + (code & 0x3ff) : REPLACEMENT);
      return;
    }
    if (high > 0) this.point(REPLACEMENT);
    if (!this.#isUnit) this.#out[this.#fill++] = code;
    else if (code >= 0xd800 && code < 0xdc00) this.#high = code;
    else this.point(code);
  }

  private point(point: number): void {
    const out = this.#out;
    if (point < 0x80) {
      out[this.#fill++] = point;
      return;
    }
    if (point < 0x800) out[this.#fill++] = 0xc0 | (point >> 6);
    else {
      if (point < 0x10000) out[this.#fill++] = 0xe0 | (point >> 12);
      else {
        out[this.#fill++] = 0xf0 | (point >> 18);
        out[this.#fill++] = 0x80 | ((point >> 12) & 63);
      }
      out[this.#fill++] = 0x80 | ((point >> 6) & 63);
    }
    out[this.#fill++] = 0x80 | (point & 63);
  }

  private decode(code: number): void {
    const value = sextet(code);
    if (value < 0) {
      this.notBase64(code);
      return;
    }
    if (this.#padding > 0) this.fail('badBase64', 'more after the padding');
    this.#bits = ((this.#bits & 0xff) << 6) | value;
    this.#quarter = (this.#quarter + 1) & 3;
    if (this.#quarter !== 1)
      this.#out[this.#fill++] = this.#bits >> (this.#quarter === 0 ? 0 : 8 - 2 * this.#quarter);
  }

  private notBase64(code: number): void {
    // Lines of base64, as MIME has them, are harmless.
    if (code === 0x0a || code === 0x0d || code === 0x20) return;
    if (code !== 0x3d) this.fail('badBase64', `character ${code} in base64`);
    this.#padding++;
    if (this.#quarter < 2 || this.#quarter + this.#padding > 4)
      this.fail('badBase64', 'padding out of place');
  }

  private finishString(): void {
    if (this.#isBytes && this.#quarter === 1) this.fail('badBase64', 'base64 that is cut off');
    if (this.#isBytes && this.#padding > 0 && this.#quarter + this.#padding !== 4) {
      this.fail('badBase64', 'padding that is cut off');
    }
    if (this.#high > 0 && !this.#isBytes && this.#wanted >= 0) {
      this.#high = 0;
      this.point(REPLACEMENT);
    }
  }

  private fail(code: JsonErrorCode, message: string): never {
    this.#state = BROKEN;
    this.#piece = undefined;
    throw new JsonError(code, `JSON: ${message}`, this.consumed);
  }
}

/** Value of a character of base64; -1 of any other. */
function sextet(code: number): number {
  if (code >= 0x61) return code <= 0x7a ? code - 71 : -1;
  if (code >= 0x41) return code <= 0x5a ? code - 65 : -1;
  if (code >= 0x30) return code <= 0x39 ? code + 4 : -1;
  return code === 0x2b ? 62 : code === 0x2f ? 63 : -1;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
