import { XsIpaError } from '../../contracts/index.js';

const HANDSHAKE_FAILURE = 40;

/** A DTLS session could not be had. */
export class DtlsError extends XsIpaError {
  override readonly name = 'DtlsError';

  constructor(
    code: /** the other side did not answer the handshake */
      | 'noAnswer'
      /** the other side refused, or proved not to have the key */
      | 'refused'
      /** what came is not DTLS 1.2 as it should be */
      | 'protocol'
      /** the server is not the one that is expected */
      | 'untrusted',
    message: string,
    /** What the other side is told (RFC 5246 §7.2). */
    readonly alert: number = HANDSHAKE_FAILURE,
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
    42: 'bad_certificate',
    43: 'unsupported_certificate',
    44: 'certificate_revoked',
    45: 'certificate_expired',
    46: 'certificate_unknown',
    47: 'illegal_parameter',
    48: 'unknown_ca',
    50: 'decode_error',
    51: 'decrypt_error',
    70: 'protocol_version',
    71: 'insufficient_security',
    80: 'internal_error',
    90: 'user_canceled',
    109: 'missing_extension',
    110: 'unsupported_extension',
    112: 'unrecognized_name',
    115: 'unknown_psk_identity',
  };
  return names[description] ?? `alert ${description}`;
}
