import { UiccError, XsIpaError } from '../../hal/contracts/index.js';
import { isChannelGone } from '../error.js';
import type { IpaContext } from './context.js';
import { Fallback } from './fallback.js';
import type { StateChanges } from './state-change.js';

/** Something the device asks for, to be done between two procedures; what it gives goes to whoever asked. */
export type Operation<T> = (context: IpaContext, changes: StateChanges) => Promise<T>;

interface Queued {
  run: () => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** What no eIM has ordered: the rollback that is due, the connectivity policy, and what the device's program asks for. */
export class DeviceWork {
  readonly fallback: Fallback;
  readonly #context: IpaContext;
  readonly #changes: StateChanges;
  readonly #queue: Queued[] = [];

  constructor(context: IpaContext, changes: StateChanges) {
    this.#context = context;
    this.#changes = changes;
    this.fallback = new Fallback(context);
  }

  /** Clock ticks at which something is due. */
  get dueAt(): number {
    if (this.#queue.length > 0) return Number.NEGATIVE_INFINITY;
    const { rollback } = this.#context;
    // One change of the profile at a time: what an eIM has authorised goes first.
    return rollback.armed ? rollback.until : this.fallback.dueAt;
  }

  /** @returns the procedure that is under way now; undefined when nothing is due */
  next(): Promise<unknown> | undefined {
    const first = this.#queue.shift();
    if (first) return this.run(first);
    const { rollback, platform } = this.#context;
    if (platform.time.ticks < this.dueAt) return undefined;
    return rollback.armed ? rollback.execute(this.#changes) : this.fallback.execute(this.#changes);
  }

  add<T>(operation: Operation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push({
        run: () => operation(this.#context, this.#changes),
        resolve: resolve as (value: unknown) => void,
        reject,
      });
    });
  }

  /** Nothing that waits will be done. */
  cancel(error: XsIpaError): void {
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  /** What an operation fails with is its caller's; what it says of the way to the card is ours, too. */
  private async run({ run, resolve, reject }: Queued): Promise<void> {
    try {
      resolve(await run());
    } catch (error) {
      reject(error);
      if (error instanceof UiccError || isChannelGone(error) || !(error instanceof XsIpaError)) throw error;
    }
  }
}
