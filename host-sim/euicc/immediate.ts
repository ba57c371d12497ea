import {
  ConfigureImmediateProfileEnablingRequest,
  ConfigureImmediateProfileEnablingResponse,
  decode,
  encode,
  ImmediateEnableRequest,
  ImmediateEnableResponse,
} from '../asn1/index.js';
import type { Command } from './context.js';
import { sameName } from './install.js';
import { markSwitch, settleSwitch } from './profiles.js';
import { enabledProfile, findProfile } from './state.js';

// Immediate enabling: SGP.32 §3.4.4, §3.4.5, §5.9.15, §5.9.17; procedures.md §14.

/** Only while no eIM is associated (Q53). */
export function configureImmediateProfileEnabling(command: Command, bytes: Uint8Array): Uint8Array {
  const { immediateEnableFlag, ...rest } = decode(ConfigureImmediateProfileEnablingRequest, bytes);
  const answer = (result: number) => encode(ConfigureImmediateProfileEnablingResponse, { result });
  if (command.state.eims.length > 0) return answer(2);
  command.state.immediateEnable = immediateEnableFlag ? rest : undefined;
  command.changed = true;
  return answer(0);
}

/** Enables what the last session has installed, if it came from the SM-DP+ that may have it so. */
export function immediateEnable(command: Command, bytes: Uint8Array): Uint8Array {
  const { refreshFlag } = decode(ImmediateEnableRequest, bytes);
  const answer = (result: number) => encode(ImmediateEnableResponse, { result });
  const { state, session } = command;
  const { immediateEnable: configured } = state;
  const { installed } = session;
  if (!configured) return answer(1);
  const target = findProfile(state, installed?.iccid);
  if (!installed || !target || target.enabled) return answer(4);
  const { defaultSmdpOid, defaultSmdpAddress } = configured;
  if (defaultSmdpOid !== undefined && defaultSmdpOid !== installed.smdpOid) return answer(4);
  if (defaultSmdpAddress !== undefined && !sameName(defaultSmdpAddress, installed.smdpAddress))
    return answer(4);
  if (state.marked) return answer(5);
  const current = enabledProfile(state);
  // There is no code for a policy; the profile stays as it is.
  if (state.emergency || current?.profilePolicyRules.includes('ppr1')) return answer(127);
  session.installed = undefined;
  state.rollback = undefined;
  state.fallbackReturn = undefined;
  markSwitch(command, target, current);
  settleSwitch(command, refreshFlag);
  return answer(0);
}
