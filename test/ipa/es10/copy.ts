import { Cursor, Writer } from '../../../ipa/tlv/index.js';

/** Reads a message with ipa/tlv and writes it again with ipa/tlv, element by element. */
export function copyMessage(message: Uint8Array): Uint8Array {
  const to = new Writer(16, 1 << 20);
  copyLevel(new Cursor(message), to);
  return to.bytes.slice();
}

function copyLevel(from: Cursor, to: Writer): void {
  while (from.next()) {
    const { tag } = from;
    const constructed = ((tag > 0xffff ? tag >> 16 : tag > 0xff ? tag >> 8 : tag) & 0x20) !== 0;
    if (!constructed) {
      to.primitive(tag, from.value);
      continue;
    }
    to.begin(tag);
    copyLevel(from.enter(), to);
    from.leave();
    to.end();
  }
}
