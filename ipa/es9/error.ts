import { XsIpaError } from '../../hal/contracts/index.js';

export type JsonErrorCode =
  /** No JSON object of RFC 8259. */
  | 'badJson'
  /** The text ends inside it. */
  | 'truncated'
  /** More levels than MAX_DEPTH. */
  | 'tooDeep'
  /** A field of bytes that is no base64. */
  | 'badBase64';

/** The only exception of the JSON reader, whatever the bytes. */
export class JsonError extends XsIpaError {
  override readonly name = 'JsonError';
  /** Bytes read before. */
  readonly offset: number;

  constructor(code: JsonErrorCode, message: string, offset: number) {
    super(code, message);
    this.offset = offset;
  }
}
