import { concat } from '../asn1/index.js';
import { type Apdu, respond, statusWord } from './apdu.js';
import { FileSelection } from './files.js';
import { isdrAid } from './info.js';

/** One logical channel: what is selected, a command that arrives in blocks, a response that leaves in pieces. */
export class Channel {
  readonly files = new FileSelection();
  /** The ISD-R is selected, and not a file. */
  isdr = false;
  #blocks: Uint8Array[] = [];
  #response: Uint8Array = new Uint8Array(0);

  /** Another command came in between: nothing is left to fetch, and only STORE DATA goes on with its blocks. */
  begin(ins: number): void {
    this.#response = new Uint8Array(0);
    if (ins !== 0xe2) this.#blocks = [];
  }

  /**
   * Takes one STORE DATA block (es10.md §1.5).
   * @returns the whole command after its last block, else the status word
   */
  collect({ p1, p2, data }: Apdu, most: number): Uint8Array | number {
    const blocks = p2 === 0 ? [] : this.#blocks;
    this.#blocks = [];
    if (p2 !== blocks.length || (p1 !== 0x11 && p1 !== 0x91)) return 0x6a86;
    if (data.length === 0) return 0x6700;
    blocks.push(data);
    if (blocks.reduce((sum, block) => sum + block.length, 0) > most) return 0x6a84;
    if (p1 === 0x91) return concat(blocks);
    this.#blocks = blocks;
    return 0x9000;
  }

  /**
   * T=0: the response to a command that brought data waits for GET RESPONSE, else Le decides.
   * @param success status word when all is well
   */
  answer(apdu: Apdu, data: Uint8Array, success: number): Uint8Array {
    if (data.length === 0) return statusWord(success);
    if (apdu.data.length > 0) {
      this.#response = data;
      return statusWord(0x6100 | rest(data));
    }
    if (apdu.le === undefined) return statusWord(0x6c00 | rest(data));
    const wanted = apdu.le === 0 ? Math.min(256, data.length) : apdu.le;
    if (wanted > data.length) return statusWord(0x6c00 | rest(data));
    return respond(data.subarray(0, wanted), success);
  }

  getResponse({ le = 0 }: Apdu, success: number): Uint8Array {
    const response = this.#response;
    if (response.length === 0) return statusWord(0x6f00);
    const wanted = le === 0 ? Math.min(256, response.length) : le;
    if (wanted > response.length) return statusWord(0x6c00 | rest(response));
    this.#response = response.subarray(wanted);
    const left = this.#response.length > 0;
    return respond(response.subarray(0, wanted), left ? 0x6100 | rest(this.#response) : success);
  }
}

/** Second byte of 61xx and 6Cxx: 00 stands for 256 or more. */
function rest(bytes: Uint8Array): number {
  return bytes.length > 255 ? 0 : bytes.length;
}

/** A partial AID selects as well (ISO/IEC 7816-4 §8.2.1.2). */
export function isIsdr(aid: Uint8Array): boolean {
  return aid.length >= 11 && aid.length <= isdrAid.length && aid.every((byte, i) => byte === isdrAid[i]);
}
