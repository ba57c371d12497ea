import { IpaError } from '../error.js';
import { Cursor, TlvError } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Es10Tag } from './tags.js';

/** GetEID, BF3E (es10.md §4.1). @returns 16 bytes, a copy */
export function getEid(es10: Es10): Promise<Uint8Array> {
  es10.request.clear().begin(Es10Tag.getEid).primitive(0x5c, [0x5a]).end();
  return es10.run(readEid);
}

function readEid(answer: Cursor): Uint8Array {
  if (!answer.enter().find(0x5a) || answer.length !== 16)
    throw new IpaError('unexpectedAnswer', 'GetEID gave no EID of 16 bytes');
  return answer.value.slice();
}

/** GetEUICCInfo1, BF20: a cursor on BF20 {82 svn, A9 verification keys, AA signing keys}. */
export function getEuiccInfo1<T = Cursor>(es10: Es10, read?: (answer: Cursor) => T): Promise<T> {
  es10.request.clear().primitive(Es10Tag.getEuiccInfo1);
  return es10.run(read);
}

/** GetEUICCInfo2, BF22: a cursor on BF22 {…} (es10.md §4.1). */
export function getEuiccInfo2(es10: Es10): Promise<Cursor> {
  return empty(es10, Es10Tag.getEuiccInfo2);
}

/** GetEuiccConfiguredAddresses, BF3C: a cursor on BF3C {[80 defaultDpAddress], 81 rootDsAddress}. */
export function getEuiccConfiguredAddresses<T = Cursor>(
  es10: Es10,
  read?: (answer: Cursor) => T,
): Promise<T> {
  es10.request.clear().primitive(Es10Tag.getEuiccConfiguredAddresses);
  return es10.run(read);
}

/** GetRAT, BF43: a cursor on BF43 {A0 {30 …}}. */
export function getRat(es10: Es10): Promise<Cursor> {
  return empty(es10, Es10Tag.getRat);
}

/** GetEUICCChallenge, BF2E; starts or overwrites the RSP session context. @returns 16 bytes, lent */
export function getEuiccChallenge(es10: Es10): Promise<Uint8Array> {
  es10.request.clear().primitive(Es10Tag.getEuiccChallenge);
  return es10.run(readChallenge);
}

function readChallenge(answer: Cursor): Uint8Array {
  if (!answer.enter().find(0x80))
    throw new IpaError('unexpectedAnswer', 'GetEUICCChallenge gave no challenge');
  return answer.value;
}

/**
 * GetCerts, BF56: a cursor on BF56 {A0 {A5 EUM, A6 eUICC}} or BF56 {81 error}: 1 invalidCiPKId, 127.
 * @param ciKeyId SubjectKeyIdentifier of the wanted CI, 20 bytes; the eUICC's first one where not given
 */
export function getCerts<T = Cursor>(
  es10: Es10,
  ciKeyId?: Uint8Array,
  read?: (answer: Cursor) => T,
): Promise<T> {
  es10.request.clear().begin(Es10Tag.getCerts);
  if (ciKeyId) es10.request.primitive(0x80, ciKeyId);
  es10.request.end();
  return es10.run(read);
}

/** What a card is to us (es10.md §1.4): of SGP.32, of SGP.22, of SGP.02, or without an ISD-R. */
export type EuiccKind = 'iot' | 'consumer' | 'm2m' | 'none';

/**
 * Which eUICC the answer to SELECT of the ISD-R is from: its template E1 is one of SGP.32 §3.8.4, E0 of SGP.22 §5.7.1. Some
 * cards have them inside A5.
 * @param fci `6F …`, or empty where the modem hides it
 * @returns undefined when it does not say
 */
export function readTemplates(fci: Uint8Array): 'iot' | 'consumer' | undefined {
  let found: 'consumer' | undefined;
  try {
    const cursor = new Cursor(fci);
    if (!cursor.nextIs(0x6f)) return undefined;
    cursor.enter();
    while (cursor.next()) {
      if (cursor.is(0xe1)) return 'iot';
      if (cursor.is(0xe0)) found = 'consumer';
      if (!cursor.is(0xa5)) continue;
      cursor.enter();
      while (cursor.next()) {
        if (cursor.is(0xe1)) return 'iot';
        if (cursor.is(0xe0)) found = 'consumer';
      }
      cursor.leave();
    }
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
  }
  return found;
}

/** What the IPA needs to know of EUICCInfo2. */
export interface EuiccCapabilities {
  /** iotSpecificInfo (B4) is there: an IoT eUICC of SGP.32. */
  iot: boolean;
  /** ipaMode (90) is 1: an IPA inside the eUICC is active. */
  ipaeActive: boolean;
  ecallSupported: boolean;
  fallbackSupported: boolean;
}

/** Reads BF22 in place. */
export function readCapabilities(info2: Cursor): EuiccCapabilities {
  const found: EuiccCapabilities = {
    iot: false,
    ipaeActive: false,
    ecallSupported: false,
    fallbackSupported: false,
  };
  info2.enter();
  while (info2.next()) {
    if (info2.is(0x90)) found.ipaeActive = info2.integer() === 1;
    else if (info2.is(0xb4)) {
      found.iot = true;
      info2.enter();
      while (info2.next()) {
        if (info2.is(0x81)) found.ecallSupported = true;
        else if (info2.is(0x82)) found.fallbackSupported = true;
      }
      info2.leave();
    }
  }
  info2.leave();
  return found;
}

function empty(es10: Es10, tag: number): Promise<Cursor> {
  es10.request.clear().primitive(tag);
  return es10.run();
}
