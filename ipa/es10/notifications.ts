import { IpaError } from '../error.js';
import { utf8 } from '../text.js';
import { type Cursor, Found, TlvError, TlvStream, type Writer } from '../tlv/index.js';
import type { AnswerReader, Es10 } from './es10.js';
import { Es10Tag } from './tags.js';

/**
 * ListNotification, BF28: sequence numbers of all pending notifications, oldest first (es10.md §4.4).
 * Small even when the notifications themselves, with their certificates, are long.
 */
export function listNotifications(es10: Es10): Promise<number[]> {
  es10.request.clear().primitive(Es10Tag.listNotification);
  return es10.run(readNumbers);
}

function readNumbers(answer: Cursor): number[] {
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

/** NotificationMetadata, BF2F (es10.md §4.4). */
export interface NotificationMetadata {
  seqNumber: number;
  /** Index of its event: 0 install, 1 enable, 2 disable, 3 delete; −1 for none of them. */
  event: number;
  /** Whom it is for: FQDN of an SM-DP+. */
  address: string;
  /** 10 bytes as in EF_ICCID; undefined when it names no profile. */
  iccid: Uint8Array | undefined;
}

/** ListNotification, BF28, with what is said of each notification; oldest first. */
export function listNotificationMetadata(es10: Es10): Promise<NotificationMetadata[]> {
  es10.request.clear().primitive(Es10Tag.listNotification);
  return es10.run(readMetadata);
}

function readMetadata(answer: Cursor): NotificationMetadata[] {
  const found: NotificationMetadata[] = [];
  if (!answer.enter().nextIs(0xa0)) return found;
  answer.enter();
  while (answer.next()) {
    if (!answer.is(Es10Tag.notificationMetadata)) continue;
    const one: NotificationMetadata = { seqNumber: -1, event: -1, address: '', iccid: undefined };
    answer.enter();
    while (answer.next()) {
      if (answer.is(0x80)) one.seqNumber = answer.integer();
      else if (answer.is(0x81)) one.event = eventOf(answer);
      else if (answer.is(0x0c)) one.address = utf8(answer.value);
      else if (answer.is(0x5a)) one.iccid = answer.value.slice();
    }
    answer.leave();
    if (one.seqNumber >= 0) found.push(one);
  }
  return found.sort((a, b) => a.seqNumber - b.seqNumber);
}

function eventOf(bits: Cursor): number {
  for (let event = 0; event < 4; event++) if (bits.bit(event)) return event;
  return -1;
}

/**
 * RetrieveNotificationsList, BF2B: appends the list, A0 {30 {BF2F …} …, BF37 {BF27 {…, BF2F …} …} …}, to `to` as it comes
 * from the card: with its certificates it may be as long as a message.
 * @param criteria content of the A0 wrapper around the search criteria: `80 seq` or `81 events`, as a whole TLV; all
 *   notifications where not given
 * @returns their sequence numbers, −1 for one that has none
 * @throws IpaError `unexpectedAnswer` when the eUICC reports an error; TlvError
 */
export function appendNotifications(es10: Es10, to: Writer, criteria?: ArrayLike<number>): Promise<number[]> {
  es10.request.clear().begin(Es10Tag.retrieveNotificationsList);
  if (criteria) {
    es10.request.begin(0xa0).write(criteria);
    es10.request.end();
  }
  es10.request.end();
  return es10.stream(new NotificationCopier(to));
}

/** As {@link appendNotifications}, for one notification. */
export function appendNotification(es10: Es10, to: Writer, seqNumber: number): Promise<number[]> {
  requestOne(es10, seqNumber);
  return es10.stream(new NotificationCopier(to));
}

/** RetrieveNotificationsList, BF2B, for one notification: a cursor on the list, A0 {PendingNotification}. */
export function retrieveNotification(es10: Es10, seqNumber: number): Promise<Cursor> {
  requestOne(es10, seqNumber);
  return es10.run(readList);
}

function readList(answer: Cursor): Cursor {
  if (!answer.enter().nextIs(0xa0))
    throw new IpaError('unexpectedAnswer', 'RetrieveNotificationsList gave no list of notifications');
  return answer;
}

function requestOne({ request }: Es10, seqNumber: number): void {
  request.clear().begin(Es10Tag.retrieveNotificationsList).begin(0xa0).integer(0x80, seqNumber).end().end();
}

/** Passes the list on byte for byte and picks the sequence numbers out of it. */
class NotificationCopier implements AnswerReader<number[]> {
  readonly #to: Writer;
  /** Length of `to` without the list. */
  readonly #start: number;
  readonly #stream = new TlvStream();
  #numbers: number[] = [];
  /** Bytes of the answer before the list: tag and length of BF2B. */
  #before = 0;
  /** Tag of the list: A0, or 81 for an error. */
  #list = 0;
  /** Depth of the metadata (BF2F) that is being read, 0 outside of them. */
  #metadata = 0;
  #number = 0;

  constructor(to: Writer) {
    this.#to = to;
    this.#start = to.length;
  }

  begin(): void {
    this.#to.cut(this.#start);
    this.#stream.reset();
    this.#numbers = [];
    this.#before = this.#list = this.#metadata = this.#number = 0;
  }

  write(bytes: Uint8Array): void {
    const stream = this.#stream;
    const at = stream.consumed;
    stream.feed(bytes);
    for (let found = stream.next(); found !== Found.nothing; found = stream.next()) {
      if (found === Found.header) this.header();
      else if (this.isNumber()) this.value(found);
      else if (found === Found.end && stream.depth === this.#metadata) this.#metadata = 0;
    }
    const skip = this.#before > 0 ? Math.max(0, this.#before - at) : bytes.length;
    if (skip < bytes.length) this.#to.write(skip > 0 ? bytes.subarray(skip) : bytes);
  }

  finish(): number[] {
    if (this.#list !== 0xa0) {
      this.#to.cut(this.#start);
      const result = this.#list === 0x81 ? this.#number : undefined;
      throw new IpaError(
        'unexpectedAnswer',
        `RetrieveNotificationsList failed with ${result ?? 'no list'}`,
        result,
      );
    }
    if (!this.#stream.complete) throw new TlvError('truncated', 'the list of notifications ends early', 0);
    return this.#numbers;
  }

  private header(): void {
    const stream = this.#stream;
    const { tag, depth, length } = stream;
    switch (depth) {
      case 0:
        if (tag !== Es10Tag.retrieveNotificationsList) return;
        this.#before = stream.consumed;
        this.#to.expect(length);
        break;
      case 1:
        if (this.#list === 0) this.#list = tag;
        if (tag !== 0xa0) return;
        break;
      case 2:
        this.#numbers.push(-1);
        break;
      default:
        if (tag === Es10Tag.notificationMetadata && this.#metadata === 0) this.#metadata = depth;
        // BF27: ProfileInstallationResultData has the metadata inside.
        else if (depth !== 3 || tag !== 0xbf27) {
          this.#number = 0;
          return;
        }
    }
    stream.enter();
  }

  /** Is this the sequence number in the metadata, or the code of an error? */
  private isNumber(): boolean {
    const { tag, depth } = this.#stream;
    if (this.#metadata > 0) return tag === 0x80 && depth === this.#metadata + 1;
    return this.#list === 0x81 && depth === 1;
  }

  private value(found: Found): void {
    const { data, length } = this.#stream;
    const numbers = this.#numbers;
    if (found === Found.data && data) {
      for (let i = 0; i < data.length; i++) this.#number = this.#number * 256 + data[i];
    } else if (numbers.length > 0 && length > 0 && Number.isSafeInteger(this.#number))
      numbers[numbers.length - 1] = this.#number;
  }
}

/**
 * RemoveNotificationFromList, BF30; removes eUICC Package Results too (es10.md §4.4).
 * @returns 0 ok, 1 nothingToDelete, 127
 */
export function removeNotificationFromList(es10: Es10, seqNumber: number): Promise<number> {
  es10.request.clear().begin(Es10Tag.removeNotificationFromList).integer(0x80, seqNumber).end();
  return es10.run(readDeleteStatus);
}

function readDeleteStatus(answer: Cursor): number {
  return answer.enter().find(0x80) ? answer.integer() : 127;
}
