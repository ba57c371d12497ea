import { concat, writeElement } from '../asn1/index.js';
import { type EuiccState, enabledProfile } from './state.js';

// The few files a modem reads at start (ETSI TS 102 221 §13, 3GPP TS 31.102 §4.2).

const MF = 0x3f00;
const EF_ICCID = 0x2fe2;
const DF_GSM = 0x7f20;
const ADF_USIM = 0x7ff0;
const EF_IMSI = 0x6f07;

/** USIM application, RID and application code (3GPP TS 31.110); the rest of an AID may differ. */
const usimAid = [0xa0, 0, 0, 0, 0x87, 0x10, 0x02] as const;

function isUsim(aid: Uint8Array): boolean {
  return aid.length >= usimAid.length && usimAid.every((byte, i) => byte === aid[i]);
}

/** Digits in swapped nibbles, F as filler. */
function swapped(digits: string, bytes: number): Uint8Array {
  const padded = digits.padEnd(2 * bytes, 'F');
  return Uint8Array.from({ length: bytes }, (_, i) => Number.parseInt(padded[2 * i + 1] + padded[2 * i], 16));
}

/** Content of an elementary file; undefined when it is not there. */
function content(state: EuiccState, file: number): Uint8Array | undefined {
  const profile = enabledProfile(state);
  if (file === EF_ICCID) return profile?.iccid ?? new Uint8Array(10).fill(0xff);
  if (file === EF_IMSI && profile) {
    // Type and parity share the first digit's byte (3GPP TS 24.008 §10.5.1.4).
    const parity = profile.imsi.length % 2 === 1 ? '9' : '1';
    const body = swapped(parity + profile.imsi, 8);
    return concat([Uint8Array.of(Math.ceil((profile.imsi.length + 1) / 2)), body]);
  }
  return undefined;
}

function isDirectory(file: number): boolean {
  return file === MF || file === DF_GSM || file === ADF_USIM;
}

function fcp(state: EuiccState, file: number): Uint8Array {
  const id = Uint8Array.of(file >> 8, file & 255);
  if (isDirectory(file)) {
    const parts = [writeElement(0x82, Uint8Array.of(0x78, 0x21)), writeElement(0x83, id)];
    if (file === ADF_USIM) parts.push(writeElement(0x84, Uint8Array.from(usimAid)));
    return writeElement(0x62, concat(parts));
  }
  const size = content(state, file)!.length;
  return writeElement(
    0x62,
    concat([
      writeElement(0x82, Uint8Array.of(0x41, 0x21)),
      writeElement(0x83, id),
      writeElement(0x80, Uint8Array.of(0, size)),
    ]),
  );
}

/** Selected file of one logical channel. */
export class FileSelection {
  #directory = MF;
  #file: number | undefined;

  /** P1 00 (by id), 08 (path from the MF), 09 (path from here), 04 (USIM by AID): FCP or a status word. */
  select(state: EuiccState, p1: number, data: Uint8Array): Uint8Array | number {
    if (p1 === 0x04) {
      if (!isUsim(data) || !enabledProfile(state)) return 0x6a82;
      return this.#take(state, ADF_USIM);
    }
    if (p1 !== 0 && p1 !== 8 && p1 !== 9) return 0x6a86;
    if (data.length % 2 !== 0 || (p1 === 0 && data.length > 2)) return 0x6a80;
    if (p1 === 8 || data.length === 0) this.#take(state, MF);
    let answer: Uint8Array | number = this.status(state);
    for (let at = 0; at < data.length; at += 2) {
      answer = this.#take(state, (data[at] << 8) | data[at + 1]);
      if (typeof answer === 'number') return answer;
    }
    return answer;
  }

  #take(state: EuiccState, file: number): Uint8Array | number {
    if (isDirectory(file)) {
      if (file !== MF && !enabledProfile(state)) return 0x6a82;
      this.#directory = file;
      this.#file = undefined;
    } else {
      if (content(state, file) === undefined) return 0x6a82;
      this.#file = file;
    }
    return fcp(state, file);
  }

  read(state: EuiccState, offset: number): Uint8Array | number {
    if (this.#file === undefined) return 0x6986;
    const bytes = content(state, this.#file);
    if (!bytes) return 0x6a82;
    if (offset >= bytes.length) return 0x6b00;
    return bytes.subarray(offset);
  }

  status(state: EuiccState): Uint8Array {
    return fcp(state, this.#directory);
  }
}
