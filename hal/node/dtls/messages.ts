import { DtlsError } from './error.js';

/** Handshake types (RFC 5246 §7.4, RFC 6347 §4.3.2). */
export const Handshake = {
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  serverKeyExchange: 12,
  serverHelloDone: 14,
  clientKeyExchange: 16,
  finished: 20,
} as const;

const Extension = { extendedMasterSecret: 23, connectionId: 54, renegotiationInfo: 0xff01 } as const;
/** Stands for the extension of that name. */
const RENEGOTIATION_SCSV = 0x00ff;
const VERSION = 0xfefd;
const HEADER = 12;
/** Longest message that is put together: nobody needs more for a pre-shared key. */
const LONGEST = 4_096;

export interface Message {
  type: number;
  sequence: number;
  body: Buffer;
  /** In one piece with its header, as it is hashed. */
  whole: Buffer;
}

export function message(type: number, sequence: number, body: Uint8Array): Message {
  const header = Buffer.alloc(HEADER);
  header[0] = type;
  header.writeUIntBE(body.length, 1, 3);
  header.writeUInt16BE(sequence, 4);
  header.writeUIntBE(body.length, 9, 3);
  const whole = Buffer.concat([header, body]);
  return { type, sequence, whole, body: whole.subarray(HEADER) };
}

/** Puts messages together from their fragments, in order; what comes out of turn will come again. */
export class Assembly {
  /** Number of the message that is due. */
  next: number;
  #type = 0;
  #body: Buffer | undefined;
  #have = 0;

  constructor(next = 0) {
    this.next = next;
  }

