import { p256 } from '@noble/curves/nist.js';
import {
  Asn1Error,
  concat,
  type EimConfigurationData,
  type Element,
  rawSignature,
  readElement,
  tokenDo,
} from '../asn1/index.js';

/** ECDSA P-256 with SHA-256, r ‖ s, deterministic (RFC 6979). */
export function sign(privateKey: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return p256.sign(concat(parts), privateKey, { lowS: false });
}

function verify(publicKey: Uint8Array, signature: Uint8Array, tbs: Uint8Array): boolean {
  try {
    return p256.verify(rawSignature(signature), tbs, publicKey, { lowS: false });
  } catch {
    // Neither raw nor DER, or r or s out of range: not a signature.
    return false;
  }
}

/**
 * The eIM's signature over `data` and the association token. Tokens above 127 are also tried without their leading
 * zero, as one eIM implementation writes them (open-questions.md Q12).
 */
export function verifyEim(
  publicKey: Uint8Array,
  signature: Uint8Array,
  data: Uint8Array,
  token: number | undefined,
): boolean {
  const standard = tokenDo(token);
  if (verify(publicKey, signature, concat([data, standard]))) return true;
  if (standard[1] < 2 || standard[2] !== 0) return false;
  return verify(
    publicKey,
    signature,
    concat([data, Uint8Array.of(0x84, standard[1] - 1), standard.subarray(3)]),
  );
}

/** The uncompressed point of eimPublicKeyData. @throws Asn1Error unless it is a P-256 key */
export function eimPublicKey(data: NonNullable<EimConfigurationData['eimPublicKeyData']>): Uint8Array {
  const spki = data.eimPublicKey ? readElement(data.eimPublicKey) : spkiOf(data.eimCertificate!);
  const bits = spki.children[1];
  if (bits?.tag !== 0x03 || bits.content.length !== 66) {
    throw new Asn1Error('unexpected', 'the eIM key is not an uncompressed P-256 point');
  }
  const point = bits.content.subarray(1);
  try {
    p256.Point.fromBytes(point).assertValidity();
  } catch (cause) {
    throw new Asn1Error('range', 'the eIM key is not on P-256', { cause });
  }
  return point;
}

function spkiOf(certificate: Uint8Array): Element {
  const tbs = readElement(certificate).children[0];
  const fields = tbs?.children ?? [];
  const spki = fields[fields[0]?.tag === 0xa0 ? 6 : 5];
  if (spki?.tag !== 0x30) throw new Asn1Error('missing', 'the eIM certificate has no public key');
  return spki;
}
