import * as asn1js from 'asn1js';
import fc from 'fast-check';
import { Cursor, Found, TlvError, TlvStream } from '../../../ipa/tlv/index.js';

/** A TLV tree as tests compare it: what asn1js was told to encode, or what one of our readers saw. */
export interface Node {
  tag: number;
  children?: Node[];
  /** Hex; only without `children`. */
  value?: string;
}

interface Plan {
  tagClass: 2 | 3 | 4;
  tagNumber: number;
  children?: Plan[];
  value?: Uint8Array;
}

const tagNumber = fc.oneof(
  fc.integer({ min: 0, max: 30 }),
  fc.integer({ min: 31, max: 127 }),
  fc.integer({ min: 128, max: 16383 }),
);
const tagClass = fc.constantFrom<2 | 3 | 4>(2, 3, 4);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 120, maxLength: 300, size: 'max' }) },
);

/** Trees within what we read: at most 6 levels, no tag that starts with FF. */
export const plans = fc
  .letrec<{ node: Plan }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      fc.record({ tagClass, tagNumber, value }),
      fc.record({ tagClass, tagNumber, children: fc.array(tie('node'), { maxLength: 5 }) }),
    ),
  }))
  .node.filter(allowed);

function allowed(plan: Plan): boolean {
  if (plan.tagClass === 4 && plan.tagNumber > 30 && plan.children) return false;
  return plan.children?.every(allowed) ?? true;
}

export function encodeWithAsn1js(plan: Plan): Uint8Array {
  return new Uint8Array(toAsn1js(plan).toBER());
}

function toAsn1js(plan: Plan): asn1js.BaseBlock {
  const idBlock = { tagClass: plan.tagClass, tagNumber: plan.tagNumber };
  if (plan.children) return new asn1js.Constructed({ idBlock, value: plan.children.map(toAsn1js) });
  const bytes = plan.value as Uint8Array;
  return new asn1js.Primitive({ idBlock, valueHex: bytes.slice().buffer });
}

/** What a reader must see of a plan. The tag is put together here by X.690 §8.1.2, not by ipa/tlv. */
export function expected(plan: Plan): Node {
  const constructed = plan.children !== undefined;
  const leading = ((plan.tagClass - 1) << 6) | (constructed ? 0x20 : 0);
  const number = plan.tagNumber;
  let tag = leading | number;
  if (number > 30) tag = ((leading | 0x1f) << 8) | number;
  if (number > 127) tag = ((leading | 0x1f) << 16) | ((0x80 | (number >> 7)) << 8) | (number & 0x7f);
  return plan.children
    ? { tag, children: plan.children.map(expected) }
    : { tag, value: Buffer.from(plan.value as Uint8Array).toString('hex') };
}

/** Is the constructed bit set in the first byte of a tag? */
export function isConstructed(tag: number): boolean {
  const first = tag > 0xffff ? tag >> 16 : tag > 0xff ? tag >> 8 : tag;
  return (first & 0x20) !== 0;
}

export function readWithCursor(bytes: Uint8Array): Node[] {
  return level(new Cursor(bytes));
}

function level(cursor: Cursor): Node[] {
  const nodes: Node[] = [];
  while (cursor.next()) {
    const { tag } = cursor;
    if (isConstructed(tag)) {
      cursor.enter();
      nodes.push({ tag, children: level(cursor) });
      cursor.leave();
    } else {
      nodes.push({ tag, value: Buffer.from(cursor.value).toString('hex') });
    }
  }
  return nodes;
}

/** @param cuts sizes of the pieces; the rest comes as one piece */
export function readWithStream(bytes: Uint8Array, cuts: number[], stream = new TlvStream()): Node[] {
  stream.reset();
  const roots: Node[] = [];
  const open: Node[] = [];
  let at = 0;
  for (const size of [...cuts, bytes.length]) {
    // A copy that is overwritten afterwards: the stream must not read a piece it has used up.
    const piece = bytes.slice(at, at + size);
    at += piece.length;
    stream.feed(piece);
    for (let found = stream.next(); found !== Found.nothing; found = stream.next()) {
      if (found === Found.header) {
        const node: Node = { tag: stream.tag };
        (open.at(-1)?.children ?? roots).push(node);
        if (stream.depth !== open.length) throw new Error(`header at depth ${stream.depth}`);
        open.push(node);
        if (isConstructed(stream.tag)) {
          node.children = [];
          stream.enter();
        } else {
          node.value = '';
        }
      } else if (found === Found.data) {
        const node = open.at(-1) as Node;
        if (stream.tag !== node.tag) throw new Error('data of another element');
        node.value += Buffer.from(stream.data as Uint8Array).toString('hex');
      } else {
        const node = open.pop() as Node;
        if (stream.tag !== node.tag || stream.depth !== open.length)
          throw new Error('end of another element');
      }
    }
    piece.fill(0xee);
  }
  if (!stream.complete) throw new TlvError('truncated', 'the stream is not complete', stream.consumed);
  return roots;
}

/** The code of the TlvError that `run` throws; anything else it throws goes on. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof TlvError) return error.code;
    throw error;
  }
}
