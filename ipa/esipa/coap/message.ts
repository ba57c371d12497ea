import { XsIpaError } from '../../../hal/contracts/index.js';

/** Message types (RFC 7252 §3). */
export const CoapType = { confirmable: 0, nonConfirmable: 1, acknowledgement: 2, reset: 3 } as const;

/** Codes: class in the upper three bits, detail in the lower five (RFC 7252 §12.1, RFC 7959, RFC 8132, RFC 8516). */
export const CoapCode = {
  empty: 0x00,
  post: 0x02,
  created: 0x41,
  changed: 0x44,
  content: 0x45,
  continue: 0x5f,
  badRequest: 0x80,
  unauthorized: 0x81,
  badOption: 0x82,
  notFound: 0x84,
  notAllowed: 0x85,
  incomplete: 0x88,
  tooLarge: 0x8d,
  tooManyRequests: 0x9d,
  serviceUnavailable: 0xa3,
} as const;

/** Options (RFC 7252 §12.2, RFC 7959, RFC 9175). Odd numbers are critical. */
export const CoapOption = {
  uriHost: 3,
  etag: 4,
  observe: 6,
  uriPort: 7,
  uriPath: 11,
  contentFormat: 12,
  maxAge: 14,
  uriQuery: 15,
  accept: 17,
  block2: 23,
  block1: 27,
  size2: 28,
  size1: 60,
  echo: 252,
  requestTag: 292,
} as const;

/** `2.05` and the like, for people. */
export function codeText(code: number): string {
  const detail = code & 31;
  return `${code >> 5}.${detail < 10 ? '0' : ''}${detail}`;
}

/** Value of a Block1 or Block2 option: number, more, size exponent (RFC 7959 §2.2). */
export function blockValue(number: number, more: boolean, szx: number): number {
  return number * 16 + (more ? 8 : 0) + szx;
}

/** Bytes of a block of size exponent `szx`, 0 to 6. */
export function blockSize(szx: number): number {
  return 16 << szx;
}

/**
 * Reads one datagram in place; one instance serves datagram after datagram.
 *
 * ```
 * if (!reader.parse(bytes)) …reader.fault…
 * if (reader.find(CoapOption.block2)) …reader.uint…
 * ```
 */
export class CoapReader {
  type = 0;
  code = 0;
  id = 0;
  tokenLength = 0;
  /** Offset of the payload; the end of the datagram where there is none. */
  payloadStart = 0;
  /** Of the option that find() or nextOption() found. */
  option = 0;
  valueStart = 0;
  valueEnd = 0;
  /** What was wrong, after parse() was false. */
  fault = '';

  #bytes: Uint8Array | undefined;
  #at = 0;

  /** @returns false for what is no CoAP message (RFC 7252 §3); `id` and `type` may be valid then, to refuse it */
  parse(bytes: Uint8Array): boolean {
    this.#bytes = bytes;
    this.fault = '';
    this.payloadStart = bytes.length;
    this.id = this.type = this.code = this.tokenLength = 0;
    if (bytes.length < 4) return this.refuse('shorter than a header');
    if (bytes[0] >> 6 !== 1) return this.refuse('another version than 1');
    this.type = (bytes[0] >> 4) & 3;
    this.code = bytes[1];
    this.id = (bytes[2] << 8) | bytes[3];
    this.tokenLength = bytes[0] & 15;
    if (this.tokenLength > 8) return this.refuse('a token of more than 8 bytes');
    if (bytes.length < 4 + this.tokenLength) return this.refuse('cut off in its token');
    if (this.code === CoapCode.empty && bytes.length > 4) return this.refuse('an empty message with content');
    const kind = this.code >> 5;
    if (kind === 1 || kind > 5) return this.refuse('a reserved code');
    this.rewind();
    while (this.nextOption());
    return this.fault === '';
  }

  get bytes(): Uint8Array {
    return this.#bytes as Uint8Array;
  }

  /** View of the payload, empty where there is none. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart);
  }

  /**
   * A number that is the same for the same message when it comes again: of message id and token. A server that was started
   * anew may use an id again long before its time, but not with the token of another request.
   */
  get key(): number {
    let hash = 0;
    for (let at = 4; at < 4 + this.tokenLength; at++) hash = (hash * 31 + this.bytes[at]) & 0x7fff;
    return hash * 0x10000 + this.id;
  }

  /** Lets go of the datagram. */
  release(): void {
    this.#bytes = undefined;
  }

  hasToken(token: Uint8Array): boolean {
    if (token.length !== this.tokenLength) return false;
    for (let i = 0; i < token.length; i++) if (this.bytes[4 + i] !== token[i]) return false;
    return true;
  }

  /** Before the first option. */
  rewind(): void {
    this.#at = 4 + this.tokenLength;
    this.option = 0;
    this.valueEnd = this.#at;
  }

