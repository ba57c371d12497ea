import { Certificate, Signature, TransactionId } from './messages-common.js';
import {
  Challenge,
  CtxParams1,
  HashCc,
  MatchingId,
  ServerSigned1,
  SmdpSigned2,
} from './messages-download.js';
import { StoreMetadataRequest } from './messages-download-bpp.js';
import {
  AuthenticateClientErrorNames,
  GetBoundProfilePackageErrorNames,
  InitiateAuthenticationErrorNames,
} from './messages-download-es9.js';
import { keyIdentifierHint, ProfileDownloadTriggerRequest } from './messages-eim-package.js';
import { EuiccInfo1 } from './messages-info.js';
import { choice, type Infer, message, seq } from './schema.js';
import { code, raw, signed, utf8 } from './types.js';

// Indirect download over ESipa: SGP.32 §5.14.1–3, §6.3.2; esipa.md §6. AuthenticateClient, GetBoundProfilePackage and
// CancelSession have the requests of ES9+, CancelSession its response too (messages-download-es9.ts).

export const InitiateAuthenticationRequestEsipa = message(
  'InitiateAuthenticationRequestEsipa',
  0xbf39,
  'SGP.32 §5.14.1',
  seq('InitiateAuthenticationRequestEsipa', {
    euiccChallenge: { tag: 0x81, type: Challenge },
    smdpAddress: { tag: 0x83, type: utf8('smdpAddress'), optional: true },
    euiccInfo1: { type: EuiccInfo1, optional: true },
    eimTransactionId: { tag: 0x82, type: TransactionId, optional: true },
  }),
);
export type InitiateAuthenticationRequestEsipa = Infer<typeof InitiateAuthenticationRequestEsipa>;

export const InitiateAuthenticationErrorNamesEsipa = {
  ...InitiateAuthenticationErrorNames,
  50: 'smdpAddressMismatch',
  51: 'smdpOidMismatch',
  52: 'invalidEimTransactionId',
  127: 'undefinedError',
} as const;

export const InitiateAuthenticationResponseEsipa = message(
  'InitiateAuthenticationResponseEsipa',
  0xbf39,
  'SGP.32 §5.14.1',
  choice('InitiateAuthenticationResponseEsipa', {
    initiateAuthenticationOkEsipa: {
      tag: 0xa0,
      type: seq('InitiateAuthenticationOkEsipa', {
        transactionId: { tag: 0x80, type: TransactionId, optional: true },
        serverSigned1: { type: signed(ServerSigned1) },
        serverSignature1: { type: Signature },
        /** May be cut short; the IPA completes it. */
        euiccCiPKIdentifierToBeUsed: { type: keyIdentifierHint },
        serverCertificate: { type: Certificate },
        matchingId: { type: MatchingId, optional: true },
        ctxParams1: { tag: 0xa2, type: CtxParams1, optional: true },
      }),
    },
    initiateAuthenticationErrorEsipa: {
      tag: 0x81,
      type: code('initiateAuthenticationErrorEsipa', InitiateAuthenticationErrorNamesEsipa),
    },
  }),
);
export type InitiateAuthenticationResponseEsipa = Infer<typeof InitiateAuthenticationResponseEsipa>;

export const AuthenticateClientErrorNamesEsipa = {
  ...AuthenticateClientErrorNames,
  50: 'pprNotAllowed',
  56: 'eventIdUnknown',
} as const;

export const AuthenticateClientResponseEsipa = message(
  'AuthenticateClientResponseEsipa',
  0xbf3b,
  'SGP.32 §5.14.3',
  choice('AuthenticateClientResponseEsipa', {
    authenticateClientOkDPEsipa: {
      tag: 0xa0,
      type: seq('AuthenticateClientOkDPEsipa', {
        transactionId: { tag: 0x80, type: TransactionId, optional: true },
        /** May be left out when the eIM verifies it. */
        profileMetadata: { type: signed(StoreMetadataRequest), optional: true },
        smdpSigned2: { type: signed(SmdpSigned2) },
        smdpSignature2: { type: Signature },
        smdpCertificate: { type: Certificate },
        hashCc: { type: HashCc, optional: true },
      }),
    },
    authenticateClientOkDSEsipa: {
      tag: 0xa1,
      type: seq('AuthenticateClientOkDSEsipa', {
        transactionId: { tag: 0x80, type: TransactionId },
        /** Absent: the SM-DS has no event. */
        profileDownloadTrigger: { type: ProfileDownloadTriggerRequest, optional: true },
      }),
    },
    authenticateClientErrorEsipa: {
      tag: 0x82,
      type: code('authenticateClientErrorEsipa', AuthenticateClientErrorNamesEsipa),
    },
  }),
);
export type AuthenticateClientResponseEsipa = Infer<typeof AuthenticateClientResponseEsipa>;

export const GetBoundProfilePackageErrorNamesEsipa = {
  ...GetBoundProfilePackageErrorNames,
  50: 'metadataMismatch',
} as const;

export const GetBoundProfilePackageResponseEsipa = message(
  'GetBoundProfilePackageResponseEsipa',
  0xbf3a,
  'SGP.32 §5.14.2',
  choice('GetBoundProfilePackageResponseEsipa', {
    getBoundProfilePackageOkEsipa: {
      tag: 0xa0,
      type: seq('GetBoundProfilePackageOkEsipa', {
        transactionId: { tag: 0x80, type: TransactionId, optional: true },
        boundProfilePackage: { type: raw('boundProfilePackage', 0xbf36) },
      }),
    },
    getBoundProfilePackageErrorEsipa: {
      tag: 0x81,
      type: code('getBoundProfilePackageErrorEsipa', GetBoundProfilePackageErrorNamesEsipa),
    },
  }),
);
export type GetBoundProfilePackageResponseEsipa = Infer<typeof GetBoundProfilePackageResponseEsipa>;
