import {
  Asn1Error,
  type AuthenticateClientRequest,
  type AuthenticateClientResponseEs9,
  type AuthenticateClientResponseEs11,
  type CancelSessionRequestEs9,
  decode,
  encode,
  type GetBoundProfilePackageRequest,
  type InitiateAuthenticationRequest,
  type InitiateAuthenticationResponse,
  type PendingNotification,
  RemoteProfileProvisioningRequest,
  RemoteProfileProvisioningResponse,
} from '../asn1/index.js';
import { Refusal, type RspFunction } from './refusal.js';

type Initiated = NonNullable<InitiateAuthenticationResponse['initiateAuthenticationOk']>;
type Authenticated = NonNullable<AuthenticateClientResponseEs9['authenticateClientOk']>;
type Events = NonNullable<AuthenticateClientResponseEs11['authenticateClientOk']>;

/** What an SM-DP+ or an SM-DS does, whatever the binding; every function throws {@link Refusal}. */
export interface RspServer {
  initiateAuthentication(request: InitiateAuthenticationRequest): Initiated;
  /** SM-DP+ */
  authenticateClient?(request: AuthenticateClientRequest): Authenticated;
  /** SM-DS */
  authenticateClientEs11?(request: AuthenticateClientRequest): Events;
  getBoundProfilePackage?(request: GetBoundProfilePackageRequest): {
    transactionId: Uint8Array;
    boundProfilePackage: Uint8Array;
  };
  cancelSession?(request: CancelSessionRequestEs9): void;
  handleNotification?(notification: PendingNotification): void;
}

/**
 * ASN.1 binding (SGP.22 §6.5.2, procedures.md §6): A2 in, A2 out; undefined where the function has no answer.
 * @throws Asn1Error for a body that is no request of this server
 */
export function handleAsn1(server: RspServer, body: Uint8Array): Uint8Array | undefined {
  const answer = answerTo(server, decode(RemoteProfileProvisioningRequest, body));
  return answer && encode(RemoteProfileProvisioningResponse, answer);
}

/** The same with values, for an eIM in the same process. @throws Asn1Error for a function this server has not */
export function answerTo(
  server: RspServer,
  request: RemoteProfileProvisioningRequest,
): RemoteProfileProvisioningResponse | undefined {
  const {
    initiateAuthenticationRequest,
    authenticateClientRequest,
    getBoundProfilePackageRequest,
    cancelSessionRequestEs9,
    handleNotification,
  } = request;
  if (initiateAuthenticationRequest)
    return attempt(
      'initiateAuthentication',
      () => ({
        initiateAuthenticationResponse: {
          initiateAuthenticationOk: server.initiateAuthentication(initiateAuthenticationRequest),
        },
      }),
      (code) => ({ initiateAuthenticationResponse: { initiateAuthenticationError: code } }),
    );
  if (authenticateClientRequest && server.authenticateClientEs11)
    return attempt(
      'authenticateClient',
      () => ({
        authenticateClientResponseEs11: {
          authenticateClientOk: server.authenticateClientEs11!(authenticateClientRequest),
        },
      }),
      (code) => ({ authenticateClientResponseEs11: { authenticateClientError: code } }),
      true,
    );
  if (authenticateClientRequest && server.authenticateClient)
    return attempt(
      'authenticateClient',
      () => ({
        authenticateClientResponseEs9: {
          authenticateClientOk: server.authenticateClient!(authenticateClientRequest),
        },
      }),
      (code) => ({ authenticateClientResponseEs9: { authenticateClientError: code } }),
    );
  if (getBoundProfilePackageRequest && server.getBoundProfilePackage)
    return attempt(
      'getBoundProfilePackage',
      () => ({
        getBoundProfilePackageResponse: {
          getBoundProfilePackageOk: server.getBoundProfilePackage!(getBoundProfilePackageRequest),
        },
      }),
      (code) => ({ getBoundProfilePackageResponse: { getBoundProfilePackageError: code } }),
    );
  if (cancelSessionRequestEs9 && server.cancelSession)
    return attempt(
      'cancelSession',
      () => {
        server.cancelSession!(cancelSessionRequestEs9);
        return { cancelSessionResponseEs9: { cancelSessionOk: {} } };
      },
      (code) => ({ cancelSessionResponseEs9: { cancelSessionError: code } }),
    );
  if (handleNotification?.pendingNotification && server.handleNotification) {
    server.handleNotification(handleNotification.pendingNotification);
    return undefined;
  }
  throw new Asn1Error('unexpected', 'this server does not have that function');
}

function attempt(
  called: RspFunction,
  act: () => RemoteProfileProvisioningResponse,
  refused: (code: number) => RemoteProfileProvisioningResponse,
  isSmds = false,
): RemoteProfileProvisioningResponse {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refusal) return refused(error.asn1Code(called, isSmds));
    throw error;
  }
}
