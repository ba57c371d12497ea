import { describe, expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import { concat, decode, encode, hex, type Schema, unhex } from '../../../host-sim/asn1/index.js';
import * as v from './vectors.js';

const { eid, iccid, txid } = v;
const eimAddress = 'eim.example.com';
const point = unhex(
  '04F405BF234F105D2DCB42C6C4A4805E40EBE33E8B18D82D7AFE0B551C4116ED4D162866ECBA528576BBAAF6057E8621C9773EE93D064CDD6650A5F66B6737A7EB',
);
const spki = concat([unhex('3059301306072A8648CE3D020106082A8648CE3D030107034200'), point]);
const packageSigned: m.EuiccPackageSigned = {
  eimId: v.eimId,
  eidValue: eid,
  counterValue: 42,
  eimTransactionId: txid,
  euiccPackage: { psmoList: [{ enable: { iccid, rollbackFlag: true } }] },
};
const packageRequest: m.EuiccPackageRequest = {
  euiccPackageSigned: { bytes: v.euiccPackageSigned, value: packageSigned },
  eimSignature: v.eimSignature,
};
const packageResult: m.EuiccPackageResult = {
  euiccPackageResultSigned: {
    euiccPackageResultDataSigned: {
      bytes: v.resultDataSigned,
      value: {
        eimId: v.eimId,
        counterValue: 42,
        eimTransactionId: txid,
        seqNumber: 7,
        euiccResult: [{ enableResult: 0 }],
      },
    },
    euiccSignEPR: v.euiccSignature,
  },
};

interface Fixture<T> {
  title: string;
  schema: Schema<T>;
  bytes: string;
  value: T;
}
const fixture = <T>(title: string, schema: Schema<T>, bytes: string, value: T): Fixture<unknown> =>
  ({ title, schema, bytes: bytes.replaceAll(' ', ''), value }) as Fixture<unknown>;

const txidHex = hex(txid);
const eidHex = hex(eid);
const mccMnc = unhex('62F210');

const fixtures = [
  fixture('GetEID', m.GetEuiccDataRequest, 'BF3E035C015A', { tagList: [0x5a] }),
  fixture('GetEID answer', m.GetEuiccDataResponse, `BF3E125A10${eidHex}`, { eidValue: eid }),
  fixture('GetEUICCInfo1', m.GetEuiccInfo1Request, 'BF2000', {}),
  fixture('all profiles', m.ProfileInfoListRequest, 'BF2D00', {}),
  fixture('default tags', m.ProfileInfoListRequest, 'BF2D0F5C0D5A4F9F709192959F7B9F269F67', {
    tagList: [0x5a, 0x4f, 0x9f70, 0x91, 0x92, 0x95, 0x9f7b, 0x9f26, 0x9f67],
  }),
  fixture(
    'profile list answer',
    m.ProfileInfoListResponse,
    'BF2D32A030E32E5A0A980010325476981032144F10A0000005591010FFFFFFFF89000011009F7001019102535092034F7031950102',
    {
      profileInfoListOk: [
        {
          iccid,
          isdpAid: unhex('A0000005591010FFFFFFFF8900001100'),
          profileState: 1,
          serviceProviderName: 'SP',
          profileName: 'Op1',
          profileClass: 2,
        },
      ],
    },
  ),
  fixture('EnableProfile', m.EnableProfileRequest, 'BF3111A00C5A0A980010325476981032148101FF', {
    profileIdentifier: { iccid },
    refreshFlag: true,
  }),
  fixture('EnableProfile answer', m.EnableProfileResponse, 'BF3103800100', { result: 0 }),
  fixture('DeleteProfile', m.DeleteProfileRequest, 'BF330C5A0A98001032547698103214', { iccid }),
  fixture('all notifications', m.RetrieveNotificationsListRequest, 'BF2B00', {}),
  fixture('notification 300', m.RetrieveNotificationsListRequest, 'BF2B06A0048002012C', {
    searchCriteria: { seqNumber: 300 },
  }),
  fixture('notifications by event', m.RetrieveNotificationsListRequest, 'BF2B06A00481020560', {
    searchCriteria: { profileManagementOperation: ['notificationEnable', 'notificationDisable'] },
  }),
  fixture('package results', m.RetrieveNotificationsListRequest, 'BF2B04A0028200', {
    searchCriteria: { euiccPackageResults: true },
  }),
  fixture('remove 5', m.NotificationSentRequest, 'BF3003800105', { seqNumber: 5 }),
  fixture('remove answer', m.NotificationSentResponse, 'BF3003800100', { result: 0 }),
  fixture('AddInitialEim', m.AddInitialEimRequest, hex(v.addInitialEim), {
    eimConfigurationDataList: [
      {
        eimId: eimAddress,
        eimFqdn: eimAddress,
        eimIdType: 2,
        counterValue: 0,
        associationToken: -1,
        eimPublicKeyData: { eimPublicKey: spki },
        eimSupportedProtocol: ['eimRetrieveHttps'],
      },
    ],
  }),
  fixture('AddInitialEim, token', m.AddInitialEimResponse, 'BF5706A004840200C8', {
    addInitialEimOk: [{ associationToken: 200 }],
  }),
  fixture('AddInitialEim, no token', m.AddInitialEimResponse, 'BF5704A0020500', {
    addInitialEimOk: [{ addOk: true }],
  }),
  fixture('AddInitialEim, error', m.AddInitialEimResponse, 'BF5703810102', { addInitialEimError: 2 }),
  fixture('GetEimConfigurationData', m.GetEimConfigurationDataRequest, 'BF5500', {}),
  fixture(
    'GetEimConfigurationData one',
    m.GetEimConfigurationDataRequest,
    'BF5513A011800F65696D2E6578616D706C652E636F6D',
    { searchCriteria: { eimId: eimAddress } },
  ),
  fixture('no eIM', m.GetEimConfigurationDataResponse, 'BF5502A000', { eimConfigurationDataList: [] }),
  fixture('GetCerts', m.GetCertsRequest, 'BF5600', {}),
  fixture('GetCerts CI', m.GetCertsRequest, 'BF56168014F54172BDF98A95D65CBEB88A38A1C11D800A85C3', {
    euiccCiPKId: unhex('F54172BDF98A95D65CBEB88A38A1C11D800A85C3'),
  }),
  fixture('ProfileRollback', m.ProfileRollbackRequest, 'BF58038001FF', { refreshFlag: true }),
  fixture('ProfileRollback ok', m.ProfileRollbackResponse, 'BF5803020100', { cmdResult: 0 }),
  fixture('ImmediateEnable', m.ImmediateEnableRequest, 'BF5A038001FF', { refreshFlag: true }),
  fixture('memory reset', m.EuiccMemoryResetRequest, 'BF640482020284', {
    resetOptions: ['deleteOperationalProfiles', 'resetEimConfigurationData'],
  }),
  fixture('memory reset answer', m.EuiccMemoryResetResponse, 'BF6406800100810100', {
    resetResult: 0,
    resetEimResult: 0,
  }),
  fixture('empty RAT', m.GetRatResponse, 'BF4302A000', { rat: [] }),
  fixture('EuiccPackageRequest', m.EuiccPackageRequest, hex(v.euiccPackageRequest), packageRequest),
  fixture('EuiccPackageResult', m.EuiccPackageResult, hex(v.euiccPackageResult), packageResult),
  fixture('unsigned error', m.EuiccPackageResult, hex(v.unsignedError), {
    euiccPackageErrorUnsigned: { eimId: v.eimId, eimTransactionId: txid },
  }),
  fixture('poll', m.GetEimPackageRequest, `BF4F125A10${eidHex}`, { eidValue: eid }),
  fixture('empty poll answer', m.GetEimPackageResponse, 'BF4F03020101', { eimPackageError: 1 }),
  fixture('full poll', m.GetEimPackageRequest, `BF4F1C5A10${eidHex}8000810101820362F210`, {
    eidValue: eid,
    notifyStateChange: true,
    stateChangeCause: 1,
    rPLMN: mccMnc,
  }),
  fixture('poll answer', m.GetEimPackageResponse, `BF4F8193${hex(v.euiccPackageRequest)}`, {
    euiccPackageRequest: packageRequest,
  }),
  fixture('result', m.ProvideEimPackageResult, `BF50818A5A10${eidHex}${hex(v.euiccPackageResult)}`, {
    eidValue: eid,
    eimPackageResult: { euiccPackageResult: packageResult },
  }),
  fixture('acknowledgements', m.ProvideEimPackageResultResponse, 'BF500DBF530A8001018001028002012C', {
    eimAcknowledgements: [1, 2, 300],
  }),
  fixture('acknowledgement 7', m.ProvideEimPackageResultResponse, 'BF5006BF5303800107', {
    eimAcknowledgements: [7],
  }),
  fixture('empty response', m.ProvideEimPackageResultResponse, 'BF50023000', { emptyResponse: {} }),
  fixture('error package', m.ProvideEimPackageResult, `BF50295A10${eidHex}A0158010${txidHex}020102`, {
    eidValue: eid,
    eimPackageResult: {
      eimPackageResultResponseError: { eimTransactionId: txid, eimPackageResultErrorCode: 2 },
    },
  }),
  fixture('data request', m.IpaEuiccDataRequest, `BF521B5C07BF20BF22A5A6A88310${txidHex}`, {
    tagList: [0xbf20, 0xbf22, 0xa5, 0xa6, 0xa8],
    eimTransactionId: txid,
  }),
  fixture('capabilities', m.IpaEuiccDataResponse, 'BF520CA00AA8088002029481020780', {
    ipaEuiccData: {
      ipaCapabilities: {
        ipaFeatures: ['directRspServerCommunication', 'eimCtxParams1Generation', 'minimizeEsipaBytes'],
        ipaSupportedProtocols: ['ipaRetrieveHttps'],
      },
    },
  }),
  fixture(
    'trigger with code',
    m.ProfileDownloadTriggerRequest,
    `BF542EA01A80183124736D64702E6578616D706C652E636F6D244D415443488210${txidHex}`,
    { profileDownloadData: { activationCode: '1$smdp.example.com$MATCH' }, eimTransactionId: txid },
  ),
  fixture('default SM-DP+', m.ProfileDownloadTriggerRequest, 'BF5404A0028100', {
    profileDownloadData: { contactDefaultSmdp: true },
  }),
  fixture('SM-DS', m.ProfileDownloadTriggerRequest, 'BF5415A013A211800F6C70612E64732E67736D612E636F6D', {
    profileDownloadData: { contactSmds: { smdsAddress: 'lpa.ds.gsma.com' } },
  }),
  fixture('empty trigger', m.ProfileDownloadTriggerRequest, 'BF5400', {}),
  fixture('trigger error', m.ProfileDownloadTriggerResult, `BF54178210${txidHex}300380017F`, {
    eimTransactionId: txid,
    profileDownloadTriggerResultData: { profileDownloadError: { profileDownloadErrorReason: 127 } },
  }),
  fixture(
    'trigger error as notification',
    m.HandleNotification,
    `BF3D2FBF502C5A10${eidHex}BF54178210${txidHex}300380017F`,
    {
      provideEimPackageResult: {
        eidValue: eid,
        eimPackageResult: {
          profileDownloadTriggerResult: {
            eimTransactionId: txid,
            profileDownloadTriggerResultData: { profileDownloadError: { profileDownloadErrorReason: 127 } },
          },
        },
      },
    },
  ),
];

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
