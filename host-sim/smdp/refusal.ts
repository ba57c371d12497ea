import { XsIpaError } from '../../hal/contracts/index.js';

/** Functions of ES9+ and ES11 (SGP.22 §5.6, §5.8). */
export type RspFunction =
  | 'initiateAuthentication'
  | 'authenticateClient'
  | 'getBoundProfilePackage'
  | 'cancelSession'
  | 'handleNotification';

interface Entry {
  text: string;
  /** Code of the ASN.1 binding by function; 127 undefinedError where a function is not named. */
  codes?: Partial<Record<RspFunction, number>>;
  /** Function that tells it first when it is provoked. */
  first: RspFunction;
}

/**
 * Status codes "subject/reason" of an SM-DP+ and an SM-DS (procedures.md §6), and what the ASN.1 binding says instead.
 */
export const statusCodes = {
  '1.2.1/2.1': { text: 'wrong Content-Type', first: 'initiateAuthentication' },
  '1.2.2/2.1': { text: 'wrong X-Admin-Protocol', first: 'initiateAuthentication' },
  '1.6/4.2': { text: 'the function call cannot be read', first: 'initiateAuthentication' },
  '8.1/4.2': { text: 'the eUICC refused', first: 'authenticateClient' },
  '8.1/4.8': {
    text: 'the eUICC has not enough space',
    codes: { authenticateClient: 11 },
    first: 'authenticateClient',
  },
  '8.1/6.1': {
    text: 'eUICC signature or serverChallenge invalid',
    codes: { authenticateClient: 5, getBoundProfilePackage: 1, cancelSession: 2 },
    first: 'authenticateClient',
  },
  '8.1.1/2.2': { text: 'EID missing', codes: { authenticateClient: 7 }, first: 'authenticateClient' },
  '8.1.1/3.1': {
    text: 'another EID is linked to the ICCID',
    codes: { authenticateClient: 7 },
    first: 'authenticateClient',
  },
  '8.1.1/3.8': {
    text: 'the EID is not the one of the order',
    codes: { authenticateClient: 7 },
    first: 'authenticateClient',
  },
  '8.1.2/6.1': {
    text: 'EUM certificate invalid',
    codes: { authenticateClient: 1 },
    first: 'authenticateClient',
  },
  '8.1.2/6.3': {
    text: 'EUM certificate expired',
    codes: { authenticateClient: 2 },
    first: 'authenticateClient',
  },
  '8.1.3/6.1': {
    text: 'eUICC certificate invalid',
    codes: { authenticateClient: 3 },
    first: 'authenticateClient',
  },
  '8.1.3/6.3': {
    text: 'eUICC certificate expired',
    codes: { authenticateClient: 4 },
    first: 'authenticateClient',
  },
  '8.2/1.2': { text: 'the profile is not released', first: 'authenticateClient' },
  '8.2/3.7': {
    text: 'the Bound Profile Package is not available for a new binding',
    codes: { getBoundProfilePackage: 5 },
    first: 'getBoundProfilePackage',
  },
  '8.2.5/3.7': {
    text: 'no more profiles of the type',
    codes: { authenticateClient: 8 },
    first: 'authenticateClient',
  },
  '8.2.5/4.3': {
    text: 'no eligible profile for this eUICC or device',
    codes: { authenticateClient: 8 },
    first: 'authenticateClient',
  },
  '8.2.6/3.1': {
    text: 'the matchingId is another one',
    codes: { authenticateClient: 6 },
    first: 'authenticateClient',
  },
  '8.2.6/3.3': {
    text: 'the matchingId is in conflict',
    codes: { authenticateClient: 6 },
    first: 'authenticateClient',
  },
  '8.2.6/3.8': {
    text: 'the matchingId is refused',
    codes: { authenticateClient: 6 },
    first: 'authenticateClient',
  },
  '8.2.7/2.2': {
    text: 'the confirmation code is missing',
    codes: { getBoundProfilePackage: 2 },
    first: 'getBoundProfilePackage',
  },
  '8.2.7/3.8': {
    text: 'the confirmation code is refused',
    codes: { getBoundProfilePackage: 3 },
    first: 'getBoundProfilePackage',
  },
  '8.2.7/6.4': {
    text: 'too many wrong confirmation codes',
    codes: { getBoundProfilePackage: 4 },
    first: 'getBoundProfilePackage',
  },
  '8.8/3.1': { text: 'the SM-DP+ OID is unknown', first: 'authenticateClient' },
  '8.8/3.10': { text: 'the SM-DP+ OID is invalid', first: 'cancelSession' },
  '8.8.1/3.8': {
    text: 'the SM-DP+ address is invalid',
    codes: { initiateAuthentication: 1 },
    first: 'initiateAuthentication',
  },
  '8.8.2/3.1': {
    text: 'no CI key in common',
    codes: { initiateAuthentication: 3 },
    first: 'initiateAuthentication',
  },
  '8.8.3/3.1': {
    text: 'the version of the eUICC is not supported',
    codes: { initiateAuthentication: 2 },
    first: 'initiateAuthentication',
  },
  '8.8.4/3.7': {
    text: 'no CERT.DPauth for a CI of the eUICC',
    codes: { initiateAuthentication: 3 },
    first: 'initiateAuthentication',
  },
  '8.8.5/4.1': {
    text: 'the download order has expired',
    codes: { authenticateClient: 18, getBoundProfilePackage: 6 },
    first: 'authenticateClient',
  },
  '8.8.5/6.4': { text: 'too many attempts for the download order', first: 'authenticateClient' },
  '8.9.1/3.8': {
    text: 'the SM-DS address is invalid',
    codes: { initiateAuthentication: 1 },
    first: 'initiateAuthentication',
  },
  '8.9.2/3.1': {
    text: 'no CI key in common',
    codes: { initiateAuthentication: 3 },
    first: 'initiateAuthentication',
  },
  '8.9.3/3.1': {
    text: 'the version of the eUICC is not supported',
    codes: { initiateAuthentication: 2 },
    first: 'initiateAuthentication',
  },
  '8.9.4/3.7': {
    text: 'no CERT.DSauth for a CI of the eUICC',
    codes: { initiateAuthentication: 3 },
    first: 'initiateAuthentication',
  },
  '8.9.5/3.9': { text: 'no such event', codes: { authenticateClient: 6 }, first: 'authenticateClient' },
  '8.10.1/3.9': {
    text: 'the transactionId is unknown',
    codes: { authenticateClient: 10, getBoundProfilePackage: 95, cancelSession: 1 },
    first: 'authenticateClient',
  },
  '8.11.1/3.9': {
    text: 'the CI public key is unknown',
    codes: { authenticateClient: 9 },
    first: 'authenticateClient',
  },
} as const satisfies Record<string, Entry>;

