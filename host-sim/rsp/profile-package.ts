import { Asn1Error, concat, type Element, readElement, writeElement } from '../asn1/ber.js';
import { type Connectivity, connectivityParameters } from './connectivity.js';
import { RspError } from './error.js';

// Profile packages in the interoperable format of TCA (SAIP): profile elements one after the other. Read to the depth
// that an eUICC without a file system needs, made to the depth that such an eUICC can read.

const headerTag = 0xa0;
const fileManagementTag = 0xa1;
const endTag = 0xaa;
const usimTag = 0xb3;
const efImsiTag = 0xa3;
const fillFileContentTag = 0x83;

export interface ProfileContent {
  /** As EF_ICCID has it: nibbles swapped, 10 bytes. */
  iccid: Uint8Array;
  /** Digits of EF_IMSI of the first USIM. */
  imsi?: string;
  profileType: string;
  /** As GetConnectivityParameters tells them. */
  connectivityParameters?: Uint8Array;
}

/**
 * Header, USIM and end of a profile package.
 * @throws RspError 'profile' for anything an eUICC could not install
 */
export function readProfilePackage(bytes: Uint8Array): ProfileContent {
  const elements = profileElements(bytes);
  const [header] = elements;
  if (header?.tag !== headerTag) throw new RspError('profile', 'the profile does not begin with its header');
  if (elements.at(-1)?.tag !== endTag) throw new RspError('profile', 'the profile has no end element');
  const major = contentOf(header, 0x80);
  if (major?.length !== 1 || (major[0] !== 2 && major[0] !== 3))
    throw new RspError('profile', 'the profile is not of major version 2 or 3');
  const iccid = contentOf(header, 0x83);
  if (iccid?.length !== 10) throw new RspError('profile', 'the profile header has no ICCID of 10 bytes');
  const usim = elements.find(({ tag }) => tag === usimTag);
  const imsi = usim?.children.find(({ tag }) => tag === efImsiTag);
  return {
    iccid: swapped(iccid),
    imsi: imsi && imsiDigits(imsi),
    profileType: Buffer.from(contentOf(header, 0x82) ?? []).toString('utf8'),
    connectivityParameters: contentOf(header, 0x87),
  };
}

function profileElements(bytes: Uint8Array): readonly Element[] {
  try {
    return readElement(writeElement(0x30, bytes)).children;
  } catch (cause) {
    if (!(cause instanceof Asn1Error)) throw cause;
    throw new RspError('profile', 'the profile elements are not BER', { cause });
  }
}

function contentOf(element: Element, tag: number): Uint8Array | undefined {
  return element.children.find((child) => child.tag === tag)?.content;
}

/** Length byte, parity nibble, digits (3GPP TS 31.102 §4.2.2). */
function imsiDigits(file: Element): string {
  const filled = file.children.filter(({ tag }) => tag === fillFileContentTag);
  const [length = 0, ...rest] = concat(filled.map(({ content }) => content));
  let digits = '';
  for (const byte of rest.slice(0, length)) digits += (byte & 15).toString(16) + (byte >> 4).toString(16);
  const imsi = digits.slice(1).replace(/f+$/, '');
  if (!/^\d{6,15}$/.test(imsi)) throw new RspError('profile', 'the profile has no usable IMSI');
  return imsi;
}

function swapped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => (byte >> 4) | ((byte & 15) << 4));
}

export interface ProfileToMake {
  /** As EF_ICCID has it, 10 bytes. */
  iccid: Uint8Array;
  /** 6 to 15 digits. */
  imsi: string;
  /** Shown to nobody. */
  profileType?: string;
  connectivity?: Connectivity;
  /** Length of the whole package; the shortest possible (about 100 bytes) when absent or less. */
  bytes?: number;
}

/**
 * A profile package of exactly `bytes` bytes: header, a USIM with its IMSI, files that fill the rest, end.
 * @throws RspError 'profile' when that cannot be met by a few bytes, or the IMSI is none
 */
