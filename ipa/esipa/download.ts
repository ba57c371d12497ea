import type { DownloadPreparation, ServerAuthentication } from '../es10/index.js';
import { Cursor, TlvError, type Writer } from '../tlv/index.js';
import { EsipaTag } from './tags.js';

/** What a ProfileDownloadTriggerRequest asks for (esipa.md §3.3). Strings are UTF-8 bytes, views into the message. */
export interface DownloadTrigger {
  kind: 'activationCode' | 'contactDefaultSmdp' | 'contactSmds' | 'eimData';
  /** The activation code, or the SM-DS address if the trigger names one. */
  text: Uint8Array | undefined;
  eimTransactionId: Uint8Array | undefined;
}

/**
 * Reads BF54 {[A0 {80 activationCode | 81 contactDefaultSmdp | A2 {[80 smdsAddress]}}], [82 eimTransactionId]}. Without A0
 * the eIM keeps the data to itself.
 * @throws TlvError when it cannot be read or holds an alternative that does not exist
 */
export function readDownloadTrigger(body: Uint8Array): DownloadTrigger {
  const found: DownloadTrigger = { kind: 'eimData', text: undefined, eimTransactionId: undefined };
  const cursor = new Cursor(body).expect(EsipaTag.profileDownloadTrigger).enter();
  while (cursor.next()) {
    if (cursor.is(0x82)) found.eimTransactionId = cursor.value;
    else if (cursor.is(0xa0)) {
      cursor.enter();
      if (cursor.nextIs(0x80)) {
        found.kind = 'activationCode';
        found.text = cursor.value;
      } else if (cursor.is(0x81)) found.kind = 'contactDefaultSmdp';
      else if (cursor.is(0xa2)) {
        found.kind = 'contactSmds';
        if (cursor.enter().find(0x80)) found.text = cursor.value;
        cursor.leave();
      } else throw new TlvError('wrongTag', 'the trigger holds no known profileDownloadData', cursor.start);
      cursor.leave();
    }
  }
  return found;
}

/**
 * ProfileDownloadTriggerResult in its HandleNotification: BF3D {BF50 {5A, BF54 {[82 eimTransactionId], …}}}
 * (procedures.md §6, step 13).
 * @param result the ProfileInstallationResult BF37, or what the peer's error was
 */
export function writeDownloadResult(
  to: Writer,
  eid: Uint8Array,
  eimTransactionId: Uint8Array | undefined,
  result: Uint8Array | { reason: number; error?: Uint8Array },
): void {
  to.clear().begin(EsipaTag.handleNotification).begin(EsipaTag.provideEimPackageResult).primitive(0x5a, eid);
  to.begin(EsipaTag.profileDownloadTrigger);
  if (eimTransactionId) to.primitive(0x82, eimTransactionId);
  if ('reason' in result) {
    to.begin(0x30).integer(0x80, result.reason);
    if (result.error) to.primitive(0x04, result.error);
    to.end();
  } else to.write(result);
  to.end().end().end();
}

/** InitiateAuthenticationRequestEsipa, BF39 {81, [83], [BF20], [82]} (esipa.md §6). */
export function writeInitiateAuthentication(
  to: Writer,
  euiccChallenge: Uint8Array,
  smdpAddress: string | undefined,
  euiccInfo1: Uint8Array | undefined,
  eimTransactionId: Uint8Array | undefined,
): void {
  to.clear().begin(EsipaTag.initiateAuthentication).primitive(0x81, euiccChallenge);
  if (smdpAddress !== undefined) to.ascii(0x83, smdpAddress);
  if (euiccInfo1) to.write(euiccInfo1);
  if (eimTransactionId) to.primitive(0x82, eimTransactionId);
  to.end();
}

/** InitiateAuthenticationResponseEsipa, A0 {…} in parts; views into the message. */
export interface EimServerAuthentication extends ServerAuthentication {
  /** UTF-8 of the matchingId, when the eIM handles the download data. */
  matchingId: Uint8Array | undefined;
  /** The element `A0 {…}`, when the eIM made it. */
  ctxParams1: Uint8Array | undefined;
}

/** An eIM's error answer in a download: `81` or `82` with a code of esipa.md §6. */
export interface EimRefusal {
  refusal: number;
}

