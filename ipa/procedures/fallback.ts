import { IpaError } from '../error.js';
import { type LocalSwitch, switchProfile } from '../es10/index.js';
import { StateChangeCause } from '../esipa/index.js';
import type { IpaContext } from './context.js';
import { followProfileChange } from './profile-switch.js';

const KEY = 'fallback';
const IMMEDIATE_ENABLE_NOT_AVAILABLE = 1;

/**
 * When the IPA leaves a profile that reaches no eIM for the Fallback Profile, and when it returns (procedures.md §13.1).
 * Being in fallback is stored: after a restart the way back is still due.
 */
export class Fallback {
  readonly #context: IpaContext;
  #active: boolean;
  /** Clock ticks of the last change of the profile that the device made. */
  #since: number;
  /** Clock ticks since which there is no network, or no eIM answers. */
  #cutOffSince = Number.POSITIVE_INFINITY;

  constructor(context: IpaContext) {
    this.#context = context;
    this.#active = context.platform.storage.read(KEY) !== undefined;
    this.#since = context.platform.time.ticks;
  }

  /** Looks at network and eIMs. @returns clock ticks at which something has to be done; infinity when nothing has */
  look(): number {
    const { settings, capabilities, sessions, hasNetwork, platform } = this.#context;
    if (!capabilities.fallbackSupported || settings.fallbackAfter <= 0) return Number.POSITIVE_INFINITY;
    const isCutOff = !hasNetwork || (sessions.length > 0 && sessions.every(({ failures }) => failures > 0));
    if (!isCutOff) this.#cutOffSince = Number.POSITIVE_INFINITY;
    else this.#cutOffSince = Math.min(this.#cutOffSince, platform.time.ticks);
    return this.#active ? this.#since + settings.fallbackReturn : this.#cutOffSince + settings.fallbackAfter;
  }

  /** Goes to the Fallback Profile, or back from it. */
  async execute(): Promise<void> {
    const context = this.#context;
    const leaving = this.#active;
    // Next time, whatever comes of this attempt.
    this.#since = context.platform.time.ticks;
    this.#cutOffSince = Number.POSITIVE_INFINITY;
    const code = await switchLocally(context, leaving ? 'returnFromFallback' : 'executeFallbackMechanism');
    // 7: somebody else has left the Fallback Profile. 2: somebody else has enabled it.
    if (code === 0 || (leaving && code === 7) || (!leaving && code === 2)) this.set(!leaving);
    this.#since = context.platform.time.ticks;
  }

  private set(active: boolean): void {
    this.#active = active;
    const { storage } = this.#context.platform;
    if (active) storage.write(KEY, '1');
    else storage.delete(KEY);
  }
}

/** Why an eIM is told of it (esipa.md §2.1). */
const CAUSES: { readonly [what in LocalSwitch]: number } = {
  immediateEnable: StateChangeCause.immediateEnableProfile,
  enableEmergencyProfile: StateChangeCause.emergencyProfile,
  disableEmergencyProfile: StateChangeCause.emergencyProfile,
  executeFallbackMechanism: StateChangeCause.fallback,
  returnFromFallback: StateChangeCause.fallback,
};

/**
 * A profile change that the device itself wants (es10.md §4.6): follows it as one that an eIM ordered, and tells every eIM
 * at its next poll.
 * @returns the eUICC's result, 0 when it was done
 */
export async function switchLocally(context: IpaContext, what: LocalSwitch): Promise<number> {
  context.enter('switching');
  const resetsBefore = context.modem.simResets;
  const { resetDue } = context;
  context.resetDue = true;
  const code = await context.onCard(() => switchProfile(context.es10, what));
  if (code !== 0) {
    context.resetDue = resetDue;
    // Whether profiles are enabled at once is the eUICC's configuration, which nobody can ask for (procedures.md §14).
    if (what === 'immediateEnable' && code === IMMEDIATE_ENABLE_NOT_AVAILABLE) return code;
    context.fail(what, new IpaError('unexpectedAnswer', `the eUICC refused ${what} with ${code}`, code));
    return code;
  }
  for (const session of context.sessions) {
    context.changes.set(session.configuration.eimId, CAUSES[what]);
    session.pollDue = true;
  }
  context.notificationsPending = true;
  context.observe?.({ event: 'switched', what });
  await followProfileChange(context, resetsBefore);
  return 0;
}
