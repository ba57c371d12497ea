/**
 * Root of every error this project throws on purpose. `code` is stable and meant for programs, `message` for people:
 * it names what was wrong and what to do.
 */
export class XsIpaError extends Error {
  // A class field, not an assignment: after preload Error.prototype is frozen and assigning `name` would throw.
  override readonly name: string = 'XsIpaError';
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The way to the card failed (not: the card answered with an error status word). */
export class UiccError extends XsIpaError {
  override readonly name = 'UiccError';

  constructor(
    code: /** the card was reset, or no channel is open */
      | 'channelLost'
      /** the application cannot be selected: 6A82 and the like */
      | 'noApplication'
      /** no logical channel to be had */
      | 'noChannel'
      /** the modem gave no answer in time, even after recovery */
      | 'timeout'
      /** the modem refused the command; the message has its error */
      | 'refused'
      /** an answer that cannot be read */
      | 'malformed'
      /** the port is gone */
      | 'closed',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}
