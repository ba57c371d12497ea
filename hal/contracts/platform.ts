import type { KeyValue } from './storage.js';
import type { Time, Timer } from './timer.js';

/** What every part of the IPA gets injected. */
export interface Platform {
  timer: Timer;
  time: Time;
  /** Uniform in [0, 1): jitter only, never keys. */
  random: () => number;
  storage: KeyValue;
}
