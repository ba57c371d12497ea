import { XsIpaError } from '../../contracts/index.js';

/** A DTLS session could not be had. */
export class DtlsError extends XsIpaError {
  override readonly name = 'DtlsError';

  constructor(
    code: /** the other side did not answer the handshake */
      | 'noAnswer'
      /** the other side refused, or proved not to have the key */
      | 'refused'
      /** what came is not DTLS 1.2 as it should be */
      | 'protocol',
    message: string,
  ) {
    super(code, message);
  }
}

/** Descriptions of alerts (RFC 5246 §7.2, RFC 4279), for people. */
export function alertText(description: number): string {
  const names: Readonly<Record<number, string>> = {
    0: 'close_notify',
    10: 'unexpected_message',
    20: 'bad_record_mac',
    40: 'handshake_failure',
    47: 'illegal_parameter',
    50: 'decode_error',
    51: 'decrypt_error',
    70: 'protocol_version',
    71: 'insufficient_security',
    80: 'internal_error',
    90: 'user_canceled',
    109: 'missing_extension',
    110: 'unsupported_extension',
    115: 'unknown_psk_identity',
  };
  return names[description] ?? `alert ${description}`;
}
