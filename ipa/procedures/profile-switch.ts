import { UiccError, XsIpaError } from '../../hal/contracts/index.js';
import { IpaError, isChannelGone } from '../error.js';
import { getConnectivityParameters, getEnabledIccid, readHttpParams } from '../es10/index.js';
import { equal } from '../tlv/index.js';
import type { IpaContext } from './context.js';

/**
 * After a profile was enabled or disabled: the card is reset, every channel dies, the network comes back under another
 * subscription (at.md §6, procedures.md §4). Links are suspended meanwhile. Returns when results can be delivered, or when
 * waiting longer is no use.
 * @param resetsBefore modem.simResets before the package was loaded; undefined when nobody knows whether the card was
 *   reset since, so that it has to be done now
 */
export async function followProfileChange(
  context: IpaContext,
  resetsBefore: number | undefined,
): Promise<void> {
  const { settings, sessions } = context;
  context.enter('switching');
  for (const { link } of sessions) link.suspend();
  await followCardReset(context, resetsBefore);
  if (settings.networkThroughModem && !(await context.waitRegistered(settings.registrationDeadline))) {
    // The eUICC keeps what is to be delivered; there is nobody to deliver it to.
    throw new IpaError('notRegistered', 'the modem does not register with the profile that is enabled now');
  }
  for (const { link } of sessions) link.resume();
}

/** The card's part of it: returns when the ISD-R is reached again and the modem uses the profile that is enabled. */
export async function followCardReset(context: IpaContext, resetsBefore: number | undefined): Promise<void> {
  const { modem, settings } = context;
  // Some modems ignore REFRESH; then the reset is ours to do.
  const seen =
    resetsBefore !== undefined && (await modem.waitSimReset(resetsBefore, settings.refreshDeadline));
  if (!seen) await modem.resetSim();
  await context.waitSimReady();
  await context.openIsdR();
  if (!(await modemFollowed(context))) {
    await modem.resetSim();
    await context.waitSimReady();
    await context.openIsdR();
  }
  context.resetDue = false;
  context.plmnStale = true;
  if (settings.applyConnectivityParameters && context.kind !== 'consumer') await applyConnectivity(context);
}

/**
 * GetConnectivityParameters (es10.md §4.6): the profile's access point becomes the modem's; of a profile without one, the
 * network's own. A profile may well work without that, so that nothing ends here.
 */
async function applyConnectivity(context: IpaContext): Promise<void> {
  try {
    const params = await getConnectivityParameters(context.es10);
    const access = params && readHttpParams(params);
    await context.modem.setAccessPoint(access ?? { apn: '', user: '', password: '' });
  } catch (error) {
    if (!(error instanceof XsIpaError) || error instanceof UiccError || isChannelGone(error)) throw error;
    context.fail('GetConnectivityParameters', error);
  }
}

/** Does the modem use the profile that the eUICC has enabled? A modem that cannot tell is believed. */
async function modemFollowed(context: IpaContext): Promise<boolean> {
  const enabled = await getEnabledIccid(context.es10);
  if (!enabled) return true;
  const seen = await context.modem.iccid();
  return !seen || equal(seen, enabled);
}
