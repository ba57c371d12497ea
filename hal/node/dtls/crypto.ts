import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Keys } from './secrets.js';

/** What the AEAD suites differ in; the hash is SHA-256 for all (RFC 6655, RFC 5487, RFC 7251, RFC 5289). */
export interface Suite {
  readonly id: number;
  readonly name: string;
  readonly exchange: 'psk' | 'ecdhe';
  readonly cipher: 'aes-128-ccm' | 'aes-128-gcm';
  /** Bytes of the authentication tag. */
  readonly tag: number;
}

/** Shortest records first: what is chosen where the other side has no wish. */
export const SUITES: readonly Suite[] = [
  { id: 0xc0a8, name: 'TLS_PSK_WITH_AES_128_CCM_8', exchange: 'psk', cipher: 'aes-128-ccm', tag: 8 },
  { id: 0xc0a4, name: 'TLS_PSK_WITH_AES_128_CCM', exchange: 'psk', cipher: 'aes-128-ccm', tag: 16 },
  { id: 0x00a8, name: 'TLS_PSK_WITH_AES_128_GCM_SHA256', exchange: 'psk', cipher: 'aes-128-gcm', tag: 16 },
  {
    id: 0xc0ae,
    name: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8',
    exchange: 'ecdhe',
    cipher: 'aes-128-ccm',
    tag: 8,
  },
  { id: 0xc0ac, name: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM', exchange: 'ecdhe', cipher: 'aes-128-ccm', tag: 16 },
  {
    id: 0xc02b,
    name: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    exchange: 'ecdhe',
    cipher: 'aes-128-gcm',
    tag: 16,
  },
];

export function suitesOf(exchange: Suite['exchange']): Suite[] {
  return SUITES.filter((suite) => suite.exchange === exchange);
}

export function seal(
  suite: Suite,
  keys: Keys,
  explicit: Uint8Array,
  additional: Uint8Array,
  plain: Uint8Array,
): Buffer {
  const nonce = Buffer.concat([keys.iv, explicit]);
  if (suite.cipher === 'aes-128-ccm') {
    const cipher = createCipheriv('aes-128-ccm', keys.key, nonce, { authTagLength: suite.tag });
    cipher.setAAD(additional, { plaintextLength: plain.length });
    return Buffer.concat([explicit, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }
  const cipher = createCipheriv('aes-128-gcm', keys.key, nonce, { authTagLength: suite.tag });
  cipher.setAAD(additional);
  return Buffer.concat([explicit, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @returns undefined where the tag does not fit */
export function unseal(
  suite: Suite,
  keys: Keys,
  additional: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const end = sealed.length - suite.tag;
  const nonce = Buffer.concat([keys.iv, sealed.subarray(0, 8)]);
  const text = sealed.subarray(8, end);
  try {
    if (suite.cipher === 'aes-128-ccm') {
      const cipher = createDecipheriv('aes-128-ccm', keys.key, nonce, { authTagLength: suite.tag });
      cipher.setAuthTag(sealed.subarray(end));
      cipher.setAAD(additional, { plaintextLength: text.length });
      const plain = cipher.update(text);
      cipher.final();
      return plain;
    }
    const cipher = createDecipheriv('aes-128-gcm', keys.key, nonce, { authTagLength: suite.tag });
    cipher.setAuthTag(sealed.subarray(end));
    cipher.setAAD(additional);
    return Buffer.concat([cipher.update(text), cipher.final()]);
  } catch {
    return undefined;
  }
}
