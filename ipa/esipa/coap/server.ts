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
const NOTHING = -1;

/**
 * The small server in a device: takes POSTs of its eIM to one path, in blocks where they are long (RFC 7959 §2.3), one message
 * at a time. A whole message is acknowledged at once; its response comes later, in a message of its own.
 */
export class CoapServerRole implements CoapRequests {
  readonly #options: CoapServerOptions;
  readonly #known = new Int32Array(REMEMBERED);
  #at = 0;
  #last = NOTHING;
  /** What was sent to the last request. */
  readonly #reply = new Uint8Array(REPLY);
  #replyLength = 0;
  readonly #body: Writer;
  #tag = NOTHING;

  constructor(options: CoapServerOptions) {
    this.#options = options;
    this.#body = new Writer(128, options.limit);
    this.#known.fill(NOTHING);
  }

  /** Gives back the memory of half a message. */
  release(): void {
    this.#body.release();
  }

  /** Of the client: a confirmable request from its server. */
  onRequest(reader: CoapReader, client: CoapClient): void {
    const { id, key } = reader;
    if (this.#known.includes(key)) {
      if (key === this.#last) client.sendReply(this.#reply.subarray(0, this.#replyLength));
      return;
    }
    this.#known[this.#at] = key;
    this.#at = (this.#at + 1) % REMEMBERED;
    this.#last = key;
    const token = reader.bytes.subarray(4, 4 + reader.tokenLength);
    const code = this.take(reader);
    const writer = new CoapWriter();
    // An empty acknowledgement has no token.
    writer.begin(
      this.#reply,
      CoapType.acknowledgement,
      code,
      id,
      code === CoapCode.empty ? undefined : token,
    );
    if (code === CoapCode.continue) writer.addUint(CoapOption.block1, reader.uintOf(CoapOption.block1));
    this.#replyLength = writer.length;
    client.sendReply(writer.bytes);
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
    return this.#options.owner.onMessage(body.detach(), token);
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
