import { concat, writeElement } from '../asn1/ber.js';

/** The few universal types a certificate is made of; each function gives a whole TLV. */
export const sequence = (...parts: Uint8Array[]): Uint8Array => writeElement(0x30, concat(parts));
export const set = (...parts: Uint8Array[]): Uint8Array => writeElement(0x31, concat(parts));
/** [n] with something inside: explicit tagging, or an implicitly tagged SEQUENCE. */
export const context = (n: number, ...parts: Uint8Array[]): Uint8Array =>
  writeElement(0xa0 | n, concat(parts));
export const primitive = writeElement;
export const utf8 = (text: string): Uint8Array => primitive(0x0c, Buffer.from(text, 'utf8'));
export const printable = (text: string): Uint8Array => primitive(0x13, Buffer.from(text, 'latin1'));
export const octets = (content: Uint8Array): Uint8Array => primitive(0x04, content);
export const boolean = (value: boolean): Uint8Array => primitive(0x01, Uint8Array.of(value ? 0xff : 0));
export const oid = (dotted: string): Uint8Array => primitive(0x06, oidBody(dotted));

export function bits(content: Uint8Array, unused = 0): Uint8Array {
  return primitive(0x03, Uint8Array.of(unused, ...content));
}

/** A non-negative INTEGER. */
export function unsigned(value: number | Uint8Array): Uint8Array {
  let bytes = typeof value === 'number' ? [...big(value)] : [...value];
  while (bytes.length > 1 && bytes[0] === 0 && bytes[1] < 0x80) bytes = bytes.slice(1);
  if (bytes[0] >= 0x80) bytes.unshift(0);
  return primitive(0x02, Uint8Array.from(bytes));
}

function big(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** UTCTime up to 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5). */
export function time(milliseconds: number): Uint8Array {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return Number(digits.slice(0, 4)) < 2050
    ? primitive(0x17, Buffer.from(`${digits.slice(2)}Z`, 'latin1'))
    : primitive(0x18, Buffer.from(`${digits}Z`, 'latin1'));
}

export function readTime(tag: number, content: Uint8Array): number {
  let digits = Buffer.from(content).toString('latin1');
  if (tag === 0x17) digits = `${Number(digits.slice(0, 2)) < 50 ? '20' : '19'}${digits}`;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  return parts ? Date.UTC(+parts[1], +parts[2] - 1, +parts[3], +parts[4], +parts[5], +parts[6]) : Number.NaN;
}

/** Content octets of an OBJECT IDENTIFIER. */
export function oidBody(dotted: string): Uint8Array {
  const arcs = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const arc of [arcs[0] * 40 + arcs[1], ...arcs.slice(2)]) {
    const group = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      group.unshift((rest % 128) | 0x80);
    bytes.push(...group);
  }
  return Uint8Array.from(bytes);
}

export function readOid(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const first = arcs.shift() ?? 0;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...arcs].join('.');
}
