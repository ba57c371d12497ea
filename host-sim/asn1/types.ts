import { hex } from '../bytes.js';
import { Asn1Error, type Element, readElement, tagName, writeElement } from './ber.js';
import type { Type } from './schema.js';

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

/** Spaces are allowed. @throws Asn1Error for anything that is not pairs of hex digits */
export function unhex(text: string): Uint8Array {
  const digits = text.replaceAll(' ', '');
  if (!/^([0-9A-Fa-f]{2})*$/.test(digits)) throw new Asn1Error('range', `"${text}" is not hexadecimal`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function content(element: Element, label: string, least = 0, most = Number.POSITIVE_INFINITY): Uint8Array {
  if (element.constructed) throw new Asn1Error('unexpected', `${label} is constructed`);
  checkLength(element.content.length, label, least, most);
  return element.content;
}

function checkLength(length: number, label: string, least: number, most: number): void {
  if (length < least || length > most) {
    const bounds = least === most ? `${least}` : `${least} to ${most}`;
    throw new Asn1Error('range', `${label} has ${length} bytes, not ${bounds}`);
  }
}

/** OCTET STRING of `least` to `most` bytes. */
export function octets(
  label: string,
  least = 0,
  most: number = least || Number.POSITIVE_INFINITY,
  tag = 0x04,
  show: (bytes: Uint8Array) => unknown = hex,
): Type<Uint8Array> {
  return {
    label,
    tags: [tag],
    write(value, other = tag) {
      checkLength(value.length, label, least, most);
      return writeElement(other, value);
    },
    read: (element) => content(element, label, least, most),
    show,
  };
}

/** UTF8String of `least` to `most` bytes. */
export function utf8(label: string, least = 0, most = Number.POSITIVE_INFINITY): Type<string> {
  return {
    label,
    tags: [0x0c],
    write(value, tag = 0x0c) {
      const bytes = utf8Encoder.encode(value);
      checkLength(bytes.length, label, least, most);
      return writeElement(tag, bytes);
    },
    read(element) {
      try {
        return utf8Decoder.decode(content(element, label, least, most));
      } catch (cause) {
        if (cause instanceof Asn1Error) throw cause;
        throw new Asn1Error('unexpected', `${label} is not UTF-8`, { cause });
      }
    },
    show: (value) => value,
  };
}

/** Content octets of an INTEGER, minimal two's complement (T10). */
function integerBytes(value: number): Uint8Array {
  if (!Number.isSafeInteger(value)) throw new Asn1Error('range', `${value} is not an integer`);
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0xffn);
    bytes.unshift(low);
    rest >>= 8n;
    if ((rest === 0n && low < 0x80) || (rest === -1n && low >= 0x80)) return Uint8Array.from(bytes);
  }
}

/** INTEGER between `least` and `most`. */
export function integer(
  label: string,
  least = Number.MIN_SAFE_INTEGER,
  most = Number.MAX_SAFE_INTEGER,
  names?: Readonly<Record<number, string>>,
): Type<number> {
  const check = (value: number): number => {
    if (value < least || value > most) throw new Asn1Error('range', `${label} is ${value}`);
    return value;
  };
  return {
    label,
    tags: [0x02],
    write: (value, tag = 0x02) => writeElement(tag, integerBytes(check(value))),
    read(element) {
      const bytes = content(element, label, 1);
      let value = BigInt(bytes[0] >= 0x80 ? -1 : 0);
      for (const byte of bytes.subarray(0, 16)) value = (value << 8n) | BigInt(byte);
      const number = Number(value);
      if (bytes.length > 16 || !Number.isSafeInteger(number))
        throw new Asn1Error('range', `${label} is too large`);
      return check(number);
    },
    show: (value) => names?.[value] ?? value,
  };
}

/** INTEGER with named values; unknown ones pass as numbers. */
export function code(label: string, names: Readonly<Record<number, string>>): Type<number> {
  return integer(label, 0, 0x7fffffff, names);
}

/** BOOLEAN: any non-zero octet is true (T9). */
export const bool: Type<boolean> = {
  label: 'BOOLEAN',
  tags: [0x01],
  write: (value, tag = 0x01) => writeElement(tag, Uint8Array.of(value ? 0xff : 0)),
  read: (element) => content(element, 'BOOLEAN', 1, 1)[0] !== 0,
  show: (value) => value,
};

/** NULL as a flag: true when present. */
export const nul: Type<true> = {
  label: 'NULL',
  tags: [0x05],
  write: (_value, tag = 0x05) => writeElement(tag, new Uint8Array(0)),
  read: () => true,
  show: () => true,
};

