/** Bytes of `text` in UTF-8. Lone surrogates become U+FFFD, as TextEncoder has it. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) length++;
    else if (unit < 0x800) length += 2;
    else if (isPair(text, at)) {
      length += 4;
      at++;
    } else length += 3;
  }
  return length;
}

/** Writes `text` at `offset`. @returns the offset behind it */
export function writeUtf8(into: Uint8Array, offset: number, text: string): number {
  let to = offset;
  for (let at = 0; at < text.length; at++) {
    let point = text.charCodeAt(at);
    if (point < 0x80) {
      into[to++] = point;
      continue;
    }
    if (point < 0x800) {
      into[to++] = 0xc0 | (point >> 6);
    } else {
      if (isPair(text, at)) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (text.charCodeAt(++at) & 0x3ff);
        into[to++] = 0xf0 | (point >> 18);
        into[to++] = 0x80 | ((point >> 12) & 0x3f);
      } else {
        if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
        into[to++] = 0xe0 | (point >> 12);
      }
      into[to++] = 0x80 | ((point >> 6) & 0x3f);
    }
    into[to++] = 0x80 | (point & 0x3f);
  }
  return to;
}

/** `bytes` up to `length` as text; every byte that belongs to no character becomes U+FFFD. */
export function readUtf8(bytes: Uint8Array, length: number): string {
  let text = '';
  for (let at = 0; at < length; ) {
    const first = bytes[at++];
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    const least = more === 3 ? 0x10000 : more === 2 ? 0x800 : 0x80;
    let point = first & (0x3f >> more);
    let valid = first >= 0xc0 && first < 0xf8 && at + more <= length;
    for (let i = 0; valid && i < more; i++) {
      const next = bytes[at + i];
      if ((next & 0xc0) !== 0x80) valid = false;
      point = (point << 6) | (next & 0x3f);
    }
    if (!valid || point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
      text += '\ufffd';
      continue;
    }
    at += more;
    text += String.fromCodePoint(point);
  }
  return text;
}

function isPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0xd800 || unit >= 0xdc00) return false;
  const next = text.charCodeAt(at + 1);
  return next >= 0xdc00 && next < 0xe000;
}
