import { type CoapClient, CoapError, type CoapHandler } from './client.js';
import {
  blockSize,
  blockValue,
  CoapCode,
  CoapOption,
  type CoapReader,
  type CoapWriter,
  codeText,
} from './message.js';

/** Whom a transfer tells. */
export interface CoapOwner {
  /**
   * A piece of the response's payload, in order, empty perhaps; valid until next(), which asks for the one behind it where
   * there is `more`. @param total bytes of the whole, where the server says so
   */
  onBlock(payload: Uint8Array, more: boolean, total: number | undefined): void;
  /** The transfer is over without a response of class 2. */
  onFailure(error: CoapError): void;
  /** The socket is gone. */
  onLost(reason?: unknown): void;
  /** The response of respond() was taken. */
  onDelivered(): void;
}

export interface CoapTransferOptions {
  /** Segments of the path. */
  path: readonly string[];
  /** Size exponent of the largest block, 0 to 6: 16 to 1024 bytes. */
  szx: number;
  /** First Request-Tag; it only has to differ from those just used. */
  tag: number;
  owner: CoapOwner;
}

const LARGEST = 6;
/** Bytes of a header, token, and options beside path and Echo. */
const OVERHEAD = 48;
/** How often an upload begins anew before it is given up. */
const RESTARTS = 4;
/** How often a block in the middle is sent or asked for again after all its retransmissions. */
const PATIENCE = 2;
const ECHO_LIMIT = 40;
const ETAG_LIMIT = 8;

// What is under way.
const IDLE = 0;
const SENDING = 1;
const RECEIVING = 2;
/** A block was handed on. */
const WAITING = 3;
/** A response of ours. */
const RESPONDING = 4;

/**
 * One POST of any length with a response of any length, block by block (RFC 7959), a block in each direction at a time:
 * Block1 with early negotiation and 4.13, Block2, Size1, Size2, Request-Tag and Echo (RFC 9175).
 */
export class CoapTransfer implements CoapHandler {
  readonly #path: readonly string[];
  /** Size exponent of the largest block. */
  readonly #largest: number;
  readonly #owner: CoapOwner;
  #client: CoapClient | undefined;
  #state = IDLE;
  #request: Uint8Array | undefined;
  /** Of the request: where the block at hand begins and ends, and its size exponent. */
  #offset = 0;
  #end = 0;
  #szx = LARGEST;
  #inBlocks = false;
  #restarts = 0;
  #patience = PATIENCE;
  #tag: number;
  #echo: Uint8Array | undefined;
  /** Of the response: bytes received, size exponent, ETag. */
  #received = 0;
  #answerSzx = LARGEST;
  #etag: Uint8Array | undefined;

  constructor(options: CoapTransferOptions) {
    this.#path = options.path;
    this.#largest = options.szx;
    this.#owner = options.owner;
    this.#tag = options.tag;
  }

  /** @param request must not change until the first block of the response is there */
  start(client: CoapClient, request: Uint8Array): void {
    const szx = this.#largest;
    this.#client = client;
    this.#request = request;
    this.#szx = szx;
    this.#answerSzx = szx;
    this.#inBlocks = request.length > blockSize(szx);
    this.#restarts = this.#received = 0;
    this.#patience = PATIENCE;
    this.#echo = undefined;
    this.begin();
  }

  /** Answers a request of the server, which was acknowledged before, in one datagram. */
  respond(client: CoapClient, code: number, token: Uint8Array, payload: Uint8Array): void {
    this.#client = client;
    this.#state = RESPONDING;
    client.respond(code, token, payload);
  }

