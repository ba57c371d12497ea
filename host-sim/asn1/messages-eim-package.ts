import {
  AssociationToken,
  Certificate,
  KeyIdentifier,
  NotificationEvent,
  PendingNotification,
  ProfileInstallationResult,
  SeqNumber,
  TransactionId,
} from './messages-common.js';
import { DeviceInfo, EuiccInfo1, EuiccInfo2, IpaCapabilities } from './messages-info.js';
import { EuiccPackageResult } from './messages-package.js';
import { choice, converted, type Infer, listOf, message, seq, type Type, tagged } from './schema.js';
import { code, nul, octets, tagList, utf8 } from './types.js';

// eIM packages that are not eUICC Packages, and their results: SGP.32 §2.11.1.2, §2.11.1.3, §2.11.2.2–4.

/** Some send the whole TLV 04 14 … as the content (Q17). */
export const keyIdentifierHint: Type<Uint8Array> = {
  ...KeyIdentifier,
  read(element, isTagged) {
    const value = KeyIdentifier.read(element, isTagged);
    return value.length > 2 && value[0] === 0x04 && value[1] === value.length - 2 ? value.subarray(2) : value;
  },
};

export const IpaEuiccDataRequest = message(
  'IpaEuiccDataRequest',
  0xbf52,
  'SGP.32 §2.11.1.2',
  seq('IpaEuiccDataRequest', {
    tagList: { type: tagList },
    euiccCiPKIdentifierToBeUsed: { type: keyIdentifierHint, optional: true },
    searchCriteriaNotification: {
      tag: 0xa1,
      type: choice('searchCriteriaNotification', {
        seqNumber: { tag: 0x80, type: SeqNumber },
        profileManagementOperation: { tag: 0x81, type: NotificationEvent },
      }),
      optional: true,
    },
    searchCriteriaEuiccPackageResult: {
      tag: 0xa2,
      type: choice('searchCriteriaEuiccPackageResult', { seqNumber: { tag: 0x80, type: SeqNumber } }),
      optional: true,
    },
    eimTransactionId: { tag: 0x83, type: TransactionId, optional: true },
  }),
);
export type IpaEuiccDataRequest = Infer<typeof IpaEuiccDataRequest>;

const IpaEuiccDataErrorNames = {
  1: 'incorrectTagList',
  5: 'euiccCiPKIdNotFound',
  104: 'ecallActive',
  127: 'undefinedError',
} as const;
const ipaEuiccDataErrorCode = code('ipaEuiccDataErrorCode', IpaEuiccDataErrorNames);

export const IpaEuiccData = seq('IpaEuiccData', {
  notificationsList: { tag: 0xa0, type: listOf(PendingNotification), optional: true },
  defaultSmdpAddress: { tag: 0x81, also: [0x80], type: utf8('defaultSmdpAddress'), optional: true },
  euiccPackageResultList: { tag: 0xa2, type: listOf(EuiccPackageResult), optional: true },
  euiccInfo1: { type: EuiccInfo1, optional: true },
  euiccInfo2: { type: EuiccInfo2, optional: true },
  rootSmdsAddress: { tag: 0x83, type: utf8('rootSmdsAddress'), optional: true },
  associationToken: { tag: 0x84, type: AssociationToken, optional: true },
  eumCertificate: { tag: 0xa5, type: Certificate, optional: true },
  euiccCertificate: { tag: 0xa6, type: Certificate, optional: true },
  eimTransactionId: { tag: 0x87, type: TransactionId, optional: true },
  ipaCapabilities: { tag: 0xa8, type: IpaCapabilities, optional: true },
  deviceInfo: { tag: 0xa9, type: DeviceInfo, optional: true },
});
export type IpaEuiccData = Infer<typeof IpaEuiccData>;

const ipaEuiccDataError = seq('IpaEuiccDataResponseError', {
  eimTransactionId: { tag: 0x80, type: TransactionId, optional: true },
  ipaEuiccDataErrorCode: { type: ipaEuiccDataErrorCode },
});

/** v1.0 sent the bare code under 81 (Q9). */
export const IpaEuiccDataResponse = message(
  'IpaEuiccDataResponse',
  0xbf52,
  'SGP.32 §2.11.2.2',
  choice('IpaEuiccDataResponse', {
    ipaEuiccData: { tag: 0xa0, also: [0x30], type: IpaEuiccData },
    ipaEuiccDataResponseError: {
      tag: 0xa1,
      also: [
        {
          tag: 0x81,
          type: converted(
            ipaEuiccDataErrorCode,
            (value): Infer<typeof ipaEuiccDataError> => ({
              ipaEuiccDataErrorCode: value,
            }),
          ),
        },
      ],
      type: ipaEuiccDataError,
    },
  }),
);
export type IpaEuiccDataResponse = Infer<typeof IpaEuiccDataResponse>;

/** `LPA:` before an activation code is dropped (Q18). */
const activationCode = converted(utf8('activationCode', 0, 259), (text) => text.replace(/^LPA:/i, ''));

export const ProfileDownloadTriggerRequest = message(
  'ProfileDownloadTriggerRequest',
  0xbf54,
  'SGP.32 §2.11.1.3',
  seq('ProfileDownloadTriggerRequest', {
    profileDownloadData: {
      tag: 0xa0,
      type: choice('profileDownloadData', {
        activationCode: { tag: 0x80, type: { ...utf8('activationCode', 0, 255), read: activationCode.read } },
        contactDefaultSmdp: { tag: 0x81, type: nul },
        contactSmds: {
          tag: 0xa2,
          type: seq('contactSmds', { smdsAddress: { tag: 0x80, type: utf8('smdsAddress'), optional: true } }),
        },
      }),
      optional: true,
    },
    eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
  }),
);

export const ProfileDownloadTriggerResult = message(
  'ProfileDownloadTriggerResult',
  0xbf54,
  'SGP.32 §2.11.2.3',
  seq('ProfileDownloadTriggerResult', {
    eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
    profileDownloadTriggerResultData: {
      type: choice('profileDownloadTriggerResultData', {
        profileInstallationResult: { type: ProfileInstallationResult },
        profileDownloadError: {
          type: seq('profileDownloadError', {
            profileDownloadErrorReason: {
              tag: 0x80,
              type: code('profileDownloadErrorReason', { 104: 'ecallActive', 127: 'undefinedError' }),
              optional: true,
            },
            errorResponse: { type: octets('errorResponse'), optional: true },
          }),
        },
      }),
    },
  }),
);

/** Sequence numbers of the eUICC, of package results and of notifications. */
export const EimAcknowledgements = message(
  'EimAcknowledgements',
  0xbf53,
  'SGP.32 §2.11.2.4',
  listOf(tagged(0x80, SeqNumber)),
);
export type EimAcknowledgements = Infer<typeof EimAcknowledgements>;
