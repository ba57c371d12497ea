import { IpaError } from '../error.js';
import type { Cursor } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Es10Tag } from './tags.js';

/**
 * ListNotification, BF28: sequence numbers of all pending notifications, oldest first (es10.md §4.4).
 * Small even when the notifications themselves, with their certificates, are long.
 */
export async function listNotifications(es10: Es10): Promise<number[]> {
  es10.request.clear().primitive(Es10Tag.listNotification);
  const answer = await es10.call();
  const found: number[] = [];
  if (!answer.enter().nextIs(0xa0)) return found;
  answer.enter();
  while (answer.next()) {
    if (!answer.is(Es10Tag.notificationMetadata)) continue;
    answer.enter();
    if (answer.find(0x80)) found.push(answer.integer());
    answer.leave();
  }
  return found.sort((a, b) => a - b);
}

/**
 * RetrieveNotificationsList, BF2B.
 * @param criteria content of the A0 wrapper around the search criteria: `80 seq`, `81 events` or `82 00` for eUICC
 *   Package Results, as a whole TLV; all notifications where not given
 * @returns a cursor on the list: A0 {PendingNotification …} or A2 {BF51 …}
 * @throws IpaError `unexpectedAnswer` with `result` when the eUICC reports an error
 */
export async function retrieveNotificationsList(es10: Es10, criteria?: ArrayLike<number>): Promise<Cursor> {
  es10.request.clear().begin(Es10Tag.retrieveNotificationsList);
  if (criteria) {
    es10.request.begin(0xa0);
    es10.request.write(criteria);
    es10.request.end();
  }
  es10.request.end();
  const answer = await es10.call();
  if (!answer.enter().next())
    throw new IpaError('unexpectedAnswer', 'RetrieveNotificationsList gave no list');
  if (answer.is(0x81)) {
    throw new IpaError(
      'unexpectedAnswer',
      `RetrieveNotificationsList failed with ${answer.integer()}`,
      answer.integer(),
    );
  }
  return answer;
}

/** Search criteria for one notification. */
export async function retrieveNotification(es10: Es10, seqNumber: number): Promise<Cursor> {
  es10.request.clear().integer(0x80, seqNumber);
  return retrieveNotificationsList(es10, es10.request.bytes.slice());
}

/**
 * RemoveNotificationFromList, BF30; removes eUICC Package Results too (es10.md §4.4).
 * @returns 0 ok, 1 nothingToDelete, 127
 */
export async function removeNotificationFromList(es10: Es10, seqNumber: number): Promise<number> {
  es10.request.clear().begin(Es10Tag.removeNotificationFromList).integer(0x80, seqNumber).end();
  const answer = await es10.call();
  return answer.enter().find(0x80) ? answer.integer() : 127;
}
