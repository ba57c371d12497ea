import { createSign, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSoundRecord, isSoundSignature } from '../../../hal/xs/moddable/tls-signature.js';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const P256 = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';

function signature(namedCurve: string): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  return Uint8Array.from(createSign('sha256').update('x').sign(privateKey));
}

/** A record of a handshake with a ServerKeyExchange between two other messages. */
function record(algorithm: number, signed: Uint8Array): Uint8Array {
  const point = Buffer.alloc(65, 4);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(signed.length);
  const body = Buffer.concat([Buffer.of(3, 0, 23, 65), point, Buffer.of(4, algorithm), size, signed]);
  const head = Buffer.of(12, 0, body.length >> 8, body.length & 255);
  const all = Buffer.concat([bytes('0b 000001 00'), head, body, bytes('0e 000000')]);
  return Uint8Array.from(Buffer.concat([Buffer.of(22, 3, 3, all.length >> 8, all.length & 255), all]));
}

describe('signatures', () => {
  it('takes those that OpenSSL makes', () => {
    for (let at = 0; at < 50; at++) {
      for (const curve of ['prime256v1', 'secp384r1']) {
        const one = signature(curve);
        expect(isSoundSignature(one), Buffer.from(one).toString('hex')).toBe(true);
        expect(isSoundRecord(record(3, one))).toBe(true);
      }
    }
  });

  it.each([
    '',
    '30',
    '3000',
    '3006 020100 020100',
    '3006 020101 020100',
    '3006 020100 020101',
    '3006 020101 0201ff',
    '300602010102010100',
    '3007 020101 020101 00',
    '3003 020101',
    '308106 020101 020101',
    '3007 02810101 020101',
    '3005 0200 020101',
    `3026 020101 022100${P256}`,
  ])('refuses %s', (hex) => {
    expect(isSoundSignature(bytes(hex))).toBe(false);
    expect(isSoundRecord(record(3, bytes(hex)))).toBe(false);
  });

  it('refuses a key exchange without an ECDSA signature, and messages that are cut off', () => {
    const one = signature('prime256v1');
    expect(isSoundRecord(record(0, one))).toBe(false);
    expect(isSoundRecord(record(1, one))).toBe(false);
    const whole = record(3, one);
    for (let length = 6; length < whole.length; length++) {
      const isBetween = length === 10 || length === whole.length - 4;
      expect(isSoundRecord(whole.subarray(0, length)), `${length} bytes`).toBe(isBetween);
    }
  });

  it('takes other records, and ends with any', () => {
    expect(isSoundRecord(bytes('14 0303 0001 01'))).toBe(true);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        random[0] = 22;
        expect([true, false]).toContain(isSoundRecord(random));
        expect([true, false]).toContain(isSoundSignature(random));
      }),
    );
  });
});
