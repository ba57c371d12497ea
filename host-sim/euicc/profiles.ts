import {
  decode,
  encode,
  type Infer,
  iccidDigits,
  type ProfileInfo,
  ProfileInfoListRequest,
  ProfileInfoListResponse,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { type Command, report } from './context.js';
import { notify } from './notifications.js';
import { type EuiccState, enabledProfile, type Profile } from './state.js';

/** SGP.22 §5.7.15 */
const defaultTags22 = [0x5a, 0x4f, 0x9f70, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95];
/** SGP.32 §4.4 */
export const defaultTags32 = [0x5a, 0x4f, 0x9f70, 0x91, 0x92, 0x95, 0x9f7b, 0x9f26, 0x9f67];

function profileInfo(profile: Profile, tags: readonly number[]): ProfileInfo {
  const info: ProfileInfo = {};
  for (const tag of tags) {
    if (tag === 0x5a) info.iccid = profile.iccid;
    else if (tag === 0x4f) info.isdpAid = profile.isdpAid;
    else if (tag === 0x9f70) info.profileState = profile.enabled ? 1 : 0;
    else if (tag === 0x90 && profile.profileNickname) info.profileNickname = profile.profileNickname;
    else if (tag === 0x91) info.serviceProviderName = profile.serviceProviderName;
    else if (tag === 0x92) info.profileName = profile.profileName;
    else if (tag === 0x93 && profile.icon) info.iconType = profile.iconType;
    else if (tag === 0x94 && profile.icon) info.icon = profile.icon;
    else if (tag === 0x95) info.profileClass = profile.profileClass;
    else if (tag === 0xb6 && profile.notifications.length > 0) {
      info.notificationConfigurationInfo = profile.notifications.map(({ events, address }) => ({
        profileManagementOperation: events,
        notificationAddress: address,
      }));
    } else if (tag === 0xb7 && profile.mccMnc) {
      const { mccMnc, gid1, gid2 } = profile;
      info.profileOwner = { mccMnc, gid1, gid2 };
    } else if (tag === 0x99) info.profilePolicyRules = profile.profilePolicyRules;
    else if (tag === 0x9f7b) info.ecallIndication = profile.ecallIndication;
    else if (tag === 0x9f26) info.fallbackAttribute = profile.fallbackAttribute;
    else if (tag === 0x9f67) info.fallbackAllowed = profile.fallbackAllowed;
  }
  return info;
}

export function profileInfoList(
  state: EuiccState,
  request: Infer<typeof ProfileInfoListRequest>,
  defaultTags: readonly number[],
): Infer<typeof ProfileInfoListResponse> {
  const { searchCriteria: criteria, tagList = defaultTags } = request;
  const found = state.profiles.filter((profile) => {
    if (criteria?.iccid) return sameBytes(profile.iccid, criteria.iccid);
    if (criteria?.isdpAid) return sameBytes(profile.isdpAid, criteria.isdpAid);
    return criteria?.profileClass === undefined || criteria.profileClass === profile.profileClass;
  });
  return { profileInfoListOk: found.map((profile) => profileInfo(profile, tagList)) };
}

export function getProfilesInfo(command: Command, bytes: Uint8Array): Uint8Array {
  const request = decode(ProfileInfoListRequest, bytes);
  return encode(ProfileInfoListResponse, profileInfoList(command.state, request, defaultTags22));
}

/**
 * Marks a profile change: it takes effect with the card's reset. Notifications are made now, in the same save, so that
 * the change and its notifications are never seen one without the other.
 */
export function markSwitch(
  command: Command,
  enable: Profile | undefined,
  disable: Profile | undefined,
  silent = false,
): void {
  const { state } = command;
  state.marked = { enable: enable?.iccid, disable: disable?.iccid };
  command.changed = true;
  command.refresh = true;
  if (silent) return;
  if (disable) notify(command, disable, 'notificationDisable');
  if (enable) notify(command, enable, 'notificationEnable');
}

/** refreshFlag FALSE: the host resets the card itself, so nothing waits for a REFRESH. */
export function settleSwitch(command: Command, refreshFlag: boolean): void {
  if (refreshFlag && command.toolkit) return;
  command.refresh = false;
  applyMarked(command);
}

/** Makes a marked change effective; true if there was one. */
export function applyMarked(command: Pick<Command, 'state' | 'events'>): boolean {
  const { state } = command;
  if (!state.marked) return false;
  const { enable, disable } = state.marked;
  for (const profile of state.profiles) {
    if (sameBytes(profile.iccid, disable)) profile.enabled = false;
    if (sameBytes(profile.iccid, enable)) profile.enabled = true;
  }
  state.marked = undefined;
  const now = enabledProfile(state);
  report(command, 'profileSwitched', {
    enabled: now ? iccidDigits(now.iccid) : null,
    disabled: disable ? iccidDigits(disable) : null,
  });
  return true;
}

/** Takes the profile out at once and tells whom it concerns. */
export function removeProfile(command: Command, profile: Profile): void {
  const { state } = command;
  state.profiles = state.profiles.filter((other) => other !== profile);
  command.changed = true;
  notify(command, profile, 'notificationDelete');
}
