/** Status word of a response APDU; 0 when there is none. */
export function statusWord(response: Uint8Array): number {
  const length = response.length;
  return length < 2 ? 0 : (response[length - 2] << 8) | response[length - 1];
}

export function responseData(response: Uint8Array): Uint8Array {
  return response.subarray(0, Math.max(0, response.length - 2));
}

/** The same class with the bits of another logical channel (spec/es10.md §1.1). */
export function classForChannel(cla: number, channel: number): number {
  const proprietary = cla & 0x80;
  if (channel < 4) return proprietary | (cla & 0x40 ? 0 : cla & 0x0c) | channel;
  return proprietary | 0x40 | (channel - 4);
}

/** True for a case-4 command: data, then one byte Le. */
export function hasLeAfterData(apdu: Uint8Array): boolean {
  return apdu.length > 6 && apdu.length === 6 + apdu[4];
}

/** GET RESPONSE in the interindustry class of the command's channel. */
export function getResponse(cla: number, length: number): Uint8Array {
  return Uint8Array.of(cla & 0x40 ? cla & 0x4f : cla & 0x03, 0xc0, 0, 0, length);
}

/** Header of a proactive command (ETSI TS 102 223 §6.6): what TERMINAL RESPONSE has to repeat. */
export interface ProactiveCommand {
  number: number;
  type: number;
  qualifier: number;
}

export const REFRESH = 0x01;
export const UICC_RESET = 0x04;

/** @returns undefined when it is no proactive command */
export function readProactive(bytes: Uint8Array): ProactiveCommand | undefined {
  if (bytes[0] !== 0xd0) return undefined;
  let at = bytes[1] === 0x81 ? 3 : 2;
  while (at + 1 < bytes.length) {
    const tag = bytes[at] & 0x7f;
    const length = bytes[at + 1];
    if (tag === 0x01 && length >= 3 && at + 4 < bytes.length) {
      return { number: bytes[at + 2], type: bytes[at + 3], qualifier: bytes[at + 4] };
    }
    at += 2 + length;
  }
  return undefined;
}

/** @param result general result of 102 223 §8.12: 00 performed, 30 beyond the terminal's capabilities */
export function terminalResponse({ number, type, qualifier }: ProactiveCommand, result: number): Uint8Array {
  const head = [0x80, 0x14, 0x00, 0x00, 0x0c];
  return Uint8Array.of(...head, 0x81, 3, number, type, qualifier, 0x82, 2, 0x82, 0x81, 0x83, 1, result);
}
