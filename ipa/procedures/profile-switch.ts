import { getEnabledIccid } from '../es10/index.js';
import { equal } from '../tlv/index.js';
import type { IpaContext } from './context.js';

/**
 * After a profile was enabled or disabled: the card is reset, every channel dies, the network comes back under another
 * subscription (at.md §6, procedures.md §4). Returns when results can be delivered, or when waiting longer is no use.
 * @param resetsBefore modem.simResets before the package was loaded
 * @returns whether the modem is registered
 */
export async function followProfileChange(context: IpaContext, resetsBefore: number): Promise<boolean> {
  const { modem, settings } = context;
  context.enter('switching');
  // Some modems ignore REFRESH; then the reset is ours to do.
  if (!(await modem.waitSimReset(resetsBefore, settings.refreshDeadline))) await modem.resetSim();
  await modem.waitSimReady(settings.simReadyDeadline);
  await context.openIsdR();
  if (!(await modemFollowed(context))) {
    await modem.resetSim();
    await modem.waitSimReady(settings.simReadyDeadline);
    await context.openIsdR();
  }
  const registered = await modem.waitRegistered(settings.registrationDeadline);
  context.rPlmn = (await modem.rPlmn()) ?? context.rPlmn;
  return registered;
}

/** Does the modem use the profile that the eUICC has enabled? A modem that cannot tell is believed. */
async function modemFollowed(context: IpaContext): Promise<boolean> {
  const enabled = await context.onCard(() => getEnabledIccid(context.es10));
  if (!enabled) return true;
  const seen = await context.modem.iccid();
  return !seen || equal(seen, enabled);
}
