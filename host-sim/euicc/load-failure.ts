import { XsIpaError } from '../../hal/contracts/index.js';

/** SGP.22 §2.5.6: during which command of the Bound Profile Package, and why. */
export type BppCommand = 0 | 1 | 2 | 3 | 4 | 5;
export type ErrorReason = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 127;

/** Ends the loading of a profile; becomes the errorResult of its ProfileInstallationResult. Never leaves the eUICC. */
export class LoadFailure extends XsIpaError {
  override readonly name = 'LoadFailure';
  readonly bppCommandId: BppCommand;
  readonly errorReason: ErrorReason;
  /** ICCID of the profile, when it was known by then. */
  readonly iccid: Uint8Array | undefined;

  constructor(bppCommandId: BppCommand, errorReason: ErrorReason, iccid?: Uint8Array) {
    super('load', `command ${bppCommandId} of the Bound Profile Package failed: ${errorReason}`);
    this.bppCommandId = bppCommandId;
    this.errorReason = errorReason;
    this.iccid = iccid;
  }
}
