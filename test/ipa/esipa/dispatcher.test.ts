import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XsIpaError } from '../../../hal/contracts/index.js';
import { dispatch, type IncomingKind, readAcknowledgements } from '../../../ipa/esipa/index.js';
import { hex, toHex } from '../../hex.js';
import * as v from '../../host-sim/asn1/vectors.js';

const kinds: readonly IncomingKind[] = [
  'euiccPackage',
  'dataRequest',
  'acknowledgements',
  'downloadTrigger',
  'empty',
  'error',
  'invalid',
  'unknown',
];
const signature = '5F370100';
const signed = (...fields: string[]) => {
  const content = fields.join('');
  return `30${(content.length / 2).toString(16).padStart(2, '0')}${content}`;
};
const wrap = (tag: string, body: string) => tag + (body.length / 2).toString(16).padStart(2, '0') + body;
const EID = `5A10${toHex(v.eid)}`;

describe('dispatch', () => {
  it.each<[string, string, IncomingKind, number]>([
    ['nothing', '', 'invalid', 0],
    ['half a tag', 'BF', 'invalid', 0],
    ['another message', 'BF3900', 'invalid', 0],
    ['a length beyond', 'BF4F05020101', 'invalid', 0],
    ['an empty poll answer', 'BF4F00', 'invalid', 0xbf4f],
    ['an empty injection', 'BF4E00', 'invalid', 0xbf4e],
    ['the empty response of v1.0 (Q7)', 'BF5000', 'empty', 0xbf50],
    ['the empty response', 'BF50023000', 'empty', 0xbf50],
    ['an empty SEQUENCE as package', 'BF4F023000', 'unknown', 0xbf4f],
    ['an error', 'BF4F0302017F', 'error', 0xbf4f],
    ['an error of a result', 'BF5003020102', 'error', 0xbf50],
    ['an error as injection', 'BF4E03020101', 'unknown', 0xbf4e],
    ['an error without a code', 'BF4F020200', 'invalid', 0xbf4f],
    ['acknowledgements', 'BF5006BF5303800107', 'acknowledgements', 0xbf50],
    ['acknowledgements injected', 'BF4E06BF5303800107', 'acknowledgements', 0xbf4e],
    ['acknowledgements as package', 'BF4F06BF5303800107', 'unknown', 0xbf4f],
    ['a package as response', wrap('BF50', wrap('BF51', '3000')), 'unknown', 0xbf50],
    ['a data request as response', wrap('BF50', wrap('BF52', '5C00')), 'unknown', 0xbf50],
    ['a trigger as response', 'BF5003BF5400', 'unknown', 0xbf50],
    ['a data request', wrap('BF4F', wrap('BF52', '5C01A8')), 'dataRequest', 0xbf4f],
    ['a data request without tag list', wrap('BF4F', wrap('BF52', '830100')), 'invalid', 0xbf4f],
    ['something of a later version', 'BF4F04BF600100', 'unknown', 0xbf4f],
    ['something of a later version, cut off', 'BF4F04BF600200', 'invalid', 0xbf4f],
  ])('%s', (_what, message, kind, envelope) => {
    expect(dispatch(hex(message))).toMatchObject({ kind, envelope });
  });

  const parts = ['800161', EID, '81012A'];
  const full = [...parts, 'A000'];
  const pack = (data: string, end = signature) => wrap('BF4F', wrap('BF51', data + end));
  it.each<[string, string, IncomingKind]>([
    ['PSMOs', pack(signed(...full)), 'euiccPackage'],
    ['eCOs', pack(signed(...parts, 'A100')), 'euiccPackage'],
    ['unknown fields', pack(signed(...full, '990100')), 'euiccPackage'],
    ['no eIM', pack(signed(EID, '81012A', 'A000')), 'invalid'],
    ['no EID', pack(signed('800161', '81012A', 'A000')), 'invalid'],
    ['no counter', pack(signed('800161', EID, 'A000')), 'invalid'],
    ['a negative counter', pack(signed('800161', EID, '8101FF', 'A000')), 'invalid'],
    ['an empty counter', pack(signed('800161', EID, '8100', 'A000')), 'invalid'],
    ['no list', pack(signed(...parts)), 'invalid'],
    ['both lists', pack(signed(...full, 'A100')), 'invalid'],
    ['no signature', pack(signed(...full), ''), 'invalid'],
    ['an empty signature', pack(signed(...full), '5F3700'), 'invalid'],
    ['signature first', wrap('BF4F', wrap('BF51', signature + signed(...full))), 'invalid'],
    ['nothing', wrap('BF4F', wrap('BF51', '')), 'invalid'],
  ])('a package with %s', (_what, message, kind) => {
    expect(dispatch(hex(message)).kind).toBe(kind);
  });

  it('the transaction of a package that cannot be used is known where it can be read', () => {
    const { kind, eimTransactionId } = dispatch(hex(pack(signed('800161', '8203ABCDEF'))));
    expect(kind).toBe('invalid');
    expect(toHex(eimTransactionId!)).toBe('ABCDEF');
  });

  it('PSMOs can lead to notifications, eCOs cannot', () => {
    expect(dispatch(hex(pack(signed(...full)))).hasPsmo).toBe(true);
    expect(dispatch(hex(pack(signed(...parts, 'A100')))).hasPsmo).toBe(false);
  });

  it('only an enable with the flag arms a rollback', () => {
    const enable = (flag: string) => {
      const iccid = '5A0A98001032547698103214';
      const content = iccid + flag;
      const a3 = `A3${(content.length / 2).toString(16).padStart(2, '0')}${content}`;
      return `A0${(a3.length / 2).toString(16).padStart(2, '0')}${a3}`;
    };
    expect(dispatch(hex(pack(signed(...parts, enable('0500'))))).mayRollBack).toBe(true);
    expect(dispatch(hex(pack(signed(...parts, enable('8100'))))).mayRollBack).toBe(true);
    expect(dispatch(hex(pack(signed(...parts, enable(''))))).mayRollBack).toBe(false);
    // What is wrong inside is the eUICC's to refuse.
    expect(dispatch(hex(pack(signed(...parts, 'A003A30A5A')))).kind).toBe('euiccPackage');
  });

  it('views share the memory of the message', () => {
    const message = hex(pack(signed(...full)));
    const { body } = dispatch(message);
    expect(body!.buffer).toBe(message.buffer);
  });

  it('any bytes give one of the kinds', () => {
    const answer = hex(`BF4F8193${toHex(v.euiccPackageRequest)}`);
    const counts = new Map<string, number>();
    const take = (bytes: Uint8Array) => {
      const { kind } = dispatch(bytes);
      expect(kinds).toContain(kind);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), take), { numRuns: 500 });
    fc.assert(
      fc.property(fc.nat(answer.length - 1), fc.nat(255), (at, byte) => {
        const changed = answer.slice();
        changed[at] = byte;
        take(changed);
      }),
      { numRuns: 2000 },
    );
    for (let length = 0; length < answer.length; length++) take(answer.subarray(0, length));
    expect(counts.get('euiccPackage')).toBeGreaterThan(0);
    expect(counts.get('invalid')).toBeGreaterThan(0);
  });
});

describe('readAcknowledgements', () => {
  it.each<[string, number[]]>([
    ['BF5300', []],
    ['BF530A8001018001028002012C', [1, 2, 300]],
    ['BF5306990100800105', [5]],
    ['BF530480020001', [1]],
  ])('%s', (text, expected) => {
    expect(readAcknowledgements(hex(text))).toEqual(expected);
  });

  it.each(['', 'BF5400', 'BF53028000', 'BF53038001'])('"%s" is refused', (text) => {
    expect(() => readAcknowledgements(hex(text))).toThrow(XsIpaError);
  });
});
