import {
  Aid,
  Eid,
  Iccid,
  NotificationEvent,
  NotificationMetadata,
  PendingNotification,
  SeqNumber,
  Version,
} from './messages-common.js';
import { EuiccPackageResult, ProfilePolicyAuthorisationRule } from './messages-package.js';
import { okOrUndefined, request, result } from './messages-shapes.js';
import { choice, listOf, message, seq } from './schema.js';
import { bits, bool, code, nul, octets, tagList, utf8 } from './types.js';

// ES10a, ES10b and ES10c requests and responses: SGP.22 §5.7, SGP.32 §5.9. Codes of es10.md §4.

export const GetEuiccInfo1Request = request('GetEuiccInfo1Request', 0xbf20, 'SGP.22 §5.7.8');
export const GetEuiccInfo2Request = request('GetEuiccInfo2Request', 0xbf22, 'SGP.32 §5.9.2');

export const ListNotificationRequest = message(
  'ListNotificationRequest',
  0xbf28,
  'SGP.22 §5.7.9',
  seq('ListNotificationRequest', {
    profileManagementOperation: { tag: 0x81, type: NotificationEvent, optional: true },
  }),
);
export const ListNotificationResponse = message(
  'ListNotificationResponse',
  0xbf28,
  'SGP.22 §5.7.9',
  choice('ListNotificationResponse', {
    notificationMetadataList: { tag: 0xa0, type: listOf(NotificationMetadata) },
    listNotificationsResultError: { tag: 0x81, type: code('error', { 127: 'undefinedError' }) },
  }),
);

export const SetNicknameRequest = message(
  'SetNicknameRequest',
  0xbf29,
  'SGP.22 §5.7.21',
  seq('SetNicknameRequest', {
    iccid: { type: Iccid },
    profileNickname: { tag: 0x90, type: utf8('profileNickname', 0, 64) },
  }),
);
export const SetNicknameResponse = result('SetNicknameResponse', 0xbf29, 'SGP.22 §5.7.21', {
  0: 'ok',
  1: 'iccidNotFound',
  127: 'undefinedError',
});

/** The criteria are an untagged CHOICE, hence the wrapper A0 (T2). */
export const RetrieveNotificationsListRequest = message(
  'RetrieveNotificationsListRequest',
  0xbf2b,
  'SGP.32 §5.9.11, SGP.22 §5.7.10',
  seq('RetrieveNotificationsListRequest', {
    searchCriteria: {
      tag: 0xa0,
      type: choice('searchCriteria', {
        seqNumber: { tag: 0x80, type: SeqNumber },
        profileManagementOperation: { tag: 0x81, type: NotificationEvent },
        euiccPackageResults: { tag: 0x82, type: nul },
      }),
      optional: true,
    },
  }),
);
export const RetrieveNotificationsListResponse = message(
  'RetrieveNotificationsListResponse',
  0xbf2b,
  'SGP.32 §5.9.11, SGP.22 §5.7.10',
  choice('RetrieveNotificationsListResponse', {
    notificationList: { tag: 0xa0, type: listOf(PendingNotification) },
    notificationsListResultError: { tag: 0x81, type: code('error', { 127: 'undefinedError' }) },
    euiccPackageResultList: { tag: 0xa2, type: listOf(EuiccPackageResult) },
  }),
);

export const GetEuiccChallengeRequest = request('GetEuiccChallengeRequest', 0xbf2e, 'SGP.22 §5.7.7');
export const GetEuiccChallengeResponse = message(
  'GetEuiccChallengeResponse',
  0xbf2e,
  'SGP.22 §5.7.7',
  seq('GetEuiccChallengeResponse', { euiccChallenge: { tag: 0x80, type: octets('euiccChallenge', 16) } }),
);

export const NotificationSentRequest = message(
  'NotificationSentRequest',
  0xbf30,
  'SGP.22 §5.7.11',
  seq('NotificationSentRequest', { seqNumber: { tag: 0x80, type: SeqNumber } }),
);
export const NotificationSentResponse = result('NotificationSentResponse', 0xbf30, 'SGP.22 §5.7.11', {
  0: 'ok',
  1: 'nothingToDelete',
  127: 'undefinedError',
});

const profileIdentifier = choice('profileIdentifier', { isdpAid: { type: Aid }, iccid: { type: Iccid } });
const profileSwitch = (name: string, tag: number, section: string) =>
  message(
    name,
    tag,
    section,
    seq(name, {
      profileIdentifier: { tag: 0xa0, type: profileIdentifier },
      refreshFlag: { tag: 0x81, type: bool, optional: true },
    }),
  );
const switchNames = {
  0: 'ok',
  1: 'iccidOrAidNotFound',
  2: 'profileNotInDisabledState',
  3: 'disallowedByPolicy',
  4: 'wrongProfileReenabling',
  5: 'catBusy',
  127: 'undefinedError',
} as const;

