import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { iccidBytes, iccidDigits, unhex, writeElement } from '../../../host-sim/asn1/index.js';
import { makeProfilePackage, RspError, readProfilePackage } from '../../../host-sim/rsp/index.js';

const iccid = iccidBytes('8900000000000000052');

describe('a profile package that we make', () => {
  it.each(['001010', '00101000000001', '001010000000002'])('is read again, IMSI %s', (imsi) => {
    expect(readProfilePackage(makeProfilePackage({ iccid, imsi, profileType: 'T' }))).toEqual({
      iccid,
      imsi,
      profileType: 'T',
    });
  });

  it('has the size that was asked for', () => {
    const imsi = '001010000000002';
    for (const bytes of [250, 400, 12_288, 16_500, 24_700, 102_400, 512_000]) {
      const made = makeProfilePackage({ iccid, imsi, bytes });
      expect(made).toHaveLength(bytes);
      expect(readProfilePackage(made).imsi).toBe(imsi);
    }
    expect(() => makeProfilePackage({ iccid, imsi, bytes: 20 })).not.toThrow();
    expect(() => makeProfilePackage({ iccid, imsi: '1' })).toThrow(RspError);
  });
});

it('what is no profile package is said so', () => {
  const good = makeProfilePackage({ iccid, imsi: '001010000000002' });
  const changed = (at: number, to: number) => {
    const copy = good.slice();
    copy[at] = to;
    return copy;
  };
  for (const bad of [
    new Uint8Array(0),
    unhex('30'),
    unhex('7468652D75'),
    good.subarray(0, good.length - 1),
    good.subarray(0, good.length - 9),
    // Major version 7, an element that is no header, a header without ICCID.
    changed(4, 7),
    changed(0, 0xa1),
    writeElement(0xa0, unhex('800102810103')),
  ])
    expect(() => readProfilePackage(bad)).toThrow(RspError);
});

const profiles = process.env.XS_IPA_PROFILES ?? resolve(import.meta.dirname, '../../../../shared/profiles');
if (existsSync(profiles)) {
  it.each(['TS48v1_A.der', 'TS48v5_SAIP2.3_NoBERTLV.der'])('the GSMA test profile %s', (file) => {
    const content = readProfilePackage(readFileSync(join(profiles, file)));
    expect(iccidDigits(content.iccid)).toBe('89000123456789012341');
    expect(content.imsi).toBe('001010123456063');
    expect(content.profileType).toContain('GSMA Generic eUICC Test Profile');
  });
}
