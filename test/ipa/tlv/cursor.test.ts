import * as asn1js from 'asn1js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XsIpaError } from '../../../hal/contracts/index.js';
import { Cursor, equal, MAX_DEPTH, TlvError } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import { codeOf, encodeWithAsn1js, expected, plans, readWithCursor } from './tree.js';

/** es10.md §5: answer to the list of all profiles. */
const PROFILES = hex(
  'BF2D32A030E32E5A0A980010325476981032144F10A0000005591010FFFFFFFF89000011009F7001019102535092034F7031950102',
);

describe('Cursor', () => {
  it('finds its way through a profile list in place', () => {
    const cursor = new Cursor(PROFILES).expect(0xbf2d).enter().expect(0xa0).enter().expect(0xe3).enter();
    expect(cursor.depth).toBe(3);
    expect(cursor.find(0x5a)).toBe(true);
    expect(toHex(cursor.value)).toBe('98001032547698103214');
    expect(toHex(cursor.element)).toBe('5A0A98001032547698103214');
    expect(cursor.value.buffer).toBe(PROFILES.buffer);
    expect(cursor.find(0x9f70)).toBe(true);
    expect(cursor.integer()).toBe(1);
    expect(cursor.find(0x95)).toBe(true);
    expect(cursor.length).toBe(1);
    expect(cursor.next()).toBe(false);
    expect(cursor.tag).toBe(0);
    cursor.leave().leave().leave();
    expect(cursor.depth).toBe(0);
    expect(cursor.next()).toBe(false);
  });

  it('leaves an element behind its end, wherever it stood inside', () => {
    const cursor = new Cursor(hex('3006 020101 020102 0400'));
    cursor.expect(0x30).enter().expect(0x02).leave();
    expect([cursor.tag, cursor.length, cursor.start]).toEqual([0, 0, 8]);
    expect(cursor.expect(0x04).length).toBe(0);
  });

  it('reads a range of the bytes and nothing beside it', () => {
    const cursor = new Cursor(hex('FF 020105 FF'), 1, 4);
    expect(cursor.expect(2).integer()).toBe(5);
    expect(cursor.next()).toBe(false);
    expect(codeOf(() => new Cursor(hex('0203010203'), 0, 4).next())).toBe('lengthBeyond');
  });

  it.each([
    [0, 6],
    [-1, 2],
    [3, 2],
    [Number.NaN, 2],
  ])('refuses the range %i to %i of five bytes', (start, end) => {
    expect(codeOf(() => new Cursor(hex('0203010203'), start, end))).toBe('badValue');
  });

  it('reads what asn1js writes', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(readWithCursor(encodeWithAsn1js(plan))).toEqual([expected(plan)]);
      }),
    );
  });

  it('refuses every message that ends early', () => {
    fc.assert(
      fc.property(plans, fc.nat(), (plan, cut) => {
        const bytes = encodeWithAsn1js(plan);
        const shorter = bytes.subarray(0, 1 + (cut % (bytes.length - 1)));
        expect(['truncated', 'lengthBeyond']).toContain(codeOf(() => readWithCursor(shorter)));
      }),
    );
  });

  it('throws nothing but TlvError, whatever the bytes, and always ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        codeOf(() => readWithCursor(bytes));
        const cursor = new Cursor(bytes);
        let steps = 0;
        codeOf(() => {
          while (cursor.next()) {
            codeOf(() => cursor.integer());
            cursor.bit(steps++);
            expect(cursor.valueEnd).toBeLessThanOrEqual(bytes.length);
          }
        });
        expect(steps).toBeLessThanOrEqual(bytes.length / 2);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['truncated', 'BF'],
    ['truncated', 'BF81'],
    ['truncated', '5A'],
    ['truncated', '5A82 01'],
    ['indefiniteLength', '3080 020101 0000'],
    ['lengthBeyond', '5A02 01'],
    ['lengthBeyond', '5A84FFFFFFFF 01'],
    ['lengthBeyond', '3003 0202 01 FF'],
    ['badTag', '0000'],
    ['badTag', 'FF0100'],
    ['badTag', 'BF818101 00'],
    ['badLength', '5A85 0000000001 00'],
    ['badLength', '5AFF 01'],
  ])('refuses with %s: %s', (code, bytes) => {
    expect(codeOf(() => readWithCursor(hex(bytes)))).toBe(code);
  });

  it('names the tags and the place when another element stands there', () => {
    const cursor = new Cursor(hex('020100 BF2000')).expect(2);
    let caught: unknown;
    try {
      cursor.expect(0xbf22);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(TlvError);
    expect(caught).toBeInstanceOf(XsIpaError);
    expect(caught).toMatchObject({ name: 'TlvError', code: 'wrongTag', offset: 3 });
    expect(String(caught)).toMatch(/bf22.*bf20/);
    expect(codeOf(() => new Cursor(hex('')).expect(2))).toBe('wrongTag');
  });

  it('bounds the depth', () => {
    const cursor = new Cursor(nested(MAX_DEPTH));
    for (let i = 0; i < MAX_DEPTH; i++) cursor.expect(0x30).enter();
    expect(cursor.next()).toBe(false);
    expect(codeOf(() => readWithCursor(nested(MAX_DEPTH + 1)))).toBe('tooDeep');
    expect(codeOf(() => new Cursor(hex('')).leave())).toBe('badValue');
  });

  it('reads lengths of one to four bytes, also longer than need be', () => {
    for (const prefix of ['03', '8103', '820003', '83000003', '8400000003']) {
      expect(toHex(new Cursor(hex(`04${prefix}010203`)).expect(4).value)).toBe('010203');
    }
    for (const size of [0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000]) {
      const bytes = new Uint8Array(new asn1js.OctetString({ valueHex: new ArrayBuffer(size) }).toBER());
      expect(new Cursor(bytes).expect(4).length).toBe(size);
    }
  });

  // es10.md T10
  it.each([
    ['0200', undefined],
    ['020100', 0],
    ['02017F', 127],
    ['020200C8', 200],
    ['0201C8', -56],
    ['0201FF', -1],
    ['020180', -128],
    ['0202FF7F', -129],
    ['02047FFFFFFF', 0x7fffffff],
    ['02050080000000', 0x80000000],
    ['02050FFFFFFFFF', 0xfffffffff],
    ['0204FFFFFFFF', -1],
    ['02080000000000000005', 5],
    ['02071FFFFFFFFFFFFF', Number.MAX_SAFE_INTEGER],
    ['0207E0000000000001', Number.MIN_SAFE_INTEGER],
    ['020720000000000000', undefined],
    ['02087FFFFFFFFFFFFFFF', undefined],
    ['0209000000000000000001', undefined],
  ])('INTEGER %s is %s', (bytes, value) => {
    const cursor = new Cursor(hex(bytes)).expect(2);
    if (value === undefined) expect(codeOf(() => cursor.integer())).toBe('badValue');
    else expect(cursor.integer()).toBe(value);
  });

  it('reads the integers of asn1js', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const bytes = new Uint8Array(new asn1js.Integer({ value }).toBER());
        expect(new Cursor(bytes).expect(2).integer()).toBe(value);
      }),
    );
  });

  // es10.md T11
  it('reads named bits, minimal or not', () => {
    const bits = (bytes: string) => {
      const cursor = new Cursor(hex(bytes)).expect(3);
      return [...Array(20).keys()].filter((index) => cursor.bit(index));
    };
    expect(bits('03020780')).toEqual([0]);
    expect(bits('03020284')).toEqual([0, 5]);
    expect(bits('0303070180')).toEqual([7, 8]);
    expect(bits('0304 00 80 00 00')).toEqual([0]);
    expect(bits('0302 00 80')).toEqual([0]);
    expect(bits('030100')).toEqual([]);
    expect(bits('0300')).toEqual([]);
  });
});

describe('equal', () => {
  it('compares lengths and bytes', () => {
    expect(equal([1, 2], hex('0102'))).toBe(true);
    expect(equal([1, 2], [1, 3])).toBe(false);
    expect(equal([1, 2], [1, 2, 3])).toBe(false);
    expect(equal([], hex(''))).toBe(true);
  });
});

/** `levels` SEQUENCEs, each in the one before. */
function nested(levels: number): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < levels; i++) bytes.unshift(0x30, bytes.length);
  return Uint8Array.from(bytes);
}
