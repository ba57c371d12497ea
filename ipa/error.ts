import { XsIpaError } from '../hal/contracts/index.js';

/** The eUICC answered an ES10 function with a status word that means failure (es10.md §1.6). */
export class Es10Error extends XsIpaError {
  override readonly name = 'Es10Error';
  readonly sw: number;

  constructor(tag: number, sw: number) {
    super(
      'statusWord',
      `ES10 function ${tag.toString(16).toUpperCase()} ended with ${sw.toString(16).toUpperCase()}`,
    );
    this.sw = sw;
  }
}

export type IpaErrorCode =
  /** The card has no ISD-R, or is not an IoT eUICC of SGP.32. */
  | 'notIotEuicc'
  /** No eIM is associated and none is provided. */
  | 'noEim'
  /** AddInitialEim was refused. */
  | 'associationRefused'
  /** The eUICC answered with something else than the function's response. */
  | 'unexpectedAnswer'
  /** The network did not come back. */
  | 'notRegistered'
  /** The eIM refused a message. */
  | 'refusedByEim'
  | 'stopped';

/** What a procedure could not do; `result` is the value the specification has for it, where it has one. */
export class IpaError extends XsIpaError {
  override readonly name = 'IpaError';
  readonly result: number | undefined;

  constructor(code: IpaErrorCode, message: string, result?: number) {
    super(code, message);
    this.result = result;
  }
}
