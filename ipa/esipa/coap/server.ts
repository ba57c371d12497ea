import type { Timer, TimerHandle } from '../../../hal/contracts/index.js';
import { TlvError, Writer } from '../../tlv/index.js';
import type { CoapClient, CoapRequests } from './client.js';
import { blockSize, CoapCode, CoapOption, type CoapReader, CoapType, CoapWriter } from './message.js';

/** Whom requests are brought to. */
export interface CoapServerOwner {
  /**
   * A whole message came. @param token of the request, for the response; a copy
   * @returns `empty` where it was taken and a response will follow, else the code of the refusal
   */
  onMessage(message: Uint8Array, token: Uint8Array): number;
}

export interface CoapServerOptions {
  /** Segments of the path that requests must have. */
  path: readonly string[];
  /** Longest message, bytes. */
  limit: number;
  timer: Timer;
  owner: CoapServerOwner;
}

const UNDERSTOOD = [
  CoapOption.uriHost,
  CoapOption.uriPort,
  CoapOption.uriPath,
  CoapOption.uriQuery,
  CoapOption.accept,
  CoapOption.block2,
  CoapOption.block1,
] as const;
/** Requests that are known again when they come twice. */
const REMEMBERED = 8;
/** Header, token, Block1. */
const REPLY = 24;
/** So long a request waits for its response before it is acknowledged, milliseconds; it comes again after 2 s at the earliest. */
const PROCESSING = 1_000;
/** So long a request may come again, milliseconds: MAX_TRANSMIT_SPAN (RFC 7252 §4.8.2), and some more for the way. */
const REPEATED = 60_000;
const NOTHING = -1;

/**
 * The small server in a device: takes POSTs of its eIM to one path, in blocks where they are long (RFC 7959 §2.3), one message
 * at a time. The response to a whole message goes with its acknowledgement where it is ready soon (RFC 7252 §5.2.1), else
 * later, in a message of its own.
 */
export class CoapServerRole implements CoapRequests {
  readonly #options: CoapServerOptions;
  readonly #known = new Int32Array(REMEMBERED);
  #at = 0;
  #last = NOTHING;
  /** What was sent to the last request; undefined where it is not acknowledged yet, or cannot come again. */
  #reply: Uint8Array | undefined;
  /** Id of the last request, and its token while its acknowledgement waits for the response. */
  #id = 0;
  #token: Uint8Array | undefined;
  /** Until it is acknowledged without; until a response is forgotten. */
  #deadline: TimerHandle | undefined;
  readonly #body: Writer;
  #tag = NOTHING;

  constructor(options: CoapServerOptions) {
    this.#options = options;
    this.#body = new Writer(128, options.limit);
    this.#known.fill(NOTHING);
  }

  /** The way to the eIM is gone. Gives back the memory of half a message, and of a response. */
  release(): void {
    this.#body.release();
    if (this.#token) this.write(CoapCode.empty);
    else if (this.#deadline !== undefined) this.#reply = undefined;
    this.settle();
  }

  /** Of the client: a confirmable request from its server. */
  onRequest(reader: CoapReader, client: CoapClient): void {
    const { key } = reader;
    if (this.#known.includes(key)) {
      if (key === this.#last && this.#reply) client.sendReply(this.#reply);
      return;
    }
    this.acknowledge(client);
    this.settle();
    this.#known[this.#at] = key;
    this.#at = (this.#at + 1) % REMEMBERED;
    this.#last = key;
    this.#id = reader.id;
    this.#reply = undefined;
    const code = this.take(reader);
    if (code === CoapCode.empty) {
      this.#deadline = this.#options.timer.set(() => this.acknowledge(client), PROCESSING);
      return;
    }
    const writer = this.write(code, reader.bytes.subarray(4, 4 + reader.tokenLength));
    if (code === CoapCode.continue) writer.addUint(CoapOption.block1, reader.uintOf(CoapOption.block1));
    this.#reply = writer.bytes;
    client.sendReply(this.#reply);
  }

  /**
   * Sends the response to a message with its acknowledgement, and again whenever the request comes again.
   * @param token as onMessage() got it, the same object
   * @returns false where it was acknowledged before: the response needs a message of its own
   */
  respond(client: CoapClient, code: number, token: Uint8Array, payload: Uint8Array): boolean {
    if (token !== this.#token) return false;
    this.settle();
    this.#reply = this.write(code, token, 1 + payload.length).payload(payload).bytes;
    this.#deadline = this.#options.timer.set(() => this.forget(), REPEATED);
    client.sendReply(this.#reply);
    return true;
  }

  /** The response takes longer. */
  private acknowledge(client: CoapClient): void {
    if (!this.#token) return;
    this.settle();
    client.sendReply(this.write(CoapCode.empty).bytes);
  }

  private settle(): void {
    this.#options.timer.clear(this.#deadline);
    this.#deadline = this.#token = undefined;
  }

  private forget(): void {
    this.#deadline = this.#reply = undefined;
  }

  /** Begins the reply to the last request. @param token an empty acknowledgement has none */
  private write(code: number, token?: Uint8Array, room = 0): CoapWriter {
    const writer = new CoapWriter();
    writer.begin(new Uint8Array(REPLY + room), CoapType.acknowledgement, code, this.#id, token);
    this.#reply = writer.bytes;
    return writer;
  }

  /** @returns the code of the reply; `empty` where a response will follow */
  private take(reader: CoapReader): number {
    const { limit } = this.#options;
    if (reader.unknownCritical(UNDERSTOOD) > 0) return CoapCode.badOption;
    if (!this.isOurPath(reader)) return CoapCode.notFound;
    if (reader.code !== CoapCode.post) return CoapCode.notAllowed;
    if (reader.uintOf(CoapOption.size1) > limit) return CoapCode.tooLarge;
    const block = reader.uintOf(CoapOption.block1);
    const { payload } = reader;
    const size = blockSize(block & 7);
    const more = block >= 0 && (block & 8) !== 0;
    if (block >= 0 && ((block & 7) === 7 || payload.length > size || (more && payload.length !== size)))
      return CoapCode.badRequest;
    const offset = block < 0 ? 0 : (block >> 4) * size;
    const tag = reader.uintOf(CoapOption.requestTag);
    const body = this.#body;
    if (offset === 0) body.clear();
    else if (offset !== body.length || tag !== this.#tag) return CoapCode.incomplete;
    this.#tag = tag;
    try {
      body.write(payload);
    } catch (error) {
      if (!(error instanceof TlvError)) throw error;
      body.release();
      return CoapCode.tooLarge;
    }
    if (more) return CoapCode.continue;
    const token = reader.bytes.slice(4, 4 + reader.tokenLength);
    const code = this.#options.owner.onMessage(body.detach(), token);
    if (code === CoapCode.empty) this.#token = token;
    return code;
  }

  private isOurPath(reader: CoapReader): boolean {
    const { path } = this.#options;
    let at = 0;
    reader.rewind();
    while (reader.nextOption()) {
      if (reader.option !== CoapOption.uriPath) continue;
      const segment = path[at++];
      if (segment === undefined || segment.length !== reader.valueEnd - reader.valueStart) return false;
      for (let i = 0; i < segment.length; i++)
        if (reader.bytes[reader.valueStart + i] !== segment.charCodeAt(i)) return false;
    }
    return at === path.length;
  }
}
