import { Certificate, KeyIdentifier, Signature, TransactionId } from './messages-common.js';
import {
  AuthenticateServerResponse,
  CancelSessionResponse,
  Challenge,
  PrepareDownloadResponse,
  ServerSigned1,
  SmdpSigned2,
} from './messages-download.js';
import { StoreMetadataRequest } from './messages-download-bpp.js';
import { HandleNotification } from './messages-esipa.js';
import { EuiccInfo1 } from './messages-info.js';
import { choice, type Infer, listOf, message, seq } from './schema.js';
import { code, raw, signed, utf8 } from './types.js';

// ES9+ (SM-DP+) and ES11 (SM-DS) in the ASN.1 binding: SGP.22 §5.6, §5.8, §6.5.2. The JSON binding carries the same parts.

export const InitiateAuthenticationErrorNames = {
  1: 'invalidDpAddress',
  2: 'euiccVersionNotSupportedByDp',
  3: 'ciPKIdNotSupported',
} as const;

export const InitiateAuthenticationRequest = message(
  'InitiateAuthenticationRequest',
  0xbf39,
  'SGP.22 §5.6.1, §5.8.1',
  seq('InitiateAuthenticationRequest', {
    euiccChallenge: { tag: 0x81, type: Challenge },
    smdpAddress: { tag: 0x83, type: utf8('smdpAddress') },
    euiccInfo1: { type: EuiccInfo1 },
  }),
);
export type InitiateAuthenticationRequest = Infer<typeof InitiateAuthenticationRequest>;

export const InitiateAuthenticationResponse = message(
  'InitiateAuthenticationResponse',
  0xbf39,
  'SGP.22 §5.6.1, §5.8.1',
  choice('InitiateAuthenticationResponse', {
    initiateAuthenticationOk: {
      tag: 0xa0,
      type: seq('InitiateAuthenticationOkEs9', {
        transactionId: { tag: 0x80, type: TransactionId },
        serverSigned1: { type: signed(ServerSigned1) },
        serverSignature1: { type: Signature },
        euiccCiPKIdToBeUsed: { type: KeyIdentifier },
        serverCertificate: { type: Certificate },
      }),
    },
    initiateAuthenticationError: {
      tag: 0x81,
      type: code('initiateAuthenticationError', InitiateAuthenticationErrorNames),
    },
  }),
);
export type InitiateAuthenticationResponse = Infer<typeof InitiateAuthenticationResponse>;

/** The BF38 is kept as received, for a relay. */
export const AuthenticateClientRequest = message(
  'AuthenticateClientRequest',
  0xbf3b,
  'SGP.22 §5.6.3, §5.8.2, SGP.32 §5.14.3',
  seq('AuthenticateClientRequest', {
    transactionId: { tag: 0x80, type: TransactionId },
    authenticateServerResponse: { type: signed(AuthenticateServerResponse) },
  }),
);
export type AuthenticateClientRequest = Infer<typeof AuthenticateClientRequest>;

export const AuthenticateClientErrorNames = {
  1: 'eumCertificateInvalid',
  2: 'eumCertificateExpired',
  3: 'euiccCertificateInvalid',
  4: 'euiccCertificateExpired',
  5: 'euiccSignatureInvalid',
  6: 'matchingIdRefused',
  7: 'eidMismatch',
  8: 'noEligibleProfile',
  9: 'ciPKUnknown',
  10: 'invalidTransactionId',
  11: 'insufficientMemory',
  18: 'downloadOrderExpired',
  127: 'undefinedError',
} as const;

export const AuthenticateClientResponseEs9 = message(
  'AuthenticateClientResponseEs9',
  0xbf3b,
  'SGP.22 §5.6.3',
  choice('AuthenticateClientResponseEs9', {
    authenticateClientOk: {
      tag: 0xa0,
      type: seq('AuthenticateClientOk', {
        transactionId: { tag: 0x80, type: TransactionId },
        profileMetadata: { type: signed(StoreMetadataRequest) },
        smdpSigned2: { type: signed(SmdpSigned2) },
        smdpSignature2: { type: Signature },
        smdpCertificate: { type: Certificate },
      }),
    },
    authenticateClientError: {
      tag: 0x81,
      type: code('authenticateClientError', AuthenticateClientErrorNames),
    },
  }),
);
export type AuthenticateClientResponseEs9 = Infer<typeof AuthenticateClientResponseEs9>;

export const EventEntry = seq('EventEntry', {
  eventId: { tag: 0x80, type: utf8('eventId') },
  rspServerAddress: { tag: 0x81, type: utf8('rspServerAddress') },
});
export type EventEntry = Infer<typeof EventEntry>;

export const AuthenticateClientErrorNamesEs11 = {
  1: 'eumCertificateInvalid',
  2: 'eumCertificateExpired',
  3: 'euiccCertificateInvalid',
  4: 'euiccCertificateExpired',
  5: 'euiccSignatureInvalid',
  6: 'eventIdUnknown',
  7: 'invalidTransactionId',
  127: 'undefinedError',
} as const;