export const EnableProfileRequest = profileSwitch('EnableProfileRequest', 0xbf31, 'SGP.22 §5.7.16');
export const EnableProfileResponse = result('EnableProfileResponse', 0xbf31, 'SGP.22 §5.7.16', switchNames);
export const DisableProfileRequest = profileSwitch('DisableProfileRequest', 0xbf32, 'SGP.22 §5.7.17');
export const DisableProfileResponse = result('DisableProfileResponse', 0xbf32, 'SGP.22 §5.7.17', {
  ...switchNames,
  2: 'profileNotInEnabledState',
});
/** A tagged CHOICE: no A0. */
export const DeleteProfileRequest = message(
  'DeleteProfileRequest',
  0xbf33,
  'SGP.22 §5.7.18',
  profileIdentifier,
);
export const DeleteProfileResponse = result('DeleteProfileResponse', 0xbf33, 'SGP.22 §5.7.18', switchNames);

export const EuiccMemoryResetRequest22 = message(
  'EuiccMemoryResetRequest',
  0xbf34,
  'SGP.22 §5.7.19',
  seq('EuiccMemoryResetRequest', {
    resetOptions: {
      tag: 0x82,
      type: bits('resetOptions', [
        'deleteOperationalProfiles',
        'deleteFieldLoadedTestProfiles',
        'resetDefaultSmdpAddress',
      ]),
    },
  }),
);
export const EuiccMemoryResetResponse22 = result('EuiccMemoryResetResponse', 0xbf34, 'SGP.22 §5.7.19', {
  0: 'ok',
  1: 'nothingToDelete',
  5: 'catBusy',
  127: 'undefinedError',
});

export const EuiccConfiguredAddressesRequest = request(
  'EuiccConfiguredAddressesRequest',
  0xbf3c,
  'SGP.22 §5.7.3',
);
export const EuiccConfiguredAddressesResponse = message(
  'EuiccConfiguredAddressesResponse',
  0xbf3c,
  'SGP.22 §5.7.3',
  seq('EuiccConfiguredAddressesResponse', {
    defaultDpAddress: { tag: 0x80, type: utf8('defaultDpAddress'), optional: true },
    rootDsAddress: { tag: 0x81, type: utf8('rootDsAddress') },
  }),
);

export const GetEuiccDataRequest = message(
  'GetEuiccDataRequest',
  0xbf3e,
  'SGP.22 §5.7.20',
  seq('GetEuiccDataRequest', { tagList: { type: tagList } }),
);
export const GetEuiccDataResponse = message(
  'GetEuiccDataResponse',
  0xbf3e,
  'SGP.22 §5.7.20',
  seq('GetEuiccDataResponse', { eidValue: { type: Eid } }),
);

const address = { defaultDpAddress: { tag: 0x80, type: utf8('defaultDpAddress') } } as const;
export const SetDefaultDpAddressRequest22 = message(
  'SetDefaultDpAddressRequest',
  0xbf3f,
  'SGP.22 §5.7.4',
  seq('SetDefaultDpAddressRequest', address),
);
export const SetDefaultDpAddressResponse22 = result(
  'SetDefaultDpAddressResponse',
  0xbf3f,
  'SGP.22 §5.7.4',
  okOrUndefined,
);
export const SetDefaultDpAddressRequest = message(
  'SetDefaultDpAddressRequest',
  0xbf65,
  'SGP.32 §5.9.25',
  seq('SetDefaultDpAddressRequest', address),
);
export const SetDefaultDpAddressResponse = result(
  'SetDefaultDpAddressResponse',
  0xbf65,
  'SGP.32 §5.9.25',
  okOrUndefined,
);

export const GetRatRequest = request('GetRatRequest', 0xbf43, 'SGP.22 §5.7.22');
export const GetRatResponse = message(
  'GetRatResponse',
  0xbf43,
  'SGP.22 §5.7.22',
  seq('GetRatResponse', { rat: { tag: 0xa0, type: listOf(ProfilePolicyAuthorisationRule) } }),
);

/** SELECT response of the ISD-R: SGP.32 §3.8.4, es10.md §1.4. */
export const IsdrFci = seq(
  'FCI',
  {
    dfName: { tag: 0x84, type: octets('dfName', 5, 16) },
    proprietaryData: {
      tag: 0xa5,
      type: seq('proprietaryData', { maxCommandLength: { tag: 0x9f65, type: octets('maxCommandLength') } }),
    },
    isdrProprietaryApplicationTemplate: {
      tag: 0xe0,
      type: seq('ISDRProprietaryApplicationTemplate', { svn: { tag: 0x82, type: Version } }),
      optional: true,
    },
    isdrProprietaryApplicationTemplateIoT: {
      tag: 0xe1,
      type: seq('ISDRProprietaryApplicationTemplateIoT', {
        capabilities: { tag: 0x80, type: bits('capabilities', ['ipaeSupported', 'enabledProfile']) },
      }),
      optional: true,
    },
  },
  0x6f,
);
