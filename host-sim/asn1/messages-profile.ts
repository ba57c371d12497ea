import { Aid, Iccid, NotificationEvent, Plmn } from './messages-common.js';
import { choice, type Infer, listOf, message, seq } from './schema.js';
import { bits, bool, code, octets, oid, raw, tagList, utf8 } from './types.js';

// Profile metadata and lists: SGP.22 §2.4a, §5.7.15 and SGP.32 §4.4.

const ProfileStateNames = { 0: 'disabled', 1: 'enabled' } as const;
const ProfileClassNames = { 0: 'test', 1: 'provisioning', 2: 'operational' } as const;
export const PprNames = ['pprUpdateControl', 'ppr1', 'ppr2'] as const;
export const PprIds = bits('PprIds', PprNames);
export const ProfileClass = code('profileClass', ProfileClassNames);

export const OperatorId = seq('OperatorId', {
  mccMnc: { tag: 0x80, type: Plmn },
  gid1: { tag: 0x81, type: octets('gid1'), optional: true },
  gid2: { tag: 0x82, type: octets('gid2'), optional: true },
});

/** SGP.22 §2.4a.1.2 */
export const NotificationConfigurationInformation = seq('NotificationConfigurationInformation', {
  profileManagementOperation: { tag: 0x80, type: NotificationEvent },
  notificationAddress: { tag: 0x81, type: utf8('notificationAddress') },
});

export const IconType = code('iconType', { 0: 'jpg', 1: 'png' });
/** At most 128 bytes with tag and length (Q5). */
export const DpProprietaryData = seq('DpProprietaryData', {
  dpOid: { tag: 0x80, also: [0x06], type: oid('dpOid') },
});

/** SGP.22 §5.7.15 with SGP.32 §4.4; which parts are there follows the tag list. */
export const ProfileInfo = seq(
  'ProfileInfo',
  {
    iccid: { type: Iccid, optional: true },
    isdpAid: { type: Aid, optional: true },
    profileState: { tag: 0x9f70, type: code('profileState', ProfileStateNames), optional: true },
    profileNickname: { tag: 0x90, type: utf8('profileNickname', 0, 64), optional: true },
    serviceProviderName: { tag: 0x91, type: utf8('serviceProviderName', 0, 32), optional: true },
    profileName: { tag: 0x92, type: utf8('profileName', 0, 64), optional: true },
    iconType: { tag: 0x93, type: IconType, optional: true },
    icon: { tag: 0x94, type: octets('icon', 0, 1024), optional: true },
    profileClass: { tag: 0x95, type: ProfileClass, optional: true },
    notificationConfigurationInfo: {
      tag: 0xb6,
      type: listOf(NotificationConfigurationInformation),
      optional: true,
    },
    profileOwner: { tag: 0xb7, type: OperatorId, optional: true },
    dpProprietaryData: { tag: 0xb8, type: DpProprietaryData, optional: true },
    profilePolicyRules: { tag: 0x99, type: PprIds, optional: true },
    serviceSpecificDataStoredInEuicc: { tag: 0xbf22, type: raw('VendorSpecificExtension'), optional: true },
    ecallIndication: { tag: 0x9f7b, type: bool, optional: true },
    fallbackAttribute: { tag: 0x9f26, type: bool, optional: true },
    fallbackAllowed: { tag: 0x9f67, type: bool, optional: true },
  },
  0xe3,
);
export type ProfileInfo = Infer<typeof ProfileInfo>;

/** SGP.22 §5.7.15 ProfileInfoListRequest; also the PSMO listProfileInfo. */
export const ProfileInfoListRequest = message(
  'ProfileInfoListRequest',
  0xbf2d,
  'SGP.22 §5.7.15',
  seq('ProfileInfoListRequest', {
    searchCriteria: {
      tag: 0xa0,
      type: choice('searchCriteria', {
        isdpAid: { type: Aid },
        iccid: { type: Iccid },
        profileClass: { tag: 0x95, type: ProfileClass },
      }),
      optional: true,
    },
    tagList: { type: tagList, optional: true },
  }),
);

const ProfileInfoListErrors = {
  1: 'incorrectInputValues',
  11: 'profileChangeOngoing',
  127: 'undefinedError',
} as const;

/** Error under 81, or 02 as some cards have it (Q3); the list also without A0 (Q6). */
export const ProfileInfoListResponse = message(
  'ProfileInfoListResponse',
  0xbf2d,
  'SGP.22 §5.7.15, SGP.32 §4.4',
  choice(
    'ProfileInfoListResponse',
    {
      profileInfoListOk: { tag: 0xa0, also: [0x30], type: listOf(ProfileInfo) },
      profileInfoListError: {
        tag: 0x81,
        also: [0x02],
        type: code('ProfileInfoListError', ProfileInfoListErrors),
      },
    },
    { bare: { tag: 0xe3, as: 'profileInfoListOk' } },
  ),
);
