import { utf8Bytes } from '../../text.js';
import type { IpaContext } from '../context.js';

/**
 * hashCc of a confirmation code that this device knows: SHA-256(SHA-256(code) ‖ transactionId) (crypto.md §4).
 * @param code what the order was given with; empty for none
 * @returns undefined without a code, or where the platform has no SHA-256: the download is refused then
 */
export function confirmation(
  { platform }: IpaContext,
  code: string,
): ((transactionId: Uint8Array) => Uint8Array) | undefined {
  const { sha256 } = platform;
  if (code === '' || !sha256) return undefined;
  return (transactionId) => {
    const bytes = new Uint8Array(32 + transactionId.length);
    bytes.set(sha256(utf8Bytes(code)));
    bytes.set(transactionId, 32);
    return sha256(bytes);
  };
}