  nextOption(): boolean {
    const bytes = this.bytes;
    let at = this.#at;
    if (at >= bytes.length) return false;
    const head = bytes[at++];
    if (head === 0xff) {
      if (at === bytes.length) return this.refuse('a marker without a payload');
      this.payloadStart = at;
      this.#at = bytes.length;
      return false;
    }
    const deltaBytes = extraBytes(head >> 4);
    const lengthBytes = extraBytes(head & 15);
    if (deltaBytes < 0 || lengthBytes < 0) return this.refuse('a reserved option header');
    if (at + deltaBytes + lengthBytes > bytes.length) return this.refuse('cut off in an option');
    this.option += extended(bytes, at, head >> 4);
    at += deltaBytes;
    const length = extended(bytes, at, head & 15);
    at += lengthBytes;
    if (at + length > bytes.length) return this.refuse('cut off in an option');
    if (this.option > 0xffff) return this.refuse('an option number beyond 65535');
    this.valueStart = at;
    this.#at = this.valueEnd = at + length;
    return true;
  }

  /** Goes to the first option of this number. */
  find(number: number): boolean {
    this.rewind();
    while (this.nextOption()) if (this.option === number) return true;
    return false;
  }

  /** Value of the option found as a number; -1 where it is longer than four bytes. */
  get uint(): number {
    if (this.valueEnd - this.valueStart > 4) return -1;
    let value = 0;
    for (let at = this.valueStart; at < this.valueEnd; at++) value = value * 256 + this.bytes[at];
    return value;
  }

  /** Value of an option as a number; -1 where it is absent or none. */
  uintOf(number: number): number {
    return this.find(number) ? this.uint : -1;
  }

  /**
   * The first critical option that is not in the list, or comes again though it may not (RFC 7252 §5.4.1, §5.4.5); 0 if there
   * is none.
   */
  unknownCritical(known: readonly number[]): number {
    this.rewind();
    for (let before = 0; this.nextOption(); before = this.option) {
      const { option } = this;
      if ((option & 1) === 0) continue;
      const mayRepeat = option === CoapOption.uriPath || option === CoapOption.uriQuery;
      if (!known.includes(option) || (option === before && !mayRepeat)) return option;
    }
    return 0;
  }

  private refuse(fault: string): false {
    this.fault = fault;
    this.#at = this.bytes.length;
    return false;
  }
}

/** Writes one datagram into lent memory. @throws XsIpaError `usage` when it does not fit, or options come out of order */
export class CoapWriter {
  length = 0;
  #bytes: Uint8Array | undefined;
  #option = 0;

  /** What was written; a view. */
  get bytes(): Uint8Array {
    return this.memory.subarray(0, this.length);
  }

  /** Lets go of the memory. */
  release(): void {
    this.#bytes = undefined;
    this.length = 0;
  }

  begin(bytes: Uint8Array, type: number, code: number, id: number, token?: Uint8Array): this {
    this.#bytes = bytes;
    this.length = this.#option = 0;
    const tokenLength = token ? token.length : 0;
    this.room(4 + tokenLength);
    this.byte(0x40 | (type << 4) | tokenLength);
    this.byte(code);
    this.byte(id >> 8);
    this.byte(id);
    if (token) this.copy(token);
    return this;
  }

  /** @param value bytes, or ASCII characters */
  add(number: number, value: Uint8Array | string): this {
    const delta = number - this.#option;
    const { length } = value;
    if (delta < 0) throw new XsIpaError('usage', `option ${number} behind ${this.#option}`);
    this.#option = number;
    this.room(5 + length);
    this.byte((nibble(delta) << 4) | nibble(length));
    this.extended(delta);
    this.extended(length);
    if (typeof value === 'string') for (let i = 0; i < length; i++) this.byte(value.charCodeAt(i));
    else this.copy(value);
    return this;
  }

  /** An option of a number, in as few bytes as it needs. */
  addUint(number: number, value: number): this {
    let size = 0;
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) size++;
    const bytes = new Uint8Array(size);
    for (let rest = value; size > 0; rest = Math.floor(rest / 256)) bytes[--size] = rest & 0xff;
    return this.add(number, bytes);
  }

  /** The payload, last of all; nothing where it is empty. */
  payload(bytes: Uint8Array): this {
    if (bytes.length === 0) return this;
    this.room(1 + bytes.length);
    this.byte(0xff);
    this.copy(bytes);
    return this;
  }

  private extended(value: number): void {
    if (value >= 269) {
      this.byte((value - 269) >> 8);
      this.byte(value - 269);
    } else if (value >= 13) this.byte(value - 13);
  }

  private get memory(): Uint8Array {
    return this.#bytes as Uint8Array;
  }

  private byte(value: number): void {
    this.memory[this.length++] = value;
  }

  private copy(bytes: Uint8Array): void {
    this.memory.set(bytes, this.length);
    this.length += bytes.length;
  }

  private room(count: number): void {
    const { length } = this.memory;
    if (this.length + count > length)
      throw new XsIpaError('usage', `a datagram of more than ${length} bytes`);
  }
}

function nibble(value: number): number {
  return value < 13 ? value : value < 269 ? 13 : 14;
}

/** Bytes behind an option's header that a nibble of it announces; -1 for 15, which is reserved. */
function extraBytes(nibble: number): number {
  return nibble < 13 ? 0 : nibble === 13 ? 1 : nibble === 14 ? 2 : -1;
}

function extended(bytes: Uint8Array, at: number, nibble: number): number {
  if (nibble < 13) return nibble;
  return nibble === 13 ? bytes[at] + 13 : bytes[at] * 256 + bytes[at + 1] + 269;
}
