/** A command APDU taken apart (ISO/IEC 7816-4 §5.1, short form). */
export interface Apdu {
  channel: number;
  /** Class bit 8: GlobalPlatform and ETSI commands beside the interindustry ones. */
  proprietary: boolean;
  ins: number;
  p1: number;
  p2: number;
  data: Uint8Array;
  /** Le; 0 stands for 256, undefined for absent. */
  le: number | undefined;
}

/** @returns the parts, or the status word to answer with */
export function parseApdu(bytes: Uint8Array): Apdu | number {
  if (bytes.length < 4) return 0x6700;
  const [cla, ins, p1, p2] = bytes;
  const low = cla & 0x7f;
  let channel: number;
  if (low <= 0x03) channel = low;
  else if (low >= 0x40 && low <= 0x4f) channel = (low & 0x0f) + 4;
  else return 0x6e00;
  const p3 = bytes[4];
  let data = new Uint8Array(0);
  let le: number | undefined;
  if (bytes.length === 5) {
    le = p3;
  } else if (bytes.length > 5) {
    if (p3 === 0) return 0x6700;
    data = bytes.slice(5, 5 + p3);
    if (bytes.length === 6 + p3) le = bytes[5 + p3];
    else if (bytes.length !== 5 + p3) return 0x6700;
  }
  return { channel, proprietary: cla >= 0x80, ins, p1, p2, data, le };
}

export function statusWord(sw: number): Uint8Array {
  return Uint8Array.of(sw >> 8, sw & 0xff);
}

/** Response data and status word in one. */
export function respond(data: Uint8Array, sw: number): Uint8Array {
  const whole = new Uint8Array(data.length + 2);
  whole.set(data);
  whole.set(statusWord(sw), data.length);
  return whole;
}
