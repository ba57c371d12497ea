import { KeyIdentifier, Version } from './messages-common.js';
import { PprIds } from './messages-profile.js';
import { type Infer, listOf, message, seq } from './schema.js';
import { bits, code, nul, octets, raw, utf8 } from './types.js';

// What the eUICC and the IPA tell about themselves: SGP.22 §5.7.8, SGP.32 §4.1, §5.9.2.

const keyIdentifiers = listOf(KeyIdentifier);

export const EuiccInfo1 = message(
  'EUICCInfo1',
  0xbf20,
  'SGP.22 §5.7.8',
  seq('EUICCInfo1', {
    svn: { tag: 0x82, type: Version },
    euiccCiPKIdListForVerification: { tag: 0xa9, type: keyIdentifiers },
    euiccCiPKIdListForSigning: { tag: 0xaa, type: keyIdentifiers },
  }),
);
export type EuiccInfo1 = Infer<typeof EuiccInfo1>;

const UiccCapability = bits('UICCCapability', [
  'contactlessSupport',
  'usimSupport',
  'isimSupport',
  'csimSupport',
  'akaMilenage',
  'akaCave',
  'akaTuak128',
  'akaTuak256',
  'usimTestAlgorithm',
  'rfu2',
  'gbaAuthenUsim',
  'gbaAuthenISim',
  'mbmsAuthenUsim',
  'eapClient',
  'javacard',
  'multos',
  'multipleUsimSupport',
  'multipleIsimSupport',
  'multipleCsimSupport',
  'berTlvFileSupport',
  'dfLinkSupport',
  'catTp',
  'getIdentity',
  'profile-a-x25519',
  'profile-b-p256',
  'suciCalculatorApi',
]);

const RspCapability = bits('RspCapability', [
  'additionalProfile',
  'crlSupport',
  'rpmSupport',
  'testProfileSupport',
  'deviceInfoExtensibilitySupport',
  'serviceSpecificDataSupport',
]);

const IotSpecificInfo = seq('IoTSpecificInfo', {
  iotVersion: { tag: 0xa0, type: listOf(Version) },
  ecallSupported: { tag: 0x81, type: nul, optional: true },
  fallbackSupported: { tag: 0x82, type: nul, optional: true },
  fallbackAllowedUpdateSupported: { tag: 0x83, type: nul, optional: true },
});

export const EuiccInfo2 = message(
  'EUICCInfo2',
  0xbf22,
  'SGP.32 §5.9.2, SGP.22 §5.7.8',
  seq('EUICCInfo2', {
    profileVersion: { tag: 0x81, type: Version },
    svn: { tag: 0x82, type: Version },
    euiccFirmwareVer: { tag: 0x83, type: Version },
    extCardResource: { tag: 0x84, type: octets('extCardResource') },
    uiccCapability: { tag: 0x85, type: UiccCapability },
    ts102241Version: { tag: 0x86, type: Version, optional: true },
    globalplatformVersion: { tag: 0x87, type: Version, optional: true },
    rspCapability: { tag: 0x88, type: RspCapability },
    euiccCiPKIdListForVerification: { tag: 0xa9, type: keyIdentifiers },
    euiccCiPKIdListForSigning: { tag: 0xaa, type: keyIdentifiers },
    euiccCategory: {
      tag: 0x8b,
      type: code('euiccCategory', { 0: 'other', 1: 'basicEuicc', 2: 'mediumEuicc', 3: 'contactlessEuicc' }),
      optional: true,
    },
    forbiddenProfilePolicyRules: { tag: 0x99, type: PprIds, optional: true },
    ppVersion: { type: Version },
    sasAccreditationNumber: { type: utf8('sasAccreditationNumber', 0, 64) },
    certificationDataObject: {
      tag: 0xac,
      type: seq('CertificationDataObject', {
        platformLabel: { tag: 0x80, type: utf8('platformLabel') },
        discoveryBaseURL: { tag: 0x81, type: utf8('discoveryBaseURL') },
      }),
      optional: true,
    },
    treProperties: {
      tag: 0x8d,
      type: bits('treProperties', ['isDiscrete', 'isIntegrated', 'usesRemoteMemory']),
      optional: true,
    },
    treProductReference: { tag: 0x8e, type: utf8('treProductReference'), optional: true },
    additionalEuiccProfilePackageVersions: { tag: 0xaf, type: listOf(Version), optional: true },
    ipaMode: { tag: 0x90, type: code('ipaMode', { 0: 'ipad', 1: 'ipae' }), optional: true },
    euiccCiPKIdListForSigningV3: { tag: 0xb1, type: keyIdentifiers, optional: true },
    additionalEuiccInfo: { tag: 0x92, type: octets('additionalEuiccInfo', 0, 32), optional: true },
    highestSvn: { tag: 0x93, type: Version, optional: true },
    iotSpecificInfo: { tag: 0xb4, type: IotSpecificInfo, optional: true },
    euiccMinimumSecurityLevel: { tag: 0x95, type: octets('euiccMinimumSecurityLevel'), optional: true },
  }),
);
export type EuiccInfo2 = Infer<typeof EuiccInfo2>;

export const IpaFeatureNames = [
  'directRspServerCommunication',
  'indirectRspServerCommunication',
  'eimDownloadDataHandling',
  'eimCtxParams1Generation',
  'eimProfileMetadataVerification',
  'minimizeEsipaBytes',
] as const;

/** SGP.32 §4.1 */
export const IpaCapabilities = seq('IpaCapabilities', {
  ipaFeatures: { tag: 0x80, type: bits('ipaFeatures', IpaFeatureNames) },
  ipaSupportedProtocols: {
    tag: 0x81,
    type: bits('ipaSupportedProtocols', [
      'ipaRetrieveHttps',
      'ipaRetrieveCoaps',
      'ipaInjectHttps',
      'ipaInjectCoaps',
      'ipaProprietary',
    ]),
    optional: true,
  },
});

/** SGP.22 §4.2 */
export const DeviceInfo = seq('DeviceInfo', {
  tac: { tag: 0x80, type: octets('tac', 4) },
  deviceCapabilities: { tag: 0xa1, type: raw('deviceCapabilities') },
  imei: { tag: 0x82, type: octets('imei', 8), optional: true },
});
