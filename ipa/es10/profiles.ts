import { IpaError } from '../error.js';
import { utf8 } from '../text.js';
import type { Cursor } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Es10Tag } from './tags.js';

/**
 * GetProfilesInfo, BF2D (es10.md §4.2).
 * @param tagList wanted tags in full, for example [0x5A, 0x9F, 0x70]; the eUICC's default list where not given
 * @returns a cursor on BF2D {A0 {E3 …}} or BF2D {81 error}: 1 incorrectInputValues, 11 profileChangeOngoing, 127
 */
export function getProfilesInfo(es10: Es10, tagList?: readonly number[]): Promise<Cursor> {
  request(es10, tagList);
  return es10.run();
}

function request(es10: Es10, tagList?: readonly number[]): void {
  es10.request.clear().begin(Es10Tag.getProfilesInfo);
  if (tagList) es10.request.primitive(0x5c, tagList);
  es10.request.end();
}

/** ProfileInfo, E3, in so far as a person wants to know it (es10.md §4.2). */
export interface ProfileInfo {
  /** 10 bytes as in EF_ICCID. */
  iccid: Uint8Array;
  enabled: boolean;
  nickname: string;
  serviceProviderName: string;
  profileName: string;
  /** 0 test, 1 provisioning, 2 operational */
  profileClass: number;
}

/**
 * GetProfilesInfo, BF2D, read: what is on the eUICC.
 * @throws IpaError `unexpectedAnswer` when it gives an error, for example 11 profileChangeOngoing
 */
export function listProfiles(es10: Es10): Promise<ProfileInfo[]> {
  request(es10, [0x5a, 0x9f, 0x70, 0x90, 0x91, 0x92, 0x95]);
  return es10.run(readProfiles);
}

function readProfiles(list: Cursor): ProfileInfo[] {
  if (!enterProfiles(list)) {
    const result = list.is(0x81) ? list.integer() : undefined;
    throw new IpaError('unexpectedAnswer', `GetProfilesInfo failed with ${result ?? 'no list'}`, result);
  }
  const found: ProfileInfo[] = [];
  while (list.next()) if (list.is(0xe3)) readProfile(list, found);
  return found;
}

/** Leaves out what has no ICCID. */
function readProfile(list: Cursor, into: ProfileInfo[]): void {
  let iccid: Uint8Array | undefined;
  let enabled = false;
  let nickname = '';
  let serviceProviderName = '';
  let profileName = '';
  // DEFAULT operational
  let profileClass = 2;
  list.enter();
  while (list.next()) {
    if (list.is(0x5a)) iccid = list.value.slice();
    else if (list.is(0x9f70)) enabled = list.integer() === 1;
    else if (list.is(0x90)) nickname = utf8(list.value);
    else if (list.is(0x91)) serviceProviderName = utf8(list.value);
    else if (list.is(0x92)) profileName = utf8(list.value);
    else if (list.is(0x95)) profileClass = list.integer();
  }
  list.leave();
  if (iccid) into.push({ iccid, enabled, nickname, serviceProviderName, profileName, profileClass });
}

/** Is the enabled profile the Emergency Profile (9F7B)? Then packages and data requests are refused with ecallActive. */
export function isEmergencyProfileEnabled(es10: Es10): Promise<boolean> {
  request(es10, [0x9f, 0x70, 0x9f, 0x7b]);
  return es10.run(readEmergency);
}

function readEmergency(list: Cursor): boolean {
  if (!enterProfiles(list)) return false;
  while (list.next()) {
    if (!list.is(0xe3)) continue;
    let enabled = false;
    let emergency = false;
    list.enter();
    while (list.next()) {
      if (list.is(0x9f70)) enabled = list.integer() === 1;
      else if (list.is(0x9f7b)) emergency = list.integer() !== 0;
    }
    list.leave();
    if (enabled && emergency) return true;
  }
  return false;
}

/** ICCID of the enabled profile, 10 bytes as in EF_ICCID, a copy; undefined when none is enabled. */
export function getEnabledIccid(es10: Es10): Promise<Uint8Array | undefined> {
  request(es10, [0x5a, 0x9f, 0x70]);
  return es10.run(readEnabledIccid);
}

function readEnabledIccid(list: Cursor): Uint8Array | undefined {
  if (!enterProfiles(list)) return undefined;
  while (list.next()) {
    if (!list.is(0xe3)) continue;
    let iccid: Uint8Array | undefined;
    let enabled = false;
    list.enter();
    while (list.next()) {
      if (list.is(0x5a)) iccid = list.value;
      else if (list.is(0x9f70)) enabled = list.integer() === 1;
    }
    list.leave();
    if (enabled && iccid) return iccid.slice();
  }
  return undefined;
}

/** Goes into the list of BF2D; some cards write 30 for A0 (open-questions.md Q6). @returns false when it is an error */
function enterProfiles(answer: Cursor): boolean {
  if (!answer.enter().next() || !(answer.is(0xa0) || answer.is(0x30))) return false;
  answer.enter();
  return true;
}
