import { hex } from '../bytes.js';
import { tagName } from './ber.js';
import * as rsp from './messages-download.js';
import * as es9 from './messages-download-es9.js';
import * as download from './messages-download-esipa.js';
import * as eim from './messages-eim-package.js';
import * as es10 from './messages-es10.js';
import * as esipa from './messages-esipa.js';
import * as info from './messages-info.js';
import * as iot from './messages-iot.js';
import * as eimPackage from './messages-package.js';
import * as profile from './messages-profile.js';
import { decode, type Schema } from './schema.js';

/** Which way a message goes: commands and IPA-to-eIM requests are requests, what answers them is a response. */
type Direction = 'request' | 'response' | 'toEim' | 'toIpa';

interface Description {
  /** ASN.1 name of the message, or the tag when it is not known. */
  name: string;
  /** JSON-able; hex in upper case for what cannot be read. */
  value: unknown;
}

type AnySchema = Schema<unknown>;

const { EuiccPackageRequest, EuiccPackageResult } = eimPackage;

/** By first tag: [towards the eIM, towards the IPA]. */
const esipaMessages: Readonly<Record<number, readonly [AnySchema, AnySchema]>> = {
  0xbf4e: [esipa.TransferEimPackageResponse, esipa.TransferEimPackageRequest],
  0xbf4f: [esipa.GetEimPackageRequest, esipa.GetEimPackageResponse],
  0xbf50: [esipa.ProvideEimPackageResult, esipa.ProvideEimPackageResultResponse],
  0xbf39: [download.InitiateAuthenticationRequestEsipa, download.InitiateAuthenticationResponseEsipa],
  0xbf3a: [es9.GetBoundProfilePackageRequest, download.GetBoundProfilePackageResponseEsipa],
  0xbf3b: [es9.AuthenticateClientRequest, download.AuthenticateClientResponseEsipa],
  0xbf3d: [esipa.HandleNotification, esipa.HandleNotification],
  0xbf41: [es9.CancelSessionRequestEs9, es9.CancelSessionResponseEs9],
  0xbf51: [EuiccPackageResult, EuiccPackageRequest],
  0xbf52: [eim.IpaEuiccDataResponse, eim.IpaEuiccDataRequest],
  0xbf53: [eim.EimAcknowledgements, eim.EimAcknowledgements],
  0xbf54: [eim.ProfileDownloadTriggerResult, eim.ProfileDownloadTriggerRequest],
};

/** By tag: [command, answer]. */
const es10Messages: Readonly<Record<number, readonly [AnySchema, AnySchema]>> = {
  0xbf20: [es10.GetEuiccInfo1Request, info.EuiccInfo1],
  0xbf21: [rsp.PrepareDownloadRequest, rsp.PrepareDownloadResponse],
  0xbf22: [es10.GetEuiccInfo2Request, info.EuiccInfo2],
  0xbf28: [es10.ListNotificationRequest, es10.ListNotificationResponse],
  0xbf29: [es10.SetNicknameRequest, es10.SetNicknameResponse],
  0xbf2b: [es10.RetrieveNotificationsListRequest, es10.RetrieveNotificationsListResponse],
  0xbf2d: [profile.ProfileInfoListRequest, profile.ProfileInfoListResponse],
  0xbf2e: [es10.GetEuiccChallengeRequest, es10.GetEuiccChallengeResponse],
  0xbf30: [es10.NotificationSentRequest, es10.NotificationSentResponse],
  0xbf31: [es10.EnableProfileRequest, es10.EnableProfileResponse],
  0xbf32: [es10.DisableProfileRequest, es10.DisableProfileResponse],
  0xbf33: [es10.DeleteProfileRequest, es10.DeleteProfileResponse],
  0xbf38: [rsp.AuthenticateServerRequest, rsp.AuthenticateServerResponse],
  0xbf34: [es10.EuiccMemoryResetRequest22, es10.EuiccMemoryResetResponse22],
  0xbf3c: [es10.EuiccConfiguredAddressesRequest, es10.EuiccConfiguredAddressesResponse],
  0xbf3e: [es10.GetEuiccDataRequest, es10.GetEuiccDataResponse],
  0xbf3f: [es10.SetDefaultDpAddressRequest22, es10.SetDefaultDpAddressResponse22],
  0xbf41: [rsp.CancelSessionRequest, rsp.CancelSessionResponse],
  0xbf43: [es10.GetRatRequest, es10.GetRatResponse],
  0xbf51: [EuiccPackageRequest, EuiccPackageResult],
  0xbf55: [iot.GetEimConfigurationDataRequest, iot.GetEimConfigurationDataResponse],
  0xbf56: [iot.GetCertsRequest, iot.GetCertsResponse],
  0xbf57: [iot.AddInitialEimRequest, iot.AddInitialEimResponse],
  0xbf58: [iot.ProfileRollbackRequest, iot.ProfileRollbackResponse],
  0xbf59: [iot.ConfigureImmediateProfileEnablingRequest, iot.ConfigureImmediateProfileEnablingResponse],
  0xbf5a: [iot.ImmediateEnableRequest, iot.ImmediateEnableResponse],
  0xbf5b: [iot.EnableEmergencyProfileRequest, iot.EnableEmergencyProfileResponse],
  0xbf5c: [iot.DisableEmergencyProfileRequest, iot.DisableEmergencyProfileResponse],
  0xbf5d: [iot.ExecuteFallbackMechanismRequest, iot.ExecuteFallbackMechanismResponse],
  0xbf5e: [iot.ReturnFromFallbackRequest, iot.ReturnFromFallbackResponse],
  0xbf5f: [iot.GetConnectivityParametersRequest, iot.GetConnectivityParametersResponse],
  0xbf64: [iot.EuiccMemoryResetRequest, iot.EuiccMemoryResetResponse],
  0xbf65: [es10.SetDefaultDpAddressRequest, es10.SetDefaultDpAddressResponse],
};

/** Functions that are known by name only. */
const otherNames: Readonly<Record<number, string>> = {
  0xbf23: 'InitialiseSecureChannel',
  0xbf35: 'LoadCRL',
  0xbf36: 'BoundProfilePackage',
  0xbf37: 'ProfileInstallationResult',
  0xbf42: 'IpaeActivation',
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
