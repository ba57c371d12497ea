import {
  isAddress,
  type Observer,
  type Resolver,
  type ResolverConfiguration,
  type Timer,
  type TimerHandle,
  type UdpConfiguration,
  XsIpaError,
} from '../../../hal/contracts/index.js';
import type { IpaEvent } from '../../events.js';
import { TlvError, Writer } from '../../tlv/index.js';
import {
  type Accept,
  type AnswerSink,
  defaultTimes,
  type EsipaLink,
  LinkError,
  type LinkTimes,
} from '../link.js';
import { EsipaTag, firstTag, lengthOf } from '../tags.js';
import { CoapClient, type CoapError, type CoapRequests, type CoapTimes } from './client.js';
import { CoapCode, type CoapReader } from './message.js';
import { type CoapServerOwner, CoapServerRole } from './server.js';
import { type CoapOwner, CoapTransfer } from './transfer.js';

export interface CoapLinkOptions {
  eimId: string;
  udp: UdpConfiguration;
  /** Address or name of the eIM. */
  host: string;
  /** 5683 when absent. */
  port?: number;
  /** Needed where `host` is a name. */
  dns?: ResolverConfiguration;
  timer: Timer;
  random: () => number;
  /** Segments of the path (esipa.md §9). */
  path?: readonly string[];
  /** Largest block: 16, 32, … 1024 bytes. */
  blockSize?: number;
  times?: LinkTimes;
  coapTimes?: CoapTimes;
  /** Longest answer that is taken whole, bytes. */
  messageLimit?: number;
  /** Longest injected message, bytes; 0: none is taken. Default 4096. */
  injectionLength?: number;
  observe?: Observer<IpaEvent>;
}

/** One exchange, from its call to its answer. */
interface Job {
  request: Uint8Array;
  /** Takes a whole answer; undefined where none is due. */
  accept: Accept | undefined;
  /** Takes an answer piece by piece. */
  into: AnswerSink | undefined;
  /** Token of the eIM's request that this is the response to. */
  token: Uint8Array | undefined;
  /** Pieces were handed on: it cannot begin anew. */
  begun: boolean;
  attempts: number;
  /** What the client had heard before this attempt. */
  heard: number;
  resolve: (answer: Uint8Array) => void;
  reject: (error: unknown) => void;
}

const PORT = 5_683;
const PATH = ['gsma', 'rsp2', 'asn1'] as const;
const INJECTION_LENGTH = 4_096;
/** Injected messages that wait. */
const INJECTIONS = 2;
/** Longest response in one datagram. */
const RESPONSE = 1_024;

/**
 * ESipa over CoAP (esipa.md §9): a POST for each message, block by block, the answer in its response. There is no connection:
 * it is connected while it has a socket and the eIM's address.
 *
 * An eIM that can reach this socket may inject messages by POST to the same path (docs/coap.md).
 */
export class CoapLink implements EsipaLink, CoapOwner, CoapRequests, CoapServerOwner {
  readonly eimId: string;
  onInjection: (() => void) | undefined;

  readonly #options: CoapLinkOptions;
  readonly #times: LinkTimes;
  readonly #transfer: CoapTransfer;
  readonly #limit: number;
  /** Of more than one datagram. */
  readonly #answer: Writer;
  /** The first one is under way, or waits for the network. */
  readonly #jobs: Job[] = [];
  #client: CoapClient | undefined;
  #resolver: Resolver | undefined;
  #address: string | undefined;
  #active = false;
  #closed = false;
  #running = false;
  #failures = 0;
  /** Until the next attempt to get a socket, and of a job that waits for one. */
  #pause: TimerHandle | undefined;
  #patience: TimerHandle | undefined;
  #dropped = 0;
  /** Made when the eIM injects for the first time. */
  #server: CoapServerRole | undefined;
  #injections: Uint8Array[] | undefined;
  /** Token of the injected request that waits for its response, and until when. */
  #token: Uint8Array | undefined;
  #tokenDeadline: TimerHandle | undefined;