/** "subject/reason" as in procedures.md §6. */
export type StatusCode = keyof typeof statusCodes;

export function isStatusCode(text: string): text is StatusCode {
  return Object.hasOwn(statusCodes, text);
}

/** Function that tells a status code when it is provoked without naming one. */
export function firstFunction(status: StatusCode): RspFunction {
  return statusCodes[status].first;
}

/** What a server says to a client that asks for something it does not get. Not a fault of the server. */
export class Refusal extends XsIpaError {
  override readonly name = 'Refusal';
  readonly status: StatusCode;

  /** @param detail for the log of the server and the message of the JSON binding */
  constructor(status: StatusCode, detail?: string, options?: { cause?: unknown }) {
    super(status, detail ?? statusCodes[status].text, options);
    this.status = status;
  }

  get subjectCode(): string {
    return this.status.split('/')[0];
  }

  get reasonCode(): string {
    return this.status.split('/')[1];
  }

  /** Of the ASN.1 binding. An SM-DS has other numbers in AuthenticateClient. */
  asn1Code(called: RspFunction, isSmds = false): number {
    const { codes }: Entry = statusCodes[this.status];
    const code = codes?.[called] ?? 127;
    if (!isSmds || called !== 'authenticateClient') return code;
    if (this.status === '8.10.1/3.9') return 7;
    return code <= 6 ? code : 127;
  }
}