/** Named BIT STRING as a list of names, in order of the bits; unknown bits are ignored (T11). */
export function bits<const N extends string>(label: string, names: readonly N[]): Type<N[]> {
  return {
    label,
    tags: [0x03],
    write(value, tag = 0x03) {
      let last = -1;
      for (const name of value) {
        const bit = names.indexOf(name);
        if (bit < 0) throw new Asn1Error('range', `${label} has no bit ${name}`);
        last = Math.max(last, bit);
      }
      const bytes = new Uint8Array(1 + Math.ceil((last + 1) / 8));
      bytes[0] = last < 0 ? 0 : 7 - (last & 7);
      for (const name of value) {
        const bit = names.indexOf(name);
        bytes[1 + (bit >> 3)] |= 0x80 >> (bit & 7);
      }
      return writeElement(tag, bytes);
    },
    // The count of unused bits is not believed: cards and servers get it wrong, and the bits say it all (Q14).
    read(element) {
      const bytes = content(element, label, 1);
      return names.filter((_name, bit) => ((bytes[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0);
    },
    show: (value) => value,
  };
}

/** OBJECT IDENTIFIER in dotted form. */
export function oid(label: string): Type<string> {
  return {
    label,
    tags: [0x06],
    write(value, tag = 0x06) {
      const arcs = value.split('.').map(Number);
      if (arcs.length < 2 || !arcs.every((arc) => Number.isSafeInteger(arc) && arc >= 0)) {
        throw new Asn1Error('range', `${label} "${value}" is not an object identifier`);
      }
      const bytes: number[] = [];
      for (const arc of [arcs[0] * 40 + arcs[1], ...arcs.slice(2)]) {
        const groups = [arc % 128];
        for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
          groups.unshift((rest % 128) | 0x80);
        }
        bytes.push(...groups);
      }
      return writeElement(tag, Uint8Array.from(bytes));
    },
    read(element) {
      const arcs: number[] = [];
      let arc = 0;
      const bytes = content(element, label, 1);
      for (const [index, byte] of bytes.entries()) {
        arc = arc * 128 + (byte & 0x7f);
        if (!Number.isSafeInteger(arc)) throw new Asn1Error('range', `${label} has an arc too large`);
        if (byte < 0x80) {
          arcs.push(arc);
          arc = 0;
        } else if (index === bytes.length - 1) {
          throw new Asn1Error('malformed', `${label} ends inside an arc`);
        }
      }
      const first = Math.min(2, Math.floor(arcs[0] / 40));
      return [first, arcs[0] - 40 * first, ...arcs.slice(1)].join('.');
    },
    show: (value) => value,
  };
}

/** A TLV kept byte for byte, tag and length included. `tag` limits which one; a context's tag replaces it. */
export function raw(label: string, tag?: number): Type<Uint8Array> {
  return {
    label,
    tags: tag === undefined ? [] : [tag],
    write(value, other) {
      if (other === undefined) return value;
      return writeElement(other, readElement(value).content);
    },
    read: (element) => element.bytes,
    show: hex,
  };
}

/**
 * A SEQUENCE that stands for itself, such as a Certificate or SubjectPublicKeyInfo: the value is its whole DER with
 * tag 30, whatever tag the context gives instead (T5).
 */
export function der(label: string): Type<Uint8Array> {
  return {
    label,
    tags: [0x30],
    write(value, tag = 0x30) {
      if (value[0] !== 0x30) throw new Asn1Error('unexpected', `${label} does not begin with 30`);
      return tag === 0x30 ? value : writeElement(tag, readElement(value).content);
    },
    read: (element) => (element.tag === 0x30 ? element.bytes : writeElement(0x30, element.content)),
    show: (value) => `${value.length} bytes, ${hex(value.subarray(0, 8))}…`,
  };
}

/** Something that is signed: sign and verify over `bytes`, never over a new encoding of `value`. */
export interface Signed<T> {
  readonly bytes: Uint8Array;
  readonly value: T;
}

export function signed<T>(type: Type<T>): Type<Signed<T>> {
  return {
    label: type.label,
    tags: type.tags,
    write(value, tag) {
      if (tag !== undefined && tag !== readElement(value.bytes).tag) {
        throw new Asn1Error('unexpected', `${type.label} is signed with another tag than ${tagName(tag)}`);
      }
      return value.bytes;
    },
    read: (element, isTagged) => ({ bytes: element.bytes, value: type.read(element, isTagged) }),
    show: (value) => type.show(value.value),
  };
}

/** Encodes once what is to be signed. */
export function toSign<T>(type: Type<T>, value: T): Signed<T> {
  return { bytes: type.write(value), value };
}

/** Content of 5C: whole tags, one after the other. */
export const tagList: Type<number[]> = {
  label: 'tagList',
  tags: [0x5c],
  write(value, tag = 0x5c) {
    const bytes: number[] = [];
    for (const one of value) {
      for (let shift = one > 0xffff ? 16 : one > 0xff ? 8 : 0; shift >= 0; shift -= 8)
        bytes.push((one >> shift) & 0xff);
    }
    return writeElement(tag, Uint8Array.from(bytes));
  },
  read(element) {
    const bytes = content(element, 'tagList');
    const list: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      let tag = bytes[at++];
      if ((tag & 0x1f) === 0x1f) {
        let length = 1;
        do {
          if (at >= bytes.length || ++length > 3)
            throw new Asn1Error('malformed', 'tagList ends inside a tag');
          tag = (tag << 8) | bytes[at];
        } while (bytes[at++] >= 0x80);
      }
      list.push(tag);
    }
    return list;
  },
  show: (value) => value.map(tagName),
};
