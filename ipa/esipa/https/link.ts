import {
  type HttpClient,
  type HttpConfiguration,
  type Observer,
  type Timer,
  type TimerHandle,
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
import type { EsipaBinding } from './binding.js';
import { type ExchangeOwner, HttpsExchange } from './exchange.js';

export interface HttpsLinkOptions {
  eimId: string;
  /** The class, the eIM's host and port, and what TLS needs: whom to trust is the class's own business. */
  http: HttpConfiguration & { host: string; port?: number };
  /** `new Asn1Binding()` or `new JsonBinding()`, for this link alone. */
  binding: EsipaBinding;
  timer: Timer;
  random: () => number;
  times?: LinkTimes;
  /** Milliseconds without an exchange after which the connection is given up (15 s): longer than an eUICC takes for a package. */
  quiet?: number;
  /** `gsma-rsp-ipad` when absent. */
  userAgent?: string;
  /** `gsma/rsp/v2.1.0` when absent, which every eIM takes. */
  adminProtocol?: string;
  /** Longest answer that is taken whole, bytes. */
  messageLimit?: number;
  observe?: Observer<IpaEvent>;
}

const QUIET = 15_000;
const PIECE = 192;
/** So often the time for an answer begins anew because something came, and once more for each of these bytes. */
const RENEWALS = 8;
const RENEWING_BITS = 8;

// What is waited for.
const NOTHING = 0;
const ANSWER = 1;
const NETWORK = 2;
/** Between two attempts. */
const PAUSE = 3;
/** The end of the quiet time. */
const REST = 4;

/**
 * ESipa over HTTPS (esipa.md §7, §8): a POST for each message, the answer in its response. The connection is made when there
 * is something to send, serves one exchange after the other, and is given up when nothing follows for a while. The eIM cannot
 * reach the IPA unasked; it is polled.
 */
export class HttpsLink implements EsipaLink, ExchangeOwner {
  readonly eimId: string;
  readonly binding: EsipaBinding;
  readonly longest: number;
  onInjection: (() => void) | undefined;

  readonly #options: HttpsLinkOptions;
  readonly #times: LinkTimes;
  readonly #answer: Writer;
  /** The first one is under way, or waits for the network. */
  readonly #jobs: HttpsExchange[] = [];
  #client: HttpClient | undefined;
  /** While there is a connection. */
  #piece: Uint8Array | undefined;
  /** The connection has brought an answer before. */
  #isProven = false;
  #active = false;
  #closed = false;
  #running = false;
  /** What the timer is for. */
  #waiting = NOTHING;
  #timer: TimerHandle | undefined;
  /** The network did something since the timer was set. */
  #moved = false;
  /** How often the time for the answer began anew. */
  #renewals = 0;
  /** The answer waits for whoever takes it. */
  #held = false;
  #dropped = 0;

  constructor(options: HttpsLinkOptions) {
    this.eimId = options.eimId;
    this.binding = options.binding;
    this.#options = options;
    this.#times = options.times ?? defaultTimes();
    const { messageLimit = 16_384 } = options;
    // JSON is longer than what it holds.
    this.longest = 2 * messageLimit;
    this.#answer = new Writer(128, messageLimit);
  }

  get piece(): Uint8Array {
    this.#piece ??= new Uint8Array(PIECE);
    return this.#piece;
  }

  get connected(): boolean {
    return this.#isProven;
  }

  resume(): void {
    if (this.#closed) return;
    const isNew = !this.#active || this.#waiting === PAUSE;
    this.#active = true;
    if (!isNew) return;
    this.settle();
    if (this.#jobs.length > 0) this.soon();
  }

  suspend(): void {
    this.#active = false;
    const wasRunning = this.#running;
    this.#running = false;
    const [job] = this.#jobs;
    if (this.#client) {
      this.disconnect();
      this.tell('lost', 'the network is gone');
    }
    if (job?.isBegun)
      this.end()?.reject(new LinkError('noAnswer', 'the network went in the middle of a long answer'));
    else {
      if (wasRunning && job) job.attempts--;
      // A time that is running already runs on.
      if (this.#waiting !== NETWORK) this.next();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#active = this.#running = false;
    this.disconnect();
    this.settle();
    const error = new LinkError('closed', 'the link was closed');
    for (const job of this.#jobs.splice(0)) job.reject(error);
    this.binding.release();
    this.tell('closed');
  }

  exchange(request: Uint8Array, accept: Accept): Promise<Uint8Array> {
    return this.submit(request, accept, undefined);
  }

  download(request: Uint8Array, into: AnswerSink): Promise<void> {
    return this.submit(request, undefined, into) as Promise<unknown> as Promise<void>;
  }

  send(message: Uint8Array): Promise<void> {
    return this.submit(new Uint8Array(message), undefined, undefined) as Promise<unknown> as Promise<void>;
  }

  takeInjection(): Uint8Array | undefined {
    return undefined;
  }

  // One exchange after the other ------------------------------------------------------------------------------------

  private submit(
    request: Uint8Array,
    accept: Accept | undefined,
    into: AnswerSink | undefined,
  ): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new LinkError('closed', 'the link is closed'));
    return new Promise((resolve, reject) => {
      this.#jobs.push(new HttpsExchange(this, request, accept, into, resolve, reject));
      if (this.#jobs.length === 1) this.soon();
    });
  }

  /** From an empty stack: the way down to the socket is long. */
  private soon(): void {
    Promise.resolve().then(() => this.next());
  }

  private next(): void {
    if (this.#running || this.#closed) return;
    const [job] = this.#jobs;
    const { answer, attempts } = this.#times;
    if (!job) {
      if (this.#client) this.wait(REST, this.#options.quiet ?? QUIET);
      else this.settle();
    } else if (!this.#active) {
      // An exchange waits for the network no longer than it would for its answers.
      this.wait(NETWORK, answer * attempts);
    } else if (this.#waiting !== PAUSE) this.start(job);
  }

  private start(job: HttpsExchange): void {
    this.#running = true;
    this.#answer.clear();
    this.#held = false;
    this.#renewals = 0;
    this.wait(ANSWER, this.#times.answer);
    const { userAgent, adminProtocol } = this.#options;
    try {
      this.#client ??= this.connect();
      if (job.attempts === 0) this.observe('up', job.message);
      job.start(this.#client, userAgent ?? 'gsma-rsp-ipad', adminProtocol ?? 'gsma/rsp/v2.1.0');
    } catch (error) {
      this.onRefused(error, false);
    }
  }

  private end(): HttpsExchange | undefined {
    const job = this.#jobs.shift();
    job?.stop();
    this.#running = false;
    this.binding.release();
    this.settle();
    if (this.#jobs.length > 0) this.soon();
    else this.next();
    return job;
  }

  // Time ------------------------------------------------------------------------------------------------------------

  private wait(what: number, milliseconds: number): void {
    this.settle();
    this.#waiting = what;
    this.#moved = false;
    this.#timer = this.#options.timer.set(this.#due, milliseconds);
  }

  private settle(): void {
    this.#options.timer.clear(this.#timer);
    this.#timer = undefined;
    this.#waiting = NOTHING;
  }

  /** Kept, so that waiting costs no further function. */
  readonly #due = (): void => this.due();

  private due(): void {
    const what = this.#waiting;
    this.#timer = undefined;
    this.#waiting = NOTHING;
    const { answer } = this.#times;
    if (what === PAUSE) this.next();
    else if (what === REST) this.rest();
    else if (what === NETWORK)
      this.end()?.reject(new LinkError('noAnswer', `no way to ${this.eimId} in time`));
    else if (this.#held || this.isMoving()) this.wait(ANSWER, answer);
    else this.onLost(new XsIpaError('timeout', `no answer within ${answer} ms`));
  }

  /** Something comes, and more than a byte now and then. */
  private isMoving(): boolean {
    const [{ message, received }] = this.#jobs;
    const bytes = message.length + received;
    return this.#moved && this.#renewals++ < RENEWALS + (bytes >> RENEWING_BITS);
  }

  // The connection --------------------------------------------------------------------------------------------------

  private connect(): HttpClient {
    const { http } = this.#options;
    this.tell('connecting');
    const lost = (): void => this.ended(client);
    const client = new http.io({ ...http, onClose: lost, onError: lost });
    return client;
  }

  /** The eIM has ended a connection on which it owes nothing. */
  private ended(client: HttpClient): void {
    client.close();
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#isProven = false;
    this.tell('idle', 'the eIM ended the connection');
    // An answer that came whole may still be on its way to whoever asked.
    if (!this.#running) this.next();
  }

  private disconnect(): void {
    this.#jobs[0]?.stop();
    this.#client?.close();
    this.#client = this.#piece = undefined;
    this.#isProven = false;
  }

  /** Nothing has followed: whoever sleeps for an hour needs no connection. */
  private rest(): void {
    this.disconnect();
    this.tell('idle');
  }

  // Of the exchange -------------------------------------------------------------------------------------------------

  onProgress(): void {
    this.#moved = true;
    if (!this.#jobs[0]?.status || this.#isProven || !this.#client) return;
    this.#isProven = true;
    this.tell('connected');
  }

  onHeld(isHeld: boolean): void {
    this.#held = isHeld;
    this.#moved = true;
  }

  onAnswer(data: Uint8Array): Promise<boolean> | undefined {
    const [job] = this.#jobs;
    if (!job.into) {
      this.#answer.write(data);
      return undefined;
    }
    if (!job.isBegun) {
      if (firstTag(data) !== firstTag(job.message)) {
        this.drop(firstTag(data), 'notAwaited');
        throw new XsIpaError('protocol', 'it answered something else');
      }
      job.isBegun = true;
      this.observe('down', data, lengthOf(data));
    }
    return job.into.take(data);
  }

  onComplete(isWhole: boolean): void {
    const [job] = this.#jobs;
    if (!job.into) {
      this.take(job, this.#answer.detach());
      return;
    }
    if (isWhole && !job.isBegun) {
      this.onRefused(new XsIpaError('protocol', 'it answered nothing'), false);
      return;
    }
    if (!isWhole) {
      // What the eUICC did not want any more is not read either.
      this.disconnect();
      this.tell('idle');
    }
    this.end()?.resolve(this.#answer.detach());
  }

  private take(job: HttpsExchange, message: Uint8Array): void {
    const { eimId } = this;
    const { fault } = this.binding;
    if (fault !== undefined) {
      const code = 'refusedByEim';
      this.#options.observe?.({ event: 'failure', where: 'link', code, detail: `${eimId} says ${fault}` });
    }
    const asked = firstTag(job.message);
    const tag = firstTag(message);
    if (message.length > 0) this.observe('down', message);
    if (!job.accept || (asked === EsipaTag.handleNotification && message.length === 0)) {
      // The response says that the message arrived.
      this.end()?.resolve(message);
    } else if (tag === asked && lengthOf(message) === message.length && job.accept(message)) {
      this.end()?.resolve(message);
    } else {
      if (message.length > 0) this.drop(tag, tag === asked ? 'notMatching' : 'notAwaited');
      const what = message.length > 0 ? 'something else' : 'nothing';
      this.end()?.reject(new LinkError('noAnswer', `${eimId} answered ${what}`));
    }
  }

  onLost(error: unknown): void {
    const [job] = this.#jobs;
    if (!job || !this.#running) return;
    const wasProven = this.#isProven;
    this.disconnect();
    this.#running = false;
    const detail = messageOf(error);
    this.tell('lost', detail);
    const { attempts, backOff, backOffLimit } = this.#times;
    const isUntrusted = error instanceof XsIpaError && error.code === 'untrusted';
    if (isUntrusted || job.isBegun || job.attempts >= attempts) {
      const code = isUntrusted ? 'refused' : 'noAnswer';
      this.end()?.reject(new LinkError(code, `${this.eimId}: ${detail}`));
    } else if (wasProven && job.attempts === 1 && job.status === 0) {
      // An eIM ends an idle connection whenever it likes; what crosses with that is lost.
      this.settle();
      this.next();
    } else {
      const pause = Math.min(backOffLimit, backOff * 2 ** Math.min(job.attempts - 1, 20));
      this.wait(PAUSE, pause * (0.5 + this.#options.random() / 2));
    }
  }

  onRefused(error: unknown, isFromSink: boolean): void {
    const [job] = this.#jobs;
    if (!job) return;
    const detail = messageOf(error);
    if (this.#client) {
      this.disconnect();
      this.tell('lost', isFromSink ? 'nobody takes the rest of the answer' : detail);
    }
    let failure = error;
    if (!isFromSink && error instanceof XsIpaError) {
      const text = `${this.eimId}: ${detail}`;
      if (error instanceof LinkError) failure = new LinkError('refused', text, error.retryAfter);
      else if (error instanceof TlvError && error.code === 'overflow')
        failure = new LinkError('tooLong', text);
      else failure = new LinkError('noAnswer', text);
    }
    this.end()?.reject(failure);
  }

  // Observers -------------------------------------------------------------------------------------------------------

  private observe(direction: 'up' | 'down', message: Uint8Array, byteLength?: number): void {
    const { eimId } = this;
    this.#options.observe?.({
      event: 'esipa',
      direction,
      eimId,
      tag: firstTag(message),
      message,
      byteLength,
    });
  }

  private tell(state: 'connecting' | 'connected' | 'idle' | 'lost' | 'closed', detail?: string): void {
    this.#options.observe?.({ event: 'link', eimId: this.eimId, state, detail });
  }

  private drop(tag: number, reason: string): void {
    this.#dropped++;
    this.#options.observe?.({ event: 'dropped', eimId: this.eimId, tag, reason, count: this.#dropped });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'the connection broke';
}
