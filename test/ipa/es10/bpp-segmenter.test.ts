import * as asn1js from 'asn1js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BppSegmenter } from '../../../ipa/es10/bpp-segmenter.js';
import { TlvError } from '../../../ipa/tlv/index.js';

function tlv(tag: string, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : length < 0x10000
          ? [0x82, length >> 8, length & 255]
          : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from(tag, 'hex'), Buffer.from(size), content]);
}

const bytes = (length: number, seed = 1) => Buffer.from(Uint8Array.from({ length }, (_, i) => i * 31 + seed));

interface Shape {
  initialise: number;
  configure: number;
  metadata: readonly number[];
  keys?: number;
  parts: readonly number[];
}

function bpp({ initialise, configure, metadata, keys, parts }: Shape): Buffer {
  return tlv(
    'bf36',
    tlv('bf23', tlv('82', bytes(initialise))),
    tlv('a0', tlv('87', bytes(configure))),
    tlv('a1', ...metadata.map((length) => tlv('88', bytes(length)))),
    ...(keys === undefined ? [] : [tlv('a2', tlv('87', bytes(keys)))]),
    tlv('a3', ...parts.map((length, i) => tlv('86', bytes(length, i)))),
  );
}

const typical: Shape = {
  initialise: 190,
  configure: 40,
  metadata: [1008, 200],
  keys: 60,
  parts: [1008, 1020, 1008, 333],
};

interface Command {
  p1: number;
  p2: number;
  data: Buffer;
}

function segment(source: Uint8Array, options: { block?: number; piece?: number } = {}): Command[] {
  const { block = 255, piece = source.length } = options;
  const segmenter = new BppSegmenter(new Uint8Array(5 + block));
  const commands: Command[] = [];
  let taken = 0;
  for (let start = 0; start < source.length; start += piece) {
    const end = Math.min(source.length, start + piece);
    for (let at = start; at < end; ) {
      at += segmenter.push(source, at, end);
      if (!segmenter.ready) continue;
      // As soon as its bytes are there: what was taken so far is all in commands.
      const command = Buffer.from(segmenter.command());
      if (command[0] !== 0x80 || command[1] !== 0xe2 || command[4] !== command.length - 5)
        expect.unreachable();
      commands.push({ p1: command[2], p2: command[3], data: command.subarray(5) });
      taken += command.length - 5;
      if (taken !== segmenter.consumed) expect.unreachable();
    }
  }
  segmenter.finish();
  return commands;
}

/** The chains of procedures.md §5 by a tree of asn1js. */
function chains(source: Uint8Array): Buffer[] {
  const { result, offset } = asn1js.fromBER(Uint8Array.from(source).buffer);
  expect(offset).toBe(source.length);
  const whole = (block: asn1js.BaseBlock) => Buffer.from(block.valueBeforeDecodeView);
  const children = (block: asn1js.BaseBlock) =>
    (block as asn1js.Constructed).valueBlock.value as asn1js.BaseBlock[];
  const header = (block: asn1js.BaseBlock) =>
    whole(block).subarray(0, whole(block).length - block.lenBlock.length);
  const [initialise, ...rest] = children(result);
  const list = [Buffer.concat([header(result), whole(initialise)])];
  for (const element of rest) {
    const { tagNumber } = element.idBlock;
    if (tagNumber === 1 || tagNumber === 3) list.push(header(element), ...children(element).map(whole));
    else list.push(whole(element));
  }
  return list;
}

function joined(commands: Command[]): Buffer[] {
  const list: Buffer[] = [];
  let parts: Buffer[] = [];
  for (const { p1, p2, data } of commands) {
    if (p2 !== parts.length) expect(p2).toBe(parts.length);
    parts.push(data);
    if (p1 === 0x91) {
      list.push(Buffer.concat(parts));
      parts = [];
    } else if (p1 !== 0x11) expect(p1).toBe(0x11);
  }
  expect(parts).toEqual([]);
  return list;
}

