import { describe, expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import { concat, decode, encode, hex, unhex } from '../../../host-sim/asn1/index.js';
import { fixtures, packageResult, packageSigned } from './fixtures.js';
import * as v from './vectors.js';

const { eid, iccid, txid } = v;
const eidHex = hex(eid);
const txidHex = hex(txid);
const mccMnc = unhex('62F210');

describe('messages of the reference', () => {
  it.each(fixtures)('$title', ({ schema, bytes, value }) => {
    expect(hex(encode(schema, value))).toBe(bytes);
    expect(decode(schema, unhex(bytes))).toEqual(value);
    // A second schema for the same bytes would be a second truth: what was read writes the same bytes again.
    expect(hex(encode(schema, decode(schema, unhex(bytes))))).toBe(bytes);
  });

  it('signed parts are built once and carried byte for byte', () => {
    expect(hex(m.toSign(m.EuiccPackageSigned, packageSigned).bytes)).toBe(hex(v.euiccPackageSigned));
    expect(
      hex(
        m.toSign(m.EuiccPackageErrorDataSigned, {
          eimId: v.eimId,
          counterValue: 42,
          eimTransactionId: txid,
          euiccPackageErrorCode: 4,
        }).bytes,
      ),
    ).toBe(hex(v.replayErrorData));
    // A length in more bytes than DER allows: still what was signed, so it must pass unchanged.
    const loose = concat([unhex('3082001A800161'), unhex('5A10'), eid, unhex('81012AA100')]);
    const message = m.writeElement(0xbf51, concat([loose, unhex('5F370101')]));
    const read = decode(m.EuiccPackageRequest, message);
    expect(hex(read.euiccPackageSigned.bytes)).toBe(hex(loose));
    expect(read.euiccPackageSigned.value.counterValue).toBe(42);
    expect(hex(encode(m.EuiccPackageRequest, read))).toBe(hex(message));
  });

  it('token DO', () => {
    expect(hex(m.tokenDo(undefined))).toBe('840100');
    expect(hex(m.tokenDo(200))).toBe('840200C8');
    expect(hex(m.tokenDo(-1))).toBe('8401FF');
  });
});

describe('tolerances of open-questions.md A', () => {
  it('Q1 rollback flag of BF58 under 01', () => {
    expect(decode(m.ProfileRollbackRequest, unhex('BF58030101FF'))).toEqual({ refreshFlag: true });
  });
  it('Q2 rollbackFlag under 81', () => {
    expect(decode(m.Psmo, concat([unhex('A30E5A0A'), iccid, unhex('8100')]))).toEqual({
      enable: { iccid, rollbackFlag: true },
    });
  });
  it('Q3 ProfileInfoList error under 02', () => {
    expect(decode(m.ProfileInfoListResponse, unhex('BF2D03020101'))).toEqual({ profileInfoListError: 1 });
  });
  it('Q4 key id of BF56 under 04', () => {
    expect(decode(m.GetCertsRequest, unhex('BF56040402AABB'))).toEqual({ euiccCiPKId: unhex('AABB') });
  });
  it('Q6 bare first alternative', () => {
    const bare = m.writeElement(0xbf51, m.writeElement(0x30, v.euiccPackageResult.subarray(5)));
    expect(decode(m.EuiccPackageResult, bare)).toEqual(packageResult);
    const profile = unhex('E3059F70020001');
    const wanted = { profileInfoListOk: [{ profileState: 1 }] };
    expect(decode(m.ProfileInfoListResponse, m.writeElement(0xbf2d, profile))).toEqual(wanted);
    expect(decode(m.ProfileInfoListResponse, m.writeElement(0xbf2d, m.writeElement(0x30, profile)))).toEqual(
      wanted,
    );
    expect(decode(m.IpaEuiccDataResponse, unhex('BF5205300384012A'))).toEqual({
      ipaEuiccData: { associationToken: 42 },
    });
  });
  it('Q7 empty BF50', () => {
    expect(decode(m.ProvideEimPackageResultResponse, unhex('BF5000'))).toEqual({ emptyResponse: {} });
  });
  it('Q9 data response error of v1.0', () => {
    expect(decode(m.IpaEuiccDataResponse, unhex('BF5203810105'))).toEqual({
      ipaEuiccDataResponseError: { ipaEuiccDataErrorCode: 5 },
    });
  });
  it('Q10 eimIdType under 84', () => {
    expect(decode(m.EuiccResultData, unhex('AB0AA0083006800161840102'))).toEqual({
      listEimResult: { eimIdList: [{ eimId: 'a', eimIdType: 2 }] },
    });
  });
  it('Q11 rPLMN of v1.0 under 81', () => {
    expect(decode(m.GetEimPackageRequest, unhex(`BF4F195A10${eidHex}8000810362F210`))).toEqual({
      eidValue: eid,
      notifyStateChange: true,
      rPLMN: mccMnc,
    });
  });
  it('Q13 DER signatures', () => {
    const raw = Uint8Array.from(v.eimSignature);
    const der = concat([unhex('3045022100'), raw.subarray(0, 32), unhex('0220'), raw.subarray(32)]);
    expect(hex(m.rawSignature(der))).toBe(hex(raw));
    expect(m.rawSignature(raw)).toBe(raw);
    expect(() => m.rawSignature(unhex('300302017F'))).toThrow(m.Asn1Error);
  });
  it('Q14, Q15 any count of unused bits, any true', () => {
    expect(decode(m.ListNotificationRequest, unhex('BF280481020480'))).toEqual({
      profileManagementOperation: ['notificationInstall'],
    });
    expect(decode(m.ProfileInfo, unhex('E3089F2601019F7B0100'))).toEqual({
      fallbackAttribute: true,
      ecallIndication: false,
    });
  });
  it('Q17 key id hint with its own TLV', () => {
    const request = decode(m.IpaEuiccDataRequest, unhex('BF52095C01A504040402AABB'));
    expect(request.euiccCiPKIdentifierToBeUsed).toEqual(unhex('AABB'));
  });
  it('Q18 LPA: before an activation code', () => {
    const request = decode(m.ProfileDownloadTriggerRequest, unhex('BF540BA00980076C70613A312461'));
    expect(request.profileDownloadData).toEqual({ activationCode: '1$a' });
  });
  it('unknown fields are ignored, unknown operations and results are kept', () => {
    expect(decode(m.GetEuiccDataResponse, unhex(`BF3E155A10${eidHex}990100`))).toEqual({ eidValue: eid });
    expect(decode(m.Psmo, unhex('AF00'))).toEqual({ unknownOrDamaged: unhex('AF00') });
    expect(decode(m.Psmo, unhex('A300'))).toEqual({ unknownOrDamaged: unhex('A300') });
    expect(decode(m.EuiccResultData, unhex('9A0100'))).toEqual({ unknown: unhex('9A0100') });
  });
  it('compact forms of notifications', () => {
    const signature = `5F3740${'5A'.repeat(64)}`;
    const installed = unhex(`A062A01D8010${txidHex}020101A206A0044F020011${signature}`);
    const value = decode(m.PendingNotification, installed);
    expect(value.compactProfileInstallationResult?.compactProfileInstallationResultData).toEqual({
      transactionId: txid,
      seqNumber: 1,
      compactFinalResult: { compactSuccessResult: { compactAid: unhex('0011') } },
    });
    expect(hex(encode(m.PendingNotification, value))).toBe(hex(installed));
    const metadata = `BF2F0B8001058102064 00C0261 62`.replaceAll(' ', '');
    const other = m.writeElement(0xa1, unhex(metadata + signature));
    const read = decode(m.PendingNotification, other).compactOtherSignedNotification;
    expect(hex(read!.tbsOtherNotification.bytes)).toBe(metadata);
    expect(read!.tbsOtherNotification.value.profileManagementOperation).toEqual(['notificationEnable']);
  });
  it('an installation result, signed as BF27', () => {
    const bytes = unhex(
      'BF37819EBF275880100102030405060708090A0B0C0D0E0F10BF2F25800101810200800C10736D64702E6578616D706C652E636F6D5A0A9800103254769810321406028837A218A0164F10A0000005591010FFFFFFFF8900001100040230005F3740DE267B67FD171D43B84A0280C67AB2CF692D9B42925A1000FB74D10C6C85F9852ED6451D561F2435ED7E49280FDFDB8AD940E5C57981B0C24288774466406599',
    );
    const { profileInstallationResult } = decode(m.PendingNotification, bytes);
    const data = profileInstallationResult!.profileInstallationResultData;
    expect(hex(data.bytes)).toBe(hex(bytes.subarray(4, 4 + 91)));
    expect(data.value.smdpOid).toBe('2.999');
    expect(data.value.notificationMetadata.profileManagementOperation).toEqual(['notificationInstall']);
    expect(data.value.finalResult.successResult?.aid.length).toBe(16);
    expect(hex(encode(m.PendingNotification, decode(m.PendingNotification, bytes)))).toBe(hex(bytes));
  });
  it('the FCI of a real card', () => {
    const templates = unhex('A50D9F6E06007760B0010B9F6501FFE104800206C0');
    const fci = m.writeElement(0x6f, concat([unhex('8410A0000005591010FFFFFFFF8900000100'), templates]));
    expect(decode(m.IsdrFci, fci).isdrProprietaryApplicationTemplateIoT).toEqual({
      capabilities: ['ipaeSupported', 'enabledProfile'],
    });
  });
  it('certificates lose and regain their outer SEQUENCE', () => {
    const certificate = unhex('300A300302010130030201 02'.replaceAll(' ', ''));
    const bytes = encode(m.GetCertsResponse, {
      certs: { eumCertificate: certificate, euiccCertificate: certificate },
    });
    expect(hex(bytes)).toBe('BF561AA018A50A30030201013003020102A60A30030201013003020102');
    expect(decode(m.GetCertsResponse, bytes).certs?.euiccCertificate).toEqual(certificate);
  });
});
