import { tagName } from './ber.js';
import * as es10 from './messages-es10.js';
import * as esipa from './messages-esipa.js';
import * as info from './messages-info.js';
import * as iot from './messages-iot.js';
import * as eimPackage from './messages-package.js';
import * as profile from './messages-profile.js';
import { decode, type Schema } from './schema.js';
import { hex } from './types.js';

/** Which way a message goes: commands and IPA-to-eIM requests are requests, what answers them is a response. */
export type Direction = 'request' | 'response' | 'toEim' | 'toIpa';

export interface Description {
  /** ASN.1 name of the message, or the tag when it is not known. */
  name: string;
  /** JSON-able; hex in upper case for what cannot be read. */
  value: unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: messages of all kinds
type AnySchema = Schema<any>;

const { EuiccPackageRequest, EuiccPackageResult } = eimPackage;

/** By first tag: [towards the eIM, towards the IPA]. */
const esipaMessages: Readonly<Record<number, readonly [AnySchema, AnySchema]>> = {
  48974: [esipa.TransferEimPackageResponse, esipa.TransferEimPackageRequest],
  48975: [esipa.GetEimPackageRequest, esipa.GetEimPackageResponse],
  48976: [esipa.ProvideEimPackageResult, esipa.ProvideEimPackageResultResponse],
  48957: [esipa.HandleNotification, esipa.HandleNotification],
  48977: [EuiccPackageResult, EuiccPackageRequest],
  48978: [esipa.IpaEuiccDataResponse, esipa.IpaEuiccDataRequest],
  48979: [esipa.EimAcknowledgements, esipa.EimAcknowledgements],
  48980: [esipa.ProfileDownloadTriggerResult, esipa.ProfileDownloadTriggerRequest],
};

/** By tag: [command, answer]. */
const es10Messages: Readonly<Record<number, readonly [AnySchema, AnySchema]>> = {
  48928: [es10.GetEuiccInfo1Request, info.EuiccInfo1],
  48930: [es10.GetEuiccInfo2Request, info.EuiccInfo2],
  48936: [es10.ListNotificationRequest, es10.ListNotificationResponse],
  48937: [es10.SetNicknameRequest, es10.SetNicknameResponse],
  48939: [es10.RetrieveNotificationsListRequest, es10.RetrieveNotificationsListResponse],
  48941: [profile.ProfileInfoListRequest, profile.ProfileInfoListResponse],
  48942: [es10.GetEuiccChallengeRequest, es10.GetEuiccChallengeResponse],
  48944: [es10.NotificationSentRequest, es10.NotificationSentResponse],
  48945: [es10.EnableProfileRequest, es10.EnableProfileResponse],
  48946: [es10.DisableProfileRequest, es10.DisableProfileResponse],
  48947: [es10.DeleteProfileRequest, es10.DeleteProfileResponse],
  48956: [es10.EuiccConfiguredAddressesRequest, es10.EuiccConfiguredAddressesResponse],
  48958: [es10.GetEuiccDataRequest, es10.GetEuiccDataResponse],
  48959: [es10.SetDefaultDpAddressRequest22, es10.SetDefaultDpAddressResponse22],
  48963: [es10.GetRatRequest, es10.GetRatResponse],
  48977: [EuiccPackageRequest, EuiccPackageResult],
  48981: [iot.GetEimConfigurationDataRequest, iot.GetEimConfigurationDataResponse],
  48982: [iot.GetCertsRequest, iot.GetCertsResponse],
  48983: [iot.AddInitialEimRequest, iot.AddInitialEimResponse],
  48984: [iot.ProfileRollbackRequest, iot.ProfileRollbackResponse],
  48985: [iot.ConfigureImmediateProfileEnablingRequest, iot.ConfigureImmediateProfileEnablingResponse],
  48986: [iot.ImmediateEnableRequest, iot.ImmediateEnableResponse],
  48989: [iot.ExecuteFallbackMechanismRequest, iot.ExecuteFallbackMechanismResponse],
  48990: [iot.ReturnFromFallbackRequest, iot.ReturnFromFallbackResponse],
  48996: [iot.EuiccMemoryResetRequest, iot.EuiccMemoryResetResponse],
  48997: [es10.SetDefaultDpAddressRequest, es10.SetDefaultDpAddressResponse],
};

/** Functions that are known by name only. */
const otherNames: Readonly<Record<number, string>> = {
  48929: 'PrepareDownload',
  48931: 'InitialiseSecureChannel',
  48948: 'EuiccMemoryReset',
  48949: 'LoadCRL',
  48950: 'BoundProfilePackage',
  48951: 'ProfileInstallationResult',
  48952: 'AuthenticateServer',
  48953: 'InitiateAuthentication',
  48954: 'GetBoundProfilePackage',
  48955: 'AuthenticateClient',
  48961: 'CancelSession',
  48962: 'IpaeActivation',
  48987: 'EnableEmergencyProfile',
  48988: 'DisableEmergencyProfile',
  48991: 'GetConnectivityParameters',
};

/** First tag, as far as it is there; 0 for nothing. */
export function firstTag(bytes: Uint8Array): number {
  let tag = bytes[0] ?? 0;
  if ((tag & 0x1f) !== 0x1f) return tag;
  for (let at = 1; at < 3 && at < bytes.length; at++) {
    tag = (tag << 8) | bytes[at];
    if (bytes[at] < 0x80) break;
  }
  return tag;
}

/** The schema that reads `bytes` in that direction, if one does. */
function readable(schemas: readonly AnySchema[], bytes: Uint8Array): Description | undefined {
  for (const schema of schemas) {
    try {
      return { name: schema.label, value: schema.show(decode(schema, bytes)) };
    } catch {
      // The next schema of the same tag may be the right one; hex is the last resort.
    }
  }
  return undefined;
}

function describeBy(
  tables: readonly Readonly<Record<number, readonly [AnySchema, AnySchema]>>[],
  bytes: Uint8Array,
  second: boolean | undefined,
): Description {
  const tag = firstTag(bytes);
  const schemas: AnySchema[] = [];
  for (const table of tables) {
    const pair = table[tag];
    if (!pair) continue;
    if (second === undefined) schemas.push(...pair);
    else schemas.push(pair[second ? 1 : 0]);
  }
  return (
    readable(schemas, bytes) ?? {
      name: schemas[0]?.label ?? otherNames[tag] ?? tagName(tag),
      value: hex(bytes),
    }
  );
}

/**
 * Any ESipa or ES10 message for people. Without a direction both are tried, ESipa first. Never throws.
 * A message that looks right in both directions is taken for the one towards the eIM (or the request).
 */
export function describe(bytes: Uint8Array, direction?: Direction): Description {
  if (direction === 'toEim' || direction === 'toIpa') {
    return describeBy([esipaMessages, es10Messages], bytes, direction === 'toIpa');
  }
  if (direction !== undefined) return describeBy([es10Messages], bytes, direction === 'response');
  return describeBy([esipaMessages, es10Messages], bytes, undefined);
}

/** An ES10 command or answer as it travels in STORE DATA: see {@link describe}. */
export function describeEs10(bytes: Uint8Array, direction: 'request' | 'response' = 'request'): Description {
  if (bytes.length === 0) return { name: 'empty', value: '' };
  return describeBy([es10Messages], bytes, direction === 'response');
}

/** Name of the function a payload tag calls, for example BF51 → EuiccPackageRequest. */
export function nameOfTag(tag: number): string {
  return es10Messages[tag]?.[0].label ?? esipaMessages[tag]?.[0].label ?? otherNames[tag] ?? tagName(tag);
}
