import { createHash } from 'node:crypto';

/** What the SM-DP+ stores: SHA-256 of the confirmation code in UTF-8 (SGP.22 §4.7). */
export function hashConfirmationCode(confirmationCode: string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(confirmationCode, 'utf8').digest());
}

/** hashCc: the stored hash bound to one session; 32 bytes (crypto.md §4). */
export function bindConfirmationCode(stored: Uint8Array, transactionId: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(stored).update(transactionId).digest());
}
