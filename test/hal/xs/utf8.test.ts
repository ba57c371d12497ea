import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUtf8, utf8Length, writeUtf8 } from '../../../hal/xs/utf8.js';

function encode(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text) + 2).fill(0xee);
  expect(writeUtf8(bytes, 1, text)).toBe(bytes.length - 1);
  expect([bytes[0], bytes[bytes.length - 1]]).toEqual([0xee, 0xee]);
  return bytes.subarray(1, -1);
}

describe('UTF-8', () => {
  it('is what TextEncoder writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(encode(text)).toEqual(new TextEncoder().encode(text));
      }),
    );
    expect(encode('a\ud800b\udc00')).toEqual(new TextEncoder().encode('a\ufffdb\ufffd'));
  });

  it('is read back, whatever characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = new TextEncoder().encode(text);
        expect(readUtf8(bytes, bytes.length)).toBe(
          new TextDecoder('utf8', { ignoreBOM: true }).decode(bytes),
        );
      }),
    );
  });

  it('never fails on other bytes, and shows that something was wrong', () => {
    const strict = new TextDecoder('utf8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const text = readUtf8(bytes, bytes.length);
        let valid: string | undefined;
        try {
          valid = strict.decode(bytes);
        } catch {
          expect(text).toContain('\ufffd');
        }
        if (valid !== undefined) expect(text).toBe(valid);
      }),
      { numRuns: 2_000 },
    );
    // Overlong, surrogate, beyond the last code point, cut short.
    for (const bytes of [
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
    ]) {
      expect(readUtf8(Uint8Array.from(bytes), bytes.length)).toContain('\ufffd');
    }
  });
});
