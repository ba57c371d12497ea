import { cbc, cmac, ecb } from '@noble/ciphers/aes.js';
import { Asn1Error, concat, readElement, tagName, writeElement } from '../asn1/ber.js';
import { sameBytes } from '../bytes.js';
import type { SessionKeys } from './agreement.js';
import { RspError } from './error.js';

// Protection of profile segments: SCP03t as SGP.22 §2.5.3 and §5.5 use it, crypto.md §6.2.

/** Tags of segments. 86 and 87 are encrypted and have a MAC, 88 has a MAC only. */
export type SegmentTag = 0x86 | 0x87 | 0x88;

const macBytes = 8;
/** Longest segment, tag and length included. */
export const maxSegmentBytes = 1020;
/** Most plain bytes in one 86 or 87: at least one byte of padding is always there. */
export const maxEncryptedBytes = 1007;
/** Most plain bytes in one 88. */
export const maxMacOnlyBytes = 1008;

/** State that both sides keep in step: keys, MAC chaining value, and a counter that every segment moves. */
class Protection {
  #keys: SessionKeys;
  #chaining: Uint8Array;
  #counter = 1;

  constructor(keys: SessionKeys) {
    this.#keys = keys;
    this.#chaining = keys.initialMacChainingValue;
  }

  /** ReplaceSessionKeys (SGP.22 §5.5.4): the segments that follow begin anew under these keys. */
  replaceSessionKeys(keys: SessionKeys): void {
    this.#keys = keys;
    this.#chaining = keys.initialMacChainingValue;
    this.#counter = 1;
  }

  protected cipher() {
    const counter = Uint8Array.from({ length: 16 });
    new DataView(counter.buffer).setUint32(12, this.#counter);
    const icv = ecb(this.#keys.sEnc, { disablePadding: true }).encrypt(counter);
    return cbc(this.#keys.sEnc, icv, { disablePadding: true });
  }

  /** CMAC over chaining value, tag, length (of body and MAC) and body: all 16 bytes. */
  protected mac(tag: SegmentTag, body: Uint8Array): Uint8Array {
    const whole = writeElement(tag, concat([body, new Uint8Array(macBytes)]));
    const covered = whole.subarray(0, whole.length - macBytes);
    return cmac(concat([this.#chaining, covered]), this.#keys.sMac);
  }

  protected advance(mac: Uint8Array): void {
    this.#chaining = mac;
    this.#counter++;
  }
}

/** The SM-DP+'s side: plain data in, segments out. */
export class SegmentProtector extends Protection {
  /** The whole segment TLV. A segment longer than {@link maxSegmentBytes} is made, too: receivers are to refuse it. */
  protect(tag: SegmentTag, plain: Uint8Array): Uint8Array {
    const body = tag === 0x88 ? plain : this.cipher().encrypt(pad(plain));
    const mac = this.mac(tag, body);
    this.advance(mac);
    return writeElement(tag, concat([body, mac.subarray(0, macBytes)]));
  }
}

/** The eUICC's side: segments in, plain data out. After an error the session is over. */
export class SegmentOpener extends Protection {
  /** @throws RspError 'structure' or 'security'; the MAC is checked before anything is decrypted */
  open(tag: SegmentTag, segment: Uint8Array): Uint8Array {
    if (segment.length > maxSegmentBytes)
      throw new RspError(
        'structure',
        `a segment has ${segment.length} bytes, not ${maxSegmentBytes} at most`,
      );
    const content = contentOf(tag, segment);
    const body = content.subarray(0, content.length - macBytes);
    const mac = this.mac(tag, body);
    if (!sameBytes(mac.subarray(0, macBytes), content.subarray(content.length - macBytes)))
      throw new RspError('security', 'the MAC of a segment does not fit');
    if (tag !== 0x88 && (body.length === 0 || body.length % 16 !== 0))
      throw new RspError('structure', 'an encrypted segment is not made of whole blocks');
    const plain = tag === 0x88 ? body.slice() : unpad(this.cipher().decrypt(body));
    this.advance(mac);
    return plain;
  }
}

function contentOf(tag: SegmentTag, segment: Uint8Array): Uint8Array {
  let found: { tag: number; content: Uint8Array; bytes: Uint8Array };
  try {
    found = readElement(segment);
  } catch (cause) {
    if (!(cause instanceof Asn1Error)) throw cause;
    throw new RspError('structure', 'a segment is not a TLV', { cause });
  }
  if (found.tag !== tag)
    throw new RspError('structure', `segment ${tagName(tag)} expected, tag ${tagName(found.tag)} found`);
  if (found.content.length < macBytes) throw new RspError('structure', 'a segment is too short for its MAC');
  return found.content;
}

function pad(plain: Uint8Array): Uint8Array {
  const padded = new Uint8Array(16 * (Math.floor(plain.length / 16) + 1));
  padded.set(plain);
  padded[plain.length] = 0x80;
  return padded;
}

function unpad(padded: Uint8Array): Uint8Array {
  const end = padded.lastIndexOf(0x80);
  if (end < 0 || padded.length - end > 16 || padded.subarray(end + 1).some((byte) => byte !== 0))
    throw new RspError('structure', 'the padding of a segment is wrong');
  return padded.slice(0, end);
}
