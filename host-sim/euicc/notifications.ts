import {
  concat,
  decode,
  encode,
  iccidDigits,
  ListNotificationRequest,
  ListNotificationResponse,
  type NotificationEventName,
  NotificationMetadata,
  NotificationSentRequest,
  NotificationSentResponse,
  OtherSignedNotification,
  PendingNotification,
  RetrieveNotificationsListRequest,
  toSign,
  writeElement,
} from '../asn1/index.js';
import { type Command, report } from './context.js';
import { sign } from './crypto.js';
import type { Pending, Profile } from './state.js';

/** Next number of the counter that notifications and package results share (SGP.32 §5.9.11). */
export function takeSeqNumber(command: Command): number {
  command.changed = true;
  return command.state.nextSeqNumber++;
}

/** One notification per address that wants to hear of `event` (SGP.22 §3.5). */
export function notify(command: Command, profile: Profile, event: NotificationEventName): void {
  const { privateKey, certificate, eumCertificate } = command.card.credentials;
  for (const { events, address } of profile.notifications) {
    if (!events.includes(event)) continue;
    const seqNumber = takeSeqNumber(command);
    const tbsOtherNotification = toSign(NotificationMetadata, {
      seqNumber,
      profileManagementOperation: [event],
      notificationAddress: address,
      iccid: profile.iccid,
    });
    const bytes = encode(OtherSignedNotification, {
      tbsOtherNotification,
      euiccNotificationSignature: sign(privateKey, tbsOtherNotification.bytes),
      euiccCertificate: certificate,
      eumCertificate,
    });
    command.state.notifications.push({ seqNumber, bytes, event });
    report(command, 'notificationCreated', { seqNumber, event, iccid: iccidDigits(profile.iccid) });
  }
}

/** Keeps a package result until BF30; the oldest makes room. */
export function storeResult(command: Command, seqNumber: number, bytes: Uint8Array): void {
  const { results } = command.state;
  results.push({ seqNumber, bytes });
  if (results.length > command.card.resultCapacity)
    results.splice(0, results.length - command.card.resultCapacity);
  command.changed = true;
}

export function listNotification(command: Command, bytes: Uint8Array): Uint8Array {
  const { profileManagementOperation } = decode(ListNotificationRequest, bytes);
  const wanted = filter(command.state.notifications, profileManagementOperation);
  return encode(ListNotificationResponse, {
    notificationMetadataList: wanted.map(metadataOf),
  });
}

function metadataOf({ bytes }: Pending): NotificationMetadata {
  const { otherSignedNotification: other, profileInstallationResult: installed } = decode(
    PendingNotification,
    bytes,
  );
  return other
    ? other.tbsOtherNotification.value
    : installed!.profileInstallationResultData.value.notificationMetadata;
}

/** Without criteria notifications only; package results must be asked for (SGP.32 §5.9.11, since v1.1). */
export function retrieveNotificationsList(command: Command, bytes: Uint8Array): Uint8Array {
  const { searchCriteria } = decode(RetrieveNotificationsListRequest, bytes);
  const { notifications, results } = command.state;
  // What is stored is signed, so it goes out byte for byte.
  const list = (tag: number, pendings: readonly Pending[]) =>
    writeElement(0xbf2b, writeElement(tag, concat(pendings.map((pending) => pending.bytes))));
  if (searchCriteria?.euiccPackageResults) return list(0xa2, results);
  if (searchCriteria?.seqNumber !== undefined) {
    const wanted = (pending: Pending) => pending.seqNumber === searchCriteria.seqNumber;
    // One counter numbers both kinds, so a number says which kind is meant.
    return results.some(wanted)
      ? list(0xa2, results.filter(wanted))
      : list(0xa0, notifications.filter(wanted));
  }
  return list(0xa0, filter(notifications, searchCriteria?.profileManagementOperation));
}

function filter(pendings: readonly Pending[], events?: readonly NotificationEventName[]): readonly Pending[] {
  return events ? pendings.filter(({ event }) => event !== undefined && events.includes(event)) : pendings;
}

/** RemoveNotificationFromList: notifications and package results alike. */
export function notificationSent(command: Command, bytes: Uint8Array): Uint8Array {
  const { seqNumber } = decode(NotificationSentRequest, bytes);
  for (const list of [command.state.notifications, command.state.results]) {
    const index = list.findIndex((pending) => pending.seqNumber === seqNumber);
    if (index < 0) continue;
    list.splice(index, 1);
    command.changed = true;
    report(command, 'notificationRemoved', {
      seqNumber,
      kind: list === command.state.results ? 'result' : 'notification',
    });
    return encode(NotificationSentResponse, { result: 0 });
  }
  return encode(NotificationSentResponse, { result: 1 });
}
