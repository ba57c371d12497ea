import {
  type Timer,
  type TimerHandle,
  type UdpConfiguration,
  type UdpSocket,
  XsIpaError,
} from '../../../hal/contracts/index.js';
import { CoapCode, CoapOption, CoapReader, CoapType, CoapWriter } from './message.js';

/** A request that got no response. */
export class CoapError extends XsIpaError {
  override readonly name = 'CoapError';
  /** Milliseconds for which the server wants to be left in peace; 0 where it has said nothing. */
  readonly retryAfter: number;

  constructor(
    code: /** every retransmission went unanswered, or no separate response came */
      | 'noAnswer'
      /** the server reset the exchange: it runs, but knows nothing of it */
      | 'reset'
      /** a response that cannot be understood, or breaks the rules of block-wise transfer */
      | 'protocol'
      /** a response code of class 4 or 5 */
      | 'refused'
      | 'closed',
    message: string,
    retryAfter = 0,
  ) {
    super(code, message);
    this.retryAfter = retryAfter;
  }
}

/** Transmission parameters (RFC 7252 §4.8), milliseconds. */
export interface CoapTimes {
  /** ACK_TIMEOUT. */
  acknowledge: number;
  /** ACK_RANDOM_FACTOR. */
  randomFactor: number;
  /** MAX_RETRANSMIT. */
  retransmit: number;
  /** How long a separate response may take after its acknowledgement. */
  response: number;
}

const TIMES: CoapTimes = { acknowledge: 2_000, randomFactor: 1.5, retransmit: 4, response: 30_000 };

/** Those of RFC 7252; 30 s for a separate response. */
export function defaultCoapTimes(): CoapTimes {
  return { ...TIMES };
}

/** Whom a client tells; one object, as closures cost memory. */
export interface CoapHandler {
  /** Is this response, which came separately, one to an earlier request with the same token? It is ignored then. */
  isStale(reader: CoapReader): boolean;
  /** A response with the token of the open request; `reader` is valid until the next datagram. */
  onResponse(reader: CoapReader): void;
  /** The open request will get none, or the response of respond() was not taken. */
  onFailure(error: CoapError): void;
  /** The response of respond() was taken. */
  onDelivered(): void;
  /** The socket is gone; only close() may follow. */
  onLost(reason?: unknown): void;
}

/** Takes what the server asks of us. */
export interface CoapRequests {
  /** A confirmable request; `reader` is valid until the next datagram. */
  onRequest(reader: CoapReader, client: CoapClient): void;
}

export interface CoapClientOptions {
  udp: UdpConfiguration;
  /** Numeric. */
  address: string;
  port: number;
  timer: Timer;
  /** Uniform in [0, 1). */
  random: () => number;
  times?: CoapTimes;
  handler: CoapHandler;
  /** Without it requests are reset. */
  requests?: CoapRequests;
}

/** Critical options of a response that are understood. */
const UNDERSTOOD = [CoapOption.block2, CoapOption.block1] as const;
/** Separate responses that are known again when they come twice. */
const REMEMBERED = 8;
const NOTHING_SENT = -1;

/**
 * The message layer of a CoAP client (RFC 7252 §4): one confirmable request at a time to one server, retransmitted until it
 * is acknowledged; separate responses, duplicates, resets. What comes from elsewhere is ignored.
 */
export class CoapClient {
  /** Sent so far, retransmissions and acknowledgements among them. */
  datagrams = 0;
  /** Received from the server. */
  heard = 0;

  readonly #address: string;
  readonly #port: number;
  readonly #timer: Timer;
  readonly #random: () => number;
  readonly #handler: CoapHandler;
  readonly #requests: CoapRequests | undefined;
  readonly #times: CoapTimes;
  readonly #socket: UdpSocket;
  readonly #reader = new CoapReader();
  /** Holds the request until it is acknowledged. */
  readonly #writer = new CoapWriter();
  /** Random, so that nobody can forge a response; where nobody can anyway it only keeps one exchange from the next. */
  readonly #token: Uint8Array;
  /** Keys of the last separate responses; many servers never send any. */
  #answered: Int32Array | undefined;
  #answeredAt = 0;
  #nextId: number;
  #id = NOTHING_SENT;
  #acknowledged = false;
  #isResponse = false;
  #sent = 0;
  #timeout = 0;
  #deadline: TimerHandle | undefined;
  #closed = false;

