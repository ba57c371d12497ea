import { Iccid, Signature, TransactionId } from './messages-common.js';
import { OneTimeKey } from './messages-download.js';
import {
  DpProprietaryData,
  IconType,
  NotificationConfigurationInformation,
  OperatorId,
  PprIds,
  ProfileClass,
} from './messages-profile.js';
import { type Infer, listOf, message, seq } from './schema.js';
import { bool, integer, octets, raw, utf8 } from './types.js';

// Bound Profile Package and what its segments hold: SGP.22 §2.5.4, §5.5; SGP.32 §5.5; crypto.md §6.

/** Key agreement: AES, 16 bytes. */
export const ControlRefTemplate = seq(
  'ControlRefTemplate',
  {
    keyType: { tag: 0x80, type: octets('keyType', 1) },
    keyLen: { tag: 0x81, type: octets('keyLen', 1) },
    hostId: { tag: 0x84, type: octets('hostId', 1, 16) },
  },
  0xa6,
);

/** smdpSign covers remoteOpId ‖ transactionId ‖ CRT ‖ otPK.DP ‖ otPK.EUICC, the last of which is not sent. */
export const InitialiseSecureChannelRequest = message(
  'InitialiseSecureChannelRequest',
  0xbf23,
  'SGP.22 §5.5.1',
  seq('InitialiseSecureChannelRequest', {
    remoteOpId: {
      tag: 0x82,
      type: integer('remoteOpId', 0, 0x7fffffff, { 1: 'installBoundProfilePackage' }),
    },
    transactionId: { tag: 0x80, type: TransactionId },
    controlRefTemplate: { type: ControlRefTemplate },
    smdpOtpk: { type: OneTimeKey },
    smdpSign: { type: Signature },
  }),
);
export type InitialiseSecureChannelRequest = Infer<typeof InitialiseSecureChannelRequest>;

export const ConfigureIsdpRequest = message(
  'ConfigureISDPRequest',
  0xbf24,
  'SGP.22 §5.5.2',
  seq('ConfigureISDPRequest', { dpProprietaryData: { tag: 0xb8, type: DpProprietaryData, optional: true } }),
);

/** The same bytes are the profileMetadata of AuthenticateClient. */
export const StoreMetadataRequest = message(
  'StoreMetadataRequest',
  0xbf25,
  'SGP.32 §5.5, SGP.22 §5.5.3',
  seq('StoreMetadataRequest', {
    iccid: { type: Iccid },
    serviceProviderName: { tag: 0x91, type: utf8('serviceProviderName', 0, 32) },
    profileName: { tag: 0x92, type: utf8('profileName', 0, 64) },
    iconType: { tag: 0x93, type: IconType, optional: true },
    icon: { tag: 0x94, type: octets('icon', 0, 1024), optional: true },
    /** Operational when absent. */
    profileClass: { tag: 0x95, type: ProfileClass, optional: true },
    notificationConfigurationInfo: {
      tag: 0xb6,
      type: listOf(NotificationConfigurationInformation),
      optional: true,
    },
    profileOwner: { tag: 0xb7, type: OperatorId, optional: true },
    profilePolicyRules: { tag: 0x99, type: PprIds, optional: true },
    serviceSpecificDataStoredInEuicc: { tag: 0xbf22, type: raw('VendorSpecificExtension'), optional: true },
    serviceSpecificDataNotStoredInEuicc: {
      tag: 0xbf23,
      type: raw('VendorSpecificExtension'),
      optional: true,
    },
    ecallIndication: { tag: 0x9f7b, type: bool, optional: true },
    fallbackAllowed: { tag: 0x9f67, type: bool, optional: true },
  }),
);
export type StoreMetadataRequest = Infer<typeof StoreMetadataRequest>;

const sessionKey = (label: string) => octets(label, 16);

/** Automatic tags in the order of the fields. */
export const ReplaceSessionKeysRequest = message(
  'ReplaceSessionKeysRequest',
  0xbf26,
  'SGP.22 §5.5.4',
  seq('ReplaceSessionKeysRequest', {
    initialMacChainingValue: { tag: 0x80, type: sessionKey('initialMacChainingValue') },
    ppkEnc: { tag: 0x81, type: sessionKey('ppkEnc') },
    ppkCmac: { tag: 0x82, type: sessionKey('ppkCmac') },
  }),
);
export type ReplaceSessionKeysRequest = Infer<typeof ReplaceSessionKeysRequest>;

/** Segments are whole protected TLVs (86, 87 or 88 with their MAC); reading checks no MAC. */
export const BoundProfilePackage = message(
  'BoundProfilePackage',
  0xbf36,
  'SGP.22 §2.5.4',
  seq('BoundProfilePackage', {
    initialiseSecureChannelRequest: { type: InitialiseSecureChannelRequest },
    firstSequenceOf87: { tag: 0xa0, type: listOf(raw('87', 0x87)) },
    sequenceOf88: { tag: 0xa1, type: listOf(raw('88', 0x88)) },
    secondSequenceOf87: { tag: 0xa2, type: listOf(raw('87', 0x87)), optional: true },
    sequenceOf86: { tag: 0xa3, type: listOf(raw('86', 0x86)) },
  }),
);
export type BoundProfilePackage = Infer<typeof BoundProfilePackage>;
