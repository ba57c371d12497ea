import type { TimerHandle } from '../../hal/contracts/index.js';

/** A timer that goes off when it is told to, the earliest deadline first. */
export class Deadlines {
  #now = 0;
  #next = 1;
  readonly #set = new Map<number, { at: number; act: () => void }>();

  get pending(): number {
    return this.#set.size;
  }

  set = (act: () => void, milliseconds = 0): TimerHandle => {
    const handle = this.#next++;
    this.#set.set(handle, { at: this.#now + milliseconds, act });
    return handle as unknown as TimerHandle;
  };

  clear = (handle: TimerHandle | undefined): void => {
    this.#set.delete(handle as unknown as number);
  };

  fire(): void {
    let first = 0;
    for (const [handle, { at }] of this.#set) {
      if (first === 0 || at < (this.#set.get(first)?.at ?? 0)) first = handle;
    }
    const due = this.#set.get(first);
    if (!due) return;
    this.#set.delete(first);
    this.#now = due.at;
    due.act();
  }
}
