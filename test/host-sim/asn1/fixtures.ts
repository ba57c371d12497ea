import * as m from '../../../host-sim/asn1/index.js';
import { concat, hex, message, type Schema, seq, unhex } from '../../../host-sim/asn1/index.js';
import * as v from './vectors.js';

// Worked examples of es10.md §5, crypto.md §7.1 and esipa.md. Both codecs are held against this one table: host-sim/asn1 in
// messages.test.ts beside it, ipa/ in test/ipa/es10/vectors.test.ts and test/ipa/esipa/vectors.test.ts.

const { eid, iccid, txid } = v;
const eimAddress = 'eim.example.com';
const point = unhex(
  '04F405BF234F105D2DCB42C6C4A4805E40EBE33E8B18D82D7AFE0B551C4116ED4D162866ECBA528576BBAAF6057E8621C9773EE93D064CDD6650A5F66B6737A7EB',
);
const spki = concat([unhex('3059301306072A8648CE3D020106082A8648CE3D030107034200'), point]);
export const packageSigned: m.EuiccPackageSigned = {
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
export const packageResult: m.EuiccPackageResult = {
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

/** A message of the reference: its bytes, and the value that both codecs must see in them. */
export interface Fixture<T> {
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

// Functions that no part of the simulator has yet; written here with its building blocks.
const ipaeActivation = message(
  'IpaeActivationRequest',
  0xbf42,
  'SGP.32 §3.8.4',
  seq('IpaeActivationRequest', { ipaeOption: { tag: 0x80, type: m.bits('ipaeOption', ['activateIpae']) } }),
);
const capabilities = message('IpaCapabilities', 0xa8, 'SGP.32 §4.1', m.IpaCapabilities);

/** ES10 requests and answers, es10.md §5. */
export const es10Fixtures: readonly Fixture<unknown>[] = [
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
  fixture('CancelSession', m.CancelSessionRequest, `BF41158010${txidHex}810100`, {
    transactionId: txid,
    reason: 0,
  }),
  fixture('IpaeActivation', ipaeActivation, 'BF420480020780', { ipaeOption: ['activateIpae'] }),
];

/** eUICC Packages, crypto.md §7.1. */
export const packageFixtures: readonly Fixture<unknown>[] = [
  fixture('EuiccPackageRequest', m.EuiccPackageRequest, hex(v.euiccPackageRequest), packageRequest),
  fixture('EuiccPackageResult', m.EuiccPackageResult, hex(v.euiccPackageResult), packageResult),
  fixture('unsigned error', m.EuiccPackageResult, hex(v.unsignedError), {
    euiccPackageErrorUnsigned: { eimId: v.eimId, eimTransactionId: txid },
  }),
  fixture('replay error', m.EuiccPackageResult, hex(v.replayError), {
    euiccPackageErrorSigned: {
      euiccPackageErrorDataSigned: {
        bytes: v.replayErrorData,
        value: { eimId: v.eimId, counterValue: 42, eimTransactionId: txid, euiccPackageErrorCode: 4 },
      },
      euiccSignEPE: v.replayErrorSignature,
    },
  }),
];

/** ESipa messages, crypto.md §7.1 and esipa.md §2, §3, §6. */
export const esipaFixtures: readonly Fixture<unknown>[] = [
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
  fixture('capabilities alone', capabilities, 'A804800202C4', {
    ipaFeatures: ['directRspServerCommunication', 'indirectRspServerCommunication', 'minimizeEsipaBytes'],
  }),
  fixture(
    'trigger with code',
    m.ProfileDownloadTriggerRequest,
    `BF542EA01A801831 24736D64702E6578616D706C652E636F6D244D41544348 8210${txidHex}`,
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

export const fixtures = [...es10Fixtures, ...packageFixtures, ...esipaFixtures];
