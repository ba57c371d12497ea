import { Cursor, equal, type Writer } from '../tlv/index.js';
import { writeDeviceInfo } from './device-info.js';
import type { Es10 } from './es10.js';
import { Deadline, Es10Tag } from './tags.js';

/** What an SM-DP+ or SM-DS says of itself at the start of a session. Whole TLVs, as received; views, lent. */
export interface ServerAuthentication {
  /** `30 …` */
  serverSigned1: Uint8Array;
  /** `5F37 40 …` */
  serverSignature1: Uint8Array;
  /** SubjectKeyIdentifier of the CI, 20 bytes or their beginning. */
  euiccCiPkId: Uint8Array;
  /** `30 …` */
  serverCertificate: Uint8Array;
}

/** What an SM-DP+ says when it has found the order. Whole TLVs, as received; views, lent. */
export interface DownloadPreparation {
  /** `30 …` */
  smdpSigned2: Uint8Array;
  /** `5F37 40 …` */
  smdpSignature2: Uint8Array;
  /** `30 …` */
  smdpCertificate: Uint8Array;
}

/** ServerSigned1 in parts (es10.md §4.5). */
export interface ServerSigned1 {
  transactionId: Uint8Array;
  euiccChallenge: Uint8Array;
  serverAddress: Uint8Array;
}

const NONE = [] as const;

/** @throws TlvError when it cannot be read or a part is missing */
export function readServerSigned1(serverSigned1: Uint8Array): ServerSigned1 {
  const cursor = new Cursor(serverSigned1).expect(0x30).enter();
  const transactionId = cursor.expect(0x80).value;
  const euiccChallenge = cursor.expect(0x81).value;
  return { transactionId, euiccChallenge, serverAddress: cursor.expect(0x83).value };
}

/** Does SmdpSigned2 ask for a confirmation code? @throws TlvError */
export function isConfirmationCodeRequired(smdpSigned2: Uint8Array): boolean {
  const cursor = new Cursor(smdpSigned2).expect(0x30).enter();
  return cursor.find(0x01) && cursor.length > 0 && cursor.value[0] !== 0;
}

/** transactionId of SmdpSigned2. @throws TlvError */
export function readSmdpSigned2(smdpSigned2: Uint8Array): Uint8Array {
  return new Cursor(smdpSigned2).expect(0x30).enter().expect(0x80).value;
}

/** What the device says of itself and of the order: ctxParams1. */
export interface DownloadContext {
  /** The element `A0 {…}`, when the eIM made it; the rest is not used then. */
  ctxParams1?: Uint8Array;
  /** UTF-8; no field at all for the default SM-DP+ (procedures.md §9). */
  matchingId?: ArrayLike<number>;
  imei: string;
}

/** bppEuiccOtpk of SmdpSigned2, a copy: the one-time key of a package that was bound before. @throws TlvError */
export function readBppEuiccOtpk(smdpSigned2: Uint8Array): Uint8Array | undefined {
  const cursor = new Cursor(smdpSigned2).expect(0x30).enter();
  return cursor.find(0x5f49) ? cursor.value.slice() : undefined;
}

/**
 * AuthenticateServer, BF38 (es10.md §4.5).
 * @param into gets the element BF38 {A0 ok | A1 error}
 * @throws Es10Error, TlvError `overflow`, UiccError
 */
export async function authenticateServer(
  es10: Es10,
  server: ServerAuthentication,
  context: DownloadContext,
  into: Writer,
): Promise<void> {
  const { request } = es10;
  request.clear().begin(Es10Tag.authenticateServer);
  request.write(server.serverSigned1);
  request.write(server.serverSignature1);
  request.primitive(0x04, server.euiccCiPkId);
  request.write(server.serverCertificate);
  if (context.ctxParams1) request.write(context.ctxParams1);
  else {
    request.begin(0xa0);
    if (context.matchingId) request.primitive(0x80, context.matchingId);
    writeDeviceInfo(request, 0xa1, context.imei);
    request.end();
  }
  request.end();
  into.clear();
  await es10.relay(request.bytes, into, Deadline.signing);
}

/**
 * PrepareDownload, BF21 (es10.md §4.5).
 * @param hashCc 32 bytes, where a confirmation code is required (crypto.md §4)
 * @param into gets the element BF21 {A0 ok | A1 error}
 */
export async function prepareDownload(
  es10: Es10,
  server: DownloadPreparation,
  hashCc: Uint8Array | undefined,
  into: Writer,
): Promise<void> {
  const { request } = es10;
  request.clear().begin(Es10Tag.prepareDownload);
  request.write(server.smdpSigned2);
  request.write(server.smdpSignature2);
  if (hashCc) request.primitive(0x04, hashCc);
  request.write(server.smdpCertificate);
  request.end();
  into.clear();
  await es10.relay(request.bytes, into, Deadline.signing);
}

/** CancelSessionReason (es10.md §4.5). */
export const CancelReason = {
  endUserRejection: 0,
  postponed: 1,
  timeout: 2,
  pprNotAllowed: 3,
  metadataMismatch: 4,
  loadBppExecutionError: 5,
  undefinedReason: 127,
} as const;

