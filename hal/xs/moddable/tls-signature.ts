// Signatures are looked at before the SDK checks them: its inverse of zero never ends.

const HANDSHAKE = 22;
const SERVER_KEY_EXCHANGE = 12;
const ECDSA = 3;
const P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const P384 =
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;

/** Is this an ECDSA signature, DER in its shortest form, of two numbers that have inverses in both groups? */
export function isSoundSignature(der: Uint8Array): boolean {
  if (der.length < 2 || der[0] !== 0x30 || der[1] !== der.length - 2 || der[1] >= 0x80) return false;
  let at = 2;
  for (let number = 0; number < 2; number++) {
    const end = at + 2 + der[at + 1];
    // A negative number begins with a bit.
    if (der[at] !== 2 || !(end > at + 2 && end <= der.length) || der[at + 2] >= 0x80) return false;
    let value = 0n;
    for (at += 2; at < end; at++) value = (value << 8n) | BigInt(der[at]);
    if (value % P256 === 0n || value % P384 === 0n) return false;
  }
  return at === der.length;
}

/**
 * Has every ServerKeyExchange (RFC 8422 §5.4) in this record, whole and in the clear, a sound ECDSA signature? Records of
 * something else have none that is not.
 */
export function isSoundRecord(record: Uint8Array): boolean {
  if (record[0] !== HANDSHAKE) return true;
  for (let at = 5; at < record.length; ) {
    const begin = at + 4;
    const end = begin + ((record[at + 1] << 16) | (record[at + 2] << 8) | record[at + 3]);
    if (!(end <= record.length)) return false;
    if (record[at] === SERVER_KEY_EXCHANGE) {
      // Behind the type of the curve, its name and a point: hash, algorithm, length, signature.
      const sign = begin + 4 + record[begin + 3];
      const length = (record[sign + 2] << 8) | record[sign + 3];
      if (record[sign + 1] !== ECDSA || sign + 4 + length !== end) return false;
      if (!isSoundSignature(record.subarray(sign + 4, end))) return false;
    }
    at = end;
  }
  return true;
}
