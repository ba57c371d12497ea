import { IpaError } from '../error.js';
import { profileRollback, removeNotificationFromList } from '../es10/index.js';
import type { IpaContext } from './context.js';
import { noteStateChange, optional } from './deliver.js';
import { followProfileChange } from './profile-switch.js';

const KEY = 'rollback';
/** Pause before a rollback that found the card application toolkit busy is tried again, milliseconds. */
const BUSY_PAUSE = 5_000;
const ROLLBACK_NOT_ALLOWED = 1;
const CAT_BUSY = 5;

/**
 * Is a profile rollback armed (procedures.md §12)? From the moment before a package with the rollback flag is loaded until
 * its result has arrived at the eIM. Stored: a device that loses power in between must not stay on a profile without a
 * network.
 */
export class Rollback {
  /** Clock ticks at which the new profile has had its time. */
  until = Number.POSITIVE_INFINITY;
  /** Of the result that the eIM waits for; −1 when that is not known. */
  seqNumber = -1;
  readonly #context: IpaContext;
  #eimId: string | undefined;

  constructor(context: IpaContext) {
    this.#context = context;
    this.#eimId = context.platform.storage.read(KEY);
    if (this.#eimId !== undefined) this.start();
  }

  get armed(): boolean {
    return this.#eimId !== undefined;
  }

  /** Before the package is loaded. Durable when it returns. */
  arm(eimId: string): void {
    this.#eimId = eimId;
    this.until = Number.POSITIVE_INFINITY;
    this.#context.platform.storage.write(KEY, eimId);
  }

  /** The profile has changed: from now on the new one has to bring result `seqNumber` to the eIM in time. */
  start(seqNumber = -1): void {
    this.seqNumber = seqNumber;
    this.until = this.#context.platform.time.ticks + this.#context.settings.rollbackDeadline;
  }

  /** The eIM has the result, or the eUICC accepted another package: the authorisation is over. */
  disarm(eimId = this.#eimId): void {
    if (this.#eimId === undefined || this.#eimId !== eimId) return;
    this.#eimId = undefined;
    this.until = Number.POSITIVE_INFINITY;
    this.#context.platform.storage.delete(KEY);
  }

  /** ProfileRollback: the former profile is enabled again, and the result of that replaces the first one (steps 4–8). */
  async execute(): Promise<void> {
    const context = this.#context;
    const { modem, es10, result } = context;
    const eimId = this.#eimId ?? '';
    const resetsBefore = modem.simResets;
    context.enter('switching');
    // Whatever comes of it, the eUICC is asked for results, and the card may have to be reset.
    for (const session of context.sessions)
      if (session.configuration.eimId === eimId) session.resultsPending = true;
    context.resetDue = context.notificationsPending = true;
    const code = await context.onCard(() => profileRollback(es10, result));
    result.release();
    if (code === CAT_BUSY) {
      this.until = context.platform.time.ticks + BUSY_PAUSE;
      return;
    }
    const replaced = this.seqNumber;
    this.disarm();
    if (code === 0) {
      noteStateChange(context, eimId);
      context.observe?.({ event: 'rollback', eimId });
      await followProfileChange(context, resetsBefore);
      // The first result is replaced and not delivered (NOTE 1); not every eUICC drops it by itself.
      if (replaced >= 0) await optional(() => removeNotificationFromList(es10, replaced));
      return;
    }
    const why = code === ROLLBACK_NOT_ALLOWED ? 'none is authorised' : `result ${code}`;
    context.fail('ProfileRollback', new IpaError('unexpectedAnswer', `no rollback: ${why}`, code));
  }
}
