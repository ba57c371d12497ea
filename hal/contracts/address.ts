/** Four numbers with dots, or anything with a colon: an IP address, not a name. */
export function isAddress(host: string): boolean {
  let dots = 0;
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    if (code === 0x3a) return true;
    if (code === 0x2e) dots++;
    else if (code < 0x30 || code > 0x39) return false;
  }
  return dots === 3;
}
