import { Es10Error, IpaError, isChannelGone } from '../error.js';
import { parseActivationCode } from '../es9/activation-code.js';
import {
  deleteProfile as deleteOnCard,
  listProfiles,
  NOT_SUPPORTED,
  type ProfileInfo,
  readInstallationResult,
  setNickname,
  setProfileState,
} from '../es10/index.js';
import { StateChangeCause } from '../esipa/index.js';
import { iccidDigits, packIccid, utf8Bytes } from '../text.js';
import { equal } from '../tlv/index.js';
import type { IpaContext } from './context.js';
import { confirmation } from './download/confirmation-code.js';
import { downloadProfile } from './download/profile-download.js';
import { needNetwork } from './local-notifications.js';
import { followCardReset } from './profile-switch.js';

// What an LPA does on a consumer eUICC (SGP.22 §3.2, §3.3), for Ipad.perform(). One of SGP.32 may be listed, and downloaded to;
// whether it lets a device switch profiles by itself is its own affair.

const LONGEST_NICKNAME = 64;
const NOT_IN_STATE = 2;

/** Every profile on the eUICC. */
export function profiles(context: IpaContext): Promise<ProfileInfo[]> {
  return context.onCard(() => listProfiles(context.es10));
}

/**
 * EnableProfile: the profile that is enabled now is disabled, the card resets. Whether the modem registers is not waited for.
 * @param iccid 18 to 20 digits
 * @throws IpaError `usage`, `noEs10c`, `refusedByEuicc` with the eUICC's result
 */
export function enableProfile(context: IpaContext, iccid: string): Promise<void> {
  return switchTo(context, iccid, true);
}

/** DisableProfile, as enableProfile(). Afterwards there may be no way to the network left. */
export function disableProfile(context: IpaContext, iccid: string): Promise<void> {
  return switchTo(context, iccid, false);
}

async function switchTo(context: IpaContext, text: string, enabled: boolean): Promise<void> {
  const { modem, resetDue } = context;
  const iccid = packed(text);
  const resetsBefore = modem.simResets;
  const what = enabled ? 'EnableProfile' : 'DisableProfile';
  const state = enabled ? 'enabled' : 'disabled';
  context.enter('switching');
  context.resetDue = true;
  let code = 0;
  let lost: unknown;
  try {
    code = await onEs10c(() => setProfileState(context.es10, iccid, enabled));
  } catch (error) {
    if (!isChannelGone(error)) throw error;
    lost = error;
  }
  // The answer was lost with the card's reset: what the eUICC says now is the answer.
  if (lost || (code === NOT_IN_STATE && modem.simResets !== resetsBefore)) {
    await followCardReset(context, resetsBefore);
    if (!(await isInState(context, iccid, enabled))) throw lost ?? refused(code, what, text, state);
    code = 0;
  }
  if (code !== 0) {
    context.resetDue = resetDue;
    throw refused(code, what, text, state);
  }
  noteLocalChange(context);
  context.observe?.({ event: 'switched', what: enabled ? 'enableProfile' : 'disableProfile' });
  for (const { link } of context.sessions) link.suspend();
  await followCardReset(context, resetsBefore);
  if (context.hasNetwork) for (const { link } of context.sessions) link.resume();
}

async function isInState(context: IpaContext, iccid: Uint8Array, enabled: boolean): Promise<boolean> {
  const found = await profiles(context);
  return found.some((one) => one.enabled === enabled && equal(one.iccid, iccid));
}

/** DeleteProfile; an enabled one must be disabled before. @throws as enableProfile() */
export async function deleteProfile(context: IpaContext, iccid: string): Promise<void> {
  const id = packed(iccid);
  context.enter('executing');
  const code = await onEs10c(() => deleteOnCard(context.es10, id));
  if (code !== 0) throw refused(code, 'DeleteProfile', iccid, 'enabled; disable it first');
  noteLocalChange(context);
}

