import { type AccessPoint, XsIpaError } from '../contracts/index.js';

/** The context that a modem attaches with. */
const CID = 1;
const PAP = 1;
/** Of an APN (3GPP TS 23.003 §9.1: 100 octets with lengths), a user, a password. */
const LONGEST = 100;

/** 3GPP TS 27.007 §10.1.1; an empty APN lets the network choose. @throws {XsIpaError} `usage` */
export function contextCommand({ apn }: AccessPoint): string {
  check('APN', apn);
  return `AT+CGDCONT=${CID},"IP","${apn}"`;
}

/** 3GPP TS 27.007 §10.1.31: PAP, or no authentication at all. @throws {XsIpaError} `usage` */
export function authenticationCommand({ user, password }: AccessPoint): string {
  if (user === '' && password === '') return `AT+CGAUTH=${CID},0`;
  check('user', user);
  check('password', password);
  return `AT+CGAUTH=${CID},${PAP},"${user}","${password}"`;
}

/** What a profile brings goes into a command line: it must not end the string or the line. */
function check(what: string, text: string): void {
  let bad = text.length > LONGEST;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) bad = true;
  }
  if (bad)
    throw new XsIpaError(
      'usage',
      `the ${what} of the access point cannot be said to a modem: it has quotes or characters beyond ASCII, or is longer than ${LONGEST}`,
    );
}
