import {
  DeleteProfileRequest,
  DeleteProfileResponse,
  DisableProfileRequest,
  DisableProfileResponse,
  decode,
  EnableProfileRequest,
  EnableProfileResponse,
  encode,
  type Infer,
  SetDefaultDpAddressRequest,
  SetDefaultDpAddressRequest22,
  SetDefaultDpAddressResponse,
  SetDefaultDpAddressResponse22,
  SetNicknameRequest,
  SetNicknameResponse,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Command } from './context.js';
import { applyMarked, markSwitch, removeProfile } from './profiles.js';
import { type EuiccState, enabledProfile, type Profile } from './state.js';

// Operations without an eIM: ES10c (SGP.22 §5.7.16–21) and the local ones of SGP.32 §5.9.

function identified(
  state: EuiccState,
  { iccid, isdpAid }: Infer<typeof DeleteProfileRequest>,
): Profile | undefined {
  return state.profiles.find((one) => sameBytes(one.iccid, iccid) || sameBytes(one.isdpAid, isdpAid));
}

/** Without a REFRESH the change is effective at once: resetting is the caller's business then. */
function switchNow(
  command: Command,
  enable: Profile | undefined,
  disable: Profile | undefined,
  refresh: boolean,
) {
  command.state.rollback = undefined;
  command.state.fallbackReturn = undefined;
  markSwitch(command, enable, disable);
  if (refresh && command.toolkit) return;
  command.refresh = false;
  applyMarked(command);
}

export function enableProfile(command: Command, bytes: Uint8Array): Uint8Array {
  const { profileIdentifier, refreshFlag = false } = decode(EnableProfileRequest, bytes);
  const answer = (result: number) => encode(EnableProfileResponse, { result });
  const { state } = command;
  const target = identified(state, profileIdentifier);
  if (!target) return answer(1);
  if (state.marked) return answer(5);
  if (target.enabled) return answer(2);
  const current = enabledProfile(state);
  if (current?.profilePolicyRules.includes('ppr1')) return answer(3);
  switchNow(command, target, current, refreshFlag);
  return answer(0);
}

export function disableProfile(command: Command, bytes: Uint8Array): Uint8Array {
  const { profileIdentifier, refreshFlag = false } = decode(DisableProfileRequest, bytes);
  const answer = (result: number) => encode(DisableProfileResponse, { result });
  const { state } = command;
  const target = identified(state, profileIdentifier);
  if (!target) return answer(1);
  if (state.marked) return answer(5);
  if (!target.enabled) return answer(2);
  if (target.profilePolicyRules.includes('ppr1')) return answer(3);
  switchNow(command, undefined, target, refreshFlag);
  return answer(0);
}

export function deleteProfile(command: Command, bytes: Uint8Array): Uint8Array {
  const answer = (result: number) => encode(DeleteProfileResponse, { result });
  const { state } = command;
  const target = identified(state, decode(DeleteProfileRequest, bytes));
  if (!target) return answer(1);
  if (target.enabled || sameBytes(state.marked?.enable, target.iccid)) return answer(2);
  if (target.profilePolicyRules.includes('ppr2')) return answer(3);
  removeProfile(command, target);
  return answer(0);
}

export function setNickname(command: Command, bytes: Uint8Array): Uint8Array {
  const { iccid, profileNickname } = decode(SetNicknameRequest, bytes);
  const target = identified(command.state, { iccid });
  if (!target) return encode(SetNicknameResponse, { result: 1 });
  target.profileNickname = profileNickname;
  command.changed = true;
  return encode(SetNicknameResponse, { result: 0 });
}

export function setDefaultDpAddress22(command: Command, bytes: Uint8Array): Uint8Array {
  command.state.defaultDpAddress = decode(SetDefaultDpAddressRequest22, bytes).defaultDpAddress;
  command.changed = true;
  return encode(SetDefaultDpAddressResponse22, { result: 0 });
}

export function setDefaultDpAddress(command: Command, bytes: Uint8Array): Uint8Array {
  command.state.defaultDpAddress = decode(SetDefaultDpAddressRequest, bytes).defaultDpAddress;
  command.changed = true;
  return encode(SetDefaultDpAddressResponse, { result: 0 });
}
