import type { EuiccResultData, Psmo } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Command } from './context.js';
import { defaultTags32, profileInfoList, removeProfile } from './profiles.js';
import { enabledProfile, findProfile, type Profile } from './state.js';

/** What the operations of one package have marked so far. */
export interface PackageRun {
  readonly eimId: string;
  readonly counterValue: number;
  readonly eimTransactionId?: Uint8Array;
  readonly associationToken?: number;
  enable?: Profile;
  disable?: Profile;
  /** An enable, disable or delete was carried out. */
  changedProfiles: boolean;
}

const undefinedError = 127;

/** Carries out one PSMO (SGP.32 §3.4, checks in the order of procedures.md §2.3). */
export function executePsmo(command: Command, run: PackageRun, psmo: Psmo): EuiccResultData {
  if (psmo.enable) return { enableResult: enable(command, run, psmo.enable.iccid, psmo.enable.rollbackFlag) };
  if (psmo.disable) return { disableResult: disable(command, run, psmo.disable.iccid) };
  if (psmo.delete) return { deleteResult: remove(command, run, psmo.delete.iccid) };
  if (psmo.listProfileInfo) {
    if (run.changedProfiles || command.state.marked) {
      return { listProfileInfoResult: { profileInfoListError: 11 } };
    }
    return { listProfileInfoResult: profileInfoList(command.state, psmo.listProfileInfo, defaultTags32) };
  }
  if (psmo.getRAT) return { getRATResult: [...command.card.rat] };
  if (psmo.configureImmediateEnable) {
    const { immediateEnableFlag, ...rest } = psmo.configureImmediateEnable;
    command.state.immediateEnable = immediateEnableFlag ? rest : undefined;
    return { configureImmediateEnableResult: 0 };
  }
  if (psmo.setFallbackAttribute) {
    return { setFallbackAttributeResult: setFallback(command, psmo.setFallbackAttribute.iccid) };
  }
  if (psmo.unsetFallbackAttribute) return { unsetFallbackAttributeResult: unsetFallback(command) };
  if (psmo.setDefaultDpAddress) {
    command.state.defaultDpAddress = psmo.setDefaultDpAddress.defaultDpAddress;
    return { setDefaultDpAddressResult: { setDefaultDpAddressResult: 0 } };
  }
  return { processingTerminated: 2 };
}

function enable(command: Command, run: PackageRun, iccid: Uint8Array, rollbackFlag?: true): number {
  const { state } = command;
  if (run.enable) return undefinedError;
  // The switch of an earlier package waits for its reset.
  if (state.marked) return 5;
  const target = findProfile(state, iccid);
  if (!target) return 1;
  if (target.enabled) return 2;
  const current = enabledProfile(state);
  if (current && current !== run.disable && current.profilePolicyRules.includes('ppr1')) return 3;
  if (rollbackFlag && (!current || current === run.disable)) return 20;
  run.enable = target;
  run.disable = current;
  run.changedProfiles = true;
  if (rollbackFlag && current) {
    const { eimId, counterValue, eimTransactionId, associationToken } = run;
    state.rollback = { iccid: current.iccid, eimId, counterValue, eimTransactionId, associationToken };
  }
  return 0;
}

function disable(command: Command, run: PackageRun, iccid: Uint8Array): number {
  const { state } = command;
  if (run.enable || run.disable) return undefinedError;
  if (state.marked) return 5;
  const target = findProfile(state, iccid);
  if (!target) return 1;
  if (!target.enabled) return 2;
  if (target.profilePolicyRules.includes('ppr1')) return 3;
  run.disable = target;
  run.changedProfiles = true;
  return 0;
}

function remove(command: Command, run: PackageRun, iccid: Uint8Array): number {
  const { state } = command;
  const target = findProfile(state, iccid);
  if (!target) return 1;
  if (target.enabled || target === run.enable || sameBytes(state.marked?.enable, iccid)) return 2;
  if (target.profilePolicyRules.includes('ppr2')) return 3;
  if (sameBytes(state.rollback?.iccid, iccid)) return 20;
  if (sameBytes(state.fallbackReturn, iccid) && enabledProfile(state)?.fallbackAttribute) return 21;
  run.changedProfiles = true;
  removeProfile(command, target);
  return 0;
}

function setFallback({ state, card }: Command, iccid: Uint8Array): number {
  if (!card.fallbackSupported) return undefinedError;
  const target = findProfile(state, iccid);
  if (!target) return 1;
  if (!target.fallbackAllowed) return 2;
  if (enabledProfile(state)?.fallbackAttribute) return 3;
  for (const profile of state.profiles) profile.fallbackAttribute = profile === target;
  return 0;
}

function unsetFallback({ state, card }: Command): number {
  if (!card.fallbackSupported) return 7;
  const holder = state.profiles.find((profile) => profile.fallbackAttribute);
  if (!holder) return 2;
  if (holder.enabled) return 3;
  holder.fallbackAttribute = false;
  return 0;
}