  constructor(options: CoapClientOptions) {
    const { udp, random } = options;
    // One by one: the object they come in would cost memory, too.
    this.#address = options.address;
    this.#port = options.port;
    this.#timer = options.timer;
    this.#random = random;
    this.#handler = options.handler;
    this.#requests = options.requests;
    this.#times = options.times ?? TIMES;
    this.#nextId = Math.floor(random() * 0x10000);
    this.#token = new Uint8Array(udp.isSecure ? 1 : 4);
    for (let i = 0; i < this.#token.length; i++) this.#token[i] = Math.floor(random() * 256);
    const { io, ...rest } = udp;
    this.#socket = new io({
      ...rest,
      onReadable: () => this.readable(),
      onError: (reason) => this.lost(reason),
    });
  }

  /**
   * Begins a request with a fresh message id; options and payload are the caller's, then transmit(). An open
   * request is forgotten.
   * @param capacity bytes of the datagram at most
   */
  prepare(code: number, capacity: number): CoapWriter {
    this.cancel();
    this.#nextId = (this.#nextId + 1) & 0xffff;
    const datagram = new Uint8Array(capacity);
    return this.#writer.begin(datagram, CoapType.confirmable, code, this.#nextId, this.#token);
  }

  /** The requests that follow belong together; the blocks of one transfer, which some servers know by their token. */
  newToken(): void {
    const token = this.#token;
    for (let i = token.length - 1; i >= 0 && ++token[i] === 0; i--);
  }

  transmit(): void {
    const { acknowledge, randomFactor } = this.#times;
    this.#id = this.#nextId;
    this.#acknowledged = false;
    this.#sent = 0;
    this.#timeout = acknowledge * (1 + (randomFactor - 1) * this.#random());
    this.again();
  }

  /** A response that comes separately, sent until it is acknowledged. An open request is forgotten. */
  respond(code: number, token: Uint8Array, payload: Uint8Array): void {
    this.cancel();
    const datagram = new Uint8Array(5 + token.length + payload.length);
    this.#nextId = (this.#nextId + 1) & 0xffff;
    this.#writer.begin(datagram, CoapType.confirmable, code, this.#nextId, token).payload(payload);
    this.transmit();
    this.#isResponse = true;
  }

  /** Sends a reply, once. */
  sendReply(datagram: Uint8Array): void {
    this.send(datagram);
  }

  /** Forgets the open request. */
  cancel(): void {
    this.#timer.clear(this.#deadline);
    this.#deadline = undefined;
    this.#id = NOTHING_SENT;
    this.#isResponse = false;
    this.#writer.release();
  }

  /** Gives back the memory of the last datagram. */
  release(): void {
    this.#reader.release();
  }

  /** Idempotent; no callback runs afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.cancel();
    this.#socket.close();
  }

  // Out -------------------------------------------------------------------------------------------------------------

  private again(): void {
    if (this.#sent > this.#times.retransmit) {
      this.fail('noAnswer', `no answer to ${this.#sent} datagrams`);
      return;
    }
    this.#sent++;
    this.#deadline = this.#timer.set(() => this.again(), this.#timeout);
    this.#timeout *= 2;
    this.send(this.#writer.bytes);
  }

  private send(datagram: Uint8Array): void {
    this.datagrams++;
    this.#socket.write(datagram, this.#address, this.#port);
  }

  private lost(reason: unknown): void {
    if (!this.#closed) this.#handler.onLost(reason);
  }

  private sendEmpty(type: number, id: number): void {
    this.send(Uint8Array.of(0x40 | (type << 4), CoapCode.empty, id >> 8, id & 0xff));
  }

  // In --------------------------------------------------------------------------------------------------------------

  private readable(): void {
    const address = this.#address;
    for (let datagram = this.read(); datagram; datagram = this.read()) {
      if (datagram.address !== address || datagram.port !== this.#port) continue;
      this.heard++;
      this.take(new Uint8Array(datagram));
    }
  }

  private read(): ReturnType<UdpSocket['read']> {
    return this.#closed ? undefined : this.#socket.read();
  }

  private take(datagram: Uint8Array): void {
    const reader = this.#reader;
    const isGood = reader.parse(datagram);
    const { type, code, id } = reader;
    const isConfirmable = type === CoapType.confirmable;
    if (!isGood) {
      // A message that cannot be read is refused (RFC 7252 §4.2), if its header can.
      if (isConfirmable && datagram.length >= 4 && datagram[0] >> 6 === 1) this.sendEmpty(CoapType.reset, id);
    } else if (type === CoapType.reset) {
      // It must be empty, or it is none (RFC 7252 §4.2).
      if (id === this.#id && code === CoapCode.empty)
        this.fail('reset', 'the server does not take part in the exchange');
    } else if (code === CoapCode.empty) {
      if (isConfirmable) this.sendEmpty(CoapType.reset, id);
      else if (type === CoapType.acknowledgement && id === this.#id) this.wait();
    } else if (code < CoapCode.created) {
      if (isConfirmable) this.request(id);
    } else this.response();
  }

  private request(id: number): void {
    if (this.#requests) this.#requests.onRequest(this.#reader, this);
    else this.sendEmpty(CoapType.reset, id);
  }

  private response(): void {
    const reader = this.#reader;
    const { type, id } = reader;
    const isOurs = this.#id !== NOTHING_SENT && !this.#isResponse && reader.hasToken(this.#token);
    if (type === CoapType.acknowledgement) {
      if (isOurs && id === this.#id) this.done();
      return;
    }
    // A duplicate: the blocks of a transfer have one token, so that it would be taken for the next one.
    const isKnown = this.#answered?.includes(reader.key) === true;
    const isGood = isKnown || (isOurs && reader.unknownCritical(UNDERSTOOD) === 0);
    if (type === CoapType.confirmable) this.sendEmpty(isGood ? CoapType.acknowledgement : CoapType.reset, id);
    if (isKnown || !isOurs) return;
    this.#answered ??= new Int32Array(REMEMBERED).fill(NOTHING_SENT);
    this.#answered[this.#answeredAt] = reader.key;
    this.#answeredAt = (this.#answeredAt + 1) % REMEMBERED;
    if (!this.#handler.isStale(reader)) this.done();
  }

  /** The server has the request, and needs time for its response. */
  private wait(): void {
    if (this.#acknowledged) return;
    if (this.#isResponse) {
      this.cancel();
      this.#handler.onDelivered();
      return;
    }
    this.#acknowledged = true;
    this.#writer.release();
    this.#timer.clear(this.#deadline);
    this.#deadline = this.#timer.set(
      () => this.fail('noAnswer', 'the request was acknowledged, but no response came'),
      this.#times.response,
    );
  }

  private done(): void {
    this.cancel();
    const option = this.#reader.unknownCritical(UNDERSTOOD);
    if (option > 0)
      this.#handler.onFailure(new CoapError('protocol', `a response with the critical option ${option}`));
    else this.#handler.onResponse(this.#reader);
  }

  private fail(code: ConstructorParameters<typeof CoapError>[0], message: string): void {
    this.cancel();
    this.#handler.onFailure(new CoapError(code, message));
  }
}
