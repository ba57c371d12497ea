import { fragmentOf, HEADER } from './messages.js';
import { Content } from './record.js';

/** A whole handshake message, or what else goes in a record. */
export interface Part {
  type: number;
  content: Uint8Array;
  /** Goes under the keys of the session, in one piece. */
  isProtected?: boolean;
}

/** Bytes of a datagram that passes any IPv6 network with all headers, and most of those that promise less. */
const DATAGRAM = 1_200;
const RECORD = 13;
/** A shorter piece of a message is not worth its headers. */
const LEAST = 32;

/** The datagrams of a flight: as many records in each as there is room for, long messages in pieces. */
export function datagramsOf(parts: readonly Part[], write: (part: Part) => Buffer): Buffer[] {
  const datagrams: Buffer[][] = [[]];
  let room = DATAGRAM;
  const begin = () => {
    if (datagrams.at(-1)!.length > 0) datagrams.push([]);
    room = DATAGRAM;
  };
  const add = (part: Part) => {
    const record = write(part);
    if (record.length > room) begin();
    datagrams.at(-1)!.push(record);
    room -= record.length;
  };
  for (const part of parts) {
    const length = part.content.length - HEADER;
    const isWhole = part.type !== Content.handshake || part.isProtected || length <= LEAST;
    if (isWhole || RECORD + HEADER + length <= room) {
      add(part);
      continue;
    }
    for (let offset = 0; offset < length; ) {
      if (room < RECORD + HEADER + Math.min(LEAST, length - offset)) begin();
      const count = Math.min(length - offset, room - RECORD - HEADER);
      add({ type: part.type, content: fragmentOf(part.content, offset, count) });
      offset += count;
    }
  }
  return datagrams.map((records) => Buffer.concat(records));
}
