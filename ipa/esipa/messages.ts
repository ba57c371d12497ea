import type { Writer } from '../tlv/index.js';
import { EsipaTag } from './tags.js';

/**
 * GetEimPackageRequest, BF4F (esipa.md §2.1).
 * @param eid 16 bytes
 * @param stateChangeCause present when the state changed without this eIM's doing
 * @param rPlmn 3 bytes, 3GPP TS 24.008
 */
export function writeGetEimPackageRequest(
  to: Writer,
  eid: Uint8Array,
  stateChangeCause?: number,
  rPlmn?: Uint8Array,
): void {
  to.clear().begin(EsipaTag.getEimPackage).primitive(0x5a, eid);
  if (stateChangeCause !== undefined) to.primitive(0x80).integer(0x81, stateChangeCause);
  if (rPlmn) to.primitive(0x82, rPlmn);
  to.end();
}

/** How an answer to a package goes back: in a BF50 (retrieval) or in a BF4E (injection). */
export type Reply = 'provide' | 'transfer';

/** Opens ProvideEimPackageResult BF50 {5A …} or TransferEimPackageResponse BF4E {…}; end() closes it. */
export function beginReply(to: Writer, reply: Reply, eid: Uint8Array): void {
  to.clear();
  if (reply === 'provide') to.begin(EsipaTag.provideEimPackageResult).primitive(0x5a, eid);
  else to.begin(EsipaTag.transferEimPackage);
}

/** EimPackageResultResponseError A0 {[80 eimTransactionId], 02 code} in a BF50, or 02 code in a BF4E (esipa.md §2.2, §2.3). */
export function writeFault(
  to: Writer,
  reply: Reply,
  eid: Uint8Array,
  code: number,
  eimTransactionId?: Uint8Array,
): void {
  beginReply(to, reply, eid);
  if (reply === 'provide') {
    to.begin(0xa0);
    if (eimTransactionId) to.primitive(0x80, eimTransactionId);
    to.integer(0x02, code).end();
  } else {
    to.integer(0x02, code);
  }
  to.end();
}

/** IpaEuiccDataResponse BF52 {A1 {[80 eimTransactionId], 02 code}} (esipa.md §3.2). */
export function writeDataError(
  to: Writer,
  reply: Reply,
  eid: Uint8Array,
  code: number,
  eimTransactionId?: Uint8Array,
): void {
  beginReply(to, reply, eid);
  to.begin(EsipaTag.ipaEuiccData).begin(0xa1);
  if (eimTransactionId) to.primitive(0x80, eimTransactionId);
  to.integer(0x02, code).end().end().end();
}

/** TransferEimPackageResponse with eimPackageReceived: `BF4E 05 00` (esipa.md §2.3). */
export function writeReceived(to: Writer): void {
  to.clear().begin(EsipaTag.transferEimPackage).primitive(0x05).end();
}

/**
 * Opens HandleNotificationEsipa BF3D {A0 {PendingNotification}} (esipa.md §6); end() closes it. The list A0, with exactly
 * one entry, stands inside as the eUICC gives it.
 */
export function beginHandleNotification(to: Writer): void {
  to.clear().begin(EsipaTag.handleNotification);
}
