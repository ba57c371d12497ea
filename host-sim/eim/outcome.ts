import {
  EuiccPackageErrorDataSigned,
  EuiccResultData,
  hex,
  type EuiccResultData as Result,
} from '../asn1/index.js';

/** Result of one operation, JSON-able. */
export interface OperationResult {
  /** The operation as in the order; "rollback" and "processingTerminated" come from the eUICC. */
  op: string;
  ok: boolean;
  /** Result code and its name in the specification; absent where data came instead. */
  code?: number;
  name?: string;
  /** listProfileInfo, decoded. */
  profiles?: unknown[];
  /** getRAT, decoded. */
  rules?: unknown[];
  /** listEim, decoded. */
  eims?: unknown[];
  /** addEim: the token of the new eIM. */
  associationToken?: number;
  /** An unknown result, hex. */
  raw?: string;
}

/** How an order ended. JSON-able. */
export type Outcome =
  /** Carried out, and the eUICC's signature is verified. `ok`: every operation was executed and succeeded. */
  | {
      outcome: 'verified';
      ok: boolean;
      counterValue: number;
      eimTransactionId?: string;
      seqNumber: number;
      results: OperationResult[];
    }
  /** The data a data request asked for, decoded. */
  | { outcome: 'data'; ok: true; data: unknown }
  /**
   * Not carried out. by 'euicc': errorSigned, and the signature is verified; 'euiccUnsigned': errorUnsigned (unknown eIM
   * or signature not accepted); 'ipa': the IPA's error; 'eim': this eIM did not send it, `detail` says why.
   */
  | {
      outcome: 'refused';
      ok: false;
      by: 'euicc' | 'euiccUnsigned' | 'ipa' | 'eim';
      code?: number;
      name: string;
      detail?: string;
    }
  /** A profile is installed, and the eUICC's signature is verified. */
  | { outcome: 'downloaded'; ok: true; iccid?: string; aid: string; seqNumber: number; transactionId: string }
  /**
   * by 'euicc': its signed installation result says why, as "command: reason"; 'ipa': what the IPA reports, errorResponse is
   * hex of the error it was given.
   */
  | {
      outcome: 'downloadFailed';
      ok: false;
      by: 'euicc' | 'ipa';
      name: string;
      code?: number;
      seqNumber?: number;
      errorResponse?: string;
    }
  /** No answer in time. A package that was sent stays valid and may still be carried out. */
  | { outcome: 'timeout'; ok: false; sent: boolean };

/** Codes that are a success though they are not 0: deleteEim 2 says that no eIM is left. */
const successes: Readonly<Record<string, readonly number[]>> = { deleteEim: [0, 2] };

/** One EuiccResultData as people and programs want to see it. */
export function operationResult(result: Result): OperationResult {
  const shown = EuiccResultData.show(result) as Record<string, unknown>;
  const [key, value] = Object.entries(shown)[0];
  const op = key.replace(/Result$/, '');
  const coded = (code: number, name: unknown): OperationResult => ({
    op,
    ok: op !== 'processingTerminated' && (successes[op] ?? [0]).includes(code),
    code,
    name: String(name),
  });
  if (result.listProfileInfoResult) {
    const { profileInfoListOk, profileInfoListError } = result.listProfileInfoResult;
    const inner = value as { profileInfoListOk?: unknown[]; profileInfoListError?: unknown };
    if (profileInfoListOk) return { op, ok: true, profiles: inner.profileInfoListOk };
    return coded(profileInfoListError ?? 127, inner.profileInfoListError);
  }
  if (result.getRATResult) return { op, ok: true, rules: value as unknown[] };
  if (result.listEimResult) {
    const inner = value as { eimIdList?: unknown[]; listEimError?: unknown };
    if (result.listEimResult.eimIdList) return { op, ok: true, eims: inner.eimIdList };
    return coded(result.listEimResult.listEimError ?? 127, inner.listEimError);
  }
  if (result.addEimResult) {
    const { associationToken, addEimResultCode } = result.addEimResult;
    if (associationToken !== undefined) return { op, ok: true, associationToken };
    return coded(addEimResultCode ?? 127, (value as { addEimResultCode?: unknown }).addEimResultCode);
  }
  if (result.setDefaultDpAddressResult) {
    const inner = value as { setDefaultDpAddressResult: unknown };
    return coded(result.setDefaultDpAddressResult.setDefaultDpAddressResult, inner.setDefaultDpAddressResult);
  }
  if (result.unknown) return { op, ok: false, raw: hex(result.unknown) };
  const [code] = Object.values(result) as number[];
  return coded(code, value);
}

/** Name of an EuiccPackageErrorCode. */
export function packageErrorName(code: number): string {
  const shown = EuiccPackageErrorDataSigned.show({ eimId: '', counterValue: 0, euiccPackageErrorCode: code });
  return String((shown as { euiccPackageErrorCode: unknown }).euiccPackageErrorCode);
}
