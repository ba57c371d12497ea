import {
  AssociationToken,
  CounterValue,
  Eid,
  EimConfigurationData,
  EimId,
  EimIdType,
  Iccid,
  SeqNumber,
  Signature,
  TransactionId,
} from './messages-common.js';
import { OperatorId, PprIds, ProfileInfoListRequest, ProfileInfoListResponse } from './messages-profile.js';
import { choice, type Infer, listOf, message, seq } from './schema.js';
import { bits, code, nul, oid, raw, signed, utf8 } from './types.js';

// eUICC Packages: SGP.32 §2.11.1.1 (requests) and §2.11.2.1 (results).

const byIccid = (label: string) => seq(label, { iccid: { type: Iccid } });
const empty = (label: string) => seq(label, {});
/** SGP.32 §5.9.17; flag absent = switch off. */
export const ImmediateEnableConfiguration = seq('configureImmediateEnable', {
  immediateEnableFlag: { tag: 0x80, type: nul, optional: true },
  defaultSmdpOid: { tag: 0x81, type: oid('defaultSmdpOid'), optional: true },
  defaultSmdpAddress: { tag: 0x82, type: utf8('defaultSmdpAddress'), optional: true },
});
/** SGP.32 §5.9.25; an empty address clears. */
const DefaultDpAddress = seq('setDefaultDpAddress', {
  defaultDpAddress: { tag: 0x80, type: utf8('defaultDpAddress') },
});

/** SGP.32 §2.11.1.1.3. rollbackFlag is a universal NULL (T8), 81 is accepted (Q2). */
export const Psmo = choice(
  'Psmo',
  {
    enable: {
      tag: 0xa3,
      type: seq('enable', {
        iccid: { type: Iccid },
        rollbackFlag: { type: nul, also: [0x81], optional: true },
      }),
    },
    disable: { tag: 0xa4, type: byIccid('disable') },
    delete: { tag: 0xa5, type: byIccid('delete') },
    listProfileInfo: { type: ProfileInfoListRequest },
    getRAT: { tag: 0xa6, type: empty('getRAT') },
    configureImmediateEnable: { tag: 0xa7, type: ImmediateEnableConfiguration },
    setFallbackAttribute: { tag: 0xa8, type: byIccid('setFallbackAttribute') },
    unsetFallbackAttribute: { tag: 0xa9, type: empty('unsetFallbackAttribute') },
    setDefaultDpAddress: { tag: 0xbf65, type: DefaultDpAddress },
    unknownOrDamaged: { type: raw('unknownOrDamaged') },
  },
  { otherwise: 'unknownOrDamaged' },
);
export type Psmo = Infer<typeof Psmo>;

/** SGP.32 §2.11.1.1.2 */
export const Eco = choice(
  'Eco',
  {
    addEim: { tag: 0xa8, type: EimConfigurationData },
    deleteEim: { tag: 0xa9, type: seq('deleteEim', { eimId: { tag: 0x80, type: EimId } }) },
    updateEim: { tag: 0xaa, type: EimConfigurationData },
    listEim: { tag: 0xab, type: empty('listEim') },
    unknownOrDamaged: { type: raw('unknownOrDamaged') },
  },
  { otherwise: 'unknownOrDamaged' },
);
export type Eco = Infer<typeof Eco>;

const EuiccPackage = choice('EuiccPackage', {
  psmoList: { tag: 0xa0, type: listOf(Psmo) },
  ecoList: { tag: 0xa1, type: listOf(Eco) },
});

export const EuiccPackageSigned = seq('EuiccPackageSigned', {
  eimId: { tag: 0x80, type: EimId },
  eidValue: { type: Eid },
  counterValue: { tag: 0x81, type: CounterValue },
  eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
  euiccPackage: { type: EuiccPackage },
});
export type EuiccPackageSigned = Infer<typeof EuiccPackageSigned>;

