import { XsIpaError } from '../../hal/contracts/error.js';

export type TlvErrorCode =
  /** The bytes end inside a tag or a length. */
  | 'truncated'
  /** Length byte 80. */
  | 'indefiniteLength'
  /** A length that leads out of the buffer or out of the enclosing element. */
  | 'lengthBeyond'
  /** A tag of more than three bytes, or one that starts with 00 or FF. */
  | 'badTag'
  /** A length of more than four bytes. */
  | 'badLength'
  /** More levels than MAX_DEPTH. */
  | 'tooDeep'
  /** Another tag than the one that must stand here. */
  | 'wrongTag'
  /** A value that does not fit its type, or a call out of order. */
  | 'badValue'
  /** A message longer than the buffer may grow. */
  | 'overflow';

/** The only exception of ipa/tlv, whatever the bytes. */
export class TlvError extends XsIpaError {
  override readonly name = 'TlvError';
  /** Offset of the element in question. */
  readonly offset: number;

  constructor(code: TlvErrorCode, message: string, offset: number) {
    super(code, message);
    this.offset = offset;
  }
}

/** Deepest nesting of a message we read: BF50{30{A0{30{BF2F{…}}}}} needs five, certificates are not entered. */
export const MAX_DEPTH = 12;
