import {
  encode,
  type Infer,
  iccidDigits,
  ProfileInstallationResult,
  ProfileInstallationResultData,
  plmnDigits,
  type StoreMetadataRequest,
  toSign,
  unhex,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { type ProfileContent, RspError, readProfilePackage } from '../rsp/index.js';
import { type Command, report } from './context.js';
import { sign } from './crypto.js';
import { LoadFailure } from './load-failure.js';
import { notify, takeSeqNumber } from './notifications.js';
import { type EuiccState, isdpAid, type Profile } from './state.js';

/** What is taken from the memory for a profile that says nothing about it. */
const usualProfileBytes = 65_536;

export function usedMemory(state: EuiccState): number {
  return state.profiles.reduce((sum, { memoryBytes = usualProfileBytes }) => sum + memoryBytes, 0);
}

export function freeMemory({ card, state }: Pick<Command, 'card' | 'state'>): number {
  return Math.max(0, card.memoryBytes - usedMemory(state));
}

/**
 * Installs a profile, disabled, once all of it is there.
 * @param content profile elements
 * @throws LoadFailure before anything is changed
 */
export function install(command: Command, metadata: StoreMetadataRequest, content: Uint8Array): Profile {
  const { state } = command;
  const { iccid } = metadata;
  if (content.length > freeMemory(command)) throw new LoadFailure(5, 10, iccid);
  const { imsi, connectivityParameters } = checkedContent(metadata, content);
  const { profileOwner } = metadata;
  const profile: Profile = {
    iccid,
    isdpAid: isdpAid(state.nextIsdp++),
    imsi,
    enabled: false,
    profileClass: metadata.profileClass ?? 2,
    serviceProviderName: metadata.serviceProviderName,
    profileName: metadata.profileName,
    profileNickname: '',
    iconType: metadata.iconType,
    icon: metadata.icon,
    notifications: (metadata.notificationConfigurationInfo ?? []).map((entry) => ({
      events: entry.profileManagementOperation,
      address: entry.notificationAddress,
    })),
    profilePolicyRules: metadata.profilePolicyRules ?? [],
    mccMnc: profileOwner?.mccMnc,
    gid1: profileOwner?.gid1,
    gid2: profileOwner?.gid2,
    fallbackAttribute: false,
    fallbackAllowed: metadata.fallbackAllowed ?? false,
    ecallIndication: metadata.ecallIndication ?? false,
    preLoaded: false,
    memoryBytes: content.length,
    connectivityParameters,
  };
  state.profiles.push(profile);
  command.changed = true;
  return profile;
}

/** The profile is what its metadata say. The simulated modem follows the IMSI, so a profile has to have one. */
function checkedContent(
  { iccid, profileOwner }: StoreMetadataRequest,
  content: Uint8Array,
): ProfileContent & { imsi: string } {
  let profile: ProfileContent;
  try {
    profile = readProfilePackage(content);
  } catch (error) {
    if (error instanceof RspError) throw new LoadFailure(5, 12, iccid);
    throw error;
  }
  const { imsi } = profile;
  if (imsi === undefined) throw new LoadFailure(5, 12, iccid);
  if (!sameBytes(profile.iccid, iccid)) throw new LoadFailure(5, 13, iccid);
  const plmn = profileOwner && plmnDigits(profileOwner.mccMnc).replace('-', '');
  if (plmn !== undefined && !imsi.startsWith(plmn)) throw new LoadFailure(5, 13, iccid);
  return { ...profile, imsi };
}

type FinalResult = Infer<typeof ProfileInstallationResultData>['finalResult'];

/** Of whom an installation is, for its result. */
export interface Installer {
  transactionId: Uint8Array;
  smdpOid: string;
  smdpAddress: string;
}

/**
 * The signed ProfileInstallationResult, which is a notification too (SGP.22 §2.5.6). The installation is over with it.
 * @returns the whole BF37 TLV
 */
function installationResult(
  command: Command,
  { transactionId, smdpOid, smdpAddress }: Installer,
  iccid: Uint8Array | undefined,
  finalResult: FinalResult,
): Uint8Array {
  const { state, card } = command;
  const seqNumber = takeSeqNumber(command);
  const profileInstallationResultData = toSign(ProfileInstallationResultData, {
    transactionId,
    notificationMetadata: {
      seqNumber,
      profileManagementOperation: ['notificationInstall'],
      notificationAddress: smdpAddress,
      iccid,
    },
    smdpOid,
    finalResult,
  });
  const bytes = encode(ProfileInstallationResult, {
    profileInstallationResultData,
    euiccSignPIR: sign(card.credentials.privateKey, profileInstallationResultData.bytes),
  });
  state.notifications.push({ seqNumber, bytes, event: 'notificationInstall' });
  state.installing = undefined;
  report(command, 'notificationCreated', {
    seqNumber,
    event: 'notificationInstall',
    iccid: iccid && iccidDigits(iccid),
  });
  return bytes;
}

/** EUICCResponse of the profile package format: every element was processed. */
const simaOk = '3007A0053003800100';

export function reportInstalled(command: Command, installer: Installer, profile: Profile): Uint8Array {
  const { state } = command;
  report(command, 'profileInstalled', {
    iccid: iccidDigits(profile.iccid),
    bytes: profile.memoryBytes,
    smdp: installer.smdpAddress,
  });
  const bytes = installationResult(command, installer, profile.iccid, {
    successResult: { aid: profile.isdpAid, simaResponse: unhex(simaOk) },
  });
  // The keys have done their work; those of other orders stay for another try.
  const used = command.session.prepared?.oneTimeKey.publicKey;
  state.oneTimeKeys = state.oneTimeKeys?.filter(({ publicKey }) => !sameBytes(publicKey, used));
  // The SM-DP+ has the result above; whoever else is configured gets a notification of its own (SGP.22 §2.4a.1.2).
  const others = profile.notifications.filter(({ address }) => !sameName(address, installer.smdpAddress));
  notify(command, { ...profile, notifications: others }, 'notificationInstall');
  return bytes;
}

export function reportFailed(
  command: Command,
  installer: Installer,
  { bppCommandId, errorReason, iccid }: LoadFailure,
): Uint8Array {
  report(command, 'installationFailed', {
    bppCommandId,
    errorReason,
    iccid: iccid && iccidDigits(iccid),
    smdp: installer.smdpAddress,
  });
  return installationResult(command, installer, iccid, { errorResult: { bppCommandId, errorReason } });
}

const interruption = 11;

/** A loading that nobody goes on with, be it for a reset or for a new session, is told of as an interruption. */
export function abandonLoading(command: Command): void {
  const { installing } = command.state;
  if (!installing) return;
  const { bppCommandId, iccid } = installing;
  reportFailed(command, installing, new LoadFailure(bppCommandId, interruption, iccid));
}

/** FQDNs do not know the case of letters. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
