import {
  decode,
  EuiccPackageErrorCodes,
  EuiccPackageErrorDataSigned,
  EuiccPackageRequest,
  EuiccPackageResult,
  EuiccPackageResultDataSigned,
  type EuiccPackageSigned,
  type EuiccResultData,
  encode,
  hex,
  tokenDo,
  toSign,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { type Command, report } from './context.js';
import { eimPublicKey, sign, verifyEim } from './crypto.js';
import { executeEco } from './eco.js';
import { storeResult, takeSeqNumber } from './notifications.js';
import { markSwitch } from './profiles.js';
import { executePsmo, type PackageRun } from './psmo.js';
import type { Eim, EuiccState } from './state.js';

/** Success other than 0: deleteEim tells with 2 that the last eIM is gone. */
function failed(result: EuiccResultData): boolean {
  if (result.deleteEimResult !== undefined)
    return result.deleteEimResult !== 0 && result.deleteEimResult !== 2;
  if (result.listProfileInfoResult) return result.listProfileInfoResult.profileInfoListError !== undefined;
  if (result.addEimResult) return (result.addEimResult.addEimResultCode ?? 0) !== 0;
  if (result.setDefaultDpAddressResult)
    return result.setDefaultDpAddressResult.setDefaultDpAddressResult !== 0;
  if (result.processingTerminated !== undefined) return true;
  const [value] = Object.values(result).filter((part) => part !== undefined);
  return typeof value === 'number' && value !== 0;
}

/** LoadEuiccPackage (SGP.32 §5.9.1), checks in the order of procedures.md §2.2. */
export function loadEuiccPackage(command: Command, bytes: Uint8Array): Uint8Array {
  const { euiccPackageSigned, eimSignature } = decode(EuiccPackageRequest, bytes);
  const request = euiccPackageSigned.value;
  const { eimId, counterValue, eimTransactionId } = request;
  const { card, state } = command;

  const eim = state.eims.find((one) => one.configuration.eimId === eimId);
  if (!eim) {
    report(command, 'packageRefused', { eimId, reason: 'unknownEim' });
    return encode(EuiccPackageResult, { euiccPackageErrorUnsigned: { eimId, eimTransactionId } });
  }
  const token = eim.associationToken;
  const key = eimPublicKey(eim.configuration.eimPublicKeyData!);
  if (!verifyEim(key, eimSignature, euiccPackageSigned.bytes, token)) {
    report(command, 'packageRefused', { eimId, counterValue, reason: 'invalidSignature' });
    return encode(EuiccPackageResult, {
      euiccPackageErrorUnsigned: { eimId, eimTransactionId, associationToken: token },
    });
  }
  if (!sameBytes(request.eidValue, card.credentials.eid)) return refuse(command, request, token, 3);
  if (counterValue > card.maxCounterValue) return refuse(command, request, token, 6);
  if (counterValue <= eim.counterValue) return refuse(command, request, token, 4);
  if (state.emergency) return refuse(command, request, token, 104);

  // Carried out on a copy, because only the results tell whether they fit.
  const trial: Command = { ...command, state: structuredClone(state), events: [] };
  const { data, results, run } = execute(trial, request, token);
  if (data.bytes.length > card.maxResultBytes) return refuse(command, request, token, 15);
  replace(state, trial.state);
  command.changed = true;
  command.refresh ||= trial.refresh;
  command.events.push(...trial.events);

  const answer = encode(EuiccPackageResult, {
    euiccPackageResultSigned: {
      euiccPackageResultDataSigned: data,
      euiccSignEPR: sign(card.credentials.privateKey, data.bytes, tokenDo(token)),
    },
  });
  storeResult(command, data.value.seqNumber, answer);
  if (command.state.rollback) command.state.rollback.seqNumber = data.value.seqNumber;
  report(command, 'packageExecuted', {
    eimId,
    counterValue,
    operations: results.map((result) => Object.keys(result)[0].replace(/Result$/, '')),
    seqNumber: data.value.seqNumber,
    switches: run.enable !== undefined || run.disable !== undefined,
  });
  return answer;
}

function execute(trial: Command, request: EuiccPackageSigned, token: number | undefined) {
  const { eimId, counterValue, eimTransactionId, euiccPackage } = request;
  const { state } = trial;
  const eim = state.eims.find((one) => one.configuration.eimId === eimId) as Eim;
  eim.counterValue = counterValue;
  state.rollback = undefined;
  const run: PackageRun = {
    eimId,
    counterValue,
    eimTransactionId,
    associationToken: token,
    changedProfiles: false,
  };
  const results: EuiccResultData[] = [];
  const operations: (() => EuiccResultData)[] = euiccPackage.psmoList
    ? euiccPackage.psmoList.map((psmo) => () => executePsmo(trial, run, psmo))
    : (euiccPackage.ecoList ?? []).map((eco) => () => executeEco(trial, eco));
  for (const operation of operations) {
    const result = operation();
    results.push(result);
    if (failed(result)) break;
  }
  const data = toSign(EuiccPackageResultDataSigned, {
    eimId,
    counterValue,
    eimTransactionId,
    seqNumber: takeSeqNumber(trial),
    euiccResult: results,
  });
  // After the result, as the switch comes after it.
  if (run.enable || run.disable) {
    state.fallbackReturn = undefined;
    markSwitch(trial, run.enable, run.disable);
  }
  return { data, results, run };
}

function replace(state: EuiccState, by: EuiccState): void {
  for (const name of Object.keys(state))
    if (!(name in by)) delete (state as unknown as Record<string, unknown>)[name];
  Object.assign(state, by);
}

function refuse(
  command: Command,
  { eimId, counterValue, eimTransactionId }: EuiccPackageSigned,
  token: number | undefined,
  code: keyof typeof EuiccPackageErrorCodes,
): Uint8Array {
  report(command, 'packageRefused', {
    eimId,
    counterValue,
    eimTransactionId: eimTransactionId && hex(eimTransactionId),
    reason: EuiccPackageErrorCodes[code],
  });
  const data = toSign(EuiccPackageErrorDataSigned, {
    eimId,
    counterValue,
    eimTransactionId,
    euiccPackageErrorCode: code,
  });
  return encode(EuiccPackageResult, {
    euiccPackageErrorSigned: {
      euiccPackageErrorDataSigned: data,
      euiccSignEPE: sign(command.card.credentials.privateKey, data.bytes, tokenDo(token)),
    },
  });
}
