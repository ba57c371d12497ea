import { Certificate, KeyIdentifier, Signature, TransactionId } from './messages-common.js';
import { DeviceInfo, EuiccInfo2 } from './messages-info.js';
import { choice, type Infer, message, seq } from './schema.js';
import { bool, code, octets, oid, signed, utf8 } from './types.js';

// ES10b download functions: SGP.22 §5.7.5, §5.7.13, §5.7.14; compact forms of SGP.32 §5.14 (esipa.md §4).
// What is signed is kept byte for byte: see crypto.md §3 for which bytes a signature covers.

/** Uncompressed one-time public key, 65 bytes. */
export const OneTimeKey = octets('otPK', 65, 65, 0x5f49);
export const Challenge = octets('challenge', 16);
export const HashCc = octets('hashCc', 32);
export const MatchingId = utf8('matchingId', 0, 255);

export const ServerSigned1 = seq('ServerSigned1', {
  transactionId: { tag: 0x80, type: TransactionId },
  euiccChallenge: { tag: 0x81, type: Challenge },
  serverAddress: { tag: 0x83, type: utf8('serverAddress') },
  serverChallenge: { tag: 0x84, type: Challenge },
});
export type ServerSigned1 = Infer<typeof ServerSigned1>;

export const CtxParams1 = choice('CtxParams1', {
  ctxParamsForCommonAuthentication: {
    tag: 0xa0,
    type: seq('CtxParamsForCommonAuthentication', {
      matchingId: { tag: 0x80, type: MatchingId, optional: true },
      deviceInfo: { tag: 0xa1, type: DeviceInfo },
    }),
  },
});
export type CtxParams1 = Infer<typeof CtxParams1>;

export const AuthenticateServerRequest = message(
  'AuthenticateServerRequest',
  0xbf38,
  'SGP.22 §5.7.13',
  seq('AuthenticateServerRequest', {
    serverSigned1: { type: signed(ServerSigned1) },
    serverSignature1: { type: Signature },
    euiccCiPKIdToBeUsed: { type: KeyIdentifier },
    serverCertificate: { type: Certificate },
    ctxParams1: { type: CtxParams1 },
  }),
);
export type AuthenticateServerRequest = Infer<typeof AuthenticateServerRequest>;

export const EuiccSigned1 = seq('EuiccSigned1', {
  transactionId: { tag: 0x80, type: TransactionId },
  serverAddress: { tag: 0x83, type: utf8('serverAddress') },
  serverChallenge: { tag: 0x84, type: Challenge },
  euiccInfo2: { type: EuiccInfo2 },
  ctxParams1: { type: CtxParams1 },
});
export type EuiccSigned1 = Infer<typeof EuiccSigned1>;

export const AuthenticateErrorNames = {
  1: 'invalidCertificate',
  2: 'invalidSignature',
  3: 'unsupportedCurve',
  4: 'noSessionContext',
  5: 'invalidOid',
  6: 'euiccChallengeMismatch',
  7: 'ciPKUnknown',
  127: 'undefinedError',
} as const;

/** The eIM puts back what is left out; the signature is over the full EuiccSigned1. */
const CompactEuiccSigned1 = seq('CompactEuiccSigned1', {
  extCardResource: { tag: 0x84, type: octets('extCardResource') },
  ctxParams1: { tag: 0xa2, type: CtxParams1, optional: true },
});

export const AuthenticateServerResponse = message(
  'AuthenticateServerResponse',
  0xbf38,
  'SGP.22 §5.7.13, SGP.32 §5.14.3',
  choice('AuthenticateServerResponse', {
    authenticateResponseOk: {
      tag: 0xa0,
      type: seq('AuthenticateResponseOk', {
        euiccSigned1: { type: signed(EuiccSigned1) },
        euiccSignature1: { type: Signature },
        euiccCertificate: { type: Certificate },
        eumCertificate: { type: Certificate },
      }),
    },
    authenticateResponseError: {
      tag: 0xa1,
      type: seq('AuthenticateResponseError', {
        transactionId: { tag: 0x80, type: TransactionId },
        authenticateErrorCode: { type: code('AuthenticateErrorCode', AuthenticateErrorNames) },
      }),
    },
    compactAuthenticateResponseOk: {
      tag: 0xa2,
      type: seq('CompactAuthenticateResponseOk', {
        signedData: {
          type: choice('signedData', {
            euiccSigned1: { type: signed(EuiccSigned1) },
            compactEuiccSigned1: { tag: 0xa0, type: CompactEuiccSigned1 },
          }),
        },
        euiccSignature1: { type: Signature },
        euiccCertificate: { tag: 0xa1, type: Certificate, optional: true },
        eumCertificate: { tag: 0xa2, type: Certificate, optional: true },
      }),
    },
  }),
);
export type AuthenticateServerResponse = Infer<typeof AuthenticateServerResponse>;

