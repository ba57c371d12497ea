import * as fc from 'fast-check';
import * as m from '../../../host-sim/asn1/index.js';

// Random values for the schemas of host-sim/asn1, for tests that hold the two codecs against each other.

const bytes = (least: number, most = least) => fc.uint8Array({ minLength: least, maxLength: most });
/** An optional field: absent rather than undefined. */
type Parts = Record<string, fc.Arbitrary<unknown>>;
type Values<P extends Parts> = { [K in keyof P]: P[K] extends fc.Arbitrary<infer V> ? V : never };
function record<M extends Parts, O extends Parts>(
  must: M,
  may: O,
): fc.Arbitrary<Values<M> & Partial<Values<O>>> {
  const model = { ...must, ...may };
  return fc.record(model, { requiredKeys: Object.keys(must) }) as fc.Arbitrary<
    Values<M> & Partial<Values<O>>
  >;
}
const flag = fc.constant(true as const);
const number = fc.nat({ max: 0x7fffffff });

export const eid = bytes(16);
export const iccid = bytes(10);
export const transactionId = bytes(1, 16);
export const seqNumber = fc.oneof(fc.nat(300), number);
export const token = fc.oneof(fc.integer({ min: -200, max: 300 }), fc.maxSafeInteger());
export const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
/** Any characters, also of three and four bytes; lengths on both sides of where the length field grows. */
export const eimId = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 128, size: 'max' })
  .filter((id) => Buffer.byteLength(id) <= 128);
export const stateChangeCause = fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 127);
export const plmn = bytes(3);
const signature = fc.oneof(bytes(64), bytes(70, 72));
const der = (least: number, most: number) =>
  bytes(least, most).map((content) => m.writeElement(0x30, octets(content)));
const octets = (content: Uint8Array) => m.writeElement(0x04, content);
const certificate = der(200, 700);
const keyId = bytes(20);

export const eimConfiguration: fc.Arbitrary<m.EimConfigurationData> = record(
  { eimId },
  {
    eimFqdn: text,
    eimIdType: fc.constantFrom(1, 2, 3),
    counterValue: number,
    associationToken: token,
    eimPublicKeyData: fc.oneof(
      der(80, 120).map((eimPublicKey) => ({ eimPublicKey })),
      certificate.map((eimCertificate) => ({ eimCertificate })),
    ),
    trustedPublicKeyDataTls: certificate.map((trustedCertificateTls) => ({ trustedCertificateTls })),
    eimSupportedProtocol: fc.subarray([...m.ProtocolNames]),
    euiccCiPKId: keyId,
    indirectProfileDownload: flag,
  },
);

const psmo: fc.Arbitrary<m.Psmo> = fc.oneof(
  record({ iccid }, { rollbackFlag: flag }).map((enable) => ({ enable })),
  fc.record({ iccid }).map((disable) => ({ disable })),
  fc.record({ iccid }).map((value) => ({ delete: value })),
  record({}, { tagList: fc.subarray([0x5a, 0x9f70, 0x91, 0x9f7b]) }).map((listProfileInfo) => ({
    listProfileInfo,
  })),
  fc.constant({ getRAT: {} }),
  text.map((defaultDpAddress) => ({ setDefaultDpAddress: { defaultDpAddress } })),
);
const eco: fc.Arbitrary<m.Eco> = fc.oneof(
  eimConfiguration.map((addEim) => ({ addEim })),
  eimId.map((id) => ({ deleteEim: { eimId: id } })),
  fc.constant({ listEim: {} }),
);

const packageSigned: fc.Arbitrary<m.EuiccPackageSigned> = record(
  {
    eimId,
    eidValue: eid,
    counterValue: number,
    euiccPackage: fc.oneof(
      fc.array(psmo, { maxLength: 6 }).map((psmoList) => ({ psmoList })),
      fc.array(eco, { maxLength: 3 }).map((ecoList) => ({ ecoList })),
    ),
  },
  { eimTransactionId: transactionId },
);

export const packageRequest: fc.Arbitrary<m.EuiccPackageRequest> = fc.record({
  euiccPackageSigned: packageSigned.map((value) => m.toSign(m.EuiccPackageSigned, value)),
  eimSignature: signature,
});

const code = fc.constantFrom(0, 0, 0, 1, 2, 3, 5, 7, 20, 127);
const metadata: fc.Arbitrary<m.NotificationMetadata> = record(
  {
    seqNumber,
    profileManagementOperation: fc.subarray([...m.NotificationEventNames]),
    notificationAddress: text,
  },
  { iccid },
);
export const notificationList = fc.array(metadata, { maxLength: 5 });
export const pendingNotification: fc.Arbitrary<m.PendingNotification> = fc.record({
  otherSignedNotification: fc.record({
    tbsOtherNotification: metadata.map((value) => m.toSign(m.NotificationMetadata, value)),
    euiccNotificationSignature: signature,
    euiccCertificate: certificate,
    eumCertificate: certificate,
  }),
});

