import * as asn1js from 'asn1js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor, lengthOfLength, MAX_DEPTH, Writer } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import { codeOf, encodeWithAsn1js, expected, type Node, plans } from './tree.js';

function write(writer: Writer, node: Node): void {
  if (node.children) {
    writer.begin(node.tag);
    for (const child of node.children) write(writer, child);
    writer.end();
  } else {
    writer.primitive(node.tag, hex(node.value as string));
  }
}

describe('Writer', () => {
  // crypto.md §7.1
  it('writes the signed part of an eUICC package byte for byte', () => {
    const writer = new Writer(16, 200);
    writer
      .begin(0x30)
      .ascii(0x80, 'eim.example.com')
      .primitive(0x5a, hex('89049032123451234512345678901235'))
      .integer(0x81, 42)
      .primitive(0x82, hex('000102030405060708090A0B0C0D0E0F'))
      .begin(0xa0)
      .begin(0xa3)
      .primitive(0x5a, hex('98001032547698103214'))
      .primitive(0x05)
      .end()
      .end()
      .end();
    expect(toHex(writer.bytes)).toBe(
      '304A800F65696D2E6578616D706C652E636F6D5A108904903212345123451234567890123581012A8210000102030405060708090A0B0C0D0E0FA010A30E5A0A980010325476981032140500',
    );
  });

  it('writes the same bytes as asn1js, and asn1js reads them', () => {
    const writer = new Writer(8, 1 << 20);
    fc.assert(
      fc.property(plans, (plan) => {
        writer.clear();
        write(writer, expected(plan));
        expect(toHex(writer.bytes)).toBe(toHex(encodeWithAsn1js(plan)));
        const read = asn1js.fromBER(writer.bytes.slice().buffer);
        expect(read.offset).toBe(writer.length);
        expect(read.result.error).toBe('');
      }),
    );
  });

  it('puts lengths of every size in afterwards', () => {
    for (const size of [0, 0x7e, 0x7f, 0x80, 0xfd, 0xfe, 0xff, 0x100, 0xfffb, 0xffff, 0x10000, 0x20000]) {
      const writer = new Writer(4, 1 << 20);
      writer.begin(0xbf51).primitive(0x04, new Uint8Array(size).fill(0xa5)).end();
      const read = asn1js.fromBER(writer.bytes.slice().buffer);
      expect(read.offset).toBe(writer.length);
      const octets = (read.result as asn1js.Constructed).valueBlock.value[0] as asn1js.OctetString;
      expect(octets.valueBlock.valueHexView.length).toBe(size);
      expect(octets.valueBlock.valueHexView.every((byte) => byte === 0xa5)).toBe(true);
      const cursor = new Cursor(writer.bytes).expect(0xbf51).enter().expect(0x04);
      expect(cursor.start).toBe(2 + lengthOfLength(cursor.element.length));
    }
  });

  it.each([
    [0x7f, 1],
    [0x80, 2],
    [0xff, 2],
    [0x100, 3],
    [0xffff, 3],
    [0x10000, 4],
    [0xffffff, 4],
    [0x1000000, 5],
  ])('a length of %i takes %i bytes', (length, bytes) => {
    expect(lengthOfLength(length)).toBe(bytes);
    const writer = new Writer(16).header(0x04, length);
    expect(writer.length).toBe(1 + bytes);
    const field = toHex(writer.bytes.subarray(1));
    expect(Number.parseInt(bytes === 1 ? field : field.slice(2), 16)).toBe(length);
  });

  // es10.md T10
  it.each([
    [200, '840200C8'],
    [-1, '8401FF'],
    [0, '840100'],
    [127, '84017F'],
    [128, '84020080'],
    [-128, '840180'],
    [-129, '8402FF7F'],
    [0x7fffffff, '84047FFFFFFF'],
    [0x80000000, '84050080000000'],
    [Number.MAX_SAFE_INTEGER, '84071FFFFFFFFFFFFF'],
    [Number.MIN_SAFE_INTEGER, '8407E0000000000001'],
  ])('INTEGER %i is %s', (value, bytes) => {
    expect(toHex(new Writer(16).integer(0x84, value).bytes)).toBe(bytes);
  });

  it('writes integers minimally, as asn1js does, and the cursor reads them back', () => {
    const writer = new Writer(16);
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const bytes = writer.clear().integer(0x02, value).bytes;
        expect(toHex(bytes)).toBe(toHex(new Uint8Array(new asn1js.Integer({ value }).toBER())));
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(new Cursor(writer.clear().integer(0x02, value).bytes).expect(2).integer()).toBe(value);
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1.5])('refuses the integer %d', (value) => {
    expect(codeOf(() => new Writer(64).integer(0x02, value))).toBe('badValue');
  });

  it('collects pieces and grows up to its limit', () => {
    const writer = new Writer(2, 6);
    writer.write([1, 2]);
    writer.write(hex('0304'));
    writer.write(writer.bytes.subarray(0, 2));
    expect(toHex(writer.bytes)).toBe('010203040102');
    expect(codeOf(() => writer.byte(7))).toBe('overflow');
    expect(toHex(writer.bytes)).toBe('010203040102');
    writer.release();
    expect(writer.length).toBe(0);
    expect(writer.bytes.buffer.byteLength).toBe(0);
    expect(codeOf(() => new Writer(2).begin(0x30).begin(0x30))).toBe('overflow');
  });

  it('grows also when only a length field needs more room', () => {
    const writer = new Writer(130, 131);
    writer.begin(0x30).write(new Uint8Array(128));
    expect(toHex(writer.end().bytes.subarray(0, 3))).toBe('308180');
    const full = new Writer(130).begin(0x30);
    full.write(new Uint8Array(128));
    expect(codeOf(() => full.end())).toBe('overflow');
  });

  it('bounds the depth as the readers do', () => {
    const writer = new Writer(64);
    for (let i = 0; i < MAX_DEPTH; i++) writer.begin(0x30);
    expect(codeOf(() => writer.begin(0x30))).toBe('tooDeep');
    for (let i = 0; i < MAX_DEPTH; i++) writer.end();
    expect(writer.length).toBe(2 * MAX_DEPTH);
  });

  it('keeps text ASCII', () => {
    expect(toHex(new Writer(16).ascii(0x0c, 'a é').bytes)).toBe('0C0361203F');
  });

  it.each([-1, 2 ** 32, Number.NaN])('refuses a header for %d bytes', (length) => {
    expect(codeOf(() => new Writer(16).header(0x04, length))).toBe('badValue');
  });
});
