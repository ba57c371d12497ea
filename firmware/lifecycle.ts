import type { Observer, Timer, TimerHandle } from '../hal/contracts/index.js';
import type { IpaEvent } from '../ipa/events.js';

/** What a board offers beside I/O; absent hooks are left out. Times are milliseconds. */
export interface BoardHooks {
  /** Restarts the chip unless feed() follows within this time, again and again. */
  watchdog?: (milliseconds: number) => void;
  feed?: () => void;
  /** Everything but the clock is switched off; the chip starts anew afterwards. Does not return. */
  deepSleep?: (milliseconds: number) => void;
}

export interface LifecycleOptions {
  hooks: BoardHooks;
  timer: Timer;
  /** 0 = no watchdog. */
  watchdog: number;
  /** Sleep that long once the IPA has been idle for `grace`; 0 = never. */
  sleep: number;
  /** Time for an eIM to inject something. */
  grace: number;
  /** Ends the IPA; resolves when the modem is closed. */
  stop: () => Promise<void>;
}

/** Feeds the watchdog while the event loop turns, and puts the chip to sleep when the IPA has nothing to do. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  #idle: TimerHandle | undefined;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  start(): void {
    const { hooks, watchdog } = this.#options;
    if (watchdog <= 0 || !hooks.watchdog || !hooks.feed) return;
    hooks.watchdog(watchdog);
    this.#feed();
  }

  /** To be told what the IPA does. */
  readonly observe: Observer<IpaEvent> = (event) => {
    const { sleep, hooks, timer, grace } = this.#options;
    if (event.event !== 'state' || sleep <= 0 || !hooks.deepSleep) return;
    timer.clear(this.#idle);
    this.#idle = event.state === 'idle' ? timer.set(() => void this.#sleep(), grace) : undefined;
  };

  #feed(): void {
    const { hooks, timer, watchdog } = this.#options;
    hooks.feed?.();
    timer.set(() => this.#feed(), watchdog / 3);
  }

  async #sleep(): Promise<void> {
    const { hooks, stop, sleep } = this.#options;
    await stop();
    hooks.deepSleep?.(sleep);
  }
}
