import { HELLO } from '../../../host-sim/xs/wire.js';

/** The server's name, and whom to trust as that (wire.ts). */
export interface Hello {
  name: string;
  /** One of TrustKind. */
  kind: number;
  /** DER, or hex of it. */
  trusted: readonly (Uint8Array | string)[];
}

/** What a connection begins with (wire.ts). */
export function helloBytes({ name, kind, trusted }: Hello): Uint8Array {
  let length = 4 + name.length;
  for (const one of trusted) length += 2 + derLength(one);
  const bytes = new Uint8Array(length);
  bytes[0] = HELLO;
  bytes[1] = kind;
  bytes[2] = name.length;
  let at = 3;
  for (let i = 0; i < name.length; i++) bytes[at++] = name.charCodeAt(i);
  bytes[at++] = trusted.length;
  for (const one of trusted) {
    const size = derLength(one);
    bytes[at++] = size >> 8;
    bytes[at++] = size;
    for (let i = 0; i < size; i++)
      bytes[at++] = typeof one === 'string' ? Number.parseInt(one.slice(2 * i, 2 * i + 2), 16) : one[i];
  }
  return bytes;
}

function derLength(der: Uint8Array | string): number {
  return typeof der === 'string' ? der.length / 2 : der.length;
}
