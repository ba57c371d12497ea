import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ActivationCodeError, parseActivationCode } from '../../../ipa/es9/activation-code.js';

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

describe('activation codes (SGP.22 §4.1)', () => {
  it.each([
    ['1$smdp.example.com$MATCH', 'smdp.example.com', 'MATCH', undefined, false],
    [
      'LPA:1$prod.smdp-plus.rsp.goog$3TD6-8L82-HUE1-LVN6',
      'prod.smdp-plus.rsp.goog',
      '3TD6-8L82-HUE1-LVN6',
      undefined,
      false,
    ],
    ['lpa:1$a.b:8443$', 'a.b:8443', '', undefined, false],
    ['1$a.b$X$2.999.10', 'a.b', 'X', '88370a', false],
    ['1$a.b$X$1.3.6.1.4.1.31746$1', 'a.b', 'X', '2b0601040181f802', true],
    ['1$a.b$X$$1', 'a.b', 'X', undefined, true],
    ['1$a.b$X$$$$something', 'a.b', 'X', undefined, false],
  ])('%s', (code, smdpAddress, token, oid, confirmation) => {
    const found = parseActivationCode(code);
    expect(found.smdpAddress).toBe(smdpAddress);
    expect(text(found.matchingId)).toBe(token);
    expect(found.smdpOid && Buffer.from(found.smdpOid).toString('hex')).toBe(oid);
    expect(found.confirmationCodeRequired).toBe(confirmation);
  });

  it.each([
    ['', /three fields/],
    ['2$a.b$X', /format 2/],
    ['1$$X', /second field/],
    ['1$a b$X', /second field/],
    ['1$a.b$X_Y', /third field/],
    ['1$a.b$X$3.1', /OID/],
    ['1$a.b$X$1.40', /OID/],
    ['1$a.b$X$1', /OID/],
    ['1$a.b$X$$2', /fifth/],
    [`1$a.b$${'X'.repeat(255)}`, /255/],
  ])('refuses %s', (code, why) => {
    expect(() => parseActivationCode(code)).toThrow(why);
  });

  it('throws nothing else', () => {
    const field = fc.oneof(fc.string(), fc.constantFrom('1', 'a.b', 'X', '2.999.10', ''));
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        try {
          parseActivationCode(fields.join('$'));
        } catch (error) {
          expect(error).toBeInstanceOf(ActivationCodeError);
        }
      }),
    );
  });
});
