import { Cursor, type Writer } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Deadline } from './tags.js';

/** LoadEuiccPackage, BF51 (es10.md §4.6): the package goes in and the result comes out byte for byte. */
export function loadEuiccPackage(es10: Es10, euiccPackageRequest: Uint8Array, into: Writer): Promise<void> {
  return es10.relay(euiccPackageRequest, into, Deadline.signing);
}

/** What the IPA needs to know of an EuiccPackageResult (esipa.md §5.4). Views into the result. */
export interface PackageResult {
  /** `executed`: stored on the eUICC until removed. The refusals are not stored. */
  kind: 'executed' | 'refused' | 'refusedUnsigned';
  eimId: Uint8Array | undefined;
  counterValue: number;
  eimTransactionId: Uint8Array | undefined;
  /** Only for `executed`; −1 otherwise. */
  seqNumber: number;
  /** A profile was enabled or disabled: the card is about to be reset. */
  profileChanged: boolean;
  /** A profile was enabled, disabled or deleted: there may be notifications. */
  notifies: boolean;
}

const ENABLE_RESULT = 0x83;
const DISABLE_RESULT = 0x84;
const DELETE_RESULT = 0x85;
const ROLLBACK_RESULT = 0x8c;

/**
 * Reads an EuiccPackageResult in place. The alternative tag may be missing (open-questions.md Q6).
 * @param result the element BF51 …
 * @throws TlvError when it cannot be read
 */
export function readPackageResult(result: Uint8Array): PackageResult {
  const found: PackageResult = {
    kind: 'executed',
    eimId: undefined,
    counterValue: -1,
    eimTransactionId: undefined,
    seqNumber: -1,
    profileChanged: false,
    notifies: false,
  };
  const cursor = new Cursor(result).expect(0xbf51).enter();
  cursor.next();
  if (cursor.is(0xa2)) found.kind = 'refusedUnsigned';
  else if (cursor.is(0xa1)) found.kind = 'refused';
  // A bare 30 may stand for A0, or be what A0 contains: then it does not begin with another 30.
  const isData = cursor.is(0x30) && result[cursor.valueStart] !== 0x30;
  if (!isData) cursor.enter();
  if (found.kind !== 'refusedUnsigned') {
    if (!isData) cursor.expect(0x30);
    cursor.enter();
  }
  while (cursor.next()) {
    if (cursor.is(0x80)) found.eimId = cursor.value;
    else if (cursor.is(0x81)) found.counterValue = cursor.integer();
    else if (cursor.is(0x82)) found.eimTransactionId = cursor.value;
    else if (cursor.is(0x83)) found.seqNumber = cursor.integer();
    else if (cursor.is(0x30)) {
      cursor.enter();
      while (cursor.next()) {
        const changes = cursor.is(ENABLE_RESULT) || cursor.is(DISABLE_RESULT) || cursor.is(ROLLBACK_RESULT);
        if (!changes && !cursor.is(DELETE_RESULT)) continue;
        if (cursor.length === 0 || cursor.integer() !== 0) continue;
        found.notifies = true;
        if (changes) found.profileChanged = true;
      }
      cursor.leave();
    }
  }
  return found;
}
