import type { Timer } from '../hal/contracts/index.js';

/** Sleeping until something happens. A signal that comes while nobody sleeps is not lost: the next sleep is short. */
export class Alarm {
  readonly #timer: Timer;
  #signalled = false;
  #wake: (() => void) | undefined;

  constructor(timer: Timer) {
    this.#timer = timer;
  }

  signal(): void {
    this.#signalled = true;
    this.#wake?.();
  }

  /** Resolves after `milliseconds`, or with the next signal. */
  sleep(milliseconds: number): Promise<void> {
    if (this.#signalled) {
      this.#signalled = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake = undefined;
        this.#signalled = false;
        this.#timer.clear(handle);
        resolve();
      };
      const handle = this.#timer.set(wake, milliseconds);
      this.#wake = wake;
    });
  }
}