/** SetNickname; an empty one removes it. @throws as enableProfile() */
export async function nameProfile(context: IpaContext, iccid: string, nickname: string): Promise<void> {
  const id = packed(iccid);
  const bytes = utf8Bytes(nickname);
  if (bytes.length > LONGEST_NICKNAME)
    throw new IpaError('usage', `a nickname has at most ${LONGEST_NICKNAME} bytes, this one ${bytes.length}`);
  context.enter('executing');
  const code = await onEs10c(() => setNickname(context.es10, id, bytes));
  if (code !== 0) throw refused(code, 'SetNickname', iccid, 'in the wrong state');
}

/**
 * Downloads and installs a profile (SGP.22 §3.1.3); it is not enabled. Its notification stays on the eUICC until it is sent.
 * @param confirmationCode what the operator gave with the activation code; setting `confirmationCode` where it is not given
 * @returns its ICCID, digits
 * @throws IpaError `noSmdp`, `notRegistered`, `refusedByEuicc`; ActivationCodeError, RspRefusal; another XsIpaError when the SM-DP+ cannot be
 *   reached
 */
export async function addProfile(
  context: IpaContext,
  activationCode: string,
  confirmationCode = context.settings.confirmationCode,
): Promise<string> {
  const { connectSmdp, result, downloads } = context;
  const code = parseActivationCode(activationCode);
  if (!connectSmdp) throw new IpaError('noSmdp', 'this device has no HTTP client to reach an SM-DP+ with');
  const hashCc = confirmation(context, confirmationCode);
  if (code.confirmationCodeRequired && !hashCc) {
    const why = confirmationCode === '' ? 'give it' : 'this device has no SHA-256 to send one with';
    throw new IpaError('usage', `the activation code needs a confirmation code: ${why}`);
  }
  await needNetwork(context);
  context.enter('downloading');
  const server = connectSmdp(code.smdpAddress);
  try {
    await downloadProfile(context, server, { matchingId: code.matchingId, smdpOid: code.smdpOid, hashCc });
    const found = readInstallationResult(result.bytes);
    const iccid = found.iccid ? iccidDigits(found.iccid) : '';
    // Whether or not it was installed, the SM-DP+ waits for the result.
    if (context.kind === 'consumer') context.notificationsPending = true;
    else if (found.seqNumber >= 0) downloads.addDirect(found.seqNumber);
    if (found.installed) return iccid;
    const where = `bppCommandId ${found.bppCommandId}, errorReason ${found.errorReason}`;
    throw new IpaError(
      'refusedByEuicc',
      `the eUICC did not install the profile: ${where}`,
      found.errorReason,
    );
  } finally {
    server.close();
    result.release();
  }
}

function packed(iccid: string): Uint8Array {
  const bytes = packIccid(iccid);
  if (!bytes) throw new IpaError('usage', `"${iccid}" is no ICCID: it has 18 to 20 digits`);
  return bytes;
}

/** @throws IpaError `noEs10c` where the eUICC does not know the function */
async function onEs10c(operation: () => Promise<number>): Promise<number> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof Es10Error && error.sw === NOT_SUPPORTED)) throw error;
    throw new IpaError(
      'noEs10c',
      'this eUICC lets no device manage its profiles by itself (no ES10c): on an IoT eUICC its eIM does that',
    );
  }
}

/** @param state that the profile is in already when the result is 2 */
function refused(code: number, what: string, iccid: string, state: string): IpaError {
  const reasons = ['', 'is not on this eUICC', `is ${state}`, 'has a policy rule against it'];
  let reason = reasons[code];
  if (code === 4) reason = 'was enabled before, and another one is to be';
  if (code === 5) reason = 'cannot be switched while the card application toolkit is busy; try again';
  return new IpaError(
    'refusedByEuicc',
    `${what} was refused with ${code}: ${reason ? `profile ${iccid} ${reason}` : 'the eUICC gives no reason'}`,
    code,
  );
}

/** The eUICC has notifications now; eIMs, where there are any, are told at their next poll. */
function noteLocalChange(context: IpaContext): void {
  context.notificationsPending = true;
  for (const session of context.sessions) {
    context.changes.set(session.configuration.eimId, StateChangeCause.local);
    session.pollDue = true;
  }
}
