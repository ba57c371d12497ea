import { XsIpaError } from '../../hal/contracts/index.js';

/** A certificate, key or folder that cannot be used. */
export class PkiError extends XsIpaError {
  override readonly name = 'PkiError';

  constructor(
    code: /** not X.509, not a key, or a damaged one */
      | 'malformed'
      /** not a P-256 key */
      | 'unsupportedKey'
      /** a folder without something that is needed, or with things that do not belong together */
      | 'incomplete'
      /** an argument that cannot be used, such as an EID that is not 32 digits */
      | 'argument',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}

/** The check of the chain eUICC → EUM → CI, or server → CI, that failed. */
export type ChainCheck =
  | 'ciUnknown'
  /** of a server's certificate */
  | 'serverSignature'
  | 'serverPolicy'
  | 'serverUsage'
  /** no registeredID, or another one than expected */
  | 'serverOid'
  | 'eumSignature'
  | 'euiccSignature'
  | 'eumPolicy'
  | 'euiccPolicy'
  | 'eumUsage'
  | 'euiccUsage'
  | 'criticalExtension'
  | 'nameConstraints'
  | 'eid'
  | 'validity';

export class ChainError extends XsIpaError {
  override readonly name = 'ChainError';
  readonly check: ChainCheck;

  constructor(check: ChainCheck, message: string) {
    super(check, message);
    this.check = check;
  }
}
