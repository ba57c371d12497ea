import { XsIpaError } from '../../hal/contracts/index.js';

/** Longest time for which an eIM is left in peace because it says so, milliseconds: a day. */
const PEACE = 86_400_000;

/** The way to an eIM failed. */
export class LinkError extends XsIpaError {
  override readonly name = 'LinkError';
  /** Milliseconds for which the eIM wants to be left in peace, a day at most; 0 where it has said nothing. */
  readonly retryAfter: number;

  constructor(
    code: 'notConnected' | 'noAnswer' | 'tooLong' | 'closed' | 'refused',
    message: string,
    retryAfter = 0,
  ) {
    super(code, message);
    this.retryAfter = Math.min(retryAfter, PEACE);
  }
}

/** What an answer must be for exchange() to take it; others are dropped and counted. */
export type Accept = (message: Uint8Array) => boolean;

/** Takes an answer that may be longer than any buffer. */
export interface AnswerSink {
  /**
   * @param piece valid until the promise is resolved; the next one is brought after that, and the sender is held back
   *   meanwhile
   * @returns false when no more is wanted
   */
  take(piece: Uint8Array): Promise<boolean>;
}

/**
 * The way to one eIM over one transport. It reconnects by itself while it is resumed; exchange() and send() wait for that, but not longer
 * than for an answer.
 *
 * One exchange at a time. Messages are sent at least once; what arrives twice is dropped here (docs/mqtt-binding.md).
 */
export interface EsipaLink {
  readonly eimId: string;
  readonly connected: boolean;
  /** Connects if it is not connected, at once: at first, after suspend(), and when the network has come back. */
  resume(): void;
  /** The network is gone: stops trying and gives the connection up. Nothing that was queued is lost. */
  suspend(): void;
  /**
   * Sends one ESipa message and waits for its answer.
   * @param request must not change until the answer is there
   * @returns the answer
   * @throws LinkError `noAnswer`, `closed`
   */
  exchange(request: Uint8Array, accept: Accept): Promise<Uint8Array>;
  /**
   * As exchange(), for an answer with the same tag and of any length: it is brought piece by piece. When the connection
   * breaks in the middle it fails: what the eUICC has taken of a Bound Profile Package cannot be sent again.
   * @throws LinkError `noAnswer`, `closed`, and what `into` throws
   */
  download(request: Uint8Array, into: AnswerSink): Promise<unknown>;
  /**
   * Hands over a message that has no answer; resolves when the other side has it. It must not change until then.
   * @throws LinkError `noAnswer`, `closed`
   */
  send(message: Uint8Array): Promise<void>;
  /** Called when an injected package waits in takeInjection(). */
  onInjection: (() => void) | undefined;
  /** The oldest injected message (BF4E …), a copy; undefined when none waits. */
  takeInjection(): Uint8Array | undefined;
  /** Gives up for good. Idempotent; open exchanges fail with `closed`. */
  close(): void;
}

/** Lengths and times of a link. */
export interface LinkTimes {
  /** Milliseconds to wait for an answer before the same message is sent again. */
  answer: number;
  /** How often a message is sent before exchange() fails. */
  attempts: number;
  /** First and longest pause before a new connection, milliseconds; doubled each time, with jitter. */
  backOff: number;
  backOffLimit: number;
}

/** Times for a cellular network: 30 s for an answer, three attempts, up to five minutes between connections. */
export function defaultTimes(): LinkTimes {
  return { answer: 30_000, attempts: 3, backOff: 1_000, backOffLimit: 300_000 };
}
