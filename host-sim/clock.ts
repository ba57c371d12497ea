import type { Time, Timer, TimerHandle } from '../hal/contracts/index.js';

/** A clock for simulated parts and tests: the device's Timer and Time in one, so that one object drives everything. */
export interface Clock extends Timer, Time {
  /** Milliseconds since 1970, for certificates and logs. */
  readonly now: number;
}

/** Wall time, optionally running `speed` times faster. */
export class RealClock implements Clock {
  readonly #speed: number;
  readonly #origin = performance.now();

  constructor(speed = 1) {
    this.#speed = speed;
  }

  get ticks(): number {
    return (performance.now() - this.#origin) * this.#speed;
  }

  get now(): number {
    return Date.now();
  }

  set(callback: () => void, milliseconds: number): TimerHandle {
    return setTimeout(callback, milliseconds / this.#speed);
  }

  clear(handle: TimerHandle | undefined): void {
    clearTimeout(handle as NodeJS.Timeout | undefined);
  }
}

interface Entry {
  due: number;
  order: number;
  callback: () => void;
}

/** Time that only moves when told, or by itself from timer to timer while run() waits for a promise. */
export class VirtualClock implements Clock {
  #ticks = 0;
  #order = 0;
  readonly #entries = new Set<Entry>();
  readonly #epoch: number;

  constructor(epoch = Date.UTC(2026, 0, 1)) {
    this.#epoch = epoch;
  }

  get ticks(): number {
    return this.#ticks;
  }

  get now(): number {
    return this.#epoch + this.#ticks;
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#entries.size;
  }

  set(callback: () => void, milliseconds: number): TimerHandle {
    const entry = { due: this.#ticks + Math.max(0, milliseconds), order: this.#order++, callback };
    this.#entries.add(entry);
    return entry;
  }

  clear(handle: TimerHandle | undefined): void {
    this.#entries.delete(handle as Entry);
  }

  /** Fires the next timer; false when there is none. */
  step(): boolean {
    let next: Entry | undefined;
    for (const entry of this.#entries) {
      if (!next || entry.due < next.due || (entry.due === next.due && entry.order < next.order)) next = entry;
    }
    if (!next) return false;
    this.#entries.delete(next);
    this.#ticks = Math.max(this.#ticks, next.due);
    next.callback();
    return true;
  }

  /** Lets everything that is due within `milliseconds` happen. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#ticks + milliseconds;
    await settle();
    for (;;) {
      let due = Number.POSITIVE_INFINITY;
      for (const entry of this.#entries) due = Math.min(due, entry.due);
      if (due > end) break;
      this.step();
      await settle();
    }
    this.#ticks = end;
  }

  /**
   * Moves time from timer to timer until `promise` is settled.
   * @throws when nothing is left that could settle it, or after `limit` virtual milliseconds
   */
  async run<T>(promise: Promise<T>, limit = 24 * 3_600_000): Promise<T> {
    let done = false;
    const mark = () => {
      done = true;
    };
    promise.then(mark, mark);
    const end = this.#ticks + limit;
    for (;;) {
      await settle();
      if (done) return promise;
      if (this.#ticks > end) throw new Error(`still waiting after ${limit} ms of virtual time`);
      if (!this.step()) throw new Error('nothing left to wait for: no timer is set and the promise is open');
    }
  }
}

/** Lets promise jobs and already queued I/O turns finish. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
