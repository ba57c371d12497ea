import { createECDH, createHash, createHmac, type ECDH } from 'node:crypto';
import { DtlsError } from './error.js';

/** Keys of one direction. */
export interface Keys {
  key: Buffer;
  /** Four bytes; the rest of the nonce stands in the record. */
  iv: Buffer;
}

const ILLEGAL_PARAMETER = 47;

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
export function pskPremaster(psk: Uint8Array): Buffer {
  const length = Buffer.from([psk.length >> 8, psk.length & 255]);
  return Buffer.concat([length, Buffer.alloc(psk.length), length, psk]);
}

/** Key agreement on secp256r1; the premaster secret is the x coordinate (RFC 8422 §5.10). */
export class Agreement {
  readonly point: Buffer;
  readonly #ecdh: ECDH;

  constructor(randomBytes: (count: number) => Buffer) {
    this.#ecdh = createECDH('prime256v1');
    for (;;) {
      try {
        this.#ecdh.setPrivateKey(randomBytes(32));
        break;
      } catch {
        // Zero, or beyond the order of the curve: one in four thousand million.
      }
    }
    this.point = this.#ecdh.getPublicKey();
  }

  /** @throws DtlsError 'protocol' for what is no point of the curve */
  premaster(point: Uint8Array): Buffer {
    try {
      return this.#ecdh.computeSecret(point);
    } catch {
      throw new DtlsError('protocol', 'a public key that is not on the curve', ILLEGAL_PARAMETER);
    }
  }
}

/** The master secret, bound to the handshake where both sides can (RFC 7627). */
export function masterOf(
  premaster: Uint8Array,
  extended: boolean,
  transcript: readonly Buffer[],
  clientRandom: Buffer,
  serverRandom: Buffer,
): Buffer {
  if (extended) return prf(premaster, 'extended master secret', hash(transcript), 48);
  return prf(premaster, 'master secret', Buffer.concat([clientRandom, serverRandom]), 48);
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

export function verifyData(master: Buffer, label: string, transcript: readonly Buffer[]): Buffer {
  return prf(master, label, hash(transcript), 12);
}

function hash(transcript: readonly Buffer[]): Buffer {
  const sum = createHash('sha256');
  for (const part of transcript) sum.update(part);
  return sum.digest();
}
