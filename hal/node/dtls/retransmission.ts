import type { Timer, TimerHandle } from '../../contracts/index.js';
import { datagramsOf, type Part } from './flight.js';

export interface RetransmissionOptions {
  timer: Timer;
  /** First pause before a flight is sent again, milliseconds; doubled each time. */
  flight: number;
  attempts: number;
  write: (part: Part) => Buffer;
  send: (datagram: Uint8Array) => void;
  onGivenUp: () => void;
}

/** A flight whose answer is not what it should be need not be sent more often. */
const HURRIED = 3;

/** A flight of the client, sent until the next one begins or attempts are used up. */
export class Retransmission {
  readonly #options: RetransmissionOptions;
  #parts: readonly Part[] = [];
  #sent = 0;
  #attempts = 0;
  #pause = 0;
  #deadline: TimerHandle | undefined;

  constructor(options: RetransmissionOptions) {
    this.#options = options;
  }

  begin(parts: readonly Part[]): void {
    this.#parts = parts;
    this.#sent = 0;
    this.#attempts = this.#options.attempts;
    this.#pause = this.#options.flight;
    this.#again();
  }

  /** Something is there that does not understand: it gets a few attempts only. */
  hurry(): void {
    this.#attempts = Math.min(this.#attempts, HURRIED);
  }

  /** Idempotent. */
  stop(): void {
    this.#options.timer.clear(this.#deadline);
    this.#deadline = undefined;
    this.#parts = [];
  }

  #again(): void {
    const { timer, write, send, onGivenUp } = this.#options;
    timer.clear(this.#deadline);
    if (this.#sent >= this.#attempts) {
      onGivenUp();
      return;
    }
    this.#sent++;
    this.#deadline = timer.set(() => this.#again(), this.#pause);
    this.#pause *= 2;
    for (const datagram of datagramsOf(this.#parts, write)) send(datagram);
  }
}
