/** Whatever the platform's timer returns; only handed back to {@link Timer.clear}. */
export type TimerHandle = unknown;

/** The shape of ECMA-419's and Moddable's `timer` module. */
export interface Timer {
  /** Calls `callback` once after `milliseconds`. */
  set(callback: () => void, milliseconds: number): TimerHandle;
  /** Idempotent; a fired or unknown handle is ignored. */
  clear(handle: TimerHandle | undefined): void;
}

/** The shape of Moddable's `time` module: a clock that never goes back, in milliseconds from any origin. */
export interface Time {
  readonly ticks: number;
}
