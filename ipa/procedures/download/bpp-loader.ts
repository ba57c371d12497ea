import { isSuccess } from '../../../hal/contracts/index.js';
import { Es10Error } from '../../error.js';
import { BppSegmenter, Deadline, type Es10 } from '../../es10/index.js';
import type { AnswerSink } from '../../esipa/index.js';
import type { Writer } from '../../tlv/index.js';

const BOUND_PROFILE_PACKAGE = 0xbf36;
/** P1 of the last block of a chain: the eUICC may take long over what it completes. */
const LAST_BLOCK = 0x91;

/**
 * LoadBoundProfilePackage (procedures.md §5): every block goes to the eUICC as soon as its bytes are there, and the source
 * waits meanwhile. Ends with the first ProfileInstallationResult, wherever it comes.
 */
export class BppLoader implements AnswerSink {
  readonly #es10: Es10;
  readonly #result: Writer;
  readonly #segmenter: BppSegmenter;
  #begun = false;

  /** @param result gets BF37; it must be free when the first bytes come */
  constructor(es10: Es10, result: Writer) {
    this.#es10 = es10;
    this.#result = result;
    this.#segmenter = new BppSegmenter(es10.command);
  }

  /** The eUICC gave its ProfileInstallationResult. */
  get isComplete(): boolean {
    return this.#begun && this.#result.length > 0;
  }

  /**
   * @throws TlvError when the bytes are no BoundProfilePackage; Es10Error, UiccError
   * @returns false once there is a result
   */
  async take(piece: Uint8Array): Promise<boolean> {
    const segmenter = this.#segmenter;
    const result = this.#result;
    if (!this.#begun) {
      // What was sent to the server is no longer needed.
      result.clear();
      this.#begun = true;
    }
    for (let at = 0; at < piece.length; ) {
      at += segmenter.push(piece, at);
      if (!segmenter.ready) break;
      const command = segmenter.command();
      const deadline = command[2] === LAST_BLOCK ? Deadline.installation : Deadline.ordinary;
      const sw = await this.#es10.uicc.transmit(command, result, deadline);
      if (!isSuccess(sw)) throw new Es10Error(BOUND_PROFILE_PACKAGE, sw);
      if (result.length > 0) return false;
    }
    return true;
  }
}
