import {
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  CancelSessionRequest,
  CancelSessionResponse,
  decode,
  EuiccInfo1,
  encode,
  GetEuiccChallengeResponse,
  PendingNotification,
  PrepareDownloadRequest,
  PrepareDownloadResponse,
  type RemoteProfileProvisioningRequest,
  type RemoteProfileProvisioningResponse,
  signed,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import type { SimEvent } from '../../../host-sim/events.js';
import type { Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { bindConfirmationCode, hashConfirmationCode, segmentsOf } from '../../../host-sim/rsp/index.js';
import { answerTo, Smdp, type SmdpOptions } from '../../../host-sim/smdp/index.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { deviceInfo, type Es10, now } from '../euicc/example-smdp.js';

export type Exchange = (
  request: RemoteProfileProvisioningRequest,
) => RemoteProfileProvisioningResponse | undefined;

export interface ClientOptions {
  matchingId?: string;
  smdpAddress?: string;
  confirmationCode?: string;
  /** Changes what is sent: the result of ES10 functions, and requests on their way. */
  tamper?: (request: RemoteProfileProvisioningRequest) => RemoteProfileProvisioningRequest;
}

/** How a session ended. */
export interface Ended {
  /** ASN.1 error of the function that failed. */
  failed?: { function: string; code: number };
  /** BF37 */
  result?: Uint8Array;
  transactionId?: Uint8Array;
}

/** The part of an IPA between an SM-DP+ and an eUICC, as short as it can be said. */
export class DownloadClient {
  readonly #card: Es10;
  readonly #exchange: Exchange;

  constructor(card: Es10, exchange: Exchange) {
    this.#card = card;
    this.#exchange = exchange;
  }

  download(options: ClientOptions = {}): Ended {
    const { tamper = (request) => request } = options;
    const ask = (request: RemoteProfileProvisioningRequest) => this.#exchange(tamper(request));
    const { euiccChallenge } = decode(GetEuiccChallengeResponse, this.#card.es10(unhex('BF2E00')));
    const initiated = ask({
      initiateAuthenticationRequest: {
        euiccChallenge,
        smdpAddress: options.smdpAddress ?? 'smdp.example.com',
        euiccInfo1: decode(EuiccInfo1, this.#card.es10(unhex('BF2000'))),
      },
    })?.initiateAuthenticationResponse;
    const ok = initiated?.initiateAuthenticationOk;
    if (!ok) return failed('initiateAuthentication', initiated?.initiateAuthenticationError);
    const { transactionId } = ok;
    const { matchingId } = options;
    const authenticateServer = encode(AuthenticateServerRequest, {
      serverSigned1: ok.serverSigned1,
      serverSignature1: ok.serverSignature1,
      euiccCiPKIdToBeUsed: ok.euiccCiPKIdToBeUsed,
      serverCertificate: ok.serverCertificate,
      ctxParams1: {
        ctxParamsForCommonAuthentication: { deviceInfo, ...(matchingId !== undefined && { matchingId }) },
      },
    });
    const authenticated = ask({
      authenticateClientRequest: {
        transactionId,
        authenticateServerResponse: decode(
          signed(AuthenticateServerResponse),
          this.#card.es10(authenticateServer),
        ),
      },
    })?.authenticateClientResponseEs9;
    const client = authenticated?.authenticateClientOk;
    if (!client) return failed('authenticateClient', authenticated?.authenticateClientError);
    const { confirmationCode: code } = options;
    const hashCc =
      code === undefined ? undefined : bindConfirmationCode(hashConfirmationCode(code), transactionId);
    const prepareDownload = encode(PrepareDownloadRequest, {
      smdpSigned2: client.smdpSigned2,
      smdpSignature2: client.smdpSignature2,
      smdpCertificate: client.smdpCertificate,
      ...(hashCc && { hashCc }),
    });
    const got = ask({
      getBoundProfilePackageRequest: {
        transactionId,
        prepareDownloadResponse: decode(signed(PrepareDownloadResponse), this.#card.es10(prepareDownload)),
      },
    })?.getBoundProfilePackageResponse;
    const bpp = got?.getBoundProfilePackageOk?.boundProfilePackage;
    if (!bpp) return failed('getBoundProfilePackage', got?.getBoundProfilePackageError, transactionId);
    for (const chain of segmentsOf(bpp)) {
      const result = this.#card.es10(chain);
      if (result.length > 0) return { result, transactionId };
    }
    return { transactionId };
  }

  notify(notification: Uint8Array): void {
    const pendingNotification = decode(PendingNotification, notification);
    this.#exchange({ handleNotification: { pendingNotification } });
  }

  /** @returns 'ok' or the ASN.1 error */
  cancel(transactionId: Uint8Array, reason: number, wrong?: (signed: Uint8Array) => void): 'ok' | number {
    const answer = this.#card.es10(encode(CancelSessionRequest, { transactionId, reason }));
    const cancelSessionResponse = decode(CancelSessionResponse, answer);
    wrong?.(cancelSessionResponse.cancelSessionResponseOk!.euiccCancelSessionSignature);
    const told = this.#exchange({ cancelSessionRequestEs9: { transactionId, cancelSessionResponse } });
    return told?.cancelSessionResponseEs9?.cancelSessionError ?? 'ok';
  }
}

function failed(called: string, code: number | undefined, transactionId?: Uint8Array): Ended {
  return { failed: { function: called, code: code ?? -1 }, ...(transactionId && { transactionId }) };
}

/** An SM-DP+ of a test hierarchy, its events beside it. */
export function smdpOf(pki: Pki, options: Partial<SmdpOptions> = {}) {
  const events: SimEvent[] = [];
  const clock = new VirtualClock(now);
  const store = new MemoryStore();
  const make = () =>
    new Smdp({
      credentials: pki.smdps[0],
      ciCertificates: pki.ciCertificates,
      store,
      clock,
      random: seeded(7),
      observe: (event) => events.push(event),
      ...options,
    });
  const smdp = make();
  const exchange: Exchange = (request) => answerTo(smdp, request);
  const told = (what: string) =>
    events.flatMap((event) => (event.event === 'smdp' && event.what === what ? [event.detail] : []));
  return { smdp, clock, store, events, exchange, told, make };
}
