import type { Time, Timer, TimerHandle } from '../contracts/index.js';

/** Silence that counts as drained, the longest drain, and how long `AT` may take; milliseconds. */
const QUIET = 300;
const DRAIN = 3_000;
const ALIVE = 2_000;

export interface RecoveryPort {
  timer: Timer;
  time: Time;
  isOpen: () => boolean;
  /** Sends past the queue; false when the port has no room. */
  send: (text: string) => boolean;
}

/**
 * Finds the way back to a known state: waits for silence, sends `AT`, expects OK and silence again (at.md §1.1 rule 5).
 *
 * Modems carry out commands in order, so whatever a late command still has to say comes before that last silence. So do
 * the OKs of earlier attempts.
 */
export class AtRecovery {
  /** Set while it runs. */
  running: Promise<boolean> | undefined;
  /** It has to run before anything else is sent. */
  needed = false;
  readonly #port: RecoveryPort;
  #timer: TimerHandle | undefined;
  #lastLine = 0;
  #sawOk = false;
  #wake: (() => void) | undefined;

  constructor(port: RecoveryPort) {
    this.#port = port;
  }

  /**
   * @param unfinished part of a command is out: it has to be ended before the modem listens to another
   * @returns true when the modem answers
   */
  run(attempts: number, unfinished = false): Promise<boolean> {
    this.running = this.#drainAndProbe(attempts, unfinished);
    return this.running;
  }

  /** A line has come. */
  onLine(ok: boolean): void {
    this.#lastLine = this.#port.time.ticks;
    if (!ok) return;
    this.#sawOk = true;
    this.#wake?.();
  }

  /** The port is gone: ends soon, with false. */
  abandon(): void {
    this.#wake?.();
  }

  async #drainAndProbe(attempts: number, unfinished: boolean): Promise<boolean> {
    const { time, isOpen, send } = this.#port;
    // Lets run() note that this is running before anything is sent or arrives.
    await Promise.resolve();
    let alive = false;
    for (let attempt = 0; attempt < attempts && !alive && isOpen(); attempt++) {
      await this.#quiet();
      this.#sawOk = false;
      if (send(unfinished ? '\rAT\r' : 'AT\r')) unfinished = false;
      const until = time.ticks + ALIVE;
      while (!this.#sawOk && isOpen() && time.ticks < until) await this.#pause(until - time.ticks);
      alive = this.#sawOk;
    }
    if (alive) await this.#quiet();
    this.running = undefined;
    alive &&= isOpen();
    this.needed = !alive;
    return alive;
  }

  async #quiet(): Promise<void> {
    const { time, isOpen } = this.#port;
    const end = time.ticks + DRAIN;
    this.#lastLine = time.ticks;
    while (isOpen()) {
      const wait = Math.min(this.#lastLine + QUIET, end) - time.ticks;
      if (wait <= 0) return;
      await this.#pause(wait);
    }
  }

  /** Waits, or until woken. */
  #pause(milliseconds: number): Promise<void> {
    const { timer } = this.#port;
    return new Promise((resolve) => {
      const done = () => {
        timer.clear(this.#timer);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = done;
      this.#timer = timer.set(done, milliseconds);
    });
  }
}
