import { concat, unhex } from '../../host-sim/asn1/index.js';
import type { World } from './world.js';

/** Second bytes of ES10 tags BFxx. */
export const ES10_TAGS = {
  euiccInfo1: 0x20,
  euiccInfo2: 0x22,
  listNotification: 0x28,
  retrieveNotifications: 0x2b,
  profilesInfo: 0x2d,
  removeNotification: 0x30,
  eid: 0x3e,
  package: 0x51,
  eimConfiguration: 0x55,
  certs: 0x56,
  addInitialEim: 0x57,
} as const;

type Answer = string | Uint8Array | number | undefined;

/**
 * Puts words into the card's mouth: `answer` sees each whole ES10 command and gives the response (hex or bytes), a status
 * word, or undefined to let the card answer. With `after` the card carries the command out first.
 */
export function cardAnswering(
  world: World,
  answer: (request: Uint8Array) => Answer,
  after = false,
): () => void {
  const card = world.euicc;
  const transmit = card.transmit.bind(card);
  let blocks: Uint8Array[] = [];
  let response: Uint8Array | undefined;
  const ok = (bytes: Uint8Array, more: boolean) => concat([bytes, more ? unhex('6100') : unhex('9000')]);
  card.transmit = (command) => {
    if (command[1] === 0xc0 && response) {
      const wanted = command[4] || 256;
      const piece = response.subarray(0, wanted);
      response = response.subarray(piece.length);
      const more = response.length > 0;
      if (!more) response = undefined;
      return ok(piece, more);
    }
    if (command[1] !== 0xe2) return transmit(command);
    if (command[3] === 0) blocks = [];
    blocks.push(command.slice(5, 5 + command[4]));
    if (command[2] !== 0x91) return transmit(command);
    const given = answer(concat(blocks));
    if (given === undefined) return transmit(command);
    if (after) transmit(command);
    if (typeof given === 'number') return Uint8Array.of(given >> 8, given & 255);
    response = typeof given === 'string' ? unhex(given.replaceAll(' ', '')) : given;
    return Uint8Array.of(0x61, response.length > 255 ? 0 : response.length);
  };
  return () => {
    card.transmit = transmit;
  };
}
