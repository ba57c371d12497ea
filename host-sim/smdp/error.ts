import { XsIpaError } from '../../hal/contracts/index.js';

/** A mistake of whoever runs the server; what a client does wrong is a {@link Refusal}. */
export class SmdpError extends XsIpaError {
  override readonly name = 'SmdpError';

  constructor(
    code: /** an order or option that cannot be used */
      | 'argument'
      /** an order that is not there */
      | 'unknownOrder'
      /** stored state that cannot be read */
      | 'state',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}
