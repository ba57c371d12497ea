/** Tags of ES10 requests; every response has the tag of its request (es10.md §3). */
export const Es10Tag = {
  getEuiccInfo1: 0xbf20,
  prepareDownload: 0xbf21,
  getEuiccInfo2: 0xbf22,
  listNotification: 0xbf28,
  setNickname: 0xbf29,
  retrieveNotificationsList: 0xbf2b,
  getProfilesInfo: 0xbf2d,
  getEuiccChallenge: 0xbf2e,
  notificationMetadata: 0xbf2f,
  removeNotificationFromList: 0xbf30,
  enableProfile: 0xbf31,
  disableProfile: 0xbf32,
  deleteProfile: 0xbf33,
  profileInstallationResult: 0xbf37,
  authenticateServer: 0xbf38,
  getEuiccConfiguredAddresses: 0xbf3c,
  getEid: 0xbf3e,
  setConsumerDpAddress: 0xbf3f,
  cancelSession: 0xbf41,
  getRat: 0xbf43,
  loadEuiccPackage: 0xbf51,
  getEimConfigurationData: 0xbf55,
  getCerts: 0xbf56,
  addInitialEim: 0xbf57,
  profileRollback: 0xbf58,
  configureImmediateEnabling: 0xbf59,
  immediateEnable: 0xbf5a,
  enableEmergencyProfile: 0xbf5b,
  disableEmergencyProfile: 0xbf5c,
  executeFallbackMechanism: 0xbf5d,
  returnFromFallback: 0xbf5e,
  getConnectivityParameters: 0xbf5f,
  euiccMemoryReset: 0xbf64,
  setDefaultDpAddress: 0xbf65,
} as const;

/** AID of the ISD-R (es10.md §1.2). */
export const ISD_R = [
  0xa0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0x00, 0x00, 0x01, 0x00,
] as const;

/** Status word of a function that was not carried out because the eUICC cannot read the request (es10.md §1.6). */
export const INCORRECT_DATA = 0x6a80;
/** Status word of a function that was not carried out because the eUICC does not know its tag (es10.md §1.6). */
export const NOT_SUPPORTED = 0x6a88;

/** How long a function may take, in milliseconds (at.md §8). */
export const Deadline = { ordinary: 10_000, signing: 30_000, installation: 240_000 } as const;
