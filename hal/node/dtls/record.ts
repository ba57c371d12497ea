import { type Suite, seal, unseal } from './crypto.js';
import type { Keys } from './secrets.js';

/** Content types (RFC 6347 §4.1, RFC 9146 §4). */
export const Content = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23, cid: 25 } as const;

/** DTLS 1.2. */
const VERSION = 0xfefd;
/** Beyond it a record is no record. */
const LONGEST = 16_384 + 256;
const WINDOW = 64;

/** One record as it came. */
export interface DtlsRecord {
  type: number;
  epoch: number;
  sequence: number;
  cid: Buffer | undefined;
  /** Header up to the length. */
  header: Buffer;
  fragment: Buffer;
}

/**
 * The records of a datagram; what cannot be read ends the list.
 * @param cidLength bytes of our connection id, which the header does not tell
 */
export function recordsOf(datagram: Uint8Array, cidLength: number): DtlsRecord[] {
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
  const records: DtlsRecord[] = [];
  for (let at = 0; at + 13 <= bytes.length; ) {
    const type = bytes[at];
    const isCid = type === Content.cid;
    const head = isCid ? 11 + cidLength : 11;
    if (at + head + 2 > bytes.length || bytes[at + 1] !== 0xfe || (isCid && cidLength === 0)) break;
    const length = bytes.readUInt16BE(at + head);
    const start = at + head + 2;
    if (length > LONGEST || start + length > bytes.length) break;
    records.push({
      type,
      epoch: bytes.readUInt16BE(at + 3),
      sequence: bytes.readUIntBE(at + 5, 6),
      cid: isCid ? bytes.subarray(at + 11, at + head) : undefined,
      header: bytes.subarray(at, at + head),
      fragment: bytes.subarray(start, start + length),
    });
    at = start + length;
  }
  return records;
}

/** A record that is not protected. */
export function plainRecord(type: number, sequence: number, fragment: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header[0] = type;
  header.writeUInt16BE(VERSION, 1);
  header.writeUIntBE(sequence, 5, 6);
  header.writeUInt16BE(fragment.length, 11);
  return Buffer.concat([header, fragment]);
}

/** The protected records of one session, both directions, epoch 1: AEAD, connection ids and the window against replays. */
export class Protection {
  readonly #suite: Suite;
  readonly #write: Keys;
  readonly #read: Keys;
  /** What the other side wants to see in our records; empty: the plain form. */
  readonly #peerCid: Buffer;
  readonly #ownCid: Buffer;
  #sequence = 0;
  /** Highest number received, and which of those before it. */
  #highest = -1;
  #seen = 0n;

  constructor(suite: Suite, write: Keys, read: Keys, peerCid: Buffer, ownCid: Buffer) {
    this.#suite = suite;
    this.#write = write;
    this.#read = read;
    this.#peerCid = peerCid;
    this.#ownCid = ownCid;
  }

  get hasPeerCid(): boolean {
    return this.#peerCid.length > 0;
  }

  seal(type: number, plain: Uint8Array): Buffer {
    const cid = this.#peerCid;
    const isCid = cid.length > 0;
    const header = Buffer.alloc(11 + cid.length);
    header[0] = isCid ? Content.cid : type;
    header.writeUInt16BE(VERSION, 1);
    header.writeUInt16BE(1, 3);
    header.writeUIntBE(this.#sequence++, 5, 6);
    header.set(cid, 11);
    const inner = isCid ? Buffer.concat([plain, Buffer.from([type])]) : Buffer.from(plain);
    const explicit = Buffer.from(header.subarray(3, 11));
    const sealed = seal(this.#suite, this.#write, explicit, additional(header, cid, inner.length), inner);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(sealed.length);
    return Buffer.concat([header, length, sealed]);
  }

  /** @returns undefined for what is not of this session, or was there before; `isNewest` where none after it has come */
  unseal(record: DtlsRecord): { type: number; plain: Buffer; isNewest: boolean } | undefined {
    const { header, fragment, sequence, epoch } = record;
    const cid = record.cid ?? Buffer.alloc(0);
    const length = fragment.length - 8 - this.#suite.tag;
    if (epoch !== 1 || length < 0 || !cid.equals(this.#ownCid) || this.#isReplay(sequence)) return undefined;
    const plain = unseal(this.#suite, this.#read, additional(header, cid, length), fragment);
    if (!plain) return undefined;
    const isNewest = sequence > this.#highest;
    this.#remember(sequence);
    if (cid.length === 0) return { type: record.type, plain, isNewest };
    let end = plain.length;
    while (end > 0 && plain[end - 1] === 0) end--;
    return end === 0 ? undefined : { type: plain[end - 1], plain: plain.subarray(0, end - 1), isNewest };
  }

  #isReplay(sequence: number): boolean {
    const age = this.#highest - sequence;
    return age >= WINDOW || (age >= 0 && ((this.#seen >> BigInt(age)) & 1n) === 1n);
  }

  #remember(sequence: number): void {
    const age = this.#highest - sequence;
    if (age >= 0) this.#seen |= 1n << BigInt(age);
    else {
      this.#seen = BigInt.asUintN(WINDOW, -age >= WINDOW ? 1n : (this.#seen << BigInt(-age)) | 1n);
      this.#highest = sequence;
    }
  }
}

/** What is authenticated beside the content: RFC 5246 §6.2.3.3, and RFC 9146 §5.3 with a connection id. */
function additional(header: Buffer, cid: Buffer, length: number): Buffer {
  const lengthBytes = Buffer.from([length >> 8, length & 255]);
  const [type] = header;
  const version = header.subarray(1, 3);
  const number = header.subarray(3, 11);
  if (cid.length === 0) return Buffer.concat([number, Buffer.from([type]), version, lengthBytes]);
  const placeholder = Buffer.alloc(8, 0xff);
  const types = Buffer.from([Content.cid, cid.length, Content.cid]);
  return Buffer.concat([placeholder, types, version, number, cid, lengthBytes]);
}