describe('the segmenter of a Bound Profile Package', () => {
  it('makes the chains of the specification', () => {
    const source = bpp({ initialise: 20, configure: 3, metadata: [5, 2], keys: 1, parts: [4, 0] });
    const text = segment(source, { block: 16 }).map(
      ({ p1, p2, data }) => `${p1.toString(16)} ${p2} ${data.toString('hex')}`,
    );
    expect(text).toEqual([
      `11 0 ${source.subarray(0, 16).toString('hex')}`,
      `91 1 ${source.subarray(16, 28).toString('hex')}`,
      '91 0 a005870301203f',
      '91 0 a10b',
      '91 0 880501203f5e7d',
      '91 0 88020120',
      '91 0 a203870101',
      '91 0 a308',
      '91 0 8604001f3e5d',
      '91 0 8600',
    ]);
  });

  it.each([16, 17, 120, 254, 255])(
    'agrees with asn1js at blocks of %d bytes, with the least commands',
    (block) => {
      for (const shape of [
        typical,
        { ...typical, keys: undefined },
        { ...typical, metadata: [], parts: [1] },
      ]) {
        const source = bpp(shape);
        const expected = chains(source);
        const least = expected.reduce((sum, chain) => sum + Math.ceil(chain.length / block), 0);
        for (const piece of [1, 2, 3, 7, 100, 1_460, source.length]) {
          const commands = segment(source, { block, piece });
          expect(joined(commands)).toEqual(expected);
          expect(commands.length).toBe(least);
        }
      }
    },
  );

  it('agrees with asn1js for every shape and every cut', () => {
    const length = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(127, 128, 250, 255, 256, 1020));
    fc.assert(
      fc.property(
        fc.record({
          initialise: length,
          configure: length,
          metadata: fc.array(length, { maxLength: 4 }),
          keys: fc.option(length, { nil: undefined }),
          parts: fc.array(length, { minLength: 1, maxLength: 8 }),
        }),
        fc.integer({ min: 16, max: 255 }),
        fc.integer({ min: 1, max: 400 }),
        (shape, block, piece) => {
          const source = bpp(shape);
          expect(joined(segment(source, { block, piece }))).toEqual(chains(source));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('knows the length of the package after its first bytes, and takes another one after reset()', () => {
    const source = bpp(typical);
    const segmenter = new BppSegmenter(new Uint8Array(25));
    expect(segmenter.push(source, 0, 5)).toBe(5);
    expect([segmenter.total, segmenter.complete, segmenter.ready]).toEqual([source.length, false, false]);
    expect(segmenter.push(source, 5)).toBe(15);
    expect(segmenter.push(source, 20)).toBe(0);
    segmenter.reset();
    expect(segmenter.push(source, 0, 5)).toBe(5);
    expect(segmenter.total).toBe(source.length);
  });

  it('loads half a megabyte through one block', () => {
    const source = bpp({ ...typical, parts: Array.from({ length: 500 }, () => 1_008) });
    expect(joined(segment(source, { block: 120, piece: 536 })).length).toBe(507);
  });

  it.each([
    ['another element', tlv('bf37', bytes(20)), 'wrongTag'],
    ['elements in another order', tlv('bf36', tlv('a0', bytes(3)), tlv('bf23', bytes(3))), 'wrongTag'],
    ['an early end of the package', tlv('bf36', tlv('bf23', bytes(20))), 'truncated'],
    ['an empty package', tlv('bf36'), 'truncated'],
    ['an indefinite length', Buffer.from('bf3680bf2380', 'hex'), 'indefiniteLength'],
    ['a length of four bytes', Buffer.from('bf368400000010', 'hex'), 'badLength'],
    ['an element beyond the package', Buffer.from('bf3605bf23030000', 'hex'), 'lengthBeyond'],
    ['a header beyond the package', Buffer.from('bf3602bf2303', 'hex'), 'lengthBeyond'],
    ['a segment beyond 256 blocks', tlv('bf36', tlv('bf23', bytes(70_000))), 'overflow'],
    [
      'a part beyond its list',
      tlv('bf36', tlv('bf23', bytes(1)), tlv('a0'), Buffer.from('a1038802aabb', 'hex'), tlv('a3', tlv('86'))),
      'lengthBeyond',
    ],
    [
      'a wrong part',
      tlv('bf36', tlv('bf23', bytes(1)), tlv('a0'), tlv('a1', tlv('86')), tlv('a3', tlv('86'))),
      'wrongTag',
    ],
    [
      'more after the profile',
      tlv('bf36', tlv('bf23', bytes(1)), tlv('a0'), tlv('a1'), tlv('a3', tlv('86')), tlv('86')),
      'lengthBeyond',
    ],
    ['more after the package', Buffer.concat([bpp(typical), Buffer.of(0)]), 'lengthBeyond'],
    ['a cut package', bpp(typical).subarray(0, -1), 'truncated'],
  ])('refuses %s', (_name, source, code) => {
    for (const piece of [1, 1_000]) {
      try {
        segment(source, { piece });
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(TlvError);
        expect((error as TlvError).code).toBe(code);
      }
    }
  });

  it('throws nothing else, and takes only what is a package, whatever the bytes', () => {
    const source = bpp({ initialise: 20, configure: 3, metadata: [5, 200], keys: 1, parts: [4, 0, 300] });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(source.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(source.length),
        fc.integer({ min: 1, max: 50 }),
        (changes, cut, piece) => {
          const changed = Buffer.from(source.subarray(0, cut % 5 === 0 ? cut : undefined));
          for (const [at, byte] of changes) if (at < changed.length) changed[at] = byte;
          let commands: Command[];
          try {
            commands = segment(changed, { block: 16, piece });
          } catch (error) {
            expect(error).toBeInstanceOf(TlvError);
            return;
          }
          expect(Buffer.concat(joined(commands)).equals(changed)).toBe(true);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('is told the size of its blocks in order', () => {
    expect(() => new BppSegmenter(new Uint8Array(5 + 15))).toThrow('15 bytes');
    expect(() => new BppSegmenter(new Uint8Array(5 + 256))).toThrow('256 bytes');
    expect(() => new BppSegmenter(new Uint8Array(260)).command()).toThrow('ready');
  });
});
