import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Found, MAX_DEPTH, TlvStream } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import { codeOf, encodeWithAsn1js, expected, plans, readWithCursor, readWithStream } from './tree.js';

/** crypto.md §7.1: EuiccPackageResult. */
const RESULT = hex(
  'BF5175A073302E800F65696D2E6578616D706C652E636F6D81012A8210000102030405060708090A0B0C0D0E0F8301073003830100' +
    '5F374089D8D6B2ADBC3C8A9F9EDDA885D10027D2196C329433FAE0EB9D384940E782568516A54416EBF8A8A4FC68DBF6453C75D70FCDA77611778B415A185FBF89BDDF',
);

const ones = (length: number) => new Array<number>(length).fill(1);

describe('TlvStream', () => {
  it('reads a message whole, byte by byte and cut at every place', () => {
    const whole = readWithCursor(RESULT);
    const stream = new TlvStream();
    expect(readWithStream(RESULT, [], stream)).toEqual(whole);
    expect(readWithStream(RESULT, ones(RESULT.length), stream)).toEqual(whole);
    for (let a = 0; a <= RESULT.length; a++) {
      expect(readWithStream(RESULT, [a], stream)).toEqual(whole);
    }
    // Two cuts, all pairs, on a short message.
    const short = hex('BF2B8106 A0048202012C BF3000 5A00');
    const nodes = readWithCursor(short);
    for (let a = 0; a <= short.length; a++) {
      for (let b = 0; b <= short.length - a; b++) {
        expect(readWithStream(short, [a, b], stream)).toEqual(nodes);
      }
    }
  });

  it('reads what asn1js writes, in any pieces', () => {
    const stream = new TlvStream();
    fc.assert(
      fc.property(plans, fc.array(fc.nat({ max: 50 }), { maxLength: 20 }), (plan, cuts) => {
        expect(readWithStream(encodeWithAsn1js(plan), cuts, stream)).toEqual([expected(plan)]);
        expect(stream.depth).toBe(0);
      }),
    );
  });

  it('agrees with the cursor on hostile bytes, in any pieces', () => {
    const interesting = fc.constantFrom(
      0x30,
      0xbf,
      0x51,
      0x1f,
      0x80,
      0x81,
      0x82,
      0x00,
      0x01,
      0x02,
      0x05,
      0xff,
    );
    const byte = fc.oneof(interesting, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.array(byte, { maxLength: 40 }).map((list) => Uint8Array.from(list)),
        fc.array(fc.nat({ max: 9 }), { maxLength: 10 }),
        (bytes, cuts) => {
          let whole: unknown;
          const code = codeOf(() => {
            whole = readWithCursor(bytes);
          });
          if (code === undefined) expect(readWithStream(bytes, cuts)).toEqual(whole);
          else expect(codeOf(() => readWithStream(bytes, cuts))).toBeDefined();
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('passes values over in pieces and counts what it consumed', () => {
    const stream = new TlvStream();
    stream.feed(hex('BF2D04 A002'));
    expect([stream.next(), stream.tag, stream.length, stream.depth]).toEqual([Found.header, 0xbf2d, 4, 0]);
    expect([stream.next(), toHex(stream.data as Uint8Array)]).toEqual([Found.data, 'A002']);
    expect(codeOf(() => stream.enter())).toBe('badValue');
    expect([stream.next(), stream.complete, stream.consumed]).toEqual([Found.nothing, false, 5]);
    expect(stream.data).toBeUndefined();
    stream.feed(hex('0500 5A'));
    expect([stream.next(), stream.tag, stream.length]).toEqual([Found.data, 0xbf2d, 4]);
    expect([stream.next(), stream.tag, stream.length, stream.depth]).toEqual([Found.end, 0xbf2d, 4, 0]);
    expect(stream.complete).toBe(true);
    expect(stream.next()).toBe(Found.nothing);
    expect(stream.complete).toBe(false);
    stream.feed(hex('00'));
    expect([stream.next(), stream.tag, stream.length]).toEqual([Found.header, 0x5a, 0]);
    expect([stream.next(), stream.complete]).toEqual([Found.end, true]);
  });

  it('lends views of the piece, never copies', () => {
    const piece = hex('0403010203');
    const stream = new TlvStream();
    stream.feed(piece);
    stream.next();
    stream.next();
    expect(stream.data?.buffer).toBe(piece.buffer);
  });

  it('enters what is empty', () => {
    const stream = new TlvStream();
    stream.feed(hex('3000 A002 3000'));
    const found: number[] = [];
    for (let now = stream.next(); now !== Found.nothing; now = stream.next()) {
      found.push(now, stream.tag, stream.depth);
      if (now === Found.header) stream.enter();
    }
    expect(found).toEqual([
      ...[Found.header, 0x30, 0, Found.end, 0x30, 0],
      ...[Found.header, 0xa0, 0, Found.header, 0x30, 1, Found.end, 0x30, 1, Found.end, 0xa0, 0],
    ]);
  });

  it.each([
    ['indefiniteLength', '3080 020101 0000'],
    ['lengthBeyond', '3003 0202 01 FF'],
    ['lengthBeyond', '3001 02 01 FF'],
    ['lengthBeyond', '3001 BF 51'],
    ['lengthBeyond', '3003 0284 00000001'],
    ['badTag', '0000'],
    ['badTag', 'FF0100'],
    ['badTag', 'BF818101 00'],
    ['badLength', '5A85 0000000001 00'],
    ['truncated', '5A84FFFFFFFF 01'],
    ['truncated', 'BF'],
    ['truncated', '5A'],
  ])('refuses with %s, whole and byte by byte: %s', (code, bytes) => {
    const input = hex(bytes);
    expect(codeOf(() => readWithStream(input, []))).toBe(code);
    expect(codeOf(() => readWithStream(input, ones(input.length)))).toBe(code);
  });

  it('starts over after an error', () => {
    const stream = new TlvStream();
    expect(codeOf(() => readWithStream(hex('3003 3080 00'), [], stream))).toBe('indefiniteLength');
    expect(codeOf(() => stream.feed(hex('00')))).toBe('badValue');
    expect(readWithStream(RESULT, [7], stream)).toEqual(readWithCursor(RESULT));
  });

  it('bounds the depth as the cursor does', () => {
    const nested = (levels: number) => {
      const bytes: number[] = [];
      for (let i = 0; i < levels; i++) bytes.unshift(0x30, bytes.length);
      return Uint8Array.from(bytes);
    };
    expect(readWithStream(nested(MAX_DEPTH), [3])).toEqual(readWithCursor(nested(MAX_DEPTH)));
    expect(codeOf(() => readWithStream(nested(MAX_DEPTH + 1), [3]))).toBe('tooDeep');
  });

  it('refuses calls out of order', () => {
    const stream = new TlvStream();
    expect(codeOf(() => stream.enter())).toBe('badValue');
    expect(stream.next()).toBe(Found.nothing);
    stream.feed(hex('3000'));
    expect(codeOf(() => stream.feed(hex('3000')))).toBe('badValue');
  });
});
