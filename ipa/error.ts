import { UiccError, XsIpaError } from '../hal/contracts/index.js';
import { TlvError } from './tlv/error.js';

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
  /** The card has no ISD-R, or is none of SGP.32 or SGP.22. */
  | 'notIotEuicc'
  /** The eUICC has no ES10c: an eIM manages its profiles. */
  | 'noEs10c'
  /** The eUICC said no to a local operation; `result` is its reason. */
  | 'refusedByEuicc'
  /** An operand of a local operation cannot be used. */
  | 'usage'
  /** This device has no way to an SM-DP+. */
  | 'noSmdp'
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

/**
 * Is the ISD-R no longer behind our channel? 6D00 and 6E00 come from another application: where a modem has only the basic
 * channel, its own commands select there too (at.md §4). Some cards mean "no such function" by it, so it proves nothing.
 */
export function isChannelGone(error: unknown): boolean {
  if (error instanceof Es10Error) return error.sw === 0x6d00 || error.sw === 0x6e00;
  return error instanceof UiccError && error.code === 'channelLost';
}

/** Does this eUICC not have a function, or answer with nonsense? The way to it works then, and others can be had. */
export function isUnavailable(error: unknown): error is Es10Error | IpaError | TlvError {
  return error instanceof Es10Error || error instanceof IpaError || error instanceof TlvError;
}
