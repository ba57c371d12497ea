import type { Cursor } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Deadline, Es10Tag } from './tags.js';

/** BOOLEAN refreshFlag: the eUICC raises REFRESH. */
const REFRESH = [0xff] as const;

/**
 * EnableProfile BF31 or DisableProfile BF32 (SGP.22 §5.7.16, §5.7.17; es10.md §4.3). A consumer eUICC has them; one of SGP.32
 * need not.
 * @param iccid 10 bytes as in EF_ICCID
 * @returns 0 ok, 1 iccidOrAidNotFound, 2 profileNotInDisabledState or …EnabledState, 3 disallowedByPolicy, 4
 *   wrongProfileReenabling, 5 catBusy, 127
 */
export function setProfileState(es10: Es10, iccid: ArrayLike<number>, enabled: boolean): Promise<number> {
  const tag = enabled ? Es10Tag.enableProfile : Es10Tag.disableProfile;
  es10.request.clear().begin(tag).begin(0xa0).primitive(0x5a, iccid).end().primitive(0x81, REFRESH).end();
  return es10.run(readResult, Deadline.signing);
}

/** DeleteProfile, BF33 (SGP.22 §5.7.18). @returns 0, 1 iccidOrAidNotFound, 2 profileNotInDisabledState, 3 disallowedByPolicy, 127 */
export function deleteProfile(es10: Es10, iccid: ArrayLike<number>): Promise<number> {
  es10.request.clear().begin(Es10Tag.deleteProfile).primitive(0x5a, iccid).end();
  return es10.run(readResult, Deadline.signing);
}

/** SetNickname, BF29 (SGP.22 §5.7.21). @param nickname UTF-8, at most 64 bytes @returns 0, 1 iccidNotFound, 127 */
export function setNickname(
  es10: Es10,
  iccid: ArrayLike<number>,
  nickname: ArrayLike<number>,
): Promise<number> {
  es10.request.clear().begin(Es10Tag.setNickname).primitive(0x5a, iccid).primitive(0x90, nickname).end();
  return es10.run(readResult);
}

/** SetDefaultDpAddress in its SGP.22 form, BF3F; an empty string clears it. @returns 0 or 127 */
export function setConsumerDpAddress(es10: Es10, address: string): Promise<number> {
  es10.request.clear().begin(Es10Tag.setConsumerDpAddress).ascii(0x80, address).end();
  return es10.run(readResult);
}

function readResult(answer: Cursor): number {
  return answer.enter().find(0x80) ? answer.integer() : 127;
}
