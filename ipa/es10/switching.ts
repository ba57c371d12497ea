import { IpaError } from '../error.js';
import type { Writer } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Deadline, Es10Tag } from './tags.js';

/** BOOLEAN refreshFlag: the eUICC raises REFRESH; without it the device resets the card itself (es10.md §4.6). */
const REFRESH = [0xff] as const;
const NO_REFRESH = [0x00] as const;

/** Profile changes that the IPA asks for by itself, without a signed package (es10.md §4.6). */
export type LocalSwitch =
  | 'immediateEnable'
  | 'enableEmergencyProfile'
  | 'disableEmergencyProfile'
  | 'executeFallbackMechanism'
  | 'returnFromFallback';

/**
 * ImmediateEnable BF5A, Enable/DisableEmergencyProfile BF5B/BF5C, ExecuteFallbackMechanism BF5D, ReturnFromFallback BF5E.
 * @returns 0 ok; else the result of es10.md §4.6
 */
export async function switchProfile(es10: Es10, what: LocalSwitch, refresh = true): Promise<number> {
  es10.request
    .clear()
    .begin(Es10Tag[what])
    .primitive(0x80, refresh ? REFRESH : NO_REFRESH)
    .end();
  const answer = await es10.call(es10.request.bytes, Deadline.signing);
  return answer.enter().find(0x80) ? answer.integer() : 127;
}

/**
 * ProfileRollback, BF58 {02 result, [BF51 EuiccPackageResult]} (es10.md §4.6, procedures.md §12).
 * @param into gets the EuiccPackageResult that replaces the first one; empty where none comes
 * @returns 0 ok, 1 rollbackNotAllowed, 5 catBusy, 7 commandError, 127
 */
export async function profileRollback(es10: Es10, into: Writer, refresh = true): Promise<number> {
  es10.request
    .clear()
    .begin(Es10Tag.profileRollback)
    .primitive(0x80, refresh ? REFRESH : NO_REFRESH)
    .end();
  into.clear();
  const answer = await es10.call(es10.request.bytes, Deadline.signing);
  answer.enter();
  if (!answer.next()) throw new IpaError('unexpectedAnswer', 'ProfileRollback gave no result');
  // SGP.22 habits: some cards tag the result 80.
  const result = answer.is(0x02) || answer.is(0x80) ? answer.integer() : 127;
  if (answer.find(Es10Tag.loadEuiccPackage)) into.write(answer.element);
  return result;
}

/** Bits of eUICCMemoryReset (es10.md §4.6). */
export const MemoryReset = {
  operationalProfiles: 0x80,
  fieldLoadedTestProfiles: 0x40,
  defaultSmdpAddress: 0x20,
  preLoadedTestProfiles: 0x10,
  provisioningProfiles: 0x08,
  eimConfiguration: 0x04,
  immediateEnableConfiguration: 0x02,
} as const;

/** Results of eUICCMemoryReset; −1 for a part that was not asked for. */
export interface MemoryResetResult {
  /** 0, 1 nothingToDelete, 5 catBusy, 104 ecallActive, 127 */
  profiles: number;
  /** 0, 1 nothingToDelete, 2 eimResetNotSupported, 127 */
  eimConfiguration: number;
  /** 0, 1 resetIECNotSupported, 127 */
  immediateEnable: number;
}

/** eUICCMemoryReset, BF64 {82 options} (es10.md §4.6). @param options a sum of {@link MemoryReset} */
export async function euiccMemoryReset(es10: Es10, options: number): Promise<MemoryResetResult> {
  let unused = 0;
  while (unused < 7 && (options & (1 << unused)) === 0) unused++;
  es10.request.clear().begin(Es10Tag.euiccMemoryReset).primitive(0x82, [unused, options]).end();
  const answer = await es10.call(es10.request.bytes, Deadline.signing);
  const found: MemoryResetResult = { profiles: -1, eimConfiguration: -1, immediateEnable: -1 };
  answer.enter();
  while (answer.next()) {
    if (answer.is(0x80)) found.profiles = answer.integer();
    else if (answer.is(0x81)) found.eimConfiguration = answer.integer();
    else if (answer.is(0x82)) found.immediateEnable = answer.integer();
  }
  return found;
}

