import { expect, it, describe as suite } from 'vitest';
import { concat, describe, describeEs10, hex, nameOfTag, unhex } from '../../../host-sim/asn1/index.js';
import * as v from './vectors.js';

suite('describe', () => {
  it('reads a package by names', () => {
    expect(describe(v.euiccPackageRequest, 'toIpa')).toEqual({
      name: 'EuiccPackageRequest',
      value: {
        euiccPackageSigned: {
          eimId: 'eim.example.com',
          eidValue: '89049032123451234512345678901235',
          counterValue: 42,
          eimTransactionId: '000102030405060708090A0B0C0D0E0F',
          euiccPackage: { psmoList: [{ enable: { iccid: '89000123456789012341', rollbackFlag: true } }] },
        },
        eimSignature: hex(v.eimSignature),
      },
    });
  });

  it('names result codes', () => {
    const { name, value } = describe(v.euiccPackageResult, 'toEim');
    expect(name).toBe('EuiccPackageResult');
    expect(JSON.stringify(value)).toContain('"euiccResult":[{"enableResult":"ok"}]');
    expect(describe(unhex('BF4F03020101'), 'toIpa')).toEqual({
      name: 'GetEimPackageResponse',
      value: { eimPackageError: 'noEimPackageAvailable' },
    });
  });

  it('finds the direction by itself', () => {
    expect(describe(v.euiccPackageRequest).name).toBe('EuiccPackageRequest');
    expect(describe(v.euiccPackageResult).name).toBe('EuiccPackageResult');
    expect(describe(unhex('BF5006BF5303800107'))).toEqual({
      name: 'ProvideEimPackageResultResponse',
      value: { eimAcknowledgements: [7] },
    });
  });

  it('tells commands from answers', () => {
    expect(describeEs10(unhex('BF3003800105'))).toEqual({
      name: 'NotificationSentRequest',
      value: { seqNumber: 5 },
    });
    expect(describeEs10(unhex('BF3003800101'), 'response')).toEqual({
      name: 'NotificationSentResponse',
      value: { result: 'nothingToDelete' },
    });
  });

  it('falls back to hex', () => {
    expect(describe(unhex('BF51FF'), 'toEim')).toEqual({ name: 'EuiccPackageResult', value: 'BF51FF' });
    expect(describe(concat([unhex('BF38'), unhex('0100')]))).toEqual({
      name: 'AuthenticateServerRequest',
      value: 'BF380100',
    });
    expect(describe(unhex('BF7D00'))).toEqual({ name: 'BF7D', value: 'BF7D00' });
    expect(describe(new Uint8Array(0))).toEqual({ name: '00', value: '' });
    expect(nameOfTag(0xbf57)).toBe('AddInitialEimRequest');
  });
});
