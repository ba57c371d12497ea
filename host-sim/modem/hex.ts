/** @returns undefined when `text` is not an even number of hex digits */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** Digits of a nibble-swapped BCD string such as EF_ICCID; filler F ends up as `F`. */
export function swappedDigits(bytes: Uint8Array): string {
  let digits = '';
  for (const byte of bytes) digits += (byte & 15).toString(16) + (byte >> 4).toString(16);
  return digits.toUpperCase();
}
