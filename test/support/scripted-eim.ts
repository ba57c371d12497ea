import { concat, unhex } from '../../host-sim/asn1/index.js';
import type { EimHost } from './world.js';

/** Answers an eIM gives instead of its own, by the first tag of the question; the last one is repeated. */
export function script(
  host: EimHost,
  answers: Record<string, readonly (string | Uint8Array | undefined)[]>,
): Uint8Array[] {
  const taken: Uint8Array[] = [];
  const turns: Record<string, number> = {};
  host.instead = (payload) => {
    taken.push(payload.slice());
    const tag = hexOf(payload.subarray(0, 2));
    const list = answers[tag];
    if (!list) throw new Error(`the script has no answer to ${tag}`);
    const turn = turns[tag] ?? 0;
    turns[tag] = turn + 1;
    const answer = list[Math.min(turn, list.length - 1)];
    return typeof answer === 'string' ? unhex(answer.replaceAll(' ', '')) : answer;
  };
  return taken;
}

export const NO_PACKAGE = 'BF4F03020101';

/** BF4F or BF4E around a package. */
export function inEnvelope(tag: 'BF4F' | 'BF4E' | 'BF50', body: string | Uint8Array): Uint8Array {
  const bytes = typeof body === 'string' ? unhex(body.replaceAll(' ', '')) : body;
  const n = bytes.length;
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return concat([unhex(tag), Uint8Array.from(length), bytes]);
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}
