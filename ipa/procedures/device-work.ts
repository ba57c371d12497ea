import { UiccError, XsIpaError } from '../../hal/contracts/index.js';
import { isChannelGone } from '../error.js';
import type { IpaContext } from './context.js';
import { deliverDirect } from './download/direct-results.js';
import { Fallback } from './fallback.js';
import { sendNotifications } from './local-notifications.js';

/** Something the device asks for, to be done between two procedures; what it gives goes to whoever asked. */
export type Operation<T> = (context: IpaContext) => Promise<T>;

interface Queued {
  run: () => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** What no eIM has ordered: the rollback that is due, the connectivity policy, and what the device's program asks for. */
export class DeviceWork {
  readonly fallback: Fallback;
  readonly #context: IpaContext;
  readonly #queue: Queued[] = [];
  /** Clock ticks at which an SM-DP+ may be tried again, and how often it failed. */
  #directAt = Number.NEGATIVE_INFINITY;
  #directFailures = 0;

  constructor(context: IpaContext) {
    this.#context = context;
    this.fallback = new Fallback(context);
  }

  /** Clock ticks at which something is due, as it looks now. */
  look(): number {
    if (this.#queue.length > 0) return Number.NEGATIVE_INFINITY;
    const { downloads, hasNetwork } = this.#context;
    const isDue = hasNetwork && (downloads.direct.length > 0 || this.hasLocal());
    return Math.min(this.lookAtChange(), isDue ? this.#directAt : Number.POSITIVE_INFINITY);
  }

  /** Of a consumer eUICC: there is no eIM to pass its notifications on. */
  private hasLocal(): boolean {
    const { kind, notificationsPending, settings, connectSmdp } = this.#context;
    return kind === 'consumer' && notificationsPending && settings.localNotifications && !!connectSmdp;
  }

  /** One change of the profile at a time: what an eIM has authorised goes first. */
  private lookAtChange(): number {
    const { rollback } = this.#context;
    return rollback.armed ? rollback.until : this.fallback.look();
  }

  /** @returns the procedure that is under way now; undefined when nothing is due */
  next(): Promise<unknown> | undefined {
    const first = this.#queue.shift();
    if (first) return this.run(first);
    const { rollback, platform } = this.#context;
    const { ticks } = platform.time;
    if (ticks < this.look()) return undefined;
    if (ticks < this.lookAtChange()) return this.bringDirect();
    return rollback.armed ? rollback.execute() : this.fallback.execute();
  }

  /** An SM-DP+ that cannot be reached, or refuses, holds up nothing else. */
  private async bringDirect(): Promise<void> {
    const context = this.#context;
    try {
      await deliverDirect(context);
      if (this.hasLocal()) await this.bringLocal();
      this.#directFailures = 0;
    } catch (error) {
      if (!(error instanceof XsIpaError) || error instanceof UiccError || isChannelGone(error)) throw error;
      const { backOff, backOffLimit } = context.settings;
      const pause = Math.min(backOffLimit, backOff * 2 ** Math.min(this.#directFailures++, 20));
      this.#directAt = context.platform.time.ticks + pause;
      context.fail('HandleNotification', error, pause);
    }
  }

  private async bringLocal(): Promise<void> {
    const { kept } = await sendNotifications(this.#context);
    for (const { seqNumber, reason, refused } of kept) {
      const error = new XsIpaError('notSent', `notification ${seqNumber} stays on the eUICC: ${reason}`);
      // What is refused is tried again after the next change, or the next start.
      if (!refused) throw error;
      this.#context.fail('HandleNotification', error);
    }
  }

  add<T>(operation: Operation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push({
        run: () => operation(this.#context),
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
    // From here on an empty stack (docs/design.md §4).
    await undefined;
    try {
      resolve(await run());
    } catch (error) {
      reject(error);
      if (error instanceof UiccError || isChannelGone(error) || !(error instanceof XsIpaError)) throw error;
    }
  }
}
