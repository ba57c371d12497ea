/** First tags of ESipa messages; request and response share one (esipa.md §1). */
export const EsipaTag = {
  prepareDownload: 0xbf21,
  authenticateServer: 0xbf38,
  initiateAuthentication: 0xbf39,
  getBoundProfilePackage: 0xbf3a,
  authenticateClient: 0xbf3b,
  handleNotification: 0xbf3d,
  cancelSession: 0xbf41,
  transferEimPackage: 0xbf4e,
  getEimPackage: 0xbf4f,
  provideEimPackageResult: 0xbf50,
  /** Inside the above. */
  euiccPackage: 0xbf51,
  ipaEuiccData: 0xbf52,
  eimAcknowledgements: 0xbf53,
  profileDownloadTrigger: 0xbf54,
} as const;

/** GetEimPackageResponse.eimPackageError (esipa.md §2.1). */
export const EimPackageError = {
  noEimPackageAvailable: 1,
  eidNotFound: 2,
  invalidEid: 3,
  missingEid: 4,
  undefinedError: 127,
} as const;

/** EimPackageResultResponseError and TransferEimPackageResponse.eimPackageError (esipa.md §2.2, §2.3). */
export const PackageFault = { invalidPackageFormat: 1, unknownPackage: 2, undefinedError: 127 } as const;

/** IpaEuiccDataResponse error codes (esipa.md §3.2). */
export const DataError = {
  incorrectTagList: 1,
  euiccCiPKIdNotFound: 5,
  ecallActive: 104,
  undefinedError: 127,
} as const;

/** StateChangeCause (esipa.md §2.1). */
export const StateChangeCause = {
  otherEim: 0,
  fallback: 1,
  emergencyProfile: 2,
  local: 3,
  reset: 4,
  immediateEnableProfile: 5,
  deviceChange: 6,
  undefined: 127,
} as const;

/** Tag of a message: two bytes, as all of them have; 0 where there is none. */
export function firstTag(message: Uint8Array): number {
  return message.length > 1 ? (message[0] << 8) | message[1] : 0;
}

/** Length of a message whose beginning this is; its tag has two bytes. */
export function lengthOf(message: Uint8Array): number {
  let length = message.length > 2 ? message[2] : 0;
  let at = 3;
  if (length > 0x80) {
    const end = at + (length & 0x7f);
    for (length = 0; at < end; at++) length = length * 256 + (at < message.length ? message[at] : 0);
  }
  return at + length;
}
