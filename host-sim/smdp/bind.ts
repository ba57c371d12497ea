import {
  ControlRefTemplate,
  InitialiseSecureChannelRequest,
  integer,
  OneTimeKey,
  TransactionId,
  tagged,
} from '../asn1/index.js';
import { sign } from '../pki/index.js';
import {
  bindProfile,
  deriveSessionKeys,
  installBoundProfilePackage,
  keyLength,
  keyType,
  makeOneTimeKey,
  type OneTimeKey as OneTimeKeyPair,
  type SessionKeys,
  smdpSignInput,
} from '../rsp/index.js';

/** What a Bound Profile Package is made of (crypto.md §6.3). */
export interface Binding {
  transactionId: Uint8Array;
  /** Content of 84 in the control reference template, 1 to 16 bytes. */
  hostId: Uint8Array;
  /** 16 bytes. */
  eid: Uint8Array;
  /** One-time key of the eUICC, uncompressed. */
  euiccOtpk: Uint8Array;
  /** Key of CERT.DPpb. */
  signingKey: Uint8Array;
  /** BF25, whole. */
  metadata: Uint8Array;
  /** Unprotected profile package. */
  profile: Uint8Array;
  /** One-time key of the SM-DP+. */
  oneTimeKey: OneTimeKeyPair;
  /** ReplaceSessionKeys with these; absent: the session keys protect the profile. */
  profileKeys?: SessionKeys;
}

const remoteOpId = tagged(0x82, integer('remoteOpId'));
const transactionIdField = tagged(0x80, TransactionId);

/** The whole BF36. @throws RspError 'key' when the eUICC's one-time key is no point of the curve */
export function makeBoundProfilePackage(binding: Binding): Uint8Array {
  const { transactionId, hostId, eid, euiccOtpk, oneTimeKey, signingKey, profileKeys } = binding;
  const controlRefTemplate = {
    keyType: Uint8Array.of(keyType),
    keyLen: Uint8Array.of(keyLength),
    hostId,
  };
  const signed = smdpSignInput(
    [
      remoteOpId.write(installBoundProfilePackage),
      transactionIdField.write(transactionId),
      ControlRefTemplate.write(controlRefTemplate),
      OneTimeKey.write(oneTimeKey.publicKey),
    ],
    euiccOtpk,
  );
  const sessionKeys = deriveSessionKeys({
    privateKey: oneTimeKey.privateKey,
    publicKey: euiccOtpk,
    hostId,
    eid,
  });
  return bindProfile({
    initialiseSecureChannel: InitialiseSecureChannelRequest.write({
      remoteOpId: installBoundProfilePackage,
      transactionId,
      controlRefTemplate,
      smdpOtpk: oneTimeKey.publicKey,
      smdpSign: sign(signingKey, signed),
    }),
    sessionKeys,
    metadata: binding.metadata,
    profile: binding.profile,
    ...(profileKeys && { profileKeys }),
  });
}

/** Keys of one binding from a source of numbers. */
export function freshKeys(
  random: () => number,
  replaceSessionKeys: boolean,
): Pick<Binding, 'oneTimeKey' | 'profileKeys'> {
  const key = () => Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256) & 0xff);
  const oneTimeKey = makeOneTimeKey(random);
  if (!replaceSessionKeys) return { oneTimeKey };
  return { oneTimeKey, profileKeys: { initialMacChainingValue: key(), sEnc: key(), sMac: key() } };
}
