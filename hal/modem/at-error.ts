import { XsIpaError } from '../contracts/index.js';

/** The AT interface failed. An error result of a command is no AtError but an answer (`AtResult.ok` false). */
export class AtError extends XsIpaError {
  override readonly name = 'AtError';

  constructor(
    code: /** no final result in time */
      | 'timeout'
      /** the port is gone, was closed, or was never opened */
      | 'closed'
      /** a final result came but the answer before it was missing or cannot be read */
      | 'malformed'
      /** the modem refused a command that cannot be done without */
      | 'refused',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}
