import {
  Asn1Error,
  ConfigureIsdpRequest,
  concat,
  decode,
  type Element,
  encode,
  OneTimeKey,
  ReplaceSessionKeysRequest,
  readElement,
  writeElement,
} from '../asn1/index.js';
import type { SessionKeys } from './agreement.js';
import { RspError } from './error.js';
import { maxEncryptedBytes, maxMacOnlyBytes, SegmentProtector } from './scp03t.js';

// Layout of a Bound Profile Package: SGP.22 §2.5.4, §2.5.5; crypto.md §6.3.

export const boundProfilePackageTag = 0xbf36;
export const initialiseSecureChannelTag = 0xbf23;
/** 'firstSequenceOf87': ConfigureISDP. */
export const configureIsdpTag = 0xa0;
/** 'sequenceOf88': StoreMetadata. */
export const storeMetadataTag = 0xa1;
/** 'secondSequenceOf87': ReplaceSessionKeys, optional. */
export const replaceSessionKeysTag = 0xa2;
/** 'sequenceOf86': the profile elements. */
export const profileElementsTag = 0xa3;
/** Signed value of InitialiseSecureChannelRequest.remoteOpId. */
export const installBoundProfilePackage = 1;

/**
 * What smdpSign covers (crypto.md §3): the fields of BF23 in front of it, byte for byte, and the eUICC's one-time key,
 * which is not sent. The header of BF23 is not covered.
 *
 * @param fields TLVs 82, 80, A6 and 5F49 as sent
 * @param euiccOtpk uncompressed point
 */
export function smdpSignInput(fields: readonly Uint8Array[], euiccOtpk: Uint8Array): Uint8Array {
  return concat([...fields, OneTimeKey.write(euiccOtpk)]);
}

/** ReplaceSessionKeysRequest, whole TLV (SGP.22 §5.5.4). */
export function replaceSessionKeysRequest(keys: SessionKeys): Uint8Array {
  const { initialMacChainingValue, sEnc, sMac } = keys;
  return encode(ReplaceSessionKeysRequest, { initialMacChainingValue, ppkEnc: sEnc, ppkCmac: sMac });
}

/** Reads {@link replaceSessionKeysRequest}. @throws RspError 'structure' */
export function readReplaceSessionKeys(plain: Uint8Array): SessionKeys {
  try {
    const { initialMacChainingValue, ppkEnc, ppkCmac } = decode(ReplaceSessionKeysRequest, plain);
    return { initialMacChainingValue, sEnc: ppkEnc, sMac: ppkCmac };
  } catch (cause) {
    if (!(cause instanceof Asn1Error)) throw cause;
    throw new RspError('structure', 'no ReplaceSessionKeysRequest', { cause });
  }
}

export interface ProfileToBind {
  /** InitialiseSecureChannelRequest, whole BF23 TLV, signed. */
  initialiseSecureChannel: Uint8Array;
  /** Of the key agreement with this eUICC. */
  sessionKeys: SessionKeys;
  /** Whole BF24 TLV; an empty one when absent. */
  configureIsdp?: Uint8Array;
  /** StoreMetadataRequest, whole BF25 TLV. */
  metadata: Uint8Array;
  /** Profile protection keys: the profile elements are protected with these when given. */
  profileKeys?: SessionKeys;
  /** Unprotected profile package. */
  profile: Uint8Array;
}

/** The whole BF36 TLV. */
export function bindProfile(parts: ProfileToBind): Uint8Array {
  const { metadata, profile, profileKeys } = parts;
  const protector = new SegmentProtector(parts.sessionKeys);
  const body: Uint8Array[] = [parts.initialiseSecureChannel];
  const sequence = (tag: number, segments: Uint8Array[]) => body.push(writeElement(tag, concat(segments)));
  sequence(configureIsdpTag, [
    protector.protect(0x87, parts.configureIsdp ?? encode(ConfigureIsdpRequest, {})),
  ]);
  sequence(
    storeMetadataTag,
    cut(metadata, maxMacOnlyBytes).map((piece) => protector.protect(0x88, piece)),
  );
  if (profileKeys) {
    sequence(replaceSessionKeysTag, [protector.protect(0x87, replaceSessionKeysRequest(profileKeys))]);
    protector.replaceSessionKeys(profileKeys);
  }
  sequence(
    profileElementsTag,
    cut(profile, maxEncryptedBytes).map((piece) => protector.protect(0x86, piece)),
  );
  return writeElement(boundProfilePackageTag, concat(body));
}

/** Boundaries of profile elements do not matter. */
function cut(bytes: Uint8Array, most: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += most) pieces.push(bytes.subarray(at, at + most));
  return pieces;
}

/**
 * The STORE DATA chains of a Bound Profile Package, one entry per chain (SGP.22 §2.5.5, procedures.md §5).
 * @throws RspError 'package'
 */
export function segmentsOf(boundProfilePackage: Uint8Array): Uint8Array[] {
  const bpp = read(boundProfilePackage);
  const [initialise, ...sequences] = bpp.children;
  if (bpp.tag !== boundProfilePackageTag || initialise?.tag !== initialiseSecureChannelTag)
    throw new RspError('package', 'no Bound Profile Package: BF36 with BF23 in it expected');
  const segments = [concat([headOf(bpp), initialise.bytes])];
  for (const sequence of sequences) {
    if (sequence.tag === configureIsdpTag || sequence.tag === replaceSessionKeysTag)
      segments.push(sequence.bytes);
    else segments.push(headOf(sequence), ...sequence.children.map((segment) => segment.bytes));
  }
  return segments;
}

function read(bytes: Uint8Array): Element {
  try {
    return readElement(bytes);
  } catch (cause) {
    throw new RspError('package', 'no Bound Profile Package: the bytes are not BER', { cause });
  }
}

/** Tag and length alone. */
function headOf({ bytes, content }: Element): Uint8Array {
  return bytes.subarray(0, bytes.length - content.length);
}