export function makeProfilePackage(profile: ProfileToMake): Uint8Array {
  if (!/^\d{6,15}$/.test(profile.imsi)) throw new RspError('profile', `"${profile.imsi}" is not an IMSI`);
  const head = concat([header(profile), usim(profile.imsi)]);
  const end = writeElement(endTag, peHeader(1));
  const shortest = head.length + end.length;
  const wanted = profile.bytes ?? shortest;
  const fill: Uint8Array[] = [];
  let left = wanted - shortest;
  // Pieces that are all alike, and the last two share what is left, so that neither is too short for its frame.
  while (left > 2 * pieceBytes) {
    fill.push(fillerOf(pieceBytes));
    left -= pieceBytes;
  }
  if (left > pieceBytes) {
    fill.push(fillerOf(pieceBytes >> 1));
    left -= pieceBytes >> 1;
  }
  if (left > 0) fill.push(fillerOf(left));
  return concat([head, ...fill, end]);
}

const pieceBytes = 8192;
const ascii = (text: string) => Uint8Array.from(Buffer.from(text, 'utf8'));

/** Header of a profile element with its number. */
function peHeader(number: number): Uint8Array {
  return writeElement(
    0xa0,
    concat([writeElement(0x80, new Uint8Array(0)), writeElement(0x81, Uint8Array.of(number))]),
  );
}

function header(profile: ProfileToMake): Uint8Array {
  const { iccid, profileType = 'xs-ipa simulated profile', connectivity } = profile;
  return writeElement(
    headerTag,
    concat([
      writeElement(0x80, Uint8Array.of(2)),
      writeElement(0x81, Uint8Array.of(3)),
      writeElement(0x82, ascii(profileType)),
      writeElement(0x83, swapped(iccid)),
      // A USIM is all it needs; template "USIM of release 3" (TCA Profile Package, annex A).
      writeElement(0xa5, writeElement(0x81, new Uint8Array(0))),
      writeElement(0xa6, writeElement(0x06, usimTemplate)),
      connectivity ? writeElement(0x87, connectivityParameters(connectivity)) : new Uint8Array(0),
    ]),
  );
}

const usimTemplate = Uint8Array.of(0x67, 0x81, 0x0f, 0x01, 0x02, 0x04);

function usim(imsi: string): Uint8Array {
  const digits = `${imsi.length % 2 === 1 ? '9' : '1'}${imsi}`.padEnd(16, 'F');
  const coded = Uint8Array.from({ length: 8 }, (_, i) =>
    Number.parseInt(digits[2 * i + 1] + digits[2 * i], 16),
  );
  const used = Math.ceil((imsi.length + 1) / 2);
  const fill = writeElement(fillFileContentTag, concat([Uint8Array.of(used), coded]));
  return writeElement(
    usimTag,
    concat([peHeader(2), writeElement(0x81, usimTemplate), writeElement(efImsiTag, fill)]),
  );
}

/** A generic file management element with one file, `bytes` long in all. */
function fillerOf(bytes: number): Uint8Array {
  for (const number of [Uint8Array.of(3), Uint8Array.of(0, 3)]) {
    for (let length = bytes; length >= 0 && length > bytes - 64; length--) {
      const filler = fillerWith(new Uint8Array(length).fill(0xff), number);
      if (filler.length === bytes) return filler;
    }
  }
  throw new RspError('profile', `a profile cannot be filled with ${bytes} bytes more; ask for another size`);
}

function fillerWith(content: Uint8Array, number: Uint8Array): Uint8Array {
  const size = Uint8Array.of(content.length >> 8, content.length & 0xff);
  const fcp = concat([
    writeElement(0x82, Uint8Array.of(0x41, 0x21)),
    writeElement(0x83, Uint8Array.of(0x6f, 0xf1)),
    writeElement(0x80, size),
  ]);
  const commands = concat([
    writeElement(0x80, Uint8Array.of(0x7f, 0x10)),
    writeElement(0x62, fcp),
    writeElement(0x81, content),
  ]);
  const head = writeElement(
    0xa0,
    concat([writeElement(0x80, new Uint8Array(0)), writeElement(0x81, number)]),
  );
  return writeElement(fileManagementTag, concat([head, writeElement(0xa1, writeElement(0x30, commands))]));
}