/** eimSignature covers the bytes of euiccPackageSigned ‖ token DO (crypto.md §2). */
export const EuiccPackageRequest = message(
  'EuiccPackageRequest',
  0xbf51,
  'SGP.32 §2.11.1.1',
  seq('EuiccPackageRequest', {
    euiccPackageSigned: { type: signed(EuiccPackageSigned) },
    eimSignature: { type: Signature },
  }),
);
export type EuiccPackageRequest = Infer<typeof EuiccPackageRequest>;

const enableNames = {
  0: 'ok',
  1: 'iccidOrAidNotFound',
  2: 'profileNotInDisabledState',
  3: 'disallowedByPolicy',
  5: 'catBusy',
  20: 'rollbackNotAvailable',
  127: 'undefinedError',
} as const;
const unsetFallbackNames = {
  0: 'ok',
  2: 'noFallbackAttribute',
  3: 'fallbackProfileEnabled',
  7: 'commandError',
  127: 'undefinedError',
} as const;

export const AddEimCodes = {
  0: 'ok',
  1: 'insufficientMemory',
  2: 'associatedEimAlreadyExists',
  3: 'ciPKUnknown',
  5: 'invalidAssociationToken',
  6: 'counterValueOutOfRange',
  7: 'commandError',
  127: 'undefinedError',
} as const;

/** SGP.22 §2.9.2.3, §5.7.22 */
export const ProfilePolicyAuthorisationRule = seq('ProfilePolicyAuthorisationRule', {
  pprIds: { tag: 0x80, type: PprIds },
  allowedOperators: { tag: 0xa1, type: listOf(OperatorId) },
  pprFlags: { tag: 0x82, type: bits('pprFlags', ['consentRequired']) },
});

const EimIdInfo = seq('EimIdInfo', {
  eimId: { tag: 0x80, type: EimId },
  eimIdType: { tag: 0x82, also: [0x84], type: EimIdType, optional: true },
});

/** SGP.32 §2.11.2.1: result of one operation. */
export const EuiccResultData = choice(
  'EuiccResultData',
  {
    enableResult: { tag: 0x83, type: code('enableResult', enableNames) },
    disableResult: {
      tag: 0x84,
      type: code('disableResult', { ...enableNames, 2: 'profileNotInEnabledState' }),
    },
    deleteResult: {
      tag: 0x85,
      type: code('deleteResult', { ...enableNames, 21: 'returnFallbackProfile' }),
    },
    listProfileInfoResult: { type: ProfileInfoListResponse },
    getRATResult: { tag: 0xa6, type: listOf(ProfilePolicyAuthorisationRule) },
    configureImmediateEnableResult: {
      tag: 0x87,
      type: code('configureImmediateEnableResult', {
        0: 'ok',
        1: 'insufficientMemory',
        7: 'commandError',
        127: 'undefinedError',
      }),
    },
    addEimResult: {
      tag: 0xa8,
      type: choice('AddEimResult', {
        associationToken: { tag: 0x84, type: AssociationToken },
        addEimResultCode: { type: code('addEimResultCode', AddEimCodes) },
      }),
    },
    deleteEimResult: {
      tag: 0x89,
      type: code('deleteEimResult', {
        0: 'ok',
        1: 'eimNotFound',
        2: 'lastEimDeleted',
        7: 'commandError',
        127: 'undefinedError',
      }),
    },
    updateEimResult: {
      tag: 0x8a,
      type: code('updateEimResult', {
        0: 'ok',
        1: 'eimNotFound',
        3: 'ciPKUnknown',
        6: 'counterValueOutOfRange',
        7: 'commandError',
        127: 'undefinedError',
      }),
    },
    listEimResult: {
      tag: 0xab,
      type: choice('ListEimResult', {
        eimIdList: { tag: 0xa0, type: listOf(EimIdInfo) },
        listEimError: { tag: 0x81, type: code('listEimError', { 7: 'commandError', 127: 'undefinedError' }) },
      }),
    },
    rollbackResult: { tag: 0x8c, type: code('rollbackResult', { 0: 'ok', 127: 'undefinedError' }) },
    setFallbackAttributeResult: {
      tag: 0x8d,
      type: code('setFallbackAttributeResult', {
        0: 'ok',
        1: 'iccidOrAidNotFound',
        2: 'fallbackNotAllowed',
        3: 'fallbackProfileEnabled',
        127: 'undefinedError',
      }),
    },
    unsetFallbackAttributeResult: {
      tag: 0x8e,
      type: code('unsetFallbackAttributeResult', unsetFallbackNames),
    },
    setDefaultDpAddressResult: {
      tag: 0xbf65,
      type: seq('SetDefaultDpAddressResponse', {
        setDefaultDpAddressResult: {
          tag: 0x80,
          type: code('setDefaultDpAddressResult', { 0: 'ok', 127: 'undefinedError' }),
        },
      }),
    },
    processingTerminated: {
      type: code('processingTerminated', {
        1: 'resultSizeOverflow',
        2: 'unknownOrDamagedCommand',
        3: 'interruption',
        127: 'undefinedError',
      }),
    },
    unknown: { type: raw('unknown') },
  },
  { otherwise: 'unknown' },
);
export type EuiccResultData = Infer<typeof EuiccResultData>;

