import {
  AssociationToken,
  Certificate,
  Eid,
  KeyIdentifier,
  NotificationEvent,
  PendingNotification,
  Plmn,
  ProfileInstallationResult,
  SeqNumber,
  TransactionId,
} from './messages-common.js';
import { DeviceInfo, EuiccInfo1, EuiccInfo2, IpaCapabilities } from './messages-info.js';
import { EuiccPackageRequest, EuiccPackageResult } from './messages-package.js';
import { choice, converted, type Infer, listOf, message, seq, type Type, tagged } from './schema.js';
import { code, nul, octets, tagList, utf8 } from './types.js';

// ESipa messages and eIM packages: SGP.32 §2.11, §5.14, §6.3.

export const StateChangeCauseNames = {
  0: 'otherEim',
  1: 'fallback',
  2: 'emergencyProfile',
  3: 'local',
  4: 'reset',
  5: 'immediateEnableProfile',
  6: 'deviceChange',
  127: 'undefined',
} as const;

/** v1.0 had rPLMN under 81 (Q11): told apart by its three bytes. */
export const GetEimPackageRequest = message(
  'GetEimPackageRequest',
  0xbf4f,
  'SGP.32 §5.14.5',
  seq('GetEimPackageRequest', {
    eidValue: { type: Eid },
    notifyStateChange: { tag: 0x80, type: nul, optional: true },
    stateChangeCause: {
      tag: 0x81,
      type: code('stateChangeCause', StateChangeCauseNames),
      optional: true,
      when: (element) => element.tag !== 0x81 || element.content.length < 3,
    },
    rPLMN: { tag: 0x82, also: [0x81], type: Plmn, optional: true },
  }),
);
export type GetEimPackageRequest = Infer<typeof GetEimPackageRequest>;

/** Some send the whole TLV 04 14 … as the content (Q17). */
const keyIdentifierHint: Type<Uint8Array> = {
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

export const EimPackageErrorNames = {
  1: 'noEimPackageAvailable',
  2: 'eidNotFound',
  3: 'invalidEid',
  4: 'missingEid',
  127: 'undefinedError',
} as const;

export const GetEimPackageResponse = message(
  'GetEimPackageResponse',
  0xbf4f,
  'SGP.32 §5.14.5',
  choice('GetEimPackageResponse', {
    euiccPackageRequest: { type: EuiccPackageRequest },
    ipaEuiccDataRequest: { type: IpaEuiccDataRequest },
    profileDownloadTriggerRequest: { type: ProfileDownloadTriggerRequest },
    eimPackageError: { type: code('eimPackageError', EimPackageErrorNames) },
  }),
);
export type GetEimPackageResponse = Infer<typeof GetEimPackageResponse>;

export const EimPackageResultErrorNames = {
  1: 'invalidPackageFormat',
  2: 'unknownPackage',
  127: 'undefinedError',
} as const;
const eimPackageResultErrorCode = code('eimPackageResultErrorCode', EimPackageResultErrorNames);
const eimPackageResultResponseError = seq('EimPackageResultResponseError', {
  eimTransactionId: { tag: 0x80, type: TransactionId, optional: true },
  eimPackageResultErrorCode: { type: eimPackageResultErrorCode },
});

const EPRAndNotifications = seq('EPRAndNotifications', {
  euiccPackageResult: { type: EuiccPackageResult },
  notificationList: { tag: 0xa0, type: listOf(PendingNotification) },
});

/** A bare 02 is v1.0's error form. */
export const EimPackageResult = choice('EimPackageResult', {
  euiccPackageResult: { type: EuiccPackageResult },
  ePRAndNotifications: { type: EPRAndNotifications },
  ipaEuiccDataResponse: { type: IpaEuiccDataResponse },
  profileDownloadTriggerResult: { type: ProfileDownloadTriggerResult },
  eimPackageResultResponseError: {
    tag: 0xa0,
    also: [
      {
        tag: 0x02,
        type: converted(
          eimPackageResultErrorCode,
          (value): Infer<typeof eimPackageResultResponseError> => ({
            eimPackageResultErrorCode: value,
          }),
        ),
      },
    ],
    type: eimPackageResultResponseError,
  },
});
export type EimPackageResult = Infer<typeof EimPackageResult>;

/** eidValue is always sent, but some IPAs in the field leave it out. */
export const ProvideEimPackageResult = message(
  'ProvideEimPackageResult',
  0xbf50,
  'SGP.32 §5.14.6',
  seq('ProvideEimPackageResult', {
    eidValue: { type: Eid, optional: true },
    eimPackageResult: { type: EimPackageResult },
  }),
);
export type ProvideEimPackageResult = Infer<typeof ProvideEimPackageResult>;

/** BF50 00 is v1.0's empty response (Q7). */
export const ProvideEimPackageResultResponse = message(
  'ProvideEimPackageResultResponse',
  0xbf50,
  'SGP.32 §5.14.6',
  choice(
    'ProvideEimPackageResultResponse',
    {
      eimAcknowledgements: { type: EimAcknowledgements },
      emptyResponse: { type: seq('emptyResponse', {}) },
      provideEimPackageResultError: { type: code('provideEimPackageResultError', EimPackageErrorNames) },
    },
    { empty: { emptyResponse: {} } },
  ),
);
export type ProvideEimPackageResultResponse = Infer<typeof ProvideEimPackageResultResponse>;

/** From the eIM to the IPA (injection). */
export const TransferEimPackageRequest = message(
  'TransferEimPackageRequest',
  0xbf4e,
  'SGP.32 §5.14.4',
  choice('TransferEimPackageRequest', {
    euiccPackageRequest: { type: EuiccPackageRequest },
    ipaEuiccDataRequest: { type: IpaEuiccDataRequest },
    eimAcknowledgements: { type: EimAcknowledgements },
    profileDownloadTriggerRequest: { type: ProfileDownloadTriggerRequest },
  }),
);
export type TransferEimPackageRequest = Infer<typeof TransferEimPackageRequest>;

export const TransferEimPackageResponse = message(
  'TransferEimPackageResponse',
  0xbf4e,
  'SGP.32 §5.14.4',
  choice('TransferEimPackageResponse', {
    euiccPackageResult: { type: EuiccPackageResult },
    ePRAndNotifications: { type: EPRAndNotifications },
    ipaEuiccDataResponse: { type: IpaEuiccDataResponse },
    eimPackageReceived: { type: nul },
    eimPackageError: { type: code('eimPackageError', EimPackageResultErrorNames) },
  }),
);
export type TransferEimPackageResponse = Infer<typeof TransferEimPackageResponse>;

export const HandleNotification = message(
  'HandleNotification',
  0xbf3d,
  'SGP.32 §5.14.7',
  choice('HandleNotification', {
    pendingNotification: { tag: 0xa0, type: PendingNotification },
    provideEimPackageResult: { type: ProvideEimPackageResult },
  }),
);
export type HandleNotification = Infer<typeof HandleNotification>;
