import type { Clock } from '../clock.js';
import type { TraceEvent } from '../events.js';

/** An event before it is on the timeline. */
export type Happening = TraceEvent extends infer E
  ? E extends unknown
    ? Omit<E, 'at' | 'who'>
    : never
  : never;

/** One timeline for all actors. Lent bytes are copied here, so that listeners may keep what they get. */
export class Trace {
  readonly #clock: Clock;
  readonly #start: number;
  readonly #listeners = new Set<(event: TraceEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#start = clock.ticks;
  }

  /** @returns how to stop listening */
  subscribe(listener: (event: TraceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What an actor is given as `observe`. */
  observer(who: string): (event: Happening) => void {
    return (event) => this.emit(who, event);
  }

  emit(who: string, event: Happening): void {
    const at = Math.round((this.#clock.ticks - this.#start) * 10) / 10;
    const copy: Record<string, unknown> = { at, who };
    for (const [name, value] of Object.entries(event))
      copy[name] = value instanceof Uint8Array ? value.slice() : value;
    for (const listener of this.#listeners) listener(copy as unknown as TraceEvent);
  }
}
