import {
  DisableEmergencyProfileRequest,
  DisableEmergencyProfileResponse,
  decode,
  EnableEmergencyProfileRequest,
  EnableEmergencyProfileResponse,
  EuiccPackageResult,
  EuiccPackageResultDataSigned,
  ExecuteFallbackMechanismRequest,
  ExecuteFallbackMechanismResponse,
  encode,
  ProfileRollbackRequest,
  ProfileRollbackResponse,
  ReturnFromFallbackRequest,
  ReturnFromFallbackResponse,
  tokenDo,
  toSign,
} from '../asn1/index.js';
import type { Command } from './context.js';
import { sign } from './crypto.js';
import { storeResult, takeSeqNumber } from './notifications.js';
import { markSwitch, settleSwitch } from './profiles.js';
import { enabledProfile, findProfile } from './state.js';

// Ways back to a profile that works: SGP.32 §5.9.16, §5.9.20–5.9.23.

/** One use per permission; the result takes the place of the one that was not delivered (procedures.md §12). */
export function profileRollback(command: Command, bytes: Uint8Array): Uint8Array {
  const { refreshFlag } = decode(ProfileRollbackRequest, bytes);
  const { state, card } = command;
  const { rollback } = state;
  const target = findProfile(state, rollback?.iccid);
  if (!rollback || !target) return encode(ProfileRollbackResponse, { cmdResult: 1 });
  if (state.marked) return encode(ProfileRollbackResponse, { cmdResult: 5 });
  const { eimId, counterValue, eimTransactionId } = rollback;
  const data = toSign(EuiccPackageResultDataSigned, {
    eimId,
    counterValue,
    eimTransactionId,
    seqNumber: takeSeqNumber(command),
    euiccResult: [{ rollbackResult: 0 }],
  });
  const result = {
    euiccPackageResultSigned: {
      euiccPackageResultDataSigned: data,
      euiccSignEPR: sign(card.credentials.privateKey, data.bytes, tokenDo(rollback.associationToken)),
    },
  };
  // The eIM is to hear how it ended, not how it began (SGP.32 §3.3.2 NOTE 1).
  state.results = state.results.filter(({ seqNumber }) => seqNumber !== rollback.seqNumber);
  storeResult(command, data.value.seqNumber, encode(EuiccPackageResult, result));
  state.rollback = undefined;
  markSwitch(command, target, enabledProfile(state));
  settleSwitch(command, refreshFlag);
  return encode(ProfileRollbackResponse, { cmdResult: 0, eUICCPackageResult: result });
}

/** Order of checks: procedures.md §13.1. */
export function executeFallback(command: Command, bytes: Uint8Array): Uint8Array {
  const { refreshFlag } = decode(ExecuteFallbackMechanismRequest, bytes);
  const answer = (result: number) => encode(ExecuteFallbackMechanismResponse, { result });
  const { state } = command;
  const current = enabledProfile(state);
  if (!current) return answer(7);
  const fallback = state.profiles.find((profile) => profile.fallbackAttribute);
  if (!fallback) return answer(6);
  if (state.emergency) return answer(104);
  if (fallback.enabled) return answer(2);
  if (state.marked) return answer(5);
  state.rollback = undefined;
  state.fallbackReturn = current.iccid;
  markSwitch(command, fallback, current);
  settleSwitch(command, refreshFlag);
  return answer(0);
}

export function returnFromFallback(command: Command, bytes: Uint8Array): Uint8Array {
  const { refreshFlag } = decode(ReturnFromFallbackRequest, bytes);
  const answer = (result: number) => encode(ReturnFromFallbackResponse, { result });
  const { state } = command;
  if (!state.profiles.some((profile) => profile.fallbackAttribute)) return answer(6);
  const target = findProfile(state, state.fallbackReturn);
  const current = enabledProfile(state);
  if (!target || !current?.fallbackAttribute) return answer(7);
  if (state.marked) return answer(5);
  state.rollback = undefined;
  state.fallbackReturn = undefined;
  markSwitch(command, target, current);
  settleSwitch(command, refreshFlag);
  return answer(0);
}

/** No notifications: an emergency call leaves no time for them (procedures.md §13.2). */
export function enableEmergencyProfile(command: Command, bytes: Uint8Array): Uint8Array {
  const { refreshFlag } = decode(EnableEmergencyProfileRequest, bytes);
  const answer = (result: number) => encode(EnableEmergencyProfileResponse, { result });
  const { state } = command;
  const target = state.profiles.find((profile) => profile.ecallIndication);
  if (!target) return answer(8);
  if (target.enabled || state.emergency) return answer(2);
  if (state.marked) return answer(5);
  const current = enabledProfile(state);
  if (refreshFlag) state.rollback = undefined;
  state.emergency = { returnTo: current?.iccid };
  markSwitch(command, target, current, true);
  settleSwitch(command, refreshFlag);
  return answer(0);
}

export function disableEmergencyProfile(command: Command, bytes: Uint8Array): Uint8Array {
  const { refreshFlag } = decode(DisableEmergencyProfileRequest, bytes);
  const answer = (result: number) => encode(DisableEmergencyProfileResponse, { result });
  const { state } = command;
  if (!state.emergency) return answer(2);
  if (state.marked) return answer(5);
  const target = findProfile(state, state.emergency.returnTo);
  if (refreshFlag) state.rollback = undefined;
  state.emergency = undefined;
  markSwitch(command, target, enabledProfile(state));
  settleSwitch(command, refreshFlag);
  return answer(0);
}
