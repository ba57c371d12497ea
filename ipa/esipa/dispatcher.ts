import { Cursor, TlvError } from '../tlv/index.js';
import type { Reply } from './messages.js';
import { EsipaTag } from './tags.js';

/** What an eIM's message asks for. */
export type IncomingKind =
  /** EuiccPackageRequest: `body` is the element BF51 */
  | 'euiccPackage'
  /** IpaEuiccDataRequest: `body` is the element BF52 */
  | 'dataRequest'
  /** EimAcknowledgements: `body` is the element BF53 */
  | 'acknowledgements'
  /** ProfileDownloadTriggerRequest: `body` is the element BF54 */
  | 'downloadTrigger'
  /** emptyResponse of ProvideEimPackageResult */
  | 'empty'
  /** eimPackageError or provideEimPackageResultError: `code` */
  | 'error'
  /** A known package that cannot be read: to be answered with invalidPackageFormat */
  | 'invalid'
  /** Something this version does not know: to be answered with unknownPackage */
  | 'unknown';

/** One message of an eIM, read in place. All views share the message's memory. */
export interface Incoming {
  /** How an answer to it goes back. */
  reply: Reply;
  /** BF4F, BF50 or BF4E; 0 when the message is none of them or cannot be read at all. */
  envelope: number;
  kind: IncomingKind;
  /** Tag of the element inside the envelope, 0 when there is none. */
  tag: number;
  body: Uint8Array | undefined;
  code: number;
  eimTransactionId: Uint8Array | undefined;
  /** euiccPackage: the eIM that signed it. */
  eimId: Uint8Array | undefined;
  /** euiccPackage: its counterValue. */
  counterValue: number;
  /** euiccPackage: the list is PSMOs, so that notifications may follow. */
  hasPsmo: boolean;
  /** euiccPackage: an enable carries the rollbackFlag. */
  mayRollBack: boolean;
}

/**
 * Reads a message of an eIM far enough to know what to do with it (esipa.md §2). Pure; any bytes are allowed.
 * What an eIM signed is neither decoded nor changed.
 */
export function dispatch(message: Uint8Array, reply: Reply = 'provide'): Incoming {
  const found: Incoming = {
    reply,
    envelope: 0,
    kind: 'invalid',
    tag: 0,
    body: undefined,
    code: 0,
    eimTransactionId: undefined,
    eimId: undefined,
    counterValue: -1,
    hasPsmo: false,
    mayRollBack: false,
  };
  try {
    const cursor = new Cursor(message);
    if (!cursor.next()) return found;
    switch (cursor.tag) {
      case EsipaTag.getEimPackage:
      case EsipaTag.provideEimPackageResult:
      case EsipaTag.transferEimPackage:
        found.envelope = cursor.tag;
        break;
      default:
        return found;
    }
    cursor.enter();
    if (!cursor.next()) {
      // v1.0 answers a result with `BF50 00` (open-questions.md Q7).
      if (found.envelope === EsipaTag.provideEimPackageResult) found.kind = 'empty';
      return found;
    }
    found.tag = cursor.tag;
    found.body = cursor.element;
    readBody(cursor, found);
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    found.kind = 'invalid';
  }
  return found;
}

function readBody(cursor: Cursor, found: Incoming): void {
  const isResponse = found.envelope === EsipaTag.provideEimPackageResult;
  switch (cursor.tag) {
    case 0x02:
      found.code = cursor.integer();
      // TransferEimPackageRequest has no such alternative.
      found.kind = found.envelope === EsipaTag.transferEimPackage ? 'unknown' : 'error';
      return;
    case 0x30:
      found.kind = isResponse && cursor.length === 0 ? 'empty' : 'unknown';
      return;
    case EsipaTag.eimAcknowledgements:
      // In retrieval it is no package (procedures.md §3).
      found.kind = found.envelope === EsipaTag.getEimPackage ? 'unknown' : 'acknowledgements';
      return;
    case EsipaTag.euiccPackage:
      if (isResponse) break;
      readPackage(cursor.enter(), found);
      return;
    case EsipaTag.ipaEuiccData:
      if (isResponse) break;
      readDataRequest(cursor.enter(), found);
      return;
    case EsipaTag.profileDownloadTrigger:
      if (isResponse) break;
      cursor.enter();
      if (cursor.find(0x82)) found.eimTransactionId = cursor.value;
      found.kind = 'downloadTrigger';
      return;
  }
  found.kind = 'unknown';
}

/** BF51 {30 {80 eimId, 5A EID, 81 counterValue, [82 eimTransactionId], A0 | A1}, 5F37 signature} (esipa.md §5.1). */
function readPackage(cursor: Cursor, found: Incoming): void {
  let lists = 0;
  let eid = false;
  if (!cursor.nextIs(0x30)) return;
  cursor.enter();
  while (cursor.next()) {
    if (cursor.is(0x80)) found.eimId = cursor.value;
    else if (cursor.is(0x5a)) eid = true;
    else if (cursor.is(0x81)) found.counterValue = cursor.integer();
    else if (cursor.is(0x82)) found.eimTransactionId = cursor.value;
    else if (cursor.is(0xa0)) {
      lists++;
      found.hasPsmo = true;
      found.mayRollBack = hasRollbackFlag(cursor.value);
    } else if (cursor.is(0xa1)) lists++;
  }
  cursor.leave();
  if (!cursor.nextIs(0x5f37) || cursor.length === 0) return;
  if (found.eimId && eid && found.counterValue >= 0 && lists === 1) found.kind = 'euiccPackage';
}

/** Enable is A3 {5A iccid, [05 00 rollbackFlag]}; 81 is read too (esipa.md §5.2, open-questions.md Q2). What cannot be read is for the eUICC to refuse. */
function hasRollbackFlag(list: Uint8Array): boolean {
  const cursor = new Cursor(list);
  try {
    while (cursor.next()) {
      if (!cursor.is(0xa3)) continue;
      cursor.enter();
      while (cursor.next()) if (cursor.is(0x05) || cursor.is(0x81)) return true;
      cursor.leave();
    }
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
  }
  return false;
}

/** BF52 {5C tagList, [04 CI key id], [A1], [A2], [83 eimTransactionId]} (esipa.md §3.1). */
function readDataRequest(cursor: Cursor, found: Incoming): void {
  let tagList = false;
  while (cursor.next()) {
    if (cursor.is(0x5c)) tagList = true;
    else if (cursor.is(0x83)) found.eimTransactionId = cursor.value;
  }
  if (tagList) found.kind = 'dataRequest';
}

/** Most sequence numbers that are read from one acknowledgement. What it leaves on the eUICC is delivered again. */
export const MOST_ACKNOWLEDGED = 32;

/**
 * Sequence numbers of EimAcknowledgements, BF53 {80 seq …} (esipa.md §3.5); the first 32 where there are more.
 * @throws TlvError when it cannot be read
 */
export function readAcknowledgements(body: Uint8Array): number[] {
  const found: number[] = [];
  const cursor = new Cursor(body).expect(EsipaTag.eimAcknowledgements).enter();
  while (found.length < MOST_ACKNOWLEDGED && cursor.next()) if (cursor.is(0x80)) found.push(cursor.integer());
  return found;
}
