import type { Writer } from '../tlv/index.js';

/**
 * DeviceInfo {80 tac, A1 deviceCapabilities {}, [82 imei]}; TAC and IMEI as TBCD (es10.md §4.5, open-questions.md Q63).
 * @param tag A9 in IpaEuiccDataResponse, A1 in ctxParams1
 * @param imei 15 digits, or empty
 */
export function writeDeviceInfo(to: Writer, tag: number, imei: string): void {
  const packed: number[] = [];
  for (let i = 0; i < imei.length; i += 2) {
    packed.push((imei.charCodeAt(i) & 15) | ((i + 1 < imei.length ? imei.charCodeAt(i + 1) & 15 : 15) << 4));
  }
  const known = packed.length === 8;
  to.begin(tag)
    .primitive(0x80, known ? packed.slice(0, 4) : [0, 0, 0, 0])
    .primitive(0xa1);
  if (known) to.primitive(0x82, packed);
  to.end();
}
