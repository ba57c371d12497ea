import { IpaError } from '../error.js';
import { type Cursor, TlvError } from '../tlv/index.js';
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

/**
 * Sequence numbers of a list of notifications: A0 {30 {BF2F …} …, BF37 {BF27 {…, BF2F …} …} …} (es10.md §4.4).
 * @param list stands on A0
 * @throws TlvError when one has none
 */
export function notificationNumbers(list: Cursor): number[] {
  const found: number[] = [];
  list.enter();
  while (list.next()) {
    const isInstallation = list.is(0xbf37);
    list.enter();
    if (isInstallation) list.expect(0xbf27).enter();
    if (!list.find(Es10Tag.notificationMetadata))
      throw new TlvError('wrongTag', 'a notification has no metadata', list.start);
    list.enter();
    if (!list.find(0x80)) throw new TlvError('wrongTag', 'a notification has no sequence number', list.start);
    found.push(list.integer());
    list.leave();
    if (isInstallation) list.leave();
    list.leave();
  }
  return found;
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
