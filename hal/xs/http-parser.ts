import { readUtf8 } from './utf8.js';

/** What {@link HttpParser.push} found with a byte. */
export const Heard = {
  /** Nothing yet. */
  incomplete: 0,
  /** The head of the final response: status and headers. */
  head: 1,
  /** `body` bytes of the response body follow. */
  body: 2,
  /** The response is complete. */
  end: 3,
  fault: -1,
} as const;

/** Longest kept value of a header; a longer one is cut. */
const VALUE_LIMIT = 64;
/** Longest header name that is looked at; a longer one is none of ours. */
const NAME_LIMIT = 24;
/** Digits of a chunk's length: 28 bits. */
const CHUNK_DIGITS = 7;

/** Visible characters that are not part of a token (RFC 9110 §5.6.2). */
const DELIMITERS = '"(),/:;<=>?@[\\]{}';

// What the next byte belongs to.
const VERSION = 0;
const STATUS = 1;
const REASON = 2;
const LINE_START = 3;
const NAME = 4;
const VALUE = 5;
const CHUNK_SIZE = 6;
const CHUNK_EXTENSION = 7;
const CHUNK_END = 8;
const TRAILER_START = 9;
const TRAILER = 10;
const BODY = 11;
const OVER = 12;
const BROKEN = 13;

const CR = 0x0d;
const LF = 0x0a;

/**
 * Reads the responses of an HTTP/1.1 server byte by byte (RFC 9112). Bodies are not passed through it: while `body` is not
 * 0, that many bytes are the application's, and whoever reads them reports it with skip().
 *
 * Interim responses (1xx) are passed over. What it accepts: lines that end in LF alone, HTTP/1.0. What it refuses: folded
 * header lines, other transfer codings than chunked, contradicting lengths, a head longer than the limit.
 */
export class HttpParser {
  status = 0;
  /** The kept headers of the final response: those named to the constructor, if they came. */
  headers: Map<string, string> | undefined;
  /** Bytes of the body that follow without anything in between; Infinity when it ends with the connection. */
  body = 0;
  /** Another exchange may follow on this connection. */
  keepAlive = true;
  /** What was wrong, after a fault. */
  fault = '';

  readonly #kept: readonly string[];
  readonly #limit: number;
  readonly #text = new Uint8Array(VALUE_LIMIT);
  #state = OVER;
  #noBody = false;
  /** Of the present line part. */
  #count = 0;
  #afterCr = false;
  /** Bytes of the head, interim responses and trailers included. */
  #headBytes = 0;
  #name = '';
  #length = -1;
  #chunked = false;

  /**
   * @param kept lower-case names of the headers that are kept
   * @param headLimit longest head of a response, bytes
   */
  constructor(kept: readonly string[], headLimit: number) {
    this.#kept = kept;
    this.#limit = headLimit;
  }

  /** A request went out, its response is due. @param method decides whether a body can follow */
  expect(method: string): void {
    this.#noBody = method === 'HEAD';
    this.#headBytes = 0;
    this.begin();
  }

  /** So many bytes can be taken from the socket without touching the body; 0 while a body or nothing is due. */
  get need(): number {
    switch (this.#state) {
      case VERSION:
        // The shortest head: `HTTP/1.1 204` and two line ends. In the other states, too: what the head still has at least.
        return 14 - this.#count;
      case CHUNK_END:
        return this.#afterCr ? 1 : 2;
      case NAME:
        return 3;
      case REASON:
      case VALUE:
        return 2;
      case BODY:
      case OVER:
      case BROKEN:
        return 0;
      default:
        return 1;
    }
  }

  /** True between responses. */
  get idle(): boolean {
    return this.#state === OVER;
  }