/**
 * CancelSession, BF41: ends the session on the eUICC, which signs the reason for the SM-DP+.
 * @param into gets the element BF41 {A0 ok | 81 error}
 */
export async function cancelSession(
  es10: Es10,
  transactionId: Uint8Array,
  reason: number,
  into: Writer,
): Promise<void> {
  es10.request
    .clear()
    .begin(Es10Tag.cancelSession)
    .primitive(0x80, transactionId)
    .integer(0x81, reason)
    .end();
  into.clear();
  await es10.relay(es10.request.bytes, into, Deadline.signing);
}

/**
 * Error code of an AuthenticateServerResponse, PrepareDownloadResponse (A1 {80 transactionId, 02 code}) or
 * CancelSessionResponse (81 code).
 * @returns 0 when it is no error
 * @throws TlvError
 */
export function rspErrorCode(response: Uint8Array): number {
  const cursor = new Cursor(response);
  if (!cursor.next() || !cursor.enter().next()) return 127;
  if (cursor.is(0x81)) return cursor.integer();
  if (!cursor.is(0xa1)) return 0;
  return cursor.enter().find(0x02) ? cursor.integer() : 127;
}

/** ProfileInstallationResult in parts (es10.md §4.5). Views into it. */
export interface InstallationResult {
  transactionId: Uint8Array;
  seqNumber: number;
  /** Where the notification goes: the SM-DP+. */
  notificationAddress: Uint8Array | undefined;
  /** ICCID, 10 bytes; undefined where the failure came before it was known. */
  iccid: Uint8Array | undefined;
  installed: boolean;
  /** Where it failed: bppCommandId and errorReason; −1 for a success. */
  bppCommandId: number;
  errorReason: number;
}

/**
 * Reads BF37 {BF27 {80 transactionId, BF2F metadata, 06 smdpOid, A2 {A0 ok | A1 error}}, 5F37 …}.
 * @throws TlvError
 */
export function readInstallationResult(element: Uint8Array): InstallationResult {
  const found: InstallationResult = {
    transactionId: element.subarray(0, 0),
    seqNumber: -1,
    notificationAddress: undefined,
    iccid: undefined,
    installed: false,
    bppCommandId: -1,
    errorReason: -1,
  };
  const cursor = new Cursor(element).expect(Es10Tag.profileInstallationResult).enter().expect(0xbf27).enter();
  while (cursor.next()) {
    if (cursor.is(0x80)) found.transactionId = cursor.value;
    else if (cursor.is(Es10Tag.notificationMetadata)) {
      cursor.enter();
      while (cursor.next()) {
        if (cursor.is(0x80)) found.seqNumber = cursor.integer();
        else if (cursor.is(0x0c)) found.notificationAddress = cursor.value;
        else if (cursor.is(0x5a)) found.iccid = cursor.value;
      }
      cursor.leave();
    } else if (cursor.is(0xa2)) {
      cursor.enter();
      if (cursor.next()) {
        found.installed = cursor.is(0xa0);
        if (cursor.is(0xa1)) {
          cursor.enter();
          if (cursor.find(0x80)) found.bppCommandId = cursor.integer();
          if (cursor.find(0x81)) found.errorReason = cursor.integer();
          cursor.leave();
        }
      }
      cursor.leave();
    }
  }
  return found;
}

/**
 * The key of a list in EUICCInfo1 that begins with `wanted` (esipa.md §6: eIMs may shorten it; some send it as a TLV
 * `04 14 …`, open-questions.md Q17).
 * @param info1 stands on BF20
 * @param list 0xA9 for verification, 0xAA for signing
 * @returns a view; undefined when there is none
 */
export function findCiKey(info1: Cursor, list: number, wanted: Uint8Array): Uint8Array | undefined {
  const key =
    wanted.length > 2 && wanted[0] === 0x04 && wanted[1] === wanted.length - 2 ? wanted.subarray(2) : wanted;
  if (!info1.enter().find(list)) return undefined;
  info1.enter();
  while (info1.next()) {
    if (info1.is(0x04) && key.length <= info1.length && equal(info1.value.subarray(0, key.length), key))
      return info1.value;
  }
  return undefined;
}

/**
 * The registeredID of a certificate's subjectAltName: the OID of an SM-DP+ (crypto.md §5).
 * @param certificate X.509, `30 …`
 * @returns the body of the OID; empty when it has none
 * @throws TlvError when it cannot be read
 */
export function registeredId(certificate: Uint8Array): ArrayLike<number> {
  const cursor = new Cursor(certificate).expect(0x30).enter().expect(0x30).enter();
  // extensions [3] are the last field of TBSCertificate.
  if (!cursor.find(0xa3)) return NONE;
  cursor.enter().expect(0x30).enter();
  while (cursor.next()) {
    cursor.enter();
    const isAltName = cursor.nextIs(0x06) && cursor.length === 3 && equal(cursor.value, [0x55, 0x1d, 0x11]);
    if (isAltName && cursor.find(0x04)) {
      cursor.enter().expect(0x30).enter();
      return cursor.find(0x88) ? cursor.value : NONE;
    }
    cursor.leave();
  }
  return NONE;
}
