import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { iccidDigits, packIccid, utf8, utf8Bytes } from '../../ipa/text.js';

describe('ICCIDs', () => {
  it('18 to 20 digits there and back', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{18,20}$/), (digits) => {
        expect(iccidDigits(packIccid(digits)!)).toBe(digits);
      }),
    );
    expect(Buffer.from(packIccid('8988211000000123456')!).toString('hex')).toBe('988812010000103254f6');
  });

  it.each(['', '89', '8'.repeat(17), '8'.repeat(21), '88888888888888888x', '8888 8888 8888 8888'])(
    '"%s" is none',
    (text) => {
      expect(packIccid(text)).toBeUndefined();
    },
  );
});

describe('UTF-8', () => {
  it('is what Node makes of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        expect(Buffer.from(utf8Bytes(text)).toString('hex')).toBe(Buffer.from(text).toString('hex'));
        expect(utf8(utf8Bytes(text))).toBe(text);
      }),
    );
  });

  it('a lone surrogate is U+FFFD', () => {
    expect([...utf8Bytes('\ud800x\udc00')]).toEqual([0xef, 0xbf, 0xbd, 0x78, 0xef, 0xbf, 0xbd]);
  });
});
