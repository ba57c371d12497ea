/** Strings of identifiers: ASCII in practice, UTF-8 by the letter. A device has no TextDecoder. */
export function utf8(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i++];
    const more =
      lead < 0x80
        ? 0
        : lead >= 0xc2 && lead < 0xe0
          ? 1
          : lead >= 0xe0 && lead < 0xf0
            ? 2
            : lead >= 0xf0 && lead < 0xf5
              ? 3
              : -1;
    let code = more <= 0 ? lead : lead & (0x3f >> more);
    let good = more >= 0;
    for (let n = 0; good && n < more; n++) {
      if (i < bytes.length && (bytes[i] & 0xc0) === 0x80) code = (code << 6) | (bytes[i++] & 0x3f);
      else good = false;
    }
    // U+FFFD keeps a damaged identifier visible instead of failing on it.
    text += String.fromCodePoint(good && code <= 0x10ffff ? code : 0xfffd);
  }
  return text;
}

/** Digits of a packed decimal value as it stands, high nibble first: an EID. */
export function digits(bytes: ArrayLike<number>): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++)
    text += String.fromCharCode(nibble(bytes[i] >> 4), nibble(bytes[i] & 15));
  return text;
}

function nibble(value: number): number {
  return value < 10 ? 0x30 + value : 0x37 + value;
}

/** Upper-case hexadecimal digits: how bytes are stored as text. */
export function hex(bytes: ArrayLike<number>): string {
  return digits(bytes);
}

/** The bytes of hexadecimal digits; what is none counts as 0. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++) {
    const value = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
    bytes[i] = value >= 0 ? value : 0;
  }
  return bytes;
}
