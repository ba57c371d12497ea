import { BoundProfilePackage, concat, decode, readElement } from '../asn1/index.js';
import { attempt } from './messages.js';

/** MAC at the end of a segment. */
const macBytes = 8;

/** BF25 of a Bound Profile Package: its segments 88 are not encrypted (crypto.md §6.2). Undefined for anything else. */
export function metadataOf(boundProfilePackage: Uint8Array): Uint8Array | undefined {
  return attempt(() => {
    const { sequenceOf88 } = decode(BoundProfilePackage, boundProfilePackage);
    return concat(
      sequenceOf88.map((segment) => {
        const { content } = readElement(segment);
        return content.subarray(0, Math.max(0, content.length - macBytes));
      }),
    );
  });
}
