import { XsIpaError } from '../../hal/contracts/index.js';

/** The eIM, its broker or its control interface was asked for something it cannot do. */
export class EimError extends XsIpaError {
  override readonly name = 'EimError';

  constructor(
    code: /** an order, EID or option that cannot be used; the message says which */
      | 'argument'
      /** a device that this eIM does not know */
      | 'unknownDevice'
      /** the eIM's stored state cannot be read */
      | 'state'
      /** the state cannot be saved: nothing was acknowledged */
      | 'store'
      /** an address that cannot be listened on, or no broker there */
      | 'network'
      /** the eIM is being closed */
      | 'closed',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}
