import { Cursor, equal, type Writer } from '../tlv/index.js';
import { EsipaTag } from './tags.js';

// Compact forms ("minimizeEsipaBytes", esipa.md §4): what the eIM knows already is left out, signatures stay those over the
// whole structures. Each function copies what it does not recognise as it is: the whole form is always allowed.

/** ISD-P AIDs differ in bytes 14 and 15 only. */
const AID_LENGTH = 16;
/** EUICCResponse of success. */
const SIMA_SUCCESS = [0x30, 0x07, 0xa0, 0x05, 0x30, 0x03, 0x80, 0x01, 0x00] as const;

/** Bits of what the eIM has asked for before, so that it need not be sent again. */
export const EimKnows = { certificates: 1, euiccInfo2: 2 } as const;

/**
 * AuthenticateServerResponse BF38 {A0 …} as BF38 {A2 {30 | A0 {84, [A2]}, 5F37, [A1], [A2]}}.
 * @param knows bits of {@link EimKnows}
 * @param ctxParams1ByEim the eIM made ctxParams1, and puts it back
 */
export function writeCompactAuthentication(
  to: Writer,
  response: Uint8Array,
  knows: number,
  ctxParams1ByEim: boolean,
): void {
  const cursor = new Cursor(response).expect(EsipaTag.authenticateServer).enter();
  if (!cursor.nextIs(0xa0)) {
    to.write(response);
    return;
  }
  cursor.enter();
  to.begin(EsipaTag.authenticateServer).begin(0xa2);
  cursor.expect(0x30);
  if (knows & EimKnows.euiccInfo2) writeCompactSigned1(to, cursor, ctxParams1ByEim);
  else to.write(cursor.element);
  to.write(cursor.expect(0x5f37).element);
  if (!(knows & EimKnows.certificates)) {
    to.primitive(0xa1, cursor.expect(0x30).value);
    to.primitive(0xa2, cursor.expect(0x30).value);
  }
  to.end().end();
}

/** euiccSigned1 30 {80, 83, 84, BF22 {… 84 extCardResource …}, A0 ctxParams1} as A0 {84, [A2 {A0 ctxParams1}]}. */
function writeCompactSigned1(to: Writer, cursor: Cursor, ctxParams1ByEim: boolean): void {
  to.begin(0xa0);
  cursor.enter();
  while (cursor.next()) {
    if (cursor.is(0xbf22)) {
      cursor.enter();
      while (cursor.next()) if (cursor.is(0x84)) to.write(cursor.element);
      cursor.leave();
    } else if (cursor.is(0xa0) && !ctxParams1ByEim) {
      to.begin(0xa2).write(cursor.element);
      to.end();
    }
  }
  cursor.leave();
  to.end();
}

/**
 * PrepareDownloadResponse BF21 {A0 {30 {80, 5F49, [04]}, 5F37}} as BF21 {A2 {30 {[5F49], [04]}, 5F37}}.
 * @param bppEuiccOtpk value of 5F49 in smdpSigned2, when the SM-DP+ gave one back
 * @param hashCcByEim the eIM supplied hashCc
 */
export function writeCompactPreparation(
  to: Writer,
  response: Uint8Array,
  bppEuiccOtpk: Uint8Array | undefined,
  hashCcByEim: boolean,
): void {
  const cursor = new Cursor(response).expect(EsipaTag.prepareDownload).enter();
  if (!cursor.nextIs(0xa0)) {
    to.write(response);
    return;
  }
  cursor.enter().expect(0x30).enter();
  to.begin(EsipaTag.prepareDownload).begin(0xa2).begin(0x30);
  while (cursor.next()) {
    if (cursor.is(0x5f49) && !(bppEuiccOtpk && equal(cursor.value, bppEuiccOtpk))) to.write(cursor.element);
    else if (cursor.is(0x04) && !hashCcByEim) to.write(cursor.element);
  }
  cursor.leave();
  to.end();
  to.write(cursor.expect(0x5f37).element);
  to.end().end();
}

