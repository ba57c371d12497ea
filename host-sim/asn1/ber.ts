import { BaseBlock, fromBER, Primitive } from 'asn1js';
import { XsIpaError } from '../../hal/contracts/index.js';

/** Bytes that are not what a schema says, or a value a schema cannot carry. */
export class Asn1Error extends XsIpaError {
  override readonly name = 'Asn1Error';

  constructor(
    code: /** not well-formed TLV: truncated, indefinite length, too deep, trailing bytes */
      | 'malformed'
      /** well-formed, but a mandatory part is missing */
      | 'missing'
      /** another tag or form than the schema allows */
      | 'unexpected'
      /** a value or a length outside its bounds */
      | 'range',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}

/** One TLV as received. All views point into one private copy of the input. */
export interface Element {
  /** Tag as the specification writes it: 0x5A, 0xA0, 0xBF51, 0x9F70. */
  readonly tag: number;
  readonly constructed: boolean;
  readonly content: Uint8Array;
  readonly children: readonly Element[];
  /** The whole TLV. */
  readonly bytes: Uint8Array;
}

/** Deeper than any message of the specification, certificates included. */
const maxDepth = 40;

/** The only TLV in `bytes`. @throws Asn1Error */
export function readElement(bytes: Uint8Array): Element {
  const copy = Uint8Array.from(bytes);
  let parsed: ReturnType<typeof fromBER>;
  try {
    parsed = fromBER(copy, { copyInput: false, maxDepth, parseEmbedded: false });
  } catch (cause) {
    throw new Asn1Error('malformed', 'the bytes are not BER', { cause });
  }
  if (parsed.offset < 0) throw new Asn1Error('malformed', `the bytes are not BER: ${parsed.result.error}`);
  if (parsed.offset !== copy.length) {
    throw new Asn1Error('malformed', `${copy.length - parsed.offset} bytes follow the message`);
  }
  return elementOf(parsed.result);
}

function elementOf(block: unknown): Element {
  if (!(block instanceof BaseBlock)) throw new Asn1Error('malformed', 'an element has no BER form');
  if (block.lenBlock.isIndefiniteForm) throw new Asn1Error('malformed', 'indefinite length');
  const bytes = block.valueBeforeDecodeView;
  const content = bytes.subarray(bytes.length - block.lenBlock.length);
  if (block.lenBlock.length > bytes.length)
    throw new Asn1Error('malformed', 'a length goes beyond its element');
  const { isConstructed: constructed, tagClass, tagNumber } = block.idBlock;
  let children: Element[] = [];
  if (constructed) {
    const parts = (block.valueBlock as { value?: unknown }).value;
    // asn1js joins strings that come in pieces; DER has none.
    if (!Array.isArray(parts))
      throw new Asn1Error('malformed', `a primitive type is constructed (${tagNumber})`);
    children = parts.map(elementOf);
    let inner = 0;
    for (const child of children) inner += child.bytes.length;
    if (inner !== content.length) throw new Asn1Error('malformed', 'an element does not fill its parent');
  }
  return { tag: joinTag(tagClass, constructed, tagNumber), constructed, content, children, bytes };
}

function joinTag(tagClass: number, constructed: boolean, number: number): number {
  const first = ((tagClass - 1) << 6) | (constructed ? 0x20 : 0);
  if (number < 31) return first | number;
  if (number < 0x80) return ((first | 31) << 8) | number;
  if (number < 0x4000) return ((first | 31) << 16) | (((number >> 7) | 0x80) << 8) | (number & 0x7f);
  throw new Asn1Error('unexpected', `tag number ${number} is not in use`);
}

function splitTag(tag: number): { tagClass: number; tagNumber: number; constructed: boolean } {
  const bytes = tag > 0xffff ? 3 : tag > 0xff ? 2 : 1;
  const first = tag >> (8 * (bytes - 1));
  let tagNumber = first & 31;
  if (bytes === 2) tagNumber = tag & 0x7f;
  if (bytes === 3) tagNumber = (((tag >> 8) & 0x7f) << 7) | (tag & 0x7f);
  return { tagClass: (first >> 6) + 1, tagNumber, constructed: (first & 0x20) !== 0 };
}

/** One TLV around `content`; whether it is constructed is in the tag. */
export function writeElement(tag: number, content: Uint8Array): Uint8Array {
  const { tagClass, tagNumber, constructed } = splitTag(tag);
  const block = new Primitive({
    idBlock: { tagClass, tagNumber },
    valueHex: Uint8Array.from(content).buffer,
  });
  block.idBlock.isConstructed = constructed;
  return new Uint8Array(block.toBER(false));
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A tag as the specification writes it. */
export function tagName(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, '0');
}
