import { generate, parse } from 'coap-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockSize,
  blockValue,
  CoapCode,
  CoapOption,
  CoapReader,
  CoapType,
  CoapWriter,
  codeText,
} from '../../../../ipa/esipa/coap/message.js';

interface Plain {
  type: number;
  code: number;
  id: number;
  token: Uint8Array;
  options: { number: number; value: Uint8Array }[];
  payload: Uint8Array;
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const message: fc.Arbitrary<Plain> = fc.record({
  type: fc.nat(3),
  code: fc.oneof(fc.integer({ min: 1, max: 31 }), fc.integer({ min: 0x40, max: 0xbf })),
  id: fc.nat(0xffff),
  token: bytes(8),
  options: fc
    .array(
      fc.record({
        number: fc.oneof(fc.nat(30), fc.nat(600), fc.nat(65_000)),
        value: fc.oneof(bytes(15), bytes(400)),
      }),
      { maxLength: 5 },
    )
    .map((list) => list.sort((a, b) => a.number - b.number)),
  payload: bytes(100),
});

function write({ type, code, id, token, options, payload }: Plain): Buffer {
  const writer = new CoapWriter();
  writer.begin(new Uint8Array(4_000), type, code, id, token);
  for (const { number, value } of options) writer.add(number, value);
  return Buffer.from(writer.payload(payload).bytes);
}

function read(datagram: Uint8Array): Plain | string {
  const reader = new CoapReader();
  if (!reader.parse(datagram)) return reader.fault;
  const options: Plain['options'] = [];
  reader.rewind();
  while (reader.nextOption()) {
    options.push({ number: reader.option, value: datagram.slice(reader.valueStart, reader.valueEnd) });
  }
  const { type, code, id, tokenLength } = reader;
  return {
    type,
    code,
    id,
    token: datagram.slice(4, 4 + tokenLength),
    options,
    payload: reader.payload.slice(),
  };
}

const plainBytes = (plain: Plain | string) =>
  typeof plain === 'string'
    ? plain
    : JSON.stringify({
        ...plain,
        token: [...plain.token],
        payload: [...plain.payload],
        options: plain.options.map(({ number, value }) => [number, ...value]),
      });

describe('CoAP messages', () => {
  it('are written as coap-packet writes them', () => {
    fc.assert(
      fc.property(message, (plain) => {
        const other = generate(
          {
            confirmable: plain.type === CoapType.confirmable,
            ack: plain.type === CoapType.acknowledgement,
            reset: plain.type === CoapType.reset,
            code: codeText(plain.code),
            messageId: plain.id,
            token: Buffer.from(plain.token),
            options: plain.options.map(({ number, value }) => ({
              name: String(number) as never,
              value: Buffer.from(value),
            })),
            payload: Buffer.from(plain.payload),
          },
          4_000,
        );
        expect(write(plain)).toEqual(other);
        expect(plainBytes(read(other))).toBe(plainBytes(plain));
      }),
    );
  });

  it('are read as coap-packet reads them, whatever the bytes', () => {
    const changed = fc
      .tuple(message, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat())
      .map(([plain, changes, cut]) => {
        const whole = write(plain);
        const datagram = cut % 3 === 0 ? whole.subarray(0, cut % (whole.length + 1)) : whole;
        for (const [at, byte] of changes) if (datagram.length > 0) datagram[at % datagram.length] = byte;
        return datagram;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          changed,
          fc.uint8Array({ maxLength: 20 }).map((some) => Buffer.from(some)),
        ),
        (datagram) => {
          const ours = read(datagram);
          if (typeof ours === 'string') return;
          // What ours takes, the other one must take too, and see the same; ours is stricter with reserved values.
          const other = parse(Buffer.from(datagram));
          expect(other.code).toBe(codeText(ours.code));
          expect(other.messageId).toBe(ours.id);
          expect(other.token).toEqual(Buffer.from(ours.token));
          expect(other.payload).toEqual(Buffer.from(ours.payload));
          expect(other.options?.map(({ value }) => Buffer.from(value as Uint8Array))).toEqual(
            ours.options.map(({ value }) => Buffer.from(value)),
          );
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['', 'header'],
    ['400000', 'header'],
    ['80000001', 'version'],
    ['4900000100', '8 bytes'],
    ['4202000101', 'token'],
    ['4000000101', 'empty message'],
    ['40200001', 'reserved code'],
    ['40e10001', 'reserved code'],
    ['40020001ff', 'marker'],
    ['40020001f0', 'reserved option'],
    ['400200010f', 'reserved option'],
    ['40020001d0', 'option'],
    ['40020001b401', 'option'],
    ['40020001e0ffffe0ffff', '65535'],
  ])('refuses %s', (hex, fault) => {
    expect(read(Buffer.from(hex, 'hex'))).toContain(fault);
  });

  it('finds options and their numbers', () => {
    const writer = new CoapWriter();
    writer.begin(new Uint8Array(100), CoapType.confirmable, CoapCode.post, 1);
    writer
      .add(CoapOption.uriPath, 'gsma')
      .add(CoapOption.uriPath, 'rsp2')
      .addUint(CoapOption.block1, blockValue(70_000, true, 6))
      .addUint(CoapOption.size1, 0);
    const reader = new CoapReader();
    expect(reader.parse(writer.bytes)).toBe(true);
    expect([
      reader.uintOf(CoapOption.block1),
      reader.uintOf(CoapOption.size1),
      reader.uintOf(CoapOption.block2),
    ]).toEqual([70_000 * 16 + 14, 0, -1]);
    expect(reader.unknownCritical([CoapOption.block1])).toBe(CoapOption.uriPath);
    expect(reader.unknownCritical([CoapOption.block1, CoapOption.uriPath])).toBe(0);
    expect([blockSize(0), blockSize(6)]).toEqual([16, 1024]);
    expect(() => writer.add(CoapOption.uriHost, 'x')).toThrow('behind');
    expect(() => writer.payload(new Uint8Array(100))).toThrow('more than 100 bytes');
  });
});
