import { XsIpaError } from '../../hal/contracts/index.js';

/** Something of remote provisioning that does not hold. */
export class RspError extends XsIpaError {
  override readonly name = 'RspError';

  constructor(
    code: /** a protected segment that is no TLV of its kind, or whose padding is wrong */
      | 'structure'
      /** a MAC that does not fit */
      | 'security'
      /** a point that is not on the curve */
      | 'key'
      /** bytes that are not a Bound Profile Package */
      | 'package'
      /** a profile package that cannot be read or made */
      | 'profile',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}
