import {
  configureImmediateEnabling,
  euiccMemoryReset,
  type ImmediateEnabling,
  MemoryReset,
  type MemoryResetResult,
  setConsumerDpAddress,
  setDefaultDpAddress,
} from '../es10/index.js';
import { StateChangeCause } from '../esipa/index.js';
import type { IpaContext } from './context.js';
import { followProfileChange } from './profile-switch.js';

const PROFILES =
  MemoryReset.operationalProfiles |
  MemoryReset.fieldLoadedTestProfiles |
  MemoryReset.preLoadedTestProfiles |
  MemoryReset.provisioningProfiles;

/** eUICCMemoryReset (procedures.md §17): the eIMs that remain are told; the card is reset when profiles were deleted. */
export async function resetMemory(context: IpaContext, options: number): Promise<MemoryResetResult> {
  context.enter('executing');
  const resetsBefore = context.modem.simResets;
  const found = await context.onCard(() => euiccMemoryReset(context.es10, options));
  if (found.eimConfiguration === 0) context.eimsChanged = true;
  if (found.profiles !== 0) return found;
  for (const session of context.sessions) {
    context.changes.set(session.configuration.eimId, StateChangeCause.reset);
    session.pollDue = true;
  }
  context.notificationsPending = true;
  if (options & PROFILES) {
    context.resetDue = true;
    await followProfileChange(context, resetsBefore);
  }
  return found;
}

/** ConfigureImmediateProfileEnabling (procedures.md §14). @returns 0, 1, 2 associatedEimAlreadyExists, 127 */
export function configureImmediate(context: IpaContext, settings?: ImmediateEnabling): Promise<number> {
  return context.onCard(() => configureImmediateEnabling(context.es10, settings));
}

/** SetDefaultDpAddress, in the form that the eUICC knows. @returns 0 or 127 */
export function setDefaultSmdp(context: IpaContext, address: string): Promise<number> {
  const set = context.kind === 'consumer' ? setConsumerDpAddress : setDefaultDpAddress;
  return context.onCard(() => set(context.es10, address));
}