export const EuiccPackageResultDataSigned = seq('EuiccPackageResultDataSigned', {
  eimId: { tag: 0x80, type: EimId },
  counterValue: { tag: 0x81, type: CounterValue },
  eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
  seqNumber: { tag: 0x83, type: SeqNumber },
  euiccResult: { type: listOf(EuiccResultData) },
});
export type EuiccPackageResultDataSigned = Infer<typeof EuiccPackageResultDataSigned>;

export const EuiccPackageErrorCodes = {
  3: 'invalidEid',
  4: 'replayError',
  6: 'counterValueOutOfRange',
  15: 'sizeOverflow',
  104: 'ecallActive',
  127: 'undefinedError',
} as const;

export const EuiccPackageErrorDataSigned = seq('EuiccPackageErrorDataSigned', {
  eimId: { tag: 0x80, type: EimId },
  counterValue: { tag: 0x81, type: CounterValue },
  eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
  euiccPackageErrorCode: { type: code('EuiccPackageErrorCode', EuiccPackageErrorCodes) },
});
export type EuiccPackageErrorDataSigned = Infer<typeof EuiccPackageErrorDataSigned>;

/** Not signed: unknown eIM or wrong signature. */
const EuiccPackageErrorUnsigned = seq('EuiccPackageErrorUnsigned', {
  eimId: { tag: 0x80, type: EimId },
  eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
  associationToken: { tag: 0x84, type: AssociationToken, optional: true },
  euiccPackageErrorCode: {
    tag: 0x8f,
    type: code('EuiccPackageErrorCode', EuiccPackageErrorCodes),
    optional: true,
  },
});

const EuiccPackageResultSigned = seq('EuiccPackageResultSigned', {
  euiccPackageResultDataSigned: { type: signed(EuiccPackageResultDataSigned) },
  euiccSignEPR: { type: Signature },
});

/** Signatures cover the bytes of the data ‖ token DO. A bare 30 is taken for the first alternative (Q6). */
export const EuiccPackageResult = message(
  'EuiccPackageResult',
  0xbf51,
  'SGP.32 §2.11.2.1',
  choice('EuiccPackageResult', {
    euiccPackageResultSigned: { tag: 0xa0, also: [0x30], type: EuiccPackageResultSigned },
    euiccPackageErrorSigned: {
      tag: 0xa1,
      type: seq('EuiccPackageErrorSigned', {
        euiccPackageErrorDataSigned: { type: signed(EuiccPackageErrorDataSigned) },
        euiccSignEPE: { type: Signature },
      }),
    },
    euiccPackageErrorUnsigned: { tag: 0xa2, type: EuiccPackageErrorUnsigned },
  }),
);
export type EuiccPackageResult = Infer<typeof EuiccPackageResult>;

/** The token DO that ends every signed input: 84 L token, or 84 01 00 when there is none (SGP.32 §2.11.1.1). */
export function tokenDo(token: number | undefined): Uint8Array {
  return AssociationToken.write(token ?? 0, 0x84);
}