/** Inside of a CancelSessionResponse BF41: A0 {30 {80, 81, 82 reason}, 5F37} as A2 {30 {80 reason}, 5F37}. */
export function writeCompactCancellation(to: Writer, inside: Uint8Array): void {
  const cursor = new Cursor(inside);
  if (!cursor.nextIs(0xa0)) {
    to.write(inside);
    return;
  }
  cursor.enter().expect(0x30).enter();
  to.begin(0xa2).begin(0x30);
  while (cursor.next()) if (cursor.is(0x82)) to.primitive(0x80, cursor.value);
  cursor.leave();
  to.end();
  to.write(cursor.expect(0x5f37).element);
  to.end();
}

/**
 * ProfileInstallationResult BF37 {BF27 {80, BF2F, 06, A2 …}, 5F37} of an indirect download as
 * A0 {A0 {80, 02 seqNumber, [01 iccidPresent], A2 …}, 5F37}.
 */
export function writeCompactInstallation(to: Writer, result: Uint8Array): void {
  const cursor = new Cursor(result).expect(0xbf37).enter().expect(0xbf27).enter();
  to.begin(0xa0).begin(0xa0);
  while (cursor.next()) {
    if (cursor.is(0x80)) to.write(cursor.element);
    else if (cursor.is(0xbf2f)) {
      let hasIccid = false;
      cursor.enter();
      while (cursor.next()) {
        if (cursor.is(0x80)) to.primitive(0x02, cursor.value);
        else if (cursor.is(0x5a)) hasIccid = true;
      }
      cursor.leave();
      if (!hasIccid) to.primitive(0x01, [0]);
    } else if (cursor.is(0xa2)) writeCompactFinal(to, cursor);
  }
  cursor.leave();
  to.end();
  to.write(cursor.expect(0x5f37).element);
  to.end();
}

/** A2 {A0 {4F aid, 04 simaResponse} | A1 …} as A2 {A0 {4F bytes 14 and 15, [04]} | A1 …}. */
function writeCompactFinal(to: Writer, cursor: Cursor): void {
  to.begin(0xa2);
  cursor.enter();
  while (cursor.next()) {
    if (!cursor.is(0xa0)) {
      to.write(cursor.element);
      continue;
    }
    to.begin(0xa0);
    cursor.enter();
    while (cursor.next()) {
      if (cursor.is(0x4f)) {
        const aid = cursor.value;
        to.primitive(0x4f, aid.length === AID_LENGTH ? aid.subarray(13, 15) : aid);
      } else if (!(cursor.is(0x04) && equal(cursor.value, SIMA_SUCCESS))) to.write(cursor.element);
    }
    cursor.leave();
    to.end();
  }
  cursor.leave();
  to.end();
}

/**
 * A message that carries notifications, BF3D {A0 {…}} or BF50/BF4E {…, 30 {BF51, A0 {…}}}: in each
 * OtherSignedNotification 30 {BF2F, 5F37, 30, 30} the certificates are left out: A1 {5A eid, BF2F, 5F37}.
 */
export function writeCompactNotifications(to: Writer, message: Uint8Array, eid: Uint8Array): void {
  const cursor = new Cursor(message);
  cursor.next();
  to.clear().begin(cursor.tag);
  cursor.enter();
  while (cursor.next()) {
    if (cursor.is(0xa0)) writeCompactList(to, cursor, eid);
    else if (cursor.is(0x30) && cursor.length > 0) {
      to.begin(0x30);
      cursor.enter();
      while (cursor.next()) {
        if (cursor.is(0xa0)) writeCompactList(to, cursor, eid);
        else to.write(cursor.element);
      }
      cursor.leave();
      to.end();
    } else to.write(cursor.element);
  }
  to.end();
}

function writeCompactList(to: Writer, cursor: Cursor, eid: Uint8Array): void {
  to.begin(0xa0);
  cursor.enter();
  while (cursor.next()) {
    if (!cursor.is(0x30)) {
      to.write(cursor.element);
      continue;
    }
    to.begin(0xa1).primitive(0x5a, eid);
    cursor.enter();
    while (cursor.next()) if (!cursor.is(0x30)) to.write(cursor.element);
    cursor.leave();
    to.end();
  }
  cursor.leave();
  to.end();
}
