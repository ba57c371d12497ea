import { hex } from '../bytes.js';
import { Asn1Error } from './ber.js';
import { choice, type Infer, seq } from './schema.js';
import { bits, bool, code, der, integer, nul, octets, oid, raw, signed, utf8 } from './types.js';

// Parts that several messages share: SGP.22 §2.4–2.6 and SGP.32 §2.11.1.1.1, §4.

/** Digits of an ICCID: nibbles swapped, F is filler (ETSI TS 102 221 §13.2). */
export function iccidDigits(iccid: Uint8Array): string {
  let digits = '';
  for (const byte of iccid) digits += (byte & 15).toString(16) + (byte >> 4).toString(16);
  return digits.replace(/f+$/, '').toUpperCase();
}

/** @throws Asn1Error unless `digits` are 18 to 20 decimal digits */
export function iccidBytes(digits: string): Uint8Array {
  if (!/^\d{18,20}$/.test(digits))
    throw new Asn1Error('range', `"${digits}" is not an ICCID of 18 to 20 digits`);
  const padded = digits.padEnd(20, 'F');
  return Uint8Array.from({ length: 10 }, (_, i) => Number.parseInt(padded[2 * i + 1] + padded[2 * i], 16));
}

/** MCC and MNC digits of 3 bytes (3GPP TS 24.008 §10.5.1.3). */
export function plmnDigits(plmn: Uint8Array): string {
  const nibble = (i: number) => ((i & 1 ? plmn[i >> 1] >> 4 : plmn[i >> 1]) & 15).toString(16).toUpperCase();
  const last = nibble(3);
  return `${nibble(0)}${nibble(1)}${nibble(2)}-${nibble(4)}${nibble(5)}${last === 'F' ? '' : last}`;
}

/** TransactionId ::= OCTET STRING (SIZE(1..16)) */
export const TransactionId = octets('TransactionId', 1, 16);
export const Iccid = octets('Iccid', 10, 10, 0x5a, iccidDigits);
export const Eid = octets('EID', 16, 16, 0x5a, hex);
export const Aid = octets('AID', 5, 16, 0x4f);
export const Version = octets('VersionType', 3, 3, 0x04, (v) => [...v].join('.'));
export const KeyIdentifier = octets('SubjectKeyIdentifier', 1, 32);
export const Certificate = der('Certificate');
export const SubjectPublicKeyInfo = der('SubjectPublicKeyInfo');
/** r ‖ s, 64 bytes; DER is accepted by receivers (Q13). */
export const Signature = octets('signature', 1, 80, 0x5f37);
export const Plmn = octets('PLMN', 3, 3, 0x04, plmnDigits);
/** SGP.22 §2.4.a.1.1; es10.md T10: any integer. −1 asks for a new one. */
export const AssociationToken = integer('associationToken');
export const CounterValue = integer('counterValue', 0);
export const SeqNumber = integer('seqNumber', 0);

export const NotificationEventNames = [
  'notificationInstall',
  'notificationEnable',
  'notificationDisable',
  'notificationDelete',
] as const;
export const NotificationEvent = bits('NotificationEvent', NotificationEventNames);
export type NotificationEventName = (typeof NotificationEventNames)[number];

/** SGP.22 §5.7.9 */
export const NotificationMetadata = seq(
  'NotificationMetadata',
  {
    seqNumber: { tag: 0x80, type: SeqNumber },
    profileManagementOperation: { tag: 0x81, type: NotificationEvent },
    notificationAddress: { type: utf8('notificationAddress') },
    iccid: { type: Iccid, optional: true },
  },
  0xbf2f,
);
export type NotificationMetadata = Infer<typeof NotificationMetadata>;

/** SGP.22 §2.5.6 */
const ErrorReasons = {
  1: 'incorrectInputValues',
  2: 'invalidSignature',
  3: 'invalidTransactionId',
  4: 'unsupportedCrtValues',
  5: 'unsupportedRemoteOperationType',
  6: 'unsupportedProfileClass',
  7: 'scp03tStructureError',
  8: 'scp03tSecurityError',
  9: 'installFailedDueToIccidAlreadyExistsOnEuicc',
  10: 'installFailedDueToInsufficientMemoryForProfile',
  11: 'installFailedDueToInterruption',
  12: 'installFailedDueToPEProcessingError',
  13: 'installFailedDueToDataMismatch',
  14: 'testProfileInstallFailedDueToInvalidNaaKey',
  15: 'pprNotAllowed',
  127: 'installFailedDueToUnknownError',
} as const;

const FinalResult = choice('finalResult', {
  successResult: {
    tag: 0xa0,
    type: seq('SuccessResult', { aid: { type: Aid }, simaResponse: { type: octets('simaResponse') } }),
  },
  errorResult: {
    tag: 0xa1,
    type: seq('ErrorResult', {
      bppCommandId: {
        tag: 0x80,
        type: code('BppCommandId', {
          0: 'initialiseSecureChannel',
          1: 'configureISDP',
          2: 'storeMetadata',
          3: 'storeMetadata2',
          4: 'replaceSessionKeys',
          5: 'loadProfileElements',
        }),
      },
      errorReason: { tag: 0x81, type: code('ErrorReason', ErrorReasons) },
      simaResponse: { tag: 0x82, type: octets('simaResponse'), optional: true },
    }),
  },
});