  /** `count` bytes of the body were read. @returns `end` when the response is complete, else `incomplete` */
  skip(count: number): number {
    this.body -= count;
    if (this.body > 0 || this.#state !== BODY) return Heard.incomplete;
    if (this.#chunked) {
      this.to(CHUNK_END);
      return Heard.incomplete;
    }
    return this.end();
  }

  /** The connection has ended. @returns `end` when that completes the response */
  finish(): number {
    if (this.#state === BODY && this.body === Number.POSITIVE_INFINITY) return this.end();
    return this.fail('the connection ended in the middle of a response');
  }

  push(byte: number): number {
    if (this.#state < CHUNK_SIZE || this.#state === TRAILER_START || this.#state === TRAILER) {
      if (++this.#headBytes > this.#limit) return this.fail(`a head of more than ${this.#limit} bytes`);
    }
    if (byte === CR && !this.#afterCr && this.#state !== BODY && this.#state < OVER) {
      this.#afterCr = true;
      return Heard.incomplete;
    }
    if (this.#afterCr && byte !== LF) return this.fail('a CR that ends no line');
    this.#afterCr = false;
    switch (this.#state) {
      case VERSION:
        return this.version(byte);
      case STATUS:
        return this.statusDigit(byte);
      case REASON:
        if (byte === LF) this.to(LINE_START);
        return Heard.incomplete;
      case LINE_START:
        if (byte === LF) return this.head();
        if (byte === 0x20 || byte === 0x09) return this.fail('a folded header line');
        this.to(NAME);
        return this.nameByte(byte);
      case NAME:
        return this.nameByte(byte);
      case VALUE:
        return this.valueByte(byte);
      case CHUNK_SIZE:
        return this.chunkSize(byte);
      case CHUNK_EXTENSION:
        if (byte === LF) return this.chunk();
        // Nobody uses them; an endless one must not keep us here.
        return ++this.#count > this.#limit ? this.fail('an endless chunk extension') : Heard.incomplete;
      case CHUNK_END:
        if (byte !== LF) return this.fail('a chunk longer than its length');
        this.#length = 0;
        this.to(CHUNK_SIZE);
        return Heard.incomplete;
      case TRAILER_START:
        if (byte === LF) return this.end();
        this.to(TRAILER);
        return Heard.incomplete;
      case TRAILER:
        if (byte === LF) this.to(TRAILER_START);
        return Heard.incomplete;
      case BODY:
        return this.fail('a body was taken for a head');
      case OVER:
        return this.fail('bytes that belong to no response');
      default:
        return Heard.fault;
    }
  }

  private begin(): void {
    this.status = 0;
    this.body = 0;
    this.headers = undefined;
    this.#length = -1;
    this.#chunked = false;
    this.keepAlive = true;
    this.to(VERSION);
  }

  private to(state: number): void {
    this.#state = state;
    this.#count = 0;
  }

  private version(byte: number): number {
    const at = this.#count++;
    if (at === 7) {
      // The minor version: HTTP/1.0 closes unless it says otherwise.
      if (byte !== 0x30 && byte !== 0x31) return this.fail('another version than HTTP/1');
      this.keepAlive = byte === 0x31;
      return Heard.incomplete;
    }
    if (at < 7 && byte !== 'HTTP/1.'.charCodeAt(at)) return this.fail('something else than HTTP/1');
    if (at === 8) {
      if (byte !== 0x20) return this.fail('a version without a status');
      this.to(STATUS);
    }
    return Heard.incomplete;
  }

  private statusDigit(byte: number): number {
    if (this.#count < 3) {
      this.#count++;
      if (!isDigit(byte)) return this.fail('a status that is no number');
      this.status = this.status * 10 + byte - 0x30;
      return Heard.incomplete;
    }
    if (this.status < 100) return this.fail(`status ${this.status}`);
    if (byte === LF) this.to(LINE_START);
    else if (byte === 0x20) this.to(REASON);
    else return this.fail('a status of more than three digits');
    return Heard.incomplete;
  }

  private nameByte(byte: number): number {
    if (byte !== 0x3a) {
      if (!isToken(byte)) return this.fail('a header name with a character of no name');
      if (this.#count < NAME_LIMIT)
        this.#text[this.#count] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
      this.#count++;
      return Heard.incomplete;
    }
    if (this.#count === 0) return this.fail('a header without a name');
    this.#name = this.known();
    this.to(VALUE);
    return Heard.incomplete;
  }

  /** The name just read if it is of interest, else an empty string; strings are made of no other one. */
  private known(): string {
    if (this.#count > NAME_LIMIT) return '';
    if (this.is('content-length')) return 'content-length';
    if (this.is('transfer-encoding')) return 'transfer-encoding';
    if (this.is('connection')) return 'connection';
    for (const name of this.#kept) if (this.is(name)) return name;
    return '';
  }

  private is(text: string): boolean {
    if (text.length !== this.#count) return false;
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== this.#text[i]) return false;
    return true;
  }

  private valueByte(byte: number): number {
    if (byte === LF) return this.header();
    if (byte === 0) return this.fail('a header with a NUL');
    const isSpace = byte === 0x20 || byte === 0x09;
    if (this.#name === '' || (isSpace && this.#count === 0)) return Heard.incomplete;
    if (this.#count < VALUE_LIMIT) this.#text[this.#count++] = byte;
    else if (this.#name === 'content-length') return this.fail('a length of no number');
    return Heard.incomplete;
  }

  private header(): number {
    const name = this.#name;
    let length = this.#count;
    while (length > 0 && (this.#text[length - 1] === 0x20 || this.#text[length - 1] === 0x09)) length--;
    this.to(LINE_START);
    if (name === '') return Heard.incomplete;
    const value = readUtf8(this.#text, length);
    if (name === 'content-length') return this.contentLength(value);
    if (name === 'transfer-encoding') {
      if (this.#chunked || value.toLowerCase() !== 'chunked') {
        return this.fail(`transfer coding ${value}, of which only chunked is known here`);
      }
      this.#chunked = true;
      return Heard.incomplete;
    }
    if (name === 'connection') {
      const option = value.toLowerCase();
      if (option === 'keep-alive') this.keepAlive = true;
      else if (option.includes('close')) this.keepAlive = false;
      return Heard.incomplete;
    }
    this.headers ??= new Map();
    this.headers.set(name, value);
    return Heard.incomplete;
  }

  private contentLength(value: string): number {
    let length = 0;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (!isDigit(code)) return this.fail(`the length ${value}`);
      length = length * 10 + code - 0x30;
    }
    if (value.length === 0 || length > Number.MAX_SAFE_INTEGER) return this.fail(`the length ${value}`);
    if (this.#length >= 0 && this.#length !== length) return this.fail('two lengths');
    this.#length = length;
    return Heard.incomplete;
  }

  private head(): number {
    if (this.status < 200) {
      // 101 is an answer to an upgrade, which nobody asked for.
      if (this.status === 101) return this.fail('another protocol than HTTP');
      this.begin();
      return Heard.incomplete;
    }
    if (this.#noBody || this.status === 204 || this.status === 304) {
      this.#length = 0;
      this.#chunked = false;
    }
    // Both at once is how responses are smuggled: what comes behind is not trusted (RFC 9112 §6.3).
    if (this.#chunked && this.#length >= 0) this.keepAlive = false;
    if (this.#chunked) {
      this.#length = 0;
      this.to(CHUNK_SIZE);
    } else if (this.#length !== 0) {
      if (this.#length < 0) this.keepAlive = false;
      this.body = this.#length < 0 ? Number.POSITIVE_INFINITY : this.#length;
      this.to(BODY);
    } else {
      this.to(OVER);
    }
    return Heard.head;
  }

  private chunkSize(byte: number): number {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#count > CHUNK_DIGITS) return this.fail('a chunk of a length beyond reason');
      this.#length = this.#length * 16 + digit;
      return Heard.incomplete;
    }
    if (this.#count === 0) return this.fail('a chunk without a length');
    if (byte === LF) return this.chunk();
    if (byte !== 0x3b && byte !== 0x20 && byte !== 0x09)
      return this.fail('a length of a chunk that is no number');
    this.to(CHUNK_EXTENSION);
    return Heard.incomplete;
  }

  private chunk(): number {
    if (this.#length === 0) {
      this.to(TRAILER_START);
      return Heard.incomplete;
    }
    this.body = this.#length;
    this.to(BODY);
    return Heard.body;
  }

  private end(): number {
    this.body = 0;
    this.to(OVER);
    return Heard.end;
  }

  private fail(fault: string): number {
    this.fault = fault;
    this.#state = BROKEN;
    this.body = 0;
    this.keepAlive = false;
    return Heard.fault;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function isToken(byte: number): boolean {
  if (byte <= 0x20 || byte >= 0x7f) return false;
  for (let i = 0; i < DELIMITERS.length; i++) if (DELIMITERS.charCodeAt(i) === byte) return false;
  return true;
}
