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

/** The digits of an ICCID as in EF_ICCID: nibbles swapped, F as filler. */
export function iccidDigits(iccid: ArrayLike<number>): string {
  let text = '';
  for (let i = 0; i < iccid.length; i++) {
    const low = iccid[i] & 15;
    const high = iccid[i] >> 4;
    if (low < 15) text += String.fromCharCode(nibble(low));
    if (high < 15) text += String.fromCharCode(nibble(high));
  }
  return text;
}

/** 18 to 20 digits as in EF_ICCID, 10 bytes; undefined for anything else. */
export function packIccid(text: string): Uint8Array | undefined {
  if (text.length < 18 || text.length > 20) return undefined;
  const bytes = new Uint8Array(10).fill(0xff);
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    bytes[i >> 1] = i & 1 ? (bytes[i >> 1] & 0x0f) | (digit << 4) : (bytes[i >> 1] & 0xf0) | digit;
  }
  return bytes;
}

/** A text in UTF-8; a lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    let code = text.codePointAt(i)!;
    if (code > 0xffff) i++;
    else if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    const more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    // The lead byte has as many bits set as there are bytes.
    if (more === 0) bytes.push(code);
    else bytes.push(((0xf00 >> (more + 1)) & 0xff) | (code >> (6 * more)));
    for (let shift = 6 * (more - 1); shift >= 0; shift -= 6) bytes.push(0x80 | ((code >> shift) & 0x3f));
  }
  return new Uint8Array(bytes);
}