  /** The client's onDelivered. */
  onDelivered(): void {
    if (this.#state !== RESPONDING) return;
    this.#state = IDLE;
    this.#owner.onDelivered();
  }

  /** Asks for the block behind the one that was handed on. */
  next(): void {
    if (this.#state !== WAITING) return;
    this.#state = RECEIVING;
    this.fetch();
  }

  private fetch(): void {
    const writer = this.prepare(0);
    const number = this.#received / blockSize(this.#answerSzx);
    writer.addUint(CoapOption.block2, blockValue(number, false, this.#answerSzx));
    this.send(writer);
  }

  /** Idempotent; no callback runs for it afterwards. */
  cancel(): void {
    const client = this.#client;
    this.#client = undefined;
    if (this.#state === IDLE) return;
    this.#state = IDLE;
    this.#request = this.#echo = this.#etag = undefined;
    client?.cancel();
  }

  /** The client's isStale: a block that was sent or asked for twice may be answered twice, the second time too late. */
  isStale(reader: CoapReader): boolean {
    const isContinue = reader.code === CoapCode.continue;
    if (this.#state !== SENDING) {
      const block = reader.uintOf(CoapOption.block2);
      return isContinue || (block >= 0 && (block >>> 4) * blockSize(block & 7) < this.#received);
    }
    const block = isContinue ? reader.uintOf(CoapOption.block1) : -1;
    return block >= 0 && block >>> 4 < this.#offset / blockSize(this.#szx);
  }

  /** The client's onResponse. */
  onResponse(reader: CoapReader): void {
    if (this.#state === SENDING) this.sent(reader);
    else if (this.#state === RECEIVING) this.receive(reader);
  }

  /** The client's onFailure. */
  onFailure(error: CoapError): void {
    if (this.#state === IDLE) return;
    // The server keeps what it has of a transfer for minutes (EXCHANGE_LIFETIME): bad radio is no reason to lose it.
    if (error.code === 'noAnswer' && this.isInTheMiddle && this.#patience-- > 0) {
      this.repeat();
      return;
    }
    this.cancel();
    this.#owner.onFailure(error);
  }

  /** The client's onLost. */
  onLost(reason?: unknown): void {
    this.#owner.onLost(reason);
  }

  /** The block at hand, in a message of its own. */
  private repeat(): void {
    if (this.#state === SENDING) this.upload();
    else this.fetch();
  }

  /** Nothing is carried out twice when the block at hand arrives twice. */
  private get isInTheMiddle(): boolean {
    if (this.#state === RECEIVING) return true;
    return this.#offset > 0 && this.#end < (this.#request?.length ?? 0);
  }

  // The request -----------------------------------------------------------------------------------------------------

  private begin(): void {
    this.#offset = 0;
    this.#client?.newToken();
    // Blocks of an attempt that was given up must not be mixed with these (RFC 9175 §3.3).
    this.#tag = (this.#tag + 1) & 0xffff;
    this.upload();
  }

  private upload(): void {
    const request = this.#request;
    if (!request) return;
    this.#state = SENDING;
    const size = blockSize(this.#szx);
    const { length } = request;
    this.#end = this.#inBlocks ? Math.min(length, this.#offset + size) : length;
    const isLast = this.#end === length;
    const writer = this.prepare(this.#end - this.#offset);
    const szx = this.#largest;
    // Blocks of the answer shall not be larger than ours.
    if (isLast && szx < LARGEST) writer.addUint(CoapOption.block2, blockValue(0, false, szx));
    if (this.#inBlocks) {
      writer.addUint(CoapOption.block1, blockValue(this.#offset / size, !isLast, this.#szx));
      if (this.#offset === 0) writer.addUint(CoapOption.size1, length);
    }
    this.send(writer, request.subarray(this.#offset, this.#end));
  }

  private sent(reader: CoapReader): void {
    const { code } = reader;
    const block = reader.uintOf(CoapOption.block1);
    const szx = block & 7;
    if (code === CoapCode.unauthorized && reader.find(CoapOption.echo)) this.repeatWithEcho(reader);
    else if (code === CoapCode.tooLarge && block >= 0 && szx < (this.#inBlocks ? this.#szx : LARGEST + 1)) {
      this.#szx = Math.min(szx, this.#szx);
      this.#inBlocks = true;
      this.restart('the server wants ever smaller blocks');
    } else if (code === CoapCode.incomplete && this.#inBlocks) this.restart('the server keeps losing blocks');
    else if (code > CoapCode.continue) this.refused(reader);
    else if (code === CoapCode.continue) this.continue(block, szx);
    else if (this.#end < (this.#request?.length ?? 0)) this.fail('the server answered half a request');
    else {
      this.#request = undefined;
      this.receive(reader);
    }
  }

  private continue(block: number, szx: number): void {
    const size = blockSize(this.#szx);
    const isNext = this.#inBlocks && block >= 0 && block >> 4 === this.#offset / size;
    if (!isNext || szx > this.#szx || this.#end === this.#request?.length) {
      this.fail('the server asks for a block that was not offered');
      return;
    }
    // What was acknowledged counts whole, even where further blocks shall be smaller (RFC 7959 §2.3).
    this.#offset = this.#end;
    this.#patience = PATIENCE;
    this.#szx = szx;
    this.upload();
  }

  private restart(reason: string): void {
    if (++this.#restarts > RESTARTS) this.fail(reason);
    else this.begin();
  }

  /** The server wants to know that this is no replay (RFC 9175 §2.3). */
  private repeatWithEcho(reader: CoapReader): void {
    const value = reader.bytes.slice(reader.valueStart, reader.valueEnd);
    if (value.length === 0 || value.length > ECHO_LIMIT) this.fail('an Echo option of a wrong length');
    else if (++this.#restarts > RESTARTS) this.fail('the server is not content with its Echo');
    else {
      this.#echo = value;
      this.repeat();
    }
  }

  // The response ----------------------------------------------------------------------------------------------------

  private receive(reader: CoapReader): void {
    const { code } = reader;
    const isAnswer = code < CoapCode.continue;
    const fault = isAnswer ? this.faultOf(reader) : '';
    if (code === CoapCode.unauthorized && reader.find(CoapOption.echo)) this.repeatWithEcho(reader);
    else if (!isAnswer) this.refused(reader);
    else if (fault !== '') this.fail(fault);
    else {
      const { payload } = reader;
      const size2 = reader.uintOf(CoapOption.size2);
      const block = reader.uintOf(CoapOption.block2);
      const more = block >= 0 && (block & 8) !== 0;
      if (block >= 0) this.#answerSzx = block & 7;
      this.#received += payload.length;
      this.#patience = PATIENCE;
      this.#state = more ? WAITING : IDLE;
      this.#owner.onBlock(payload, more, size2 < 0 ? undefined : size2);
    }
  }

  /** What is wrong with a block; empty where nothing is. */
  private faultOf(reader: CoapReader): string {
    const has = reader.find(CoapOption.block2);
    const block = has ? reader.uint : 0;
    if (block < 0 || block > 0xffffff) return 'a Block2 of more than three bytes';
    const length = reader.bytes.length - reader.payloadStart;
    if (has) {
      if ((block & 7) > LARGEST) return 'a block of a reserved size';
      const size = blockSize(block & 7);
      if ((block >> 4) * size !== this.#received) return 'a block out of turn';
      if ((block & 8) !== 0 ? length !== size : length > size) return 'a block of a wrong length';
    } else if (this.#received > 0) return 'a whole answer in the middle of another one';
    return this.isSame(reader) ? '' : 'the answer changed while it was fetched';
  }

  /** The ETag of all blocks is that of the first one (RFC 7959 §2.4). */
  private isSame(reader: CoapReader): boolean {
    const has = reader.find(CoapOption.etag);
    const start = reader.valueStart;
    const length = has ? Math.min(ETAG_LIMIT, reader.valueEnd - start) : 0;
    if (this.#received === 0) this.#etag = has ? reader.bytes.slice(start, start + length) : undefined;
    const etag = this.#etag;
    if (length !== (etag?.length ?? 0)) return false;
    for (let i = 0; etag && i < length; i++) if (etag[i] !== reader.bytes[start + i]) return false;
    return true;
  }

  // Both ------------------------------------------------------------------------------------------------------------

  private prepare(payload: number): CoapWriter {
    const path = this.#path;
    let capacity = OVERHEAD + payload + (this.#echo?.length ?? 0);
    for (const segment of path) capacity += segment.length + 3;
    const writer = (this.#client as CoapClient).prepare(CoapCode.post, capacity);
    for (const segment of path) writer.add(CoapOption.uriPath, segment);
    return writer;
  }

  private send(writer: CoapWriter, payload?: Uint8Array): void {
    if (this.#echo) writer.add(CoapOption.echo, this.#echo);
    if (this.#inBlocks) writer.addUint(CoapOption.requestTag, this.#tag);
    if (payload) writer.payload(payload);
    this.#client?.transmit();
  }

  private refused(reader: CoapReader): void {
    const { code } = reader;
    const isBusy = code === CoapCode.serviceUnavailable || code === CoapCode.tooManyRequests;
    const seconds = isBusy ? Math.max(0, reader.uintOf(CoapOption.maxAge)) : 0;
    const later = seconds > 0 ? `; it wants to be asked again in ${seconds} s` : '';
    const text = `the server answered ${codeText(code)}${later}`;
    this.onFailure(new CoapError('refused', text, seconds * 1_000));
  }

  private fail(message: string): void {
    this.onFailure(new CoapError('protocol', message));
  }
}
