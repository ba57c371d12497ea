import { CancelReason, readBppEuiccOtpk } from '../../es10/index.js';
import {
  type AnswerSink,
  BppAnswer,
  beginRequest,
  type EimDownloadPreparation,
  type EimRefusal,
  type EimServerAuthentication,
  EsipaTag,
  readAuthenticateClient,
  readCancelSession,
  readDownloadTrigger,
  readInitiateAuthentication,
  writeAuthenticateClient,
  writeCancelSession,
  writeCompactAuthentication,
  writeCompactCancellation,
  writeCompactPreparation,
  writeGetBoundProfilePackage,
  writeInitiateAuthentication,
} from '../../esipa/index.js';
import { utf8 } from '../../text.js';
import { Cursor } from '../../tlv/index.js';
import type { IpaContext } from '../context.js';
import type { EimSession } from '../session.js';
import { RspRefusal, type RspServer } from './server.js';

/** AuthenticateClientResponseEsipa.error and GetBoundProfilePackageResponseEsipa.error (esipa.md §6). */
const PPR_NOT_ALLOWED = 50;
const METADATA_MISMATCH = 50;

/** Indirect download: the eIM stands between the IPA and the SM-DP+ (procedures.md §7). */
export class EimServer implements RspServer {
  readonly address: string | undefined;
  readonly #context: IpaContext;
  readonly #session: EimSession;
  #ctxParams1ByEim = false;
  #hashCcByEim = false;
  #bppEuiccOtpk: Uint8Array | undefined;
  readonly #eimTransactionId: Uint8Array | undefined;

  /** @param address of the SM-DP+; undefined when the eIM handles the download data and must not be told */
  constructor(
    context: IpaContext,
    session: EimSession,
    address: string | undefined,
    eimTransactionId: Uint8Array | undefined,
  ) {
    this.#context = context;
    this.#session = session;
    this.address = address;
    this.#eimTransactionId = eimTransactionId;
  }

  async initiateAuthentication(
    euiccChallenge: Uint8Array,
    euiccInfo1: Uint8Array,
  ): Promise<EimServerAuthentication> {
    const { message } = this.#context;
    writeInitiateAuthentication(message, euiccChallenge, this.address, euiccInfo1, this.#eimTransactionId);
    const answer = readInitiateAuthentication(await this.exchange(EsipaTag.initiateAuthentication));
    if ('refusal' in answer) throw refused('InitiateAuthentication', answer);
    this.#ctxParams1ByEim = answer.ctxParams1 !== undefined;
    return answer;
  }

  async authenticateClient(transactionId: Uint8Array, response: Uint8Array): Promise<EimDownloadPreparation> {
    const { message, settings } = this.#context;
    if (settings.minimizeEsipaBytes) {
      const { knows } = this.#session;
      beginRequest(message, EsipaTag.authenticateClient, transactionId);
      writeCompactAuthentication(message, response, knows, this.#ctxParams1ByEim);
      message.end();
    } else writeAuthenticateClient(message, transactionId, response);
    const answer = readAuthenticateClient(await this.exchange(EsipaTag.authenticateClient));
    if ('refusal' in answer) {
      const reason =
        answer.refusal === PPR_NOT_ALLOWED ? CancelReason.pprNotAllowed : CancelReason.undefinedReason;
      throw refused('AuthenticateClient', answer, reason);
    }
    if ('trigger' in answer)
      throw new RspRefusal('the eIM answered with an event of an SM-DS', CancelReason.undefinedReason);
    this.#hashCcByEim = answer.hashCc !== undefined;
    this.#bppEuiccOtpk = readBppEuiccOtpk(answer.smdpSigned2);
    return answer;
  }

  async findEvent(transactionId: Uint8Array, response: Uint8Array): Promise<string | undefined> {
    writeAuthenticateClient(this.#context.message, transactionId, response);
    const answer = readAuthenticateClient(await this.exchange(EsipaTag.authenticateClient));
    if ('refusal' in answer) throw refused('AuthenticateClient', answer);
    if (!('trigger' in answer))
      throw new RspRefusal('the eIM answered for an SM-DP+, not an SM-DS', CancelReason.undefinedReason);
    const text = answer.trigger && readDownloadTrigger(answer.trigger).text;
    return text && utf8(text);
  }

  async getBoundProfilePackage(
    transactionId: Uint8Array,
    response: Uint8Array,
    into: AnswerSink,
  ): Promise<void> {
    const { message, settings } = this.#context;
    // It has grown for the certificates of before; this one is short, and is kept while the package passes.
    message.release();
    if (settings.minimizeEsipaBytes) {
      beginRequest(message, EsipaTag.getBoundProfilePackage, transactionId);
      writeCompactPreparation(message, response, this.#bppEuiccOtpk, this.#hashCcByEim);
      message.end();
    } else writeGetBoundProfilePackage(message, transactionId, response);
    const answer = new BppAnswer(into);
    await undefined;
    await this.#session.link.download(message.bytes, answer);
    const { refusal } = answer;
    if (refusal === undefined) return;
    const reason =
      refusal === METADATA_MISMATCH ? CancelReason.metadataMismatch : CancelReason.undefinedReason;
    throw refused('GetBoundProfilePackage', { refusal }, reason);
  }

  async cancelSession(transactionId: Uint8Array, response: Uint8Array): Promise<void> {
    const { message, settings } = this.#context;
    if (settings.minimizeEsipaBytes) {
      beginRequest(message, EsipaTag.cancelSession, transactionId).begin(0xa1);
      writeCompactCancellation(message, new Cursor(response).expect(EsipaTag.cancelSession).value);
      message.end().end();
    } else writeCancelSession(message, transactionId, response);
    const refusal = readCancelSession(await this.exchange(EsipaTag.cancelSession));
    if (refusal !== 0) throw refused('CancelSession', { refusal });
  }

  close(): void {
    // The link stays: it is the eIM's.
  }

  /** Answers to something else are left to the link, which drops them. */
  private async exchange(tag: number): Promise<Uint8Array> {
    const { message } = this.#context;
    // On from an empty stack: the way down to the socket is long (docs/design.md §4).
    await undefined;
    return this.#session.link.exchange(
      message.bytes,
      (answer) => answer[0] === tag >> 8 && answer[1] === (tag & 0xff),
    );
  }
}

function refused(
  what: string,
  { refusal }: EimRefusal,
  reason: number = CancelReason.undefinedReason,
): RspRefusal {
  return new RspRefusal(
    `the eIM refused ${what} with ${refusal}`,
    reason,
    new Uint8Array([0x02, 0x01, refusal]),
  );
}