export const AuthenticateClientResponseEs11 = message(
  'AuthenticateClientResponseEs11',
  0xbf40,
  'SGP.22 §5.8.2',
  choice('AuthenticateClientResponseEs11', {
    authenticateClientOk: {
      tag: 0xa0,
      type: seq('AuthenticateClientOkEs11', {
        transactionId: { tag: 0x80, type: TransactionId },
        eventEntries: { tag: 0xa1, type: listOf(EventEntry) },
      }),
    },
    authenticateClientError: {
      tag: 0x81,
      type: code('authenticateClientError', AuthenticateClientErrorNamesEs11),
    },
  }),
);
export type AuthenticateClientResponseEs11 = Infer<typeof AuthenticateClientResponseEs11>;

export const GetBoundProfilePackageRequest = message(
  'GetBoundProfilePackageRequest',
  0xbf3a,
  'SGP.22 §5.6.2, SGP.32 §5.14.2',
  seq('GetBoundProfilePackageRequest', {
    transactionId: { tag: 0x80, type: TransactionId },
    prepareDownloadResponse: { type: signed(PrepareDownloadResponse) },
  }),
);
export type GetBoundProfilePackageRequest = Infer<typeof GetBoundProfilePackageRequest>;

export const GetBoundProfilePackageErrorNames = {
  1: 'euiccSignatureInvalid',
  2: 'confirmationCodeMissing',
  3: 'confirmationCodeRefused',
  4: 'confirmationCodeRetriesExceeded',
  5: 'bppRebindingRefused',
  6: 'downloadOrderExpired',
  95: 'invalidTransactionId',
  127: 'undefinedError',
} as const;

/** The package is opaque here: BF36 as bytes. */
export const GetBoundProfilePackageResponse = message(
  'GetBoundProfilePackageResponse',
  0xbf3a,
  'SGP.22 §5.6.2',
  choice('GetBoundProfilePackageResponse', {
    getBoundProfilePackageOk: {
      tag: 0xa0,
      type: seq('GetBoundProfilePackageOk', {
        transactionId: { tag: 0x80, type: TransactionId },
        boundProfilePackage: { type: raw('boundProfilePackage', 0xbf36) },
      }),
    },
    getBoundProfilePackageError: {
      tag: 0x81,
      type: code('getBoundProfilePackageError', GetBoundProfilePackageErrorNames),
    },
  }),
);
export type GetBoundProfilePackageResponse = Infer<typeof GetBoundProfilePackageResponse>;

/** A1 takes the place of the response's own BF41 (T4). */
export const CancelSessionRequestEs9 = message(
  'CancelSessionRequestEs9',
  0xbf41,
  'SGP.22 §5.6.5, SGP.32 §5.14.8',
  seq('CancelSessionRequestEs9', {
    transactionId: { tag: 0x80, type: TransactionId },
    cancelSessionResponse: { tag: 0xa1, type: CancelSessionResponse },
  }),
);
export type CancelSessionRequestEs9 = Infer<typeof CancelSessionRequestEs9>;

export const CancelSessionErrorNames = {
  1: 'invalidTransactionId',
  2: 'euiccSignatureInvalid',
  127: 'undefinedError',
} as const;

export const CancelSessionResponseEs9 = message(
  'CancelSessionResponseEs9',
  0xbf41,
  'SGP.22 §5.6.5, SGP.32 §5.14.8',
  choice('CancelSessionResponseEs9', {
    cancelSessionOk: { tag: 0xa0, type: seq('CancelSessionOk', {}) },
    cancelSessionError: { tag: 0x81, type: code('cancelSessionError', CancelSessionErrorNames) },
  }),
);
export type CancelSessionResponseEs9 = Infer<typeof CancelSessionResponseEs9>;

/** Body of a request of ES9+ or ES11 in the ASN.1 binding. */
export const RemoteProfileProvisioningRequest = message(
  'RemoteProfileProvisioningRequest',
  0xa2,
  'SGP.22 §6.5.2',
  choice('RemoteProfileProvisioningRequest', {
    initiateAuthenticationRequest: { type: InitiateAuthenticationRequest },
    authenticateClientRequest: { type: AuthenticateClientRequest },
    getBoundProfilePackageRequest: { type: GetBoundProfilePackageRequest },
    cancelSessionRequestEs9: { type: CancelSessionRequestEs9 },
    handleNotification: { type: HandleNotification },
  }),
);
export type RemoteProfileProvisioningRequest = Infer<typeof RemoteProfileProvisioningRequest>;

/** Body of its response; HandleNotification has none. */
export const RemoteProfileProvisioningResponse = message(
  'RemoteProfileProvisioningResponse',
  0xa2,
  'SGP.22 §6.5.2',
  choice('RemoteProfileProvisioningResponse', {
    initiateAuthenticationResponse: { type: InitiateAuthenticationResponse },
    authenticateClientResponseEs9: { type: AuthenticateClientResponseEs9 },
    getBoundProfilePackageResponse: { type: GetBoundProfilePackageResponse },
    cancelSessionResponseEs9: { type: CancelSessionResponseEs9 },
    authenticateClientResponseEs11: { type: AuthenticateClientResponseEs11 },
  }),
);
export type RemoteProfileProvisioningResponse = Infer<typeof RemoteProfileProvisioningResponse>;
