import { Asn1Error, firstTag } from '../asn1/index.js';
import { authenticateServer, cancelSession, getEuiccChallenge, prepareDownload } from './authentication.js';
import type { Command } from './context.js';
import { addInitialEim, getEimConfigurationData } from './eco.js';
import { configureImmediateProfileEnabling, immediateEnable } from './immediate.js';
import * as info from './info.js';
import { loadBoundProfilePackage, segmentTags } from './load.js';
import * as local from './local.js';
import { memoryReset, memoryReset22 } from './memory-reset.js';
import { listNotification, notificationSent, retrieveNotificationsList } from './notifications.js';
import { loadEuiccPackage } from './package.js';
import { getProfilesInfo } from './profiles.js';
import {
  disableEmergencyProfile,
  enableEmergencyProfile,
  executeFallback,
  profileRollback,
  returnFromFallback,
} from './recovery.js';

/** The response TLV, or a status word that is not success. */
type Handler = (command: Command, bytes: Uint8Array) => Uint8Array | number;

const functions: Readonly<Record<number, Handler>> = {
  0xbf20: info.getEuiccInfo1,
  0xbf21: prepareDownload,
  0xbf22: info.getEuiccInfo2,
  0xbf28: listNotification,
  0xbf2b: retrieveNotificationsList,
  0xbf2d: getProfilesInfo,
  0xbf2e: getEuiccChallenge,
  0xbf30: notificationSent,
  0xbf36: loadBoundProfilePackage,
  0xbf38: authenticateServer,
  0xbf3c: info.getConfiguredAddresses,
  0xbf3e: info.getEid,
  0xbf3f: local.setDefaultDpAddress22,
  0xbf41: cancelSession,
  0xbf43: info.getRat,
};

/** What SGP.32 adds (§5.9). */
const iotFunctions: Readonly<Record<number, Handler>> = {
  0xbf51: loadEuiccPackage,
  0xbf55: getEimConfigurationData,
  0xbf56: info.getCerts,
  0xbf57: addInitialEim,
  0xbf58: profileRollback,
  0xbf59: configureImmediateProfileEnabling,
  0xbf5a: immediateEnable,
  0xbf5f: info.getConnectivityParameters,
  0xbf64: memoryReset,
  0xbf65: local.setDefaultDpAddress,
};

/** SGP.32 §5.1 has no ES10c; it is there for LPAs of consumer eUICCs. */
const es10cFunctions: Readonly<Record<number, Handler>> = {
  0xbf29: local.setNickname,
  0xbf31: local.enableProfile,
  0xbf32: local.disableProfile,
  0xbf33: local.deleteProfile,
  0xbf34: memoryReset22,
};

const fallbackFunctions: Readonly<Record<number, Handler>> = {
  0xbf5d: executeFallback,
  0xbf5e: returnFromFallback,
};

const ecallFunctions: Readonly<Record<number, Handler>> = {
  0xbf5b: enableEmergencyProfile,
  0xbf5c: disableEmergencyProfile,
};

/**
 * Carries out one ES10 command.
 * @returns the response, or 6A88 for a function that is not there and 6A80 for bytes that cannot be read
 */
export function executeEs10(command: Command, bytes: Uint8Array): Uint8Array | number {
  const tag = firstTag(bytes);
  const { card } = command;
  const iot = card.kind === 'iot';
  const handler =
    (command.session.loading && segmentTags.includes(tag) ? loadBoundProfilePackage : undefined) ??
    functions[tag] ??
    (card.es10c ? es10cFunctions[tag] : undefined) ??
    (iot ? iotFunctions[tag] : undefined) ??
    (iot && card.fallbackSupported ? fallbackFunctions[tag] : undefined) ??
    (iot && card.ecallSupported ? ecallFunctions[tag] : undefined);
  if (!handler) return 0x6a88;
  try {
    return handler(command, bytes);
  } catch (error) {
    if (error instanceof Asn1Error) return 0x6a80;
    throw error;
  }
}
