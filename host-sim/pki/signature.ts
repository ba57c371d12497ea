import { createPublicKey, verify as verifyWith } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';

/** ECDSA P-256 with SHA-256 over the parts one after the other; r ‖ s, deterministic (RFC 6979). */
export function sign(privateKey: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return p256.sign(Buffer.concat(parts), privateKey, { lowS: false });
}

/** SubjectPublicKeyInfo of P-256 up to the point. */
const spkiHead = Buffer.from('3059301306072A8648CE3D020106082A8648CE3D030107034200', 'hex');

/**
 * Verifies r ‖ s, or a DER signature as some stacks send it (open-questions.md Q13).
 * @param publicKey uncompressed point, 65 bytes
 * @returns false for anything that is not a valid signature, malformed input included
 */
export function verify(publicKey: Uint8Array, signature: Uint8Array, ...parts: Uint8Array[]): boolean {
  const dsaEncoding = signature.length === 64 ? 'ieee-p1363' : 'der';
  try {
    // Many times as fast as in JavaScript; signing has to be deterministic, which it is not here.
    const spki = Buffer.concat([spkiHead, publicKey]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return verifyWith('sha256', Buffer.concat(parts), { key, dsaEncoding }, signature);
  } catch {
    return false;
  }
}

/** X.509 wants the signature as SEQUENCE { r, s }. */
export function signDer(privateKey: Uint8Array, data: Uint8Array): Uint8Array {
  return p256.sign(data, privateKey, { lowS: false, format: 'der' });
}

/** Uncompressed point, 65 bytes. */
export function publicPoint(privateKey: Uint8Array): Uint8Array {
  return p256.getPublicKey(privateKey, false);
}

export function isScalar(bytes: Uint8Array): boolean {
  return p256.utils.isValidSecretKey(bytes);
}