/** Signed as the whole BF27 TLV. */
export const ProfileInstallationResultData = seq(
  'ProfileInstallationResultData',
  {
    transactionId: { tag: 0x80, type: TransactionId },
    notificationMetadata: { type: NotificationMetadata },
    smdpOid: { type: oid('smdpOid'), optional: true },
    finalResult: { tag: 0xa2, type: FinalResult },
  },
  0xbf27,
);

export const ProfileInstallationResult = seq(
  'ProfileInstallationResult',
  {
    profileInstallationResultData: { type: signed(ProfileInstallationResultData) },
    euiccSignPIR: { type: Signature },
  },
  0xbf37,
);

/** Signed as the whole BF2F TLV. */
export const OtherSignedNotification = seq('OtherSignedNotification', {
  tbsOtherNotification: { type: signed(NotificationMetadata) },
  euiccNotificationSignature: { type: Signature },
  euiccCertificate: { type: Certificate },
  eumCertificate: { type: Certificate },
});

const CompactProfileInstallationResult = seq('CompactProfileInstallationResult', {
  compactProfileInstallationResultData: {
    tag: 0xa0,
    type: seq('CompactProfileInstallationResultData', {
      transactionId: { tag: 0x80, type: TransactionId },
      seqNumber: { type: SeqNumber },
      iccidPresent: { type: bool, optional: true },
      compactFinalResult: {
        tag: 0xa2,
        type: choice('compactFinalResult', {
          compactSuccessResult: {
            tag: 0xa0,
            type: seq('CompactSuccessResult', {
              compactAid: { type: octets('compactAid', 2, 2, 0x4f) },
              simaResponse: { type: octets('simaResponse'), optional: true },
            }),
          },
          errorResult: { tag: 0xa1, type: raw('errorResult') },
        }),
      },
    }),
  },
  euiccSignPIR: { type: Signature },
});

const CompactOtherSignedNotification = seq('CompactOtherSignedNotification', {
  eidValue: { type: Eid, optional: true },
  tbsOtherNotification: { type: signed(NotificationMetadata) },
  euiccNotificationSignature: { type: Signature },
});

/** SGP.22 §5.7.10, SGP.32 §6.3.2.x */
export const PendingNotification = choice('PendingNotification', {
  profileInstallationResult: { type: ProfileInstallationResult },
  otherSignedNotification: { type: OtherSignedNotification },
  compactProfileInstallationResult: { tag: 0xa0, type: CompactProfileInstallationResult },
  compactOtherSignedNotification: { tag: 0xa1, type: CompactOtherSignedNotification },
});
export type PendingNotification = Infer<typeof PendingNotification>;

const EimIdTypeNames = { 1: 'eimIdTypeOid', 2: 'eimIdTypeFqdn', 3: 'eimIdTypeProprietary' } as const;
export const EimId = utf8('eimId', 1, 128);
export const EimIdType = code('eimIdType', EimIdTypeNames);
export const ProtocolNames = [
  'eimRetrieveHttps',
  'eimRetrieveCoaps',
  'eimInjectHttps',
  'eimInjectCoaps',
  'eimProprietary',
] as const;
export type ProtocolName = (typeof ProtocolNames)[number];

/** A5: only the key of a certificate is used (Q67). */
const EimPublicKeyData = choice('eimPublicKeyData', {
  eimPublicKey: { tag: 0xa0, type: SubjectPublicKeyInfo },
  eimCertificate: { tag: 0xa1, type: Certificate },
});

const TrustedPublicKeyDataTls = choice('trustedPublicKeyDataTls', {
  trustedEimPkTls: { tag: 0xa0, type: SubjectPublicKeyInfo },
  trustedCertificateTls: { tag: 0xa1, type: Certificate },
});

/** SGP.32 §2.11.1.1.1 */
export const EimConfigurationData = seq('EimConfigurationData', {
  eimId: { tag: 0x80, type: EimId },
  eimFqdn: { tag: 0x81, type: utf8('eimFqdn'), optional: true },
  eimIdType: { tag: 0x82, type: EimIdType, optional: true },
  counterValue: { tag: 0x83, type: integer('counterValue'), optional: true },
  associationToken: { tag: 0x84, type: AssociationToken, optional: true },
  eimPublicKeyData: { tag: 0xa5, type: EimPublicKeyData, optional: true },
  trustedPublicKeyDataTls: { tag: 0xa6, type: TrustedPublicKeyDataTls, optional: true },
  eimSupportedProtocol: { tag: 0x87, type: bits('eimSupportedProtocol', ProtocolNames), optional: true },
  euiccCiPKId: { tag: 0x88, type: KeyIdentifier, optional: true },
  indirectProfileDownload: { tag: 0x89, type: nul, optional: true },
});
export type EimConfigurationData = Infer<typeof EimConfigurationData>;
