import { Asn1Error, readElement } from './ber.js';

/** r ‖ s of a signature that may be DER instead (Q13). @throws Asn1Error when it is neither */
export function rawSignature(signature: Uint8Array): Uint8Array {
  if (signature.length === 64) return signature;
  const { tag, children } = readElement(signature);
  if (tag !== 0x30 || children.length !== 2)
    throw new Asn1Error('unexpected', 'the signature is neither raw nor DER');
  const raw = new Uint8Array(64);
  for (const [index, { content }] of children.entries()) {
    let at = 0;
    while (at < content.length - 1 && content[at] === 0) at++;
    const digits = content.subarray(at);
    if (digits.length > 32) throw new Asn1Error('range', 'the signature is too long for P-256');
    raw.set(digits, 32 * (index + 1) - digits.length);
  }
  return raw;
}
