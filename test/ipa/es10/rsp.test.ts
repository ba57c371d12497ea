import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unhex as hex, hex as toHex } from '../../../host-sim/asn1/index.js';
import {
  isConfirmationCodeRequired,
  readBppEuiccOtpk,
  readHttpParams,
  readInstallationResult,
  readServerSigned1,
  readSmdpSigned2,
  registeredId,
  rspErrorCode,
} from '../../../ipa/es10/index.js';
import { TlvError } from '../../../ipa/tlv/index.js';

// spec/crypto.md §7.2.
const TRANSACTION = '0102030405060708090A0B0C0D0E0F10';
const SERVER_SIGNED1 = hex(
  '304880100102030405060708090A0B0C0D0E0F108110AABBCCDDEEFF001122334455667788998310736D64702E6578616D706C652E636F6D8410F0E1D2C3B4A5968778695A4B3C2D1E0F',
);
const SMDP_SIGNED2 = hex('301580100102030405060708090A0B0C0D0E0F10010100');
const RESULT = hex(
  'BF37819EBF275880100102030405060708090A0B0C0D0E0F10BF2F25800101810200800C10736D64702E6578616D706C652E636F6D5A0A9800103254769810321406028837A218A0164F10A0000005591010FFFFFFFF8900001100040230005F3740DE267B67FD171D43B84A0280C67AB2CF692D9B42925A1000FB74D10C6C85F9852ED6451D561F2435ED7E49280FDFDB8AD940E5C57981B0C24288774466406599',
);

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

describe('what the IPA reads of a download', () => {
  it('serverSigned1 and smdpSigned2', () => {
    const { transactionId, euiccChallenge, serverAddress } = readServerSigned1(SERVER_SIGNED1);
    expect(toHex(transactionId)).toBe(TRANSACTION);
    expect(toHex(euiccChallenge)).toBe('AABBCCDDEEFF00112233445566778899');
    expect(text(serverAddress)).toBe('smdp.example.com');
    expect(toHex(readSmdpSigned2(SMDP_SIGNED2))).toBe(TRANSACTION);
    expect(readBppEuiccOtpk(SMDP_SIGNED2)).toBeUndefined();
    expect(readBppEuiccOtpk(hex(wrap('30', `8010${TRANSACTION}010100${wrap('5F49', '04AA')}`)))).toEqual(
      hex('04AA'),
    );
    expect(isConfirmationCodeRequired(SMDP_SIGNED2)).toBe(false);
    expect(isConfirmationCodeRequired(hex(`3015${'8010'}${TRANSACTION}0101FF`))).toBe(true);
  });

  it('a ProfileInstallationResult, good and bad', () => {
    const found = readInstallationResult(RESULT);
    expect(toHex(found.transactionId)).toBe(TRANSACTION);
    expect(found).toMatchObject({ seqNumber: 1, installed: true, bppCommandId: -1, errorReason: -1 });
    expect(found.iccid && toHex(found.iccid)).toBe('98001032547698103214');
    expect(found.notificationAddress && text(found.notificationAddress)).toBe('smdp.example.com');
    const metadata = wrap('BF2F', '800107');
    const error = wrap('A2', wrap('A1', '80010581010A'));
    const bad = hex(wrap('BF37', wrap('BF27', `80010A${metadata}060188${error}`)));
    expect(readInstallationResult(bad)).toMatchObject({
      seqNumber: 7,
      installed: false,
      bppCommandId: 5,
      errorReason: 10,
    });
  });

  it('error codes', () => {
    expect(rspErrorCode(hex('BF3804A0023000'))).toBe(0);
    expect(rspErrorCode(hex('BF3808A106800101020106'))).toBe(6);
    expect(rspErrorCode(hex('BF4103810105'))).toBe(5);
  });

  it('the OID in a certificate', () => {
    // tbsCertificate {…, [3] {SEQUENCE {extension subjectAltName {[8] OID 2.999.10}}}}
    const san = wrap('30', `0603551D11${wrap('04', wrap('30', '880388370A'))}`);
    expect(() => registeredId(hex('3003'))).toThrow(TlvError);
    expect(toHex(Uint8Array.from(registeredId(certOf(san))))).toBe('88370A');
    expect(Array.from(registeredId(hex('30053003020101')))).toEqual([]);
  });

  it('httpParams of TS 102 223', () => {
    expect(readHttpParams(hex('3501034706036162630161'))).toEqual({
      apn: 'abc.a',
      user: '',
      password: '',
    });
    expect(readHttpParams(hex('A1104704036162638D0304750D8D0304770D'))).toEqual({
      apn: 'abc',
      user: 'u\r',
      password: 'w\r',
    });
    expect(readHttpParams(hex('350103'))).toBeUndefined();
  });

  it('throws nothing but TlvError', () => {
    const readers = [
      readServerSigned1,
      readSmdpSigned2,
      readBppEuiccOtpk,
      isConfirmationCodeRequired,
      readInstallationResult,
      registeredId,
      rspErrorCode,
    ];
    const goods = [SERVER_SIGNED1, SMDP_SIGNED2, RESULT];
    const spoiled = fc
      .tuple(fc.constantFrom(...goods), fc.nat(200), fc.nat(255), fc.nat(200))
      .map(([good, at, byte, end]) => good.map((old, i) => (i === at ? byte : old)).subarray(0, end));
    fc.assert(
      fc.property(fc.oneof(spoiled, fc.uint8Array({ maxLength: 80 })), (bytes) => {
        for (const read of readers) {
          try {
            read(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(TlvError);
          }
        }
        readHttpParams(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

function certOf(extension: string): Uint8Array {
  return hex(wrap('30', wrap('30', `020101${wrap('A3', wrap('30', extension))}`)));
}

/** An element of less than 128 bytes, in hex. */
function wrap(tag: string, content: string): string {
  return tag + (content.length / 2).toString(16).padStart(2, '0') + content;
}