/** @throws TlvError when it is no such answer */
export function readInitiateAuthentication(message: Uint8Array): EimServerAuthentication | EimRefusal {
  const cursor = new Cursor(message).expect(EsipaTag.initiateAuthentication).enter();
  cursor.next();
  if (cursor.is(0x81)) return { refusal: cursor.integer() };
  enterOk(cursor);
  cursor.next();
  // transactionId is repeated in serverSigned1.
  if (cursor.is(0x80)) cursor.next();
  const serverSigned1 = here(cursor, 0x30).element;
  const serverSignature1 = cursor.expect(0x5f37).element;
  const euiccCiPkId = cursor.expect(0x04).value;
  const serverCertificate = cursor.expect(0x30).element;
  const found: EimServerAuthentication = {
    serverSigned1,
    serverSignature1,
    euiccCiPkId,
    serverCertificate,
    matchingId: undefined,
    ctxParams1: undefined,
  };
  while (cursor.next()) {
    if (cursor.is(0x0c)) found.matchingId = cursor.value;
    else if (cursor.is(0xa2)) {
      cursor.enter();
      if (cursor.nextIs(0xa0)) found.ctxParams1 = cursor.element;
      cursor.leave();
    }
  }
  return found;
}

/** AuthenticateClientRequestEsipa, BF3B {80 transactionId, BF38 …} (esipa.md §6). */
export function writeAuthenticateClient(to: Writer, transactionId: Uint8Array, response: Uint8Array): void {
  beginRequest(to, EsipaTag.authenticateClient, transactionId).write(response);
  to.end();
}

/** Opens a request of a session; what the eUICC said follows, whole or compact, and end(). */
export function beginRequest(to: Writer, tag: number, transactionId: Uint8Array): Writer {
  return to.clear().begin(tag).primitive(0x80, transactionId);
}

/** AuthenticateClientResponseEsipa of an SM-DP+, A0 {…} in parts; views into the message. */
export interface EimDownloadPreparation extends DownloadPreparation {
  /** The element BF25; undefined when the eIM verified it itself. */
  profileMetadata: Uint8Array | undefined;
  /** 32 bytes, when the eIM knows the confirmation code. */
  hashCc: Uint8Array | undefined;
}

/** AuthenticateClientResponseEsipa of an SM-DS, A1 {80, [BF54]}: the event it held, if there was one. */
export interface EimEvent {
  trigger: Uint8Array | undefined;
}

/** @throws TlvError when it is no such answer */
export function readAuthenticateClient(message: Uint8Array): EimDownloadPreparation | EimEvent | EimRefusal {
  const cursor = new Cursor(message).expect(EsipaTag.authenticateClient).enter();
  cursor.next();
  if (cursor.is(0x82) || cursor.is(0x81)) return { refusal: cursor.integer() };
  if (cursor.is(0xa1)) {
    const found = cursor.enter().find(EsipaTag.profileDownloadTrigger);
    return { trigger: found ? cursor.element : undefined };
  }
  enterOk(cursor);
  cursor.next();
  if (cursor.is(0x80)) cursor.next();
  let profileMetadata: Uint8Array | undefined;
  if (cursor.is(0xbf25)) {
    profileMetadata = cursor.element;
    cursor.next();
  }
  const smdpSigned2 = here(cursor, 0x30).element;
  const smdpSignature2 = cursor.expect(0x5f37).element;
  const smdpCertificate = cursor.expect(0x30).element;
  const hashCc = cursor.find(0x04) ? cursor.value : undefined;
  return { profileMetadata, smdpSigned2, smdpSignature2, smdpCertificate, hashCc };
}

/** GetBoundProfilePackageRequestEsipa, BF3A {80 transactionId, BF21 …} (esipa.md §6). */
export function writeGetBoundProfilePackage(
  to: Writer,
  transactionId: Uint8Array,
  response: Uint8Array,
): void {
  to.clear().begin(EsipaTag.getBoundProfilePackage).primitive(0x80, transactionId);
  to.write(response);
  to.end();
}

/**
 * CancelSessionRequestEsipa, BF41 {80 transactionId, A1 {…}}: A1 stands in place of the BF41 of the eUICC's response.
 * @param response the element BF41 of the eUICC
 */
export function writeCancelSession(to: Writer, transactionId: Uint8Array, response: Uint8Array): void {
  const inner = new Cursor(response).expect(EsipaTag.cancelSession);
  to.clear().begin(EsipaTag.cancelSession).primitive(0x80, transactionId).primitive(0xa1, inner.value).end();
}

/** CancelSessionResponseEsipa. @returns 0 ok; 1 invalidTransactionId, 2 euiccSignatureInvalid, 127 */
export function readCancelSession(message: Uint8Array): number {
  const cursor = new Cursor(message).expect(EsipaTag.cancelSession).enter();
  return cursor.nextIs(0x81) ? cursor.integer() : 0;
}

function enterOk(cursor: Cursor): void {
  if (!cursor.is(0xa0)) throw new TlvError('wrongTag', 'neither a result nor an error', cursor.start);
  cursor.enter();
}

function here(cursor: Cursor, tag: number): Cursor {
  if (!cursor.is(tag)) throw new TlvError('wrongTag', `expected tag ${tag.toString(16)}`, cursor.start);
  return cursor;
}
