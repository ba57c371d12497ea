import type { Time, Timer } from '../contracts/index.js';
import { AtError } from './at-error.js';

/** Unsolicited lines may be missing, so waiting also asks, this often; milliseconds. */
const POLL = 2_000;

/** Waits for something the modem may report by itself or may have to be asked for. */
export class Waiter {
  readonly #timer: Timer;
  readonly #time: Time;
  readonly #isOpen: () => boolean;
  readonly #wakers = new Set<() => void>();

  constructor(timer: Timer, time: Time, isOpen: () => boolean) {
    this.#timer = timer;
    this.#time = time;
    this.#isOpen = isOpen;
  }

  /** Something has been noticed: everyone who waits looks again. */
  wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /**
   * Looks at `done` after every wake() and after every `ask`.
   * @param deadline milliseconds
   * @returns false at the deadline
   * @throws {AtError} `closed` when the port is closed meanwhile
   */
  async until(deadline: number, done: () => boolean, ask: () => Promise<void>): Promise<boolean> {
    const time = this.#time;
    const end = time.ticks + deadline;
    // What follows begins on an empty stack.
    await undefined;
    for (;;) {
      if (done()) return true;
      await ask();
      const next = Math.min(time.ticks + POLL, end);
      while (!done() && time.ticks < next) {
        await this.#pause(next - time.ticks);
        if (!this.#isOpen()) throw new AtError('closed', 'the AT interface was closed while waiting');
      }
      if (done()) return true;
      if (time.ticks >= end) return false;
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#timer.clear(handle);
        this.#wakers.delete(wake);
        resolve();
      };
      const handle = this.#timer.set(wake, milliseconds);
      this.#wakers.add(wake);
    });
  }
}
