import type { HttpClient, HttpRequest, HttpRequestOptions } from '../../../hal/contracts/index.js';
import { TlvError } from '../../tlv/index.js';
import { type Accept, type AnswerSink, LinkError } from '../link.js';
import type { EsipaBinding } from './binding.js';

/** Whom an exchange serves: its link. */
export interface ExchangeOwner {
  readonly binding: EsipaBinding;
  /** A few hundred bytes, lent to the exchange under way. */
  readonly piece: Uint8Array;
  /** Bytes of a body before an answer comes out of it, or of an answer that is taken whole. */
  readonly longest: number;
  /** The network did something. */
  onProgress(): void;
  /** The answer waits for whoever takes it, or no longer. */
  onHeld(isHeld: boolean): void;
  /** The next bytes of the answer. A promise holds the eIM back until it is settled. @throws XsIpaError when they are too many */
  onAnswer(data: Uint8Array): Promise<boolean> | undefined;
  /** The response is complete, or nobody wants the rest of it. */
  onComplete(isWhole: boolean): void;
  /** The way to the eIM failed: another attempt may do better. */
  onLost(error: unknown): void;
  /** The eIM's answer is none, or nobody takes it: another attempt would end the same. */
  onRefused(error: unknown, isFromSink: boolean): void;
}

/**
 * One ESipa exchange. It is the callbacks of its HTTP exchange itself, and no async function: either costs memory on a device
 * while it lives.
 */
export class HttpsExchange implements HttpRequestOptions {
  readonly method = 'POST';
  path = '';
  headers: Map<string, string> | undefined = undefined;

  readonly message: Uint8Array;
  readonly accept: Accept | undefined;
  readonly into: AnswerSink | undefined;
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  /** Pieces of the answer were handed on: it cannot begin anew. */
  isBegun = false;
  attempts = 0;
  /** HTTP status of this attempt, 0 before its response has begun. */
  status = 0;
  /** Bytes of the body that were read. */
  received = 0;
  /** Seconds of a Retry-After. */
  retryAfter: number | undefined = undefined;

  readonly #owner: ExchangeOwner;
  #request: HttpRequest | undefined;
  /** Bytes of the body that can be read. */
  #available = 0;
  /** The response is complete; whoever takes it may not be ready. */
  #isOver = false;
  #isScheduled = false;
  #isLive = false;
  #isWriting = false;

  constructor(
    owner: ExchangeOwner,
    message: Uint8Array,
    accept: Accept | undefined,
    into: AnswerSink | undefined,
    resolve: (answer: Uint8Array) => void,
    reject: (error: unknown) => void,
  ) {
    this.#owner = owner;
    this.message = message;
    this.accept = accept;
    this.into = into;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** A new attempt. @throws what the client or the binding throws */
  start(client: HttpClient, userAgent: string, adminProtocol: string): void {
    const { binding } = this.#owner;
    binding.begin(this.message);
    this.attempts++;
    this.status = this.#available = this.received = 0;
    this.retryAfter = undefined;
    this.#isOver = this.#isWriting = false;
    this.#isLive = true;
    this.path = binding.path;
    const headers = new Map<string, string>();
    headers.set('user-agent', userAgent);
    headers.set('x-admin-protocol', adminProtocol);
    headers.set('content-type', binding.contentType);
    headers.set('content-length', String(binding.length));
    this.headers = headers;
    this.#request = client.request(this);
  }

  /** The attempt is over; nothing of it is reported any more. */
  stop(): void {
    this.#isLive = false;
    this.#request = this.headers = undefined;
    this.#available = 0;
  }

  // Of the HTTP client ----------------------------------------------------------------------------------------------

  onHeaders(status: number, received: ReadonlyMap<string, string>): void {
    this.status = status;
    const text = received.get('retry-after');
    const seconds = text === undefined ? -1 : Number(text);
    // Its other form is a date, and a device may not know the time of day.
    this.retryAfter = seconds >= 0 ? seconds : undefined;
    this.schedule();
  }

  onWritable(count: number): void {
    // A server that has answered already reads no more; and the buffer may hold a piece of its answer.
    if (!this.#isLive || this.status !== 0) return;
    const { binding, piece } = this.#owner;
    // The head is on its way, and needs them no more.
    this.headers = undefined;
    // The first time, nothing of it has got anywhere yet.
    if (this.#isWriting) this.#owner.onProgress();
    this.#isWriting = true;
    for (let room = count; room > 0; ) {
      const into = room < piece.length ? piece.subarray(0, room) : piece;
      const length = binding.read(into);
      if (length === 0) return;
      room = this.#request?.write(length < into.length ? into.subarray(0, length) : into) ?? 0;
    }
  }

  onReadable(count: number): void {
    this.#available = count;
    this.schedule();
  }

  onDone(error?: unknown): void {
    if (!this.#isLive) return;
    this.#isOver = true;
    if (error) this.#owner.onLost(error);
    else this.schedule();
  }

  // The answer ------------------------------------------------------------------------------------------------------

  /** Something new is there; it is looked at from an empty stack. */
  private schedule(): void {
    if (this.#isScheduled || !this.#isLive) return;
    this.#isScheduled = true;
    Promise.resolve().then(() => this.goOn());
  }

  private goOn(): void {
    this.#isScheduled = false;
    if (!this.#isLive) return;
    this.#owner.onProgress();
    try {
      this.pump();
    } catch (error) {
      this.#owner.onRefused(error, false);
    }
  }

  private pump(): void {
    const { status } = this;
    if (status !== 0 && status !== 200 && status !== 204) throw this.refusal();
    const { binding, piece } = this.#owner;
    for (;;) {
      for (let data = binding.next(); data; data = binding.next()) if (this.pass(data)) return;
      if (this.#available === 0) break;
      const count = Math.min(this.#available, piece.length);
      const got = this.#request?.read(count < piece.length ? piece.subarray(0, count) : piece) ?? 0;
      if (got === 0) break;
      this.#available -= got;
      this.received += got;
      if (!this.isBegun && this.received > this.#owner.longest)
        throw new TlvError('overflow', `a body of more than ${this.#owner.longest} bytes`, this.received);
      binding.feed(got < piece.length ? piece.subarray(0, got) : piece);
    }
    if (!this.#isOver) return;
    if (this.received > 0) {
      const rest = binding.finish();
      this.received = 0;
      if (rest && this.pass(rest)) return;
    }
    this.#owner.onComplete(true);
  }

  /** @returns whether it has to be waited for */
  private pass(data: Uint8Array): boolean {
    const taking = this.#owner.onAnswer(data);
    if (!taking) return false;
    this.#isScheduled = true;
    this.#owner.onHeld(true);
    taking.then(
      (isWanted) => this.taken(isWanted),
      (error) => this.refused(error),
    );
    return true;
  }

  private taken(isWanted: boolean): void {
    this.#owner.onHeld(false);
    if (isWanted) {
      this.goOn();
      return;
    }
    this.#isScheduled = false;
    if (this.#isLive) this.#owner.onComplete(this.#isOver && this.#available === 0);
  }

  private refused(error: unknown): void {
    this.#isScheduled = false;
    if (this.#isLive) this.#owner.onRefused(error, true);
  }

  private refusal(): LinkError {
    const { status, retryAfter } = this;
    const later = retryAfter === undefined ? '' : `; it wants to be asked again in ${retryAfter} s`;
    return new LinkError(
      'refused',
      `HTTP status ${status}${later}`,
      retryAfter === undefined ? 0 : retryAfter * 1_000,
    );
  }
}
