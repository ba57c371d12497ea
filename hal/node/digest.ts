import { createHash } from 'node:crypto';

/** Of {@link Platform}. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}
