import { concat, writeElement } from '../asn1/ber.js';
import { RspError } from './error.js';

/** Access to a packet data network. */
export interface Connectivity {
  apn: string;
  login?: string;
  password?: string;
}

/**
 * Connectivity parameters as profiles carry them and GetConnectivityParameters tells them (SGP.32 §5.9.24, Q62): objects
 * of TS 102 223 §8, namely bearer description, network access name, and login and password as text strings.
 *
 * @throws RspError 'profile' when a label of the APN is empty or longer than 63 characters
 */
export function connectivityParameters({ apn, login, password }: Connectivity): Uint8Array {
  // 03: the default bearer for what the transport layer asks for.
  const objects = [writeElement(0x35, Uint8Array.of(0x03)), writeElement(0x47, labels(apn))];
  if (login !== undefined) objects.push(text(login), text(password ?? ''));
  return concat(objects);
}

function labels(apn: string): Uint8Array {
  const parts = apn.split('.').map((label) => {
    if (!/^[A-Za-z0-9-]{1,63}$/.test(label)) throw new RspError('profile', `"${apn}" is not an APN`);
    return Uint8Array.of(label.length, ...Buffer.from(label, 'latin1'));
  });
  return concat(parts);
}

/** Data coding scheme 04: 8 bits. */
function text(value: string): Uint8Array {
  return writeElement(0x0d, Uint8Array.of(0x04, ...Buffer.from(value, 'utf8')));
}
