import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import { Asn1Error, decode, hex, type Type, unhex } from '../../../host-sim/asn1/index.js';
import * as v from './vectors.js';

const isType = (one: unknown): boolean =>
  typeof one === 'object' && one !== null && 'read' in one && 'tags' in one;
const schemas = Object.values(m).filter(isType) as Type<unknown>[];

function outcome(type: Type<unknown>, bytes: Uint8Array): 'read' | 'refused' {
  try {
    type.show(decode(type, bytes));
    return 'read';
  } catch (error) {
    if (error instanceof Asn1Error) return 'refused';
    throw error;
  }
}

/** TLVs with tags that occur, so that the readers get further than the first byte. */
const tags = [
  '30',
  '5A',
  '80',
  '81',
  '82',
  '83',
  '84',
  'A0',
  'A1',
  'A2',
  '5F37',
  'BF51',
  'BF2F',
  'BF22',
  '04',
  '02',
  '0C',
  '05',
  '03',
];
const tlv: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => ({
  any: fc
    .tuple(
      fc.constantFrom(...tags),
      fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.uint8Array({ maxLength: 20 }).map(hex),
        fc.array(tie('any'), { maxLength: 5 }).map((list) => list.join('')),
      ),
    )
    .map(([tag, content]) => {
      const length = content.length / 2;
      return (
        tag +
        (length < 0x80 ? hex(Uint8Array.of(length)) : hex(Uint8Array.of(0x82, length >> 8, length & 255))) +
        content
      );
    }),
})).any;

it('garbage gives Asn1Error and nothing else', () => {
  fc.assert(
    fc.property(fc.constantFrom(...schemas), fc.uint8Array({ maxLength: 60 }), (schema, bytes) => {
      outcome(schema, bytes);
    }),
    { numRuns: 2000 },
  );
});

it('well-formed nonsense gives Asn1Error and nothing else', () => {
  fc.assert(
    fc.property(fc.constantFrom(...schemas), tlv, (schema, inner) => {
      const tag = schema.tags[0] ?? 0x30;
      outcome(schema, m.writeElement(tag, unhex(inner).subarray(0, 1000)));
    }),
    { numRuns: 2000 },
  );
});

it('mutated messages give Asn1Error or a value', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(v.euiccPackageRequest, v.euiccPackageResult, v.addInitialEim),
      fc.nat(400),
      fc.nat(255),
      (bytes, at, byte) => {
        const changed = Uint8Array.from(bytes);
        changed[at % changed.length] = byte;
        for (const schema of [m.EuiccPackageRequest, m.EuiccPackageResult, m.AddInitialEimRequest]) {
          outcome(schema, changed);
        }
        expect(typeof m.describe(changed).name).toBe('string');
      },
    ),
    { numRuns: 1000 },
  );
});

it('every truncation is refused', () => {
  for (const bytes of [v.euiccPackageRequest, v.addInitialEim]) {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decode(m.EuiccPackageRequest, bytes.subarray(0, length))).toThrow(Asn1Error);
      m.describe(bytes.subarray(0, length));
    }
  }
});

it.each([
  ['indefinite length', '30800000'],
  ['bytes behind', 'BF200000'],
  ['length beyond the end', 'BF2005'],
  ['a string in pieces', '2C00'],
  ['a child longer than its parent', 'BF2003820480'],
])('%s is refused', (_title, text) => {
  expect(outcome(m.GetEuiccInfo1Request, unhex(text))).toBe('refused');
});

it('nesting has a bound', () => {
  let bytes: Uint8Array = new Uint8Array(0);
  for (let i = 0; i < 5000; i++) bytes = m.writeElement(0xa0, bytes);
  expect(outcome(m.EuiccPackageRequest, m.writeElement(0xbf51, bytes))).toBe('refused');
});

it('values out of bounds are refused when written', () => {
  expect(() => m.encode(m.SeqNumber, -1)).toThrow(Asn1Error);
  expect(() => m.encode(m.SeqNumber, 1.5)).toThrow(Asn1Error);
  expect(() => m.encode(m.Eid, new Uint8Array(15))).toThrow(Asn1Error);
  expect(() => m.iccidBytes('12')).toThrow(Asn1Error);
  expect(() => unhex('ABC')).toThrow(Asn1Error);
});

it('integers survive both ways', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      expect(decode(m.AssociationToken, m.encode(m.AssociationToken, value))).toBe(value);
    }),
  );
});

it('ICCID digits survive both ways', () => {
  expect(m.iccidDigits(v.iccid)).toBe('89000123456789012341');
  expect(hex(m.iccidBytes('8900012345678901234'))).toBe('980010325476981032F4');
  expect(m.iccidDigits(m.iccidBytes('8900012345678901234'))).toBe('8900012345678901234');
  expect(m.plmnDigits(unhex('62F210'))).toBe('262-01');
  expect(m.plmnDigits(unhex('130062'))).toBe('310-260');
});
