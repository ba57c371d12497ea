import { XsIpaError } from '../../../hal/contracts/index.js';
import type { AnswerSink, EimDownloadPreparation, EimServerAuthentication } from '../../esipa/index.js';

/** The other side of a download said no; `result` goes to the eIM (esipa.md §3.4). */
export class RspRefusal extends XsIpaError {
  override readonly name = 'RspRefusal';
  /** CancelSessionReason for the eUICC's session, where there is one. */
  readonly cancelReason: number;
  /** The error as the peer sent it. */
  readonly raw: Uint8Array | undefined;

  /** Of the ProfileDownloadTriggerResult: 104 ecallActive, 127 undefinedError. */
  readonly reason: number;
  /** The server has ended its session already. */
  serverKnows = false;

  constructor(message: string, cancelReason: number, raw?: Uint8Array, reason = 127) {
    super('refusedByServer', message);
    this.cancelReason = cancelReason;
    this.raw = raw;
    this.reason = reason;
  }
}

/**
 * What a download needs of the other side: an SM-DP+ over ES9+, or an eIM that passes everything on over ESipa
 * (procedures.md §§6, 7). Returned views are lent until the next call.
 *
 * @throws RspRefusal when the other side says no; another XsIpaError when it cannot be reached, and later may be
 */
export interface RspServer {
  /** What the server must call itself in serverSigned1; undefined when only the eIM knows. */
  readonly address: string | undefined;
  initiateAuthentication(
    euiccChallenge: Uint8Array,
    euiccInfo1: Uint8Array,
  ): Promise<EimServerAuthentication>;
  /** @param response AuthenticateServerResponse, BF38 */
  authenticateClient(transactionId: Uint8Array, response: Uint8Array): Promise<EimDownloadPreparation>;
  /**
   * What an SM-DS has for this eUICC, instead of authenticateClient() (procedures.md §9).
   * @returns the activation code to go on with; undefined when there is no event
   */
  findEvent(transactionId: Uint8Array, response: Uint8Array): Promise<string | undefined>;
  /** @param response PrepareDownloadResponse, BF21 */
  getBoundProfilePackage(transactionId: Uint8Array, response: Uint8Array, into: AnswerSink): Promise<void>;
  /** @param response CancelSessionResponse, BF41 */
  cancelSession(transactionId: Uint8Array, response: Uint8Array): Promise<void>;
  /** Gives the connection back. */
  close(): void;
}

/** An SM-DP+ that the device reaches itself. */
export interface SmdpConnection extends RspServer {
  /** @param notification PendingNotification: BF37 … or 30 … */
  handleNotification(notification: Uint8Array): Promise<void>;
}
