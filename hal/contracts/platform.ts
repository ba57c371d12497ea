import type { KeyValue } from './storage.js';
import type { Time, Timer } from './timer.js';

/** What every part of the IPA gets injected. */
export interface Platform {
  timer: Timer;
  time: Time;
  /** Uniform in [0, 1): jitter only, never keys. */
  random: () => number;
  storage: KeyValue;
  /** SHA-256, 32 bytes. Without it downloads with a confirmation code that only this device knows are refused. */
  sha256?: (bytes: Uint8Array) => Uint8Array;
}