export const profile: fc.Arbitrary<m.ProfileInfo> = record(
  {},
  {
    iccid,
    isdpAid: bytes(5, 16),
    profileState: fc.constantFrom(0, 1),
    serviceProviderName: fc.constantFrom('', 'Op', 'Ünïcode'),
    profileClass: fc.constantFrom(0, 1, 2),
    icon: bytes(0, 300),
    ecallIndication: fc.boolean(),
    fallbackAttribute: fc.boolean(),
  },
);
export const profiles = fc.array(profile, { maxLength: 4 });

const result: fc.Arbitrary<m.EuiccResultData> = fc.oneof(
  code.map((enableResult) => ({ enableResult })),
  code.map((disableResult) => ({ disableResult })),
  code.map((deleteResult) => ({ deleteResult })),
  code.map((rollbackResult) => ({ rollbackResult })),
  code.map((deleteEimResult) => ({ deleteEimResult })),
  profiles.map((profileInfoListOk) => ({ listProfileInfoResult: { profileInfoListOk } })),
  token.map((associationToken) => ({ addEimResult: { associationToken } })),
  code.map((processingTerminated) => ({ processingTerminated })),
);
const refusal = { eimTransactionId: transactionId };
export const packageResult: fc.Arbitrary<m.EuiccPackageResult> = fc.oneof(
  fc
    .tuple(
      record(
        { eimId, counterValue: number, seqNumber, euiccResult: fc.array(result, { maxLength: 5 }) },
        refusal,
      ),
      signature,
    )
    .map(([value, euiccSignEPR]) => ({
      euiccPackageResultSigned: {
        euiccPackageResultDataSigned: m.toSign(m.EuiccPackageResultDataSigned, value),
        euiccSignEPR,
      },
    })),
  fc
    .tuple(
      record(
        { eimId, counterValue: number, euiccPackageErrorCode: fc.constantFrom(3, 4, 6, 15, 104, 127) },
        refusal,
      ),
      signature,
    )
    .map(([value, euiccSignEPE]) => ({
      euiccPackageErrorSigned: {
        euiccPackageErrorDataSigned: m.toSign(m.EuiccPackageErrorDataSigned, value),
        euiccSignEPE,
      },
    })),
  record({ eimId }, { ...refusal, associationToken: token }).map((euiccPackageErrorUnsigned) => ({
    euiccPackageErrorUnsigned,
  })),
);

export const dataRequest: fc.Arbitrary<m.IpaEuiccDataRequest> = record(
  { tagList: fc.subarray([0xa0, 0x81, 0xa2, 0xbf20, 0xbf22, 0x83, 0x84, 0xa5, 0xa6, 0xa8, 0xa9]) },
  {
    euiccCiPKIdentifierToBeUsed: keyId,
    searchCriteriaNotification: seqNumber.map((value) => ({ seqNumber: value })),
    searchCriteriaEuiccPackageResult: seqNumber.map((value) => ({ seqNumber: value })),
    eimTransactionId: transactionId,
  },
);

const keyIds = fc.array(keyId, { maxLength: 3 });
const version = bytes(3);
export const euiccInfo2: fc.Arbitrary<m.EuiccInfo2> = record(
  {
    profileVersion: version,
    svn: version,
    euiccFirmwareVer: version,
    extCardResource: bytes(0, 20),
    uiccCapability: fc.constant<m.EuiccInfo2['uiccCapability']>(['usimSupport', 'javacard']),
    rspCapability: fc.constant<m.EuiccInfo2['rspCapability']>(['additionalProfile']),
    euiccCiPKIdListForVerification: keyIds,
    euiccCiPKIdListForSigning: keyIds,
    ppVersion: version,
    sasAccreditationNumber: fc.constantFrom('', 'AA-BB-1234'),
  },
  {
    ipaMode: fc.constantFrom(0, 1),
    iotSpecificInfo: record(
      { iotVersion: fc.array(version, { maxLength: 2 }) },
      { ecallSupported: flag, fallbackSupported: flag },
    ),
  },
);

const packageResults = fc.array(packageResult, { maxLength: 2 });
export const dataResponse: fc.Arbitrary<m.IpaEuiccDataResponse> = fc.oneof(
  record(
    {},
    {
      notificationsList: fc.array(pendingNotification, { maxLength: 2 }),
      defaultSmdpAddress: text,
      euiccPackageResultList: packageResults,
      euiccInfo2,
      rootSmdsAddress: text,
      associationToken: token,
      eumCertificate: certificate,
      euiccCertificate: certificate,
      eimTransactionId: transactionId,
    },
  ).map((ipaEuiccData) => ({ ipaEuiccData })),
  record({ ipaEuiccDataErrorCode: fc.constantFrom(1, 5, 104, 127) }, refusal).map(
    (ipaEuiccDataResponseError) => ({
      ipaEuiccDataResponseError,
    }),
  ),
);