  /**
   * @returns the messages that are whole now, and whether there were some that had been before
   * @throws DtlsError 'protocol'
   */
  take(fragment: Buffer): { messages: Message[]; again: boolean } {
    const messages: Message[] = [];
    let again = false;
    const reader = new Reader(fragment);
    while (reader.left > 0) {
      const type = reader.uint(1);
      const length = reader.uint(3);
      const sequence = reader.uint(2);
      const offset = reader.uint(3);
      const piece = reader.bytes(reader.uint(3));
      if (length > LONGEST || offset + piece.length > length)
        throw new DtlsError('protocol', 'a handshake message of a wrong length');
      if (sequence < this.next) again = true;
      if (sequence !== this.next) continue;
      if (offset === 0) {
        this.#body = Buffer.alloc(length);
        this.#type = type;
        this.#have = 0;
      }
      const body = this.#body;
      if (!body || offset !== this.#have || body.length !== length || type !== this.#type) continue;
      piece.copy(body, offset);
      this.#have += piece.length;
      if (this.#have < length) continue;
      this.#body = undefined;
      this.next++;
      messages.push(message(type, sequence, body));
    }
    return { messages, again };
  }
}

class Reader {
  #at = 0;
  readonly #source: Buffer;

  constructor(source: Buffer) {
    this.#source = source;
  }

  get left(): number {
    return this.#source.length - this.#at;
  }

  uint(size: number): number {
    return this.bytes(size).readUIntBE(0, size);
  }

  bytes(count: number): Buffer {
    if (count > this.left) throw new DtlsError('protocol', 'a handshake message is cut off');
    this.#at += count;
    return this.#source.subarray(this.#at - count, this.#at);
  }

  /** Bytes behind their length. */
  vector(size: number): Buffer {
    return this.bytes(this.uint(size));
  }
}

const uint = (value: number, size: number) => {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
};
const vector = (content: Uint8Array, size: number) => Buffer.concat([uint(content.length, size), content]);

/** What of extensions is understood; connectionId is what the sender wants to see in records to it. */
export interface Extensions {
  extendedMasterSecret: boolean;
  renegotiationInfo: boolean;
  connectionId: Buffer | undefined;
}

function writeExtensions({ extendedMasterSecret, renegotiationInfo, connectionId }: Extensions): Buffer {
  const parts: Buffer[] = [];
  const add = (type: number, content: Uint8Array) => parts.push(uint(type, 2), vector(content, 2));
  if (renegotiationInfo) add(Extension.renegotiationInfo, Buffer.from([0]));
  if (extendedMasterSecret) add(Extension.extendedMasterSecret, Buffer.alloc(0));
  if (connectionId) add(Extension.connectionId, vector(connectionId, 1));
  return parts.length === 0 ? Buffer.alloc(0) : vector(Buffer.concat(parts), 2);
}

function readExtensions(reader: Reader): Extensions {
  const found: Extensions = {
    extendedMasterSecret: false,
    renegotiationInfo: false,
    connectionId: undefined,
  };
  if (reader.left === 0) return found;
  const list = new Reader(reader.vector(2));
  while (list.left > 0) {
    const type = list.uint(2);
    const content = new Reader(list.vector(2));
    if (type === Extension.extendedMasterSecret) found.extendedMasterSecret = true;
    else if (type === Extension.renegotiationInfo) found.renegotiationInfo = true;
    else if (type === Extension.connectionId) found.connectionId = Buffer.from(content.vector(1));
  }
  return found;
}

export interface ClientHello extends Extensions {
  random: Buffer;
  cookie: Buffer;
  suites: number[];
}

export function writeClientHello({ random, cookie, suites, ...extensions }: ClientHello): Buffer {
  return Buffer.concat([
    uint(VERSION, 2),
    random,
    vector(Buffer.alloc(0), 1),
    vector(cookie, 1),
    vector(Buffer.concat(suites.map((suite) => uint(suite, 2))), 2),
    vector(Buffer.from([0]), 1),
    writeExtensions(extensions),
  ]);
}

/** @throws DtlsError 'protocol' */
export function readClientHello(body: Buffer): ClientHello {
  const reader = new Reader(body);
  // Minor numbers run downwards: fefd is 1.2, feff 1.0.
  if (reader.uint(2) > VERSION) throw new DtlsError('protocol', 'the client does not speak DTLS 1.2');
  const random = Buffer.from(reader.bytes(32));
  reader.vector(1);
  const cookie = Buffer.from(reader.vector(1));
  const list = new Reader(reader.vector(2));
  const suites: number[] = [];
  while (list.left > 0) suites.push(list.uint(2));
  reader.vector(1);
  const extensions = readExtensions(reader);
  if (suites.includes(RENEGOTIATION_SCSV)) extensions.renegotiationInfo = true;
  return { random, cookie, suites, ...extensions };
}

export function writeHelloVerify(cookie: Uint8Array): Buffer {
  // RFC 6347 §4.2.1: 1.0, whatever will be agreed on.
  return Buffer.concat([uint(0xfeff, 2), vector(cookie, 1)]);
}

/** The cookie. @throws DtlsError 'protocol' */
export function readHelloVerify(body: Buffer): Buffer {
  const reader = new Reader(body);
  reader.uint(2);
  return Buffer.from(reader.vector(1));
}

export interface ServerHello extends Extensions {
  random: Buffer;
  suite: number;
}

export function writeServerHello({ random, suite, ...extensions }: ServerHello): Buffer {
  return Buffer.concat([
    uint(VERSION, 2),
    random,
    vector(Buffer.alloc(0), 1),
    uint(suite, 2),
    Buffer.from([0]),
    writeExtensions(extensions),
  ]);
}

/** @throws DtlsError 'protocol' */
export function readServerHello(body: Buffer): ServerHello {
  const reader = new Reader(body);
  if (reader.uint(2) !== VERSION) throw new DtlsError('protocol', 'the server does not speak DTLS 1.2');
  const random = Buffer.from(reader.bytes(32));
  reader.vector(1);
  const suite = reader.uint(2);
  if (reader.uint(1) !== 0) throw new DtlsError('protocol', 'the server wants to compress');
  return { random, suite, ...readExtensions(reader) };
}

export function writeIdentity(identity: string): Buffer {
  return vector(Buffer.from(identity, 'utf8'), 2);
}

/** @throws DtlsError 'protocol' */
export function readIdentity(body: Buffer): string {
  return new Reader(body).vector(2).toString('utf8');
}
