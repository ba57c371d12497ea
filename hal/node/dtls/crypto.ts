import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/** What the AEAD suites with a pre-shared key differ in; the hash is SHA-256 for all (RFC 6655, RFC 5487). */
export interface Suite {
  readonly id: number;
  readonly name: string;
  readonly cipher: 'aes-128-ccm' | 'aes-128-gcm';
  /** Bytes of the authentication tag. */
  readonly tag: number;
}

/** Shortest records first: what is chosen where the other side has no wish. */
export const SUITES: readonly Suite[] = [
  { id: 0xc0a8, name: 'TLS_PSK_WITH_AES_128_CCM_8', cipher: 'aes-128-ccm', tag: 8 },
  { id: 0xc0a4, name: 'TLS_PSK_WITH_AES_128_CCM', cipher: 'aes-128-ccm', tag: 16 },
  { id: 0x00a8, name: 'TLS_PSK_WITH_AES_128_GCM_SHA256', cipher: 'aes-128-gcm', tag: 16 },
];

/** Keys of one direction. */
export interface Keys {
  key: Buffer;
  /** Four bytes; the rest of the nonce stands in the record. */
  iv: Buffer;
}

/** P_SHA256 (RFC 5246 §5). */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Buffer {
  const whole = Buffer.concat([Buffer.from(label, 'latin1'), seed]);
  const hmac = (data: Uint8Array) => createHmac('sha256', secret).update(data).digest();
  const parts: Buffer[] = [];
  let a: Buffer = whole;
  for (let have = 0; have < length; have += 32) {
    a = hmac(a);
    parts.push(hmac(Buffer.concat([a, whole])));
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** premaster secret of plain PSK (RFC 4279 §2). */
export function premaster(psk: Uint8Array): Buffer {
  const length = Buffer.from([psk.length >> 8, psk.length & 255]);
  return Buffer.concat([length, Buffer.alloc(psk.length), length, psk]);
}

export function keysOf(
  master: Uint8Array,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array,
): { client: Keys; server: Keys } {
  const block = prf(master, 'key expansion', Buffer.concat([serverRandom, clientRandom]), 40);
  return {
    client: { key: block.subarray(0, 16), iv: block.subarray(32, 36) },
    server: { key: block.subarray(16, 32), iv: block.subarray(36, 40) },
  };
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
