import { XsIpaError } from '../../hal/contracts/index.js';

/** The text is no activation code. */
export class ActivationCodeError extends XsIpaError {
  override readonly name = 'ActivationCodeError';

  constructor(message: string) {
    super('badActivationCode', `${message}; an activation code looks like 1$smdp.example.com$TOKEN`);
  }
}

/** An activation code in parts (procedures.md §8). */
export interface ActivationCode {
  /** FQDN, perhaps with `:port`. */
  smdpAddress: string;
  /** AC_Token in ASCII; may be empty. */
  matchingId: Uint8Array;
  /** Body of the OID that the certificates of the SM-DP+ must carry. */
  smdpOid: Uint8Array | undefined;
  confirmationCodeRequired: boolean;
}

const LONGEST = 255;

/**
 * Reads `[LPA:]1$address$token[$OID[$1]]`; further fields are of later versions and passed over.
 * @throws ActivationCodeError
 */
export function parseActivationCode(text: string): ActivationCode {
  let rest = text.trim();
  if (rest.length > LONGEST) throw new ActivationCodeError(`more than ${LONGEST} characters`);
  if (rest.slice(0, 4).toUpperCase() === 'LPA:') rest = rest.slice(4);
  const fields = rest.split('$');
  if (fields.length < 3) throw new ActivationCodeError('fewer than three fields between $ signs');
  const [format, smdpAddress, token, oid = '', flag = ''] = fields;
  if (format !== '1') throw new ActivationCodeError(`format ${format || 'nothing'} instead of 1`);
  if (!isAddress(smdpAddress)) throw new ActivationCodeError('the second field is no address of an SM-DP+');
  if (flag !== '' && flag !== '0' && flag !== '1')
    throw new ActivationCodeError('the fifth field is 1 or nothing');
  return {
    smdpAddress,
    matchingId: matchingId(token),
    smdpOid: oid === '' ? undefined : oidBody(oid),
    confirmationCodeRequired: flag === '1',
  };
}

/** Letters of a host name, `:port` allowed: what is put into a request line must not break it. */
function isAddress(text: string): boolean {
  if (text === '') return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!isAlphanumeric(code) && code !== 0x2d && code !== 0x2e && code !== 0x3a) return false;
  }
  return true;
}

function matchingId(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const code = token.charCodeAt(i);
    if (!isAlphanumeric(code) && code !== 0x2d)
      throw new ActivationCodeError('the third field has characters other than letters, digits and -');
    bytes[i] = code;
  }
  return bytes;
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

function oidBody(text: string): Uint8Array {
  const arcs = text.split('.');
  const bytes: number[] = [];
  for (let i = 0; i < arcs.length; i++) {
    const arc = Number(arcs[i]);
    const most = i === 0 ? 2 : i === 1 && arcs[0] !== '2' ? 39 : 0x7fffffff;
    if (arcs[i] === '' || !Number.isInteger(arc) || arc < 0 || arc > most) throw noOid();
    if (i === 0) continue;
    const value = i === 1 ? Number(arcs[0]) * 40 + arc : arc;
    let size = 1;
    for (let limit = 128; value >= limit; limit *= 128) size++;
    for (let shift = 128 ** (size - 1); size > 0; size--, shift /= 128)
      bytes.push((Math.floor(value / shift) & 0x7f) | (size > 1 ? 0x80 : 0));
  }
  if (arcs.length < 2) throw noOid();
  return new Uint8Array(bytes);
}

function noOid(): ActivationCodeError {
  return new ActivationCodeError('the fourth field is no OID');
}
