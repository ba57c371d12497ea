import { createECDH, createHash } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { concat } from '../asn1/ber.js';
import { RspError } from './error.js';

/** ECKA on P-256 and the keys that follow from it: SGP.22 Annex G, crypto.md §6.1. */
export interface OneTimeKey {
  /** Scalar, 32 bytes. */
  privateKey: Uint8Array;
  /** Uncompressed point, 65 bytes: the content of 5F49. */
  publicKey: Uint8Array;
}

/** Keys of a protected session, 16 bytes each. */
export interface SessionKeys {
  initialMacChainingValue: Uint8Array;
  sEnc: Uint8Array;
  sMac: Uint8Array;
}

/** keyType and keyLen of the control reference template: AES, 128 bits. */
export const keyType = 0x88;
export const keyLength = 0x10;

/** @param random uniform in [0, 1): simulations repeat with their seed */
export function makeOneTimeKey(random: () => number): OneTimeKey {
  let privateKey: Uint8Array;
  do privateKey = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256) & 0xff);
  while (!p256.utils.isValidSecretKey(privateKey));
  return { privateKey, publicKey: p256.getPublicKey(privateKey, false) };
}

/** Z: x-coordinate of the common point, 32 bytes. @throws RspError 'key' */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  try {
    const own = createECDH('prime256v1');
    own.setPrivateKey(privateKey);
    return Uint8Array.from(own.computeSecret(publicKey));
  } catch (cause) {
    throw new RspError('key', 'the one-time key is not a point of P-256', { cause });
  }
}

/** ANSI X9.63 with SHA-256. */
export function kdf(secret: Uint8Array, sharedInfo: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let counter = 1; 32 * blocks.length < length; counter++) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    blocks.push(createHash('sha256').update(secret).update(number).update(sharedInfo).digest());
  }
  return concat(blocks).subarray(0, length);
}

/**
 * Keys of a download session, the same on both sides.
 *
 * @param own.privateKey one's own one-time key
 * @param own.publicKey the other side's one-time key, uncompressed
 * @param own.hostId content of 84 in the control reference template, 1 to 16 bytes
 * @param own.eid 16 bytes
 * @throws RspError 'key'
 */
export function deriveSessionKeys(own: {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
  hostId: Uint8Array;
  eid: Uint8Array;
}): SessionKeys {
  return keysFromSecret(sharedSecret(own.privateKey, own.publicKey), own.hostId, own.eid);
}

/** The same from Z. */
export function keysFromSecret(z: Uint8Array, hostId: Uint8Array, eid: Uint8Array): SessionKeys {
  const sharedInfo = concat([
    Uint8Array.of(keyType, keyLength, hostId.length),
    hostId,
    Uint8Array.of(eid.length),
    eid,
  ]);
  const keys = kdf(z, sharedInfo, 48);
  return {
    initialMacChainingValue: keys.slice(0, 16),
    sEnc: keys.slice(16, 32),
    sMac: keys.slice(32, 48),
  };
}
