import { Reader } from './bytes.js';
import { DtlsError } from './error.js';

/** Handshake types (RFC 5246 §7.4, RFC 6347 §4.3.2). */
export const Handshake = {
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  clientKeyExchange: 16,
  finished: 20,
} as const;

/** Bytes of a message's header. */
export const HEADER = 12;
/** Most bytes of messages that are kept until they are whole: a chain of some certificates. */
const LONGEST = 16_384;
/** Messages that may come before the one that is due. */
const AHEAD = 8;

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

/** A part of a message, with a header of its own. */
export function fragmentOf(whole: Uint8Array, offset: number, count: number): Buffer {
  const header = Buffer.from(whole.subarray(0, HEADER));
  header.writeUIntBE(offset, 6, 3);
  header.writeUIntBE(count, 9, 3);
  return Buffer.concat([header, whole.subarray(HEADER + offset, HEADER + offset + count)]);
}

/** A message of which parts have come. */
interface Part {
  type: number;
  body: Buffer;
  /** 1 for each byte that is there. */
  there: Uint8Array;
  missing: number;
}

/**
 * Puts messages together from their fragments, which may come in any order and overlap. What there is no room for is
 * dropped: it will come again.
 */
export class Assembly {
  /** Number of the message that is due. */
  next: number;
  readonly #limit: number;
  readonly #parts = new Map<number, Part>();
  #held = 0;

  /** @param limit bytes of all messages that are not whole, or wait for their turn */
  constructor(next = 0, limit = LONGEST) {
    this.next = next;
    this.#limit = limit;
  }

  /** Bytes of messages that are kept. */
  get held(): number {
    return this.#held;
  }

  /**
   * @returns the messages whose turn it is, and whether there were some that had been before
   * @throws DtlsError 'protocol'
   */
  take(fragment: Buffer): { messages: Message[]; again: boolean } {
    let again = false;
    const reader = new Reader(fragment);
    while (reader.left > 0) {
      const type = reader.uint(1);
      const length = reader.uint(3);
      const sequence = reader.uint(2);
      const offset = reader.uint(3);
      const piece = reader.bytes(reader.uint(3));
      if (length > this.#limit)
        throw new DtlsError('protocol', `a handshake message of ${length} bytes; ${this.#limit} at most`);
      if (offset + piece.length > length)
        throw new DtlsError('protocol', 'a handshake message of a wrong length');
      if (sequence < this.next) again = true;
      else if (sequence < this.next + AHEAD) this.#keep(type, length, sequence, offset, piece);
    }
    return { messages: this.#due(), again };
  }

  #keep(type: number, length: number, sequence: number, offset: number, piece: Buffer): void {
    let part = this.#parts.get(sequence);
    if (part && (part.type !== type || part.body.length !== length)) {
      this.#drop(sequence);
      part = undefined;
    }
    if (!part) {
      if (this.#held + length > this.#limit) {
        if (sequence !== this.next) return;
        for (const other of [...this.#parts.keys()]) this.#drop(other);
      }
      part = { type, body: Buffer.alloc(length), there: new Uint8Array(length), missing: length };
      this.#parts.set(sequence, part);
      this.#held += length;
    }
    for (let i = 0; i < piece.length; i++) {
      if (part.there[offset + i] === 1) continue;
      part.there[offset + i] = 1;
      part.body[offset + i] = piece[i];
      part.missing--;
    }
  }

  #due(): Message[] {
    const messages: Message[] = [];
    for (;;) {
      const part = this.#parts.get(this.next);
      if (!part || part.missing > 0) return messages;
      this.#drop(this.next);
      messages.push(message(part.type, this.next++, part.body));
    }
  }

  #drop(sequence: number): void {
    this.#held -= this.#parts.get(sequence)?.body.length ?? 0;
    this.#parts.delete(sequence);
  }
}
