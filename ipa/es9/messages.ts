/** Paths of the JSON bindings (SGP.22 §6.5.2, procedures.md §6); the function's name follows. */
export const Es9Path = { es9plus: '/gsma/rsp2/es9plus/', es11: '/gsma/rsp2/es11/' } as const;

/** Functions of ES9+; ES11 has the first two. */
export type Es9Function =
  | 'initiateAuthentication'
  | 'authenticateClient'
  | 'getBoundProfilePackage'
  | 'cancelSession'
  | 'handleNotification';

/** Members of the answers that the IPA needs; texts are short, bytes are whole TLVs. */
export const Es9Fields = {
  initiateAuthentication: [
    { path: ['transactionId'], kind: 'text' },
    { path: ['serverSigned1'], kind: 'base64' },
    { path: ['serverSignature1'], kind: 'base64' },
    { path: ['euiccCiPKIdToBeUsed'], kind: 'base64' },
    { path: ['serverCertificate'], kind: 'base64' },
  ],
  authenticateClient: [
    { path: ['transactionId'], kind: 'text' },
    { path: ['profileMetadata'], kind: 'base64' },
    { path: ['smdpSigned2'], kind: 'base64' },
    { path: ['smdpSignature2'], kind: 'base64' },
    { path: ['smdpCertificate'], kind: 'base64' },
  ],
  /** Answer of an SM-DS: one element for each event. */
  authenticateClientEs11: [
    { path: ['transactionId'], kind: 'text' },
    { path: ['eventEntries', 'eventId'], kind: 'text' },
    { path: ['eventEntries', 'rspServerAddress'], kind: 'text' },
  ],
  getBoundProfilePackage: [
    { path: ['transactionId'], kind: 'text' },
    { path: ['boundProfilePackage'], kind: 'base64' },
  ],
  /** cancelSession and handleNotification answer with their header alone. */
  header: [],
} as const;

/** What every answer begins with; `functionExecutionStatus` of SGP.22 §6.5.1. */
export const HEADER_FIELDS = [
  { path: ['header', 'functionExecutionStatus', 'status'], kind: 'text' },
  { path: ['header', 'functionExecutionStatus', 'statusCodeData', 'subjectCode'], kind: 'text' },
  { path: ['header', 'functionExecutionStatus', 'statusCodeData', 'reasonCode'], kind: 'text' },
  { path: ['header', 'functionExecutionStatus', 'statusCodeData', 'message'], kind: 'text' },
] as const;
