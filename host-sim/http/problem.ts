import { XsIpaError } from '../../hal/contracts/index.js';

/** What is wrong with a request, and the HTTP status that says so. */
const statuses = {
  body: 400,
  notJson: 400,
  brokenOff: 400,
  adminProtocol: 400,
  host: 403,
  path: 404,
  method: 405,
  tooLarge: 413,
  contentType: 415,
  internal: 500,
  unavailable: 503,
} as const;

/** Ends an exchange with an HTTP status; `code` says which rule the request broke. */
export class HttpProblem extends XsIpaError {
  override readonly name = 'HttpProblem';
  declare readonly code: keyof typeof statuses;
  readonly status: number;
  /** For Retry-After, seconds. */
  readonly retryAfter?: number;

  constructor(
    code: keyof typeof statuses,
    message: string,
    { cause, retryAfter }: { cause?: unknown; retryAfter?: number } = {},
  ) {
    super(code, message, { cause });
    this.status = statuses[code];
    this.retryAfter = retryAfter;
  }

  /** Whatever else was thrown is a mistake of the server's own. */
  static of(error: unknown): HttpProblem {
    if (error instanceof HttpProblem) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new HttpProblem('internal', message, { cause: error });
  }
}

/** A server or a client of HTTP could not begin, or met nothing that it can talk to. */
export class HttpError extends XsIpaError {
  override readonly name = 'HttpError';

  constructor(
    code: /** an address that cannot be listened on; a request that failed */
      | 'network'
      /** what the control interface of a running server answered, or that none is there */
      | 'control'
      /** a URL that is none */
      | 'argument',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}
