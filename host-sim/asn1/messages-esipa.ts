import { Eid, PendingNotification, Plmn, TransactionId } from './messages-common.js';
import {
  EimAcknowledgements,
  IpaEuiccDataRequest,
  IpaEuiccDataResponse,
  ProfileDownloadTriggerRequest,
  ProfileDownloadTriggerResult,
} from './messages-eim-package.js';
import { EuiccPackageRequest, EuiccPackageResult } from './messages-package.js';
import { choice, converted, type Infer, listOf, message, seq } from './schema.js';
import { code, nul } from './types.js';

// ESipa messages: SGP.32 §5.14, §6.3.

const StateChangeCauseNames = {
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

const EimPackageErrorNames = {
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