  constructor(options: CoapLinkOptions) {
    const { eimId, blockSize = 1024, messageLimit = 16_384, path = PATH, random } = options;
    this.eimId = eimId;
    this.#options = options;
    this.#times = options.times ?? defaultTimes();
    this.#limit = messageLimit;
    this.#answer = new Writer(128, messageLimit);
    this.#transfer = new CoapTransfer({
      path,
      szx: Math.max(0, Math.min(6, 27 - Math.clz32(blockSize))),
      tag: Math.floor(random() * 0x10000),
      owner: this,
    });
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  resume(): void {
    if (this.#closed) return;
    this.#active = true;
    if (this.#client || this.#resolver) return;
    this.#options.timer.clear(this.#pause);
    this.#pause = undefined;
    this.connect();
  }

  suspend(): void {
    this.#active = false;
    this.#options.timer.clear(this.#pause);
    this.#pause = undefined;
    this.#failures = 0;
    if (this.#client || this.#resolver) this.lose('the network is gone');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#active = false;
    this.#options.timer.clear(this.#pause);
    this.#options.timer.clear(this.#patience);
    this.#injections = undefined;
    this.disconnect();
    const error = new LinkError('closed', 'the link was closed');
    for (const job of this.#jobs.splice(0)) job.reject(error);
    this.tell('closed');
  }

  exchange(request: Uint8Array, accept: Accept): Promise<Uint8Array> {
    return this.submit(request, accept, undefined, undefined);
  }

  download(request: Uint8Array, into: AnswerSink): Promise<void> {
    return this.submit(request, undefined, into, undefined) as Promise<unknown> as Promise<void>;
  }

  send(message: Uint8Array): Promise<void> {
    const isAnswer = firstTag(message) === EsipaTag.transferEimPackage && message.length <= RESPONSE;
    const token = isAnswer ? this.forgetToken() : undefined;
    return this.submit(
      new Uint8Array(message),
      undefined,
      undefined,
      token,
    ) as Promise<unknown> as Promise<void>;
  }

  takeInjection(): Uint8Array | undefined {
    return this.#injections?.shift();
  }

  // Reaching the eIM ------------------------------------------------------------------------------------------------

  private connect(): void {
    const { host, dns } = this.#options;
    this.tell('connecting');
    if (this.#address !== undefined || !dns || isAddress(host)) {
      this.open(this.#address ?? host);
      return;
    }
    const { io, ...rest } = dns;
    const resolver = new io(rest);
    this.#resolver = resolver;
    resolver.resolve({
      host,
      onResolved: (_host, address) => {
        if (this.#resolver !== resolver) return;
        this.#resolver = undefined;
        this.#address = address;
        this.open(address);
      },
      onError: () => {
        if (this.#resolver === resolver) this.lose(`the name ${host} could not be resolved`);
      },
    });
  }

  private open(address: string): void {
    const { udp, port = PORT, timer, random, coapTimes, injectionLength = INJECTION_LENGTH } = this.#options;
    try {
      this.#client = new CoapClient({
        udp,
        address,
        port,
        timer,
        random,
        times: coapTimes,
        handler: this.#transfer,
        requests: injectionLength > 0 ? this : undefined,
      });
    } catch (error) {
      this.lose(error instanceof Error ? error.message : 'no socket');
      return;
    }
    this.tell('connected');
    if (this.#jobs.length > 0) this.soon();
  }

  private disconnect(): void {
    this.#resolver?.close?.();
    this.#transfer.cancel();
    this.#client?.close();
    this.#client = this.#resolver = undefined;
    this.#running = false;
    // The eIM knows another address of ours by then.
    this.forgetToken();
    for (const job of this.#jobs) job.token = undefined;
    this.#server?.release();
  }

  /** @param isRefused whoever is there is not the eIM, or does not want this device */
  private lose(detail: string, isRefused = false): void {
    // A socket is had at once: only an answer shows that there is somebody.
    if (this.#client && this.#client.heard > 0) this.#failures = 0;
    this.disconnect();
    this.tell('lost', detail);
    const [job] = this.#jobs;
    if (isRefused) this.end()?.reject(new LinkError('refused', `${this.eimId}: ${detail}`));
    else if (job?.begun)
      this.end()?.reject(new LinkError('noAnswer', 'the network went in the middle of a long answer'));
    this.wait();
    // The name may lead elsewhere by now.
    this.#address = undefined;
    if (this.#active && this.#pause === undefined) this.reconnectLater();
  }

  private reconnectLater(): void {
    const { timer, random } = this.#options;
    const { backOff, backOffLimit } = this.#times;
    const pause = Math.min(backOffLimit, backOff * 2 ** Math.min(this.#failures++, 20));
    this.#pause = timer.set(
      () => {
        this.#pause = undefined;
        if (this.#active && !this.#client) this.connect();
      },
      pause * (0.5 + random() / 2),
    );
  }

  // One exchange after the other ------------------------------------------------------------------------------------

  private submit(
    request: Uint8Array,
    accept: Accept | undefined,
    into: AnswerSink | undefined,
    token: Uint8Array | undefined,
  ): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new LinkError('closed', 'the link is closed'));
    return new Promise((resolve, reject) => {
      this.#jobs.push({ request, accept, into, token, begun: false, attempts: 0, heard: 0, resolve, reject });
      if (this.#jobs.length === 1) this.soon();
    });
  }

  /** From an empty stack: the way down to the socket is long. */
  private soon(): void {
    Promise.resolve().then(() => this.next());
  }

  private next(): void {
    const [job] = this.#jobs;
    if (this.#running || !job) return;
    const client = this.#client;
    if (!client) {
      this.wait();
      return;
    }
    this.#options.timer.clear(this.#patience);
    this.#patience = undefined;
    this.#running = true;
    this.#answer.release();
    const { request } = job;
    job.attempts++;
    job.heard = client.heard;
    if (request.length > 0) this.observe('up', request);
    try {
      if (job.token) {
        const code = request.length > 0 ? CoapCode.content : CoapCode.changed;
        if (this.#server?.respond(client, code, job.token, request)) this.onDelivered();
        else this.#transfer.respond(client, code, job.token, request);
      } else this.#transfer.start(client, request);
    } catch (error) {
      // A platform that breaks its promises: whoever waits is told.
      this.end()?.reject(error);
    }
  }

  /** An exchange waits for the network no longer than it would for its answers. */
  private wait(): void {
    if (this.#jobs.length === 0 || this.#patience !== undefined) return;
    const { answer, attempts } = this.#times;
    this.#patience = this.#options.timer.set(() => {
      this.#patience = undefined;
      this.end()?.reject(new LinkError('noAnswer', `no way to ${this.eimId} in time`));
      this.wait();
    }, answer * attempts);
  }

  private end(): Job | undefined {
    const job = this.#jobs.shift();
    this.#running = false;
    this.#transfer.cancel();
    this.#client?.release();
    this.#answer.release();
    if (this.#jobs.length > 0) this.soon();
    return job;
  }

  // Answers ---------------------------------------------------------------------------------------------------------

  /** Of the transfer. */
  onBlock(payload: Uint8Array, more: boolean, total: number | undefined): void {
    const [job] = this.#jobs;
    if (!job) return;
    if (job.into) {
      // From an empty stack: the way to the card is long, and that to an observer (docs/design.md §4).
      Promise.resolve().then(() => this.pour(job, payload, more, total));
      return;
    }
    const answer = this.#answer;
    if (!more && answer.length === 0 && payload.length <= this.#limit) {
      // Whole in one datagram, which nobody else needs.
      this.takeSoon(job, payload);
      return;
    }
    try {
      if (total !== undefined && answer.length === 0) answer.expect(total);
      answer.write(payload);
    } catch (error) {
      if (!(error instanceof TlvError)) throw error;
      const detail = `the answer of ${this.eimId} has more than ${this.#limit} bytes`;
      this.drop(0, `tooLong${total === undefined ? '' : ` (${total} bytes)`}`);
      this.end()?.reject(new LinkError('tooLong', detail));
      return;
    }
    if (more) this.#transfer.next();
    else this.takeSoon(job, answer.detach());
  }

  private takeSoon(job: Job, message: Uint8Array): void {
    Promise.resolve().then(() => this.take(job, message));
  }

  private take(job: Job, message: Uint8Array): void {
    if (this.#jobs[0] !== job) return;
    const tag = firstTag(message);
    if (message.length > 0) this.observe('down', message);
    if (!job.accept && tag === EsipaTag.transferEimPackage) {
      // To a result that was posted the eIM says at once what it has to say.
      this.keepInjection(message);
      this.end()?.resolve(message);
    } else if (
      !job.accept ||
      (message.length === 0 && firstTag(job.request) === EsipaTag.handleNotification)
    ) {
      // The response says that the message arrived; a body has nothing more to say.
      this.end()?.resolve(message);
    } else if (tag === firstTag(job.request) && lengthOf(message) === message.length && job.accept(message)) {
      this.end()?.resolve(message);
    } else {
      this.drop(tag, tag === firstTag(job.request) ? 'notMatching' : 'notAwaited');
      this.end()?.reject(new LinkError('noAnswer', `${this.eimId} answered something else`));
    }
  }

  /** Hands a block on, and asks for the next one when it was taken. */
  private pour(job: Job, payload: Uint8Array, more: boolean, total: number | undefined): void {
    if (this.#jobs[0] !== job || !job.into) return;
    const tag = firstTag(job.request);
    if (!job.begun) {
      if (firstTag(payload) !== tag) {
        this.drop(firstTag(payload), 'notAwaited');
        this.end()?.reject(new LinkError('noAnswer', `${this.eimId} answered something else`));
        return;
      }
      job.begun = true;
      const { eimId } = this;
      const message = payload;
      this.#options.observe?.({ event: 'esipa', direction: 'down', eimId, tag, message, byteLength: total });
    }
    // No async function: it would cost memory while the eUICC works.
    job.into.take(payload).then(
      (isWanted) => this.taken(job, isWanted && more),
      (error) => this.refuse(job, error),
    );
  }

  private taken(job: Job, goOn: boolean): void {
    if (this.#jobs[0] !== job) return;
    if (goOn) this.#transfer.next();
    else this.end()?.resolve(new Uint8Array(0));
  }

  private refuse(job: Job, error: unknown): void {
    if (this.#jobs[0] === job) this.end()?.reject(error);
  }

  /** Of the transfer. */
  onDelivered(): void {
    this.end()?.resolve(new Uint8Array(0));
  }

  /** Of the transfer. */
  onFailure(error: CoapError): void {
    const [job] = this.#jobs;
    if (job?.token) {
      // The eIM waits for it no more: it is posted instead.
      job.token = undefined;
      job.attempts = 0;
      if (job.request.length === 0) this.end()?.resolve(job.request);
      else {
        this.#running = false;
        this.next();
      }
      return;
    }
    const isReachable = job && this.#client && this.#client.heard > job.heard;
    // Bad radio. A server that was not heard at all is left in peace: a later poll will find it or not.
    if (error.code === 'noAnswer' && isReachable && !job.begun && job.attempts < this.#times.attempts) {
      this.#running = false;
      this.next();
      return;
    }
    const code = error.code === 'refused' ? 'refused' : 'noAnswer';
    this.end()?.reject(new LinkError(code, `${this.eimId}: ${error.message}`, error.retryAfter));
    // Whoever was not heard at all may have another address by now, or have lost the session below.
    if (error.code === 'noAnswer' && job && !isReachable) this.lose(error.message);
  }

  // Injection -------------------------------------------------------------------------------------------------------

  /** Of the client. */
  onRequest(reader: CoapReader, client: CoapClient): void {
    const { path = PATH, injectionLength: limit = INJECTION_LENGTH, timer } = this.#options;
    this.#server ??= new CoapServerRole({ path, limit, timer, owner: this });
    this.#server.onRequest(reader, client);
  }

  /** Of the server. */
  onMessage(message: Uint8Array, token: Uint8Array): number {
    const tag = firstTag(message);
    if (tag !== EsipaTag.transferEimPackage) {
      this.drop(tag, 'notAwaited');
      return CoapCode.badRequest;
    }
    if (this.#token || (this.#injections?.length ?? 0) >= INJECTIONS) {
      this.drop(tag, 'injectionQueueFull');
      return CoapCode.serviceUnavailable;
    }
    this.observe('down', message);
    this.#token = token;
    // Not every package has an answer; then the request gets an empty one.
    this.#tokenDeadline = this.#options.timer.set(() => this.respondEmpty(), this.#times.answer);
    this.keepInjection(message);
    return CoapCode.empty;
  }

  private keepInjection(message: Uint8Array): void {
    this.#injections ??= [];
    this.#injections.push(message);
    this.onInjection?.();
  }

  private forgetToken(): Uint8Array | undefined {
    const token = this.#token;
    this.#options.timer.clear(this.#tokenDeadline);
    this.#token = this.#tokenDeadline = undefined;
    return token;
  }

  private respondEmpty(): void {
    const token = this.forgetToken();
    if (token) this.submit(new Uint8Array(0), undefined, undefined, token).catch(() => {});
  }

  // Observers -------------------------------------------------------------------------------------------------------

  private observe(direction: 'up' | 'down', message: Uint8Array): void {
    const { eimId } = this;
    this.#options.observe?.({ event: 'esipa', direction, eimId, tag: firstTag(message), message });
  }

  private tell(state: 'connecting' | 'connected' | 'lost' | 'closed', detail?: string): void {
    this.#options.observe?.({ event: 'link', eimId: this.eimId, state, detail });
  }

  /** Of the transfer. */
  onLost(reason?: unknown): void {
    const isRefused =
      reason instanceof XsIpaError && (reason.code === 'untrusted' || reason.code === 'refused');
    this.lose(reason instanceof Error ? reason.message : 'the socket is gone', isRefused);
  }

  private drop(tag: number, reason: string): void {
    this.#dropped++;
    this.#options.observe?.({ event: 'dropped', eimId: this.eimId, tag, reason, count: this.#dropped });
  }
}