/** What ConfigureImmediateProfileEnabling stores; no argument to switch it off (es10.md §4.6). */
export interface ImmediateEnabling {
  /** Body of the OID of the only SM-DP+ that it is for. */
  smdpOid?: ArrayLike<number>;
  smdpAddress?: string;
}

/** ConfigureImmediateProfileEnabling, BF59; only while no eIM is associated. @returns 0, 1, 2, 127 */
export async function configureImmediateEnabling(es10: Es10, settings?: ImmediateEnabling): Promise<number> {
  const request = es10.request.clear().begin(Es10Tag.configureImmediateEnabling);
  if (settings) {
    request.primitive(0x80);
    if (settings.smdpOid) request.primitive(0x81, settings.smdpOid);
    if (settings.smdpAddress !== undefined) request.ascii(0x82, settings.smdpAddress);
  }
  request.end();
  const answer = await es10.call();
  return answer.enter().find(0x80) ? answer.integer() : 127;
}

/** SetDefaultDpAddress in its SGP.32 form, BF65; an empty string clears it. @returns 0 or 127 */
export async function setDefaultDpAddress(es10: Es10, address: string): Promise<number> {
  es10.request.clear().begin(Es10Tag.setDefaultDpAddress).ascii(0x80, address).end();
  const answer = await es10.call();
  return answer.enter().find(0x80) ? answer.integer() : 127;
}

/**
 * GetConnectivityParameters, BF5F {A0 {[81 httpParams]}} (es10.md §4.6).
 * @returns httpParams, a row of TS 102 223 COMPREHENSION-TLVs, lent; undefined when the profile has none
 */
export async function getConnectivityParameters(es10: Es10): Promise<Uint8Array | undefined> {
  es10.request.clear().primitive(Es10Tag.getConnectivityParameters);
  const answer = await es10.call();
  if (!answer.enter().nextIs(0xa0) || !answer.enter().find(0x81)) return undefined;
  return answer.value;
}

/** How the enabled profile reaches the network. */
export interface ConnectivityParameters {
  apn: string;
  user: string;
  password: string;
}

/**
 * httpParams in parts: `47` network access name, `0D` login, a second `0D` password; perhaps inside `A1`; tags may carry
 * the comprehension bit. These TLVs have one-byte tags and lengths of TS 102 223, so that a Cursor would misread them.
 * @returns undefined when there is no network access name
 */
export function readHttpParams(params: Uint8Array): ConnectivityParameters | undefined {
  let at = 0;
  let end = params.length;
  const texts: string[] = [];
  let apn: string | undefined;
  while (at + 2 <= end) {
    const tag = params[at++];
    let length = params[at++];
    if (length === 0x81 && at < end) length = params[at++];
    if (length > end - at || length > 0x7f + 0x80) return undefined;
    if (tag === 0xa1) {
      end = at + length;
      continue;
    }
    const value = params.subarray(at, at + length);
    at += length;
    switch (tag & 0x7f) {
      case 0x47:
        apn = accessPointName(value);
        break;
      case 0x0d:
        // The first byte is the data coding scheme.
        texts.push(String.fromCharCode(...value.subarray(1)));
        break;
    }
  }
  return apn ? { apn, user: texts[0] ?? '', password: texts[1] ?? '' } : undefined;
}

/** Labels with lengths before them, as in TS 23.003 §9.1. */
function accessPointName(value: Uint8Array): string {
  let name = '';
  for (let at = 0; at < value.length; ) {
    const length = value[at++];
    if (length === 0 || length > value.length - at) return name;
    if (name !== '') name += '.';
    name += String.fromCharCode(...value.subarray(at, at + length));
    at += length;
  }
  return name;
}