export const SmdpSigned2 = seq('SmdpSigned2', {
  transactionId: { tag: 0x80, type: TransactionId },
  ccRequiredFlag: { type: bool },
  /** otPK.EUICC that an earlier BPP of this order was bound to. */
  bppEuiccOtpk: { type: OneTimeKey, optional: true },
});
export type SmdpSigned2 = Infer<typeof SmdpSigned2>;

export const PrepareDownloadRequest = message(
  'PrepareDownloadRequest',
  0xbf21,
  'SGP.22 §5.7.5',
  seq('PrepareDownloadRequest', {
    smdpSigned2: { type: signed(SmdpSigned2) },
    smdpSignature2: { type: Signature },
    hashCc: { type: HashCc, optional: true },
    smdpCertificate: { type: Certificate },
  }),
);
export type PrepareDownloadRequest = Infer<typeof PrepareDownloadRequest>;

export const EuiccSigned2 = seq('EUICCSigned2', {
  transactionId: { tag: 0x80, type: TransactionId },
  euiccOtpk: { type: OneTimeKey },
  hashCc: { type: HashCc, optional: true },
});
export type EuiccSigned2 = Infer<typeof EuiccSigned2>;

export const DownloadErrorNames = {
  1: 'invalidCertificate',
  2: 'invalidSignature',
  3: 'unsupportedCurve',
  4: 'noSessionContext',
  5: 'invalidTransactionId',
  127: 'undefinedError',
} as const;

export const PrepareDownloadResponse = message(
  'PrepareDownloadResponse',
  0xbf21,
  'SGP.22 §5.7.5, SGP.32 §5.14.2',
  choice('PrepareDownloadResponse', {
    downloadResponseOk: {
      tag: 0xa0,
      type: seq('PrepareDownloadResponseOk', {
        euiccSigned2: { type: signed(EuiccSigned2) },
        euiccSignature2: { type: Signature },
      }),
    },
    downloadResponseError: {
      tag: 0xa1,
      type: seq('PrepareDownloadResponseError', {
        transactionId: { tag: 0x80, type: TransactionId },
        downloadErrorCode: { type: code('DownloadErrorCode', DownloadErrorNames) },
      }),
    },
    compactDownloadResponseOk: {
      tag: 0xa2,
      type: seq('CompactPrepareDownloadResponseOk', {
        compactEuiccSigned2: {
          type: seq('CompactEuiccSigned2', {
            euiccOtpk: { type: OneTimeKey, optional: true },
            hashCc: { type: HashCc, optional: true },
          }),
        },
        euiccSignature2: { type: Signature },
      }),
    },
  }),
);
export type PrepareDownloadResponse = Infer<typeof PrepareDownloadResponse>;

export const CancelSessionReasonNames = {
  0: 'endUserRejection',
  1: 'postponed',
  2: 'timeout',
  3: 'pprNotAllowed',
  4: 'metadataMismatch',
  5: 'loadBppExecutionError',
  127: 'undefinedReason',
} as const;
const CancelSessionReason = code('CancelSessionReason', CancelSessionReasonNames);

export const CancelSessionRequest = message(
  'CancelSessionRequest',
  0xbf41,
  'SGP.22 §5.7.14',
  seq('CancelSessionRequest', {
    transactionId: { tag: 0x80, type: TransactionId },
    reason: { tag: 0x81, type: CancelSessionReason },
  }),
);

export const EuiccCancelSessionSigned = seq('EuiccCancelSessionSigned', {
  transactionId: { tag: 0x80, type: TransactionId },
  smdpOid: { tag: 0x81, type: oid('smdpOid') },
  reason: { tag: 0x82, type: CancelSessionReason },
});

export const CancelSessionResponse = message(
  'CancelSessionResponse',
  0xbf41,
  'SGP.22 §5.7.14, SGP.32 §5.14.8',
  choice('CancelSessionResponse', {
    cancelSessionResponseOk: {
      tag: 0xa0,
      type: seq('CancelSessionResponseOk', {
        euiccCancelSessionSigned: { type: signed(EuiccCancelSessionSigned) },
        euiccCancelSessionSignature: { type: Signature },
      }),
    },
    cancelSessionResponseError: {
      tag: 0x81,
      type: code('cancelSessionResponseError', { 5: 'invalidTransactionId', 127: 'undefinedError' }),
    },
    compactCancelSessionResponseOk: {
      tag: 0xa2,
      type: seq('CompactCancelSessionResponseOk', {
        compactEuiccCancelSessionSigned: {
          type: seq('CompactEuiccCancelSessionSigned', {
            reason: { tag: 0x80, type: CancelSessionReason, optional: true },
          }),
        },
        euiccCancelSessionSignature: { type: Signature },
      }),
    },
  }),
);
export type CancelSessionResponse = Infer<typeof CancelSessionResponse>;
