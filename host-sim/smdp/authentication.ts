import {
  type AuthenticateClientRequest,
  AuthenticateErrorNames,
  type CtxParams1,
  type EuiccInfo1,
  type EuiccInfo2,
  hex,
  type InitiateAuthenticationRequest,
  type InitiateAuthenticationResponse,
  ServerSigned1,
  toSign,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import {
  ChainError,
  type Credential,
  checkValidity,
  eidOfCertificate,
  isChainProblem,
  keyIdOf,
  publicKeyOf,
  type SmdsCredentials,
  sign,
  verify,
  verifyEuiccChain,
} from '../pki/index.js';
import { Refusal, type StatusCode } from './refusal.js';

// Common mutual authentication of SM-DP+ and SM-DS: SGP.22 §3.0.1, §5.6.1, §5.6.3, §5.8.

/** One session between InitiateAuthentication and its end. Lives in memory. */
export interface Session {
  transactionId: Uint8Array;
  serverChallenge: Uint8Array;
  serverAddress: string;
  ciKeyId: Uint8Array;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Once AuthenticateClient has succeeded. */
  client?: Client;
}

/** An eUICC that is believed, and what it signed. */
export interface Client {
  /** 32 digits. */
  eid: string;
  euiccCertificate: Uint8Array;
  euiccSignature1: Uint8Array;
  euiccInfo2: EuiccInfo2;
  ctxParams1: CtxParams1;
}

export interface AuthenticationOptions {
  credentials: Pick<SmdsCredentials, 'ciKeyId'> & { auth: Credential };
  /** Trust anchors for the eUICCs, whole X.509 DER. */
  ciCertificates: readonly Uint8Array[];
  /** FQDNs (with a port where it is not 443) that this server answers to; the first one is its name. */
  addresses: readonly string[];
  clock: Clock;
  /** 0 ≤ x < 1. */
  random: () => number;
  /** Sessions that are older are unknown; milliseconds. */
  sessionTimeout: number;
  /** Status codes of this kind of server: 8.8.x or 8.9.x. */
  statuses: { address: StatusCode; ciKey: StatusCode; version: StatusCode; certificate: StatusCode };
}

export class Authentication<S extends Session = Session> {
  readonly #options: AuthenticationOptions;
  readonly #sessions = new Map<string, S>();

  constructor(options: AuthenticationOptions) {
    this.#options = options;
  }

  /** @throws Refusal */
  initiate(
    request: InitiateAuthenticationRequest,
  ): NonNullable<InitiateAuthenticationResponse['initiateAuthenticationOk']> {
    const { addresses, clock, credentials, statuses } = this.#options;
    const wanted = request.smdpAddress.toLowerCase();
    const serverAddress = addresses.find((address) => address.toLowerCase() === wanted);
    if (serverAddress === undefined)
      throw new Refusal(statuses.address, `this server is not ${request.smdpAddress}`);
    const euiccCiPKIdToBeUsed = this.#agree(request.euiccInfo1);
    const transactionId = this.bytes(16);
    const serverChallenge = this.bytes(16);
    this.#forgetOld();
    this.#sessions.set(hex(transactionId), {
      transactionId,
      serverChallenge,
      serverAddress,
      ciKeyId: euiccCiPKIdToBeUsed,
      startedAt: clock.now,
    } as S);
    const serverSigned1 = toSign(ServerSigned1, {
      transactionId,
      euiccChallenge: request.euiccChallenge,
      serverAddress,
      serverChallenge,
    });
    return {
      transactionId,
      serverSigned1,
      serverSignature1: sign(credentials.auth.privateKey, serverSigned1.bytes),
      euiccCiPKIdToBeUsed,
      serverCertificate: credentials.auth.certificate,
    };
  }

  /** The CI that the eUICC verifies us with has to be ours; the one it signs with, one that we trust. */
  #agree({ svn, euiccCiPKIdListForSigning, euiccCiPKIdListForVerification }: EuiccInfo1): Uint8Array {
    const { credentials, ciCertificates, statuses } = this.#options;
    if (svn[0] < 2 || svn[0] > 3)
      throw new Refusal(statuses.version, `SVN ${[...svn].join('.')} is not supported`);
    const trusted = ciCertificates.map((ci) => keyIdOf(publicKeyOf(ci)));
    const known = (id: Uint8Array) => trusted.some((one) => sameBytes(one, id));
    if (!euiccCiPKIdListForVerification.some(known)) throw new Refusal(statuses.ciKey);
    if (!euiccCiPKIdListForVerification.some((id) => sameBytes(id, credentials.ciKeyId)))
      throw new Refusal(statuses.certificate);
    const chosen = euiccCiPKIdListForSigning.find(known);
    if (!chosen) throw new Refusal(statuses.ciKey, 'the eUICC signs with no CI key that is trusted here');
    return chosen.slice();
  }

  /** @throws Refusal 8.10.1/3.9 */
  session(transactionId: Uint8Array): S {
    this.#forgetOld();
    const session = this.#sessions.get(hex(transactionId));
    if (!session) throw new Refusal('8.10.1/3.9', `there is no session ${hex(transactionId)}`);
    return session;
  }

  end(session: S): void {
    this.#sessions.delete(hex(session.transactionId));
  }

  /**
   * Checks an AuthenticateClient in the order of SGP.22 §5.6.3: chain, signature, challenge. The session ends when the
   * eUICC itself refused.
   * @throws Refusal
   */
  authenticate(session: S, { authenticateServerResponse }: AuthenticateClientRequest): Client {
    const { authenticateResponseOk, authenticateResponseError } = authenticateServerResponse.value;
    if (authenticateResponseError) {
      this.end(session);
      const { authenticateErrorCode: code } = authenticateResponseError;
      const name = (AuthenticateErrorNames as Record<number, string>)[code] ?? code;
      throw new Refusal('8.1/4.2', `the eUICC refused AuthenticateServer: ${name}`);
    }
    if (!authenticateResponseOk)
      throw new Refusal('1.6/4.2', 'compact forms are for an eIM, which makes them whole');
    // A client whose connection broke sends the same again; anything else is another one in its session.
    const before = session.client?.euiccSignature1;
    if (before && !sameBytes(before, authenticateResponseOk.euiccSignature1))
      throw new Refusal('8.10.1/3.9', 'the session is beyond AuthenticateClient');
    const { euiccSigned1, euiccSignature1, euiccCertificate, eumCertificate } = authenticateResponseOk;
    const eid = this.#checkChain(session, euiccCertificate, eumCertificate);
    const { transactionId, serverAddress, serverChallenge, euiccInfo2, ctxParams1 } = euiccSigned1.value;
    const wrong = (what: string) => new Refusal('8.1/6.1', `${what} of euiccSigned1 is wrong`);
    if (!verify(publicKeyOf(euiccCertificate), euiccSignature1, euiccSigned1.bytes))
      throw wrong('the signature');
    if (!sameBytes(serverChallenge, session.serverChallenge)) throw wrong('the serverChallenge');
    if (serverAddress !== session.serverAddress) throw wrong('the serverAddress');
    if (!sameBytes(transactionId, session.transactionId))
      throw new Refusal('8.10.1/3.9', 'the transactionId of euiccSigned1 is another one');
    const client = {
      eid,
      euiccCertificate: euiccCertificate.slice(),
      euiccSignature1,
      euiccInfo2,
      ctxParams1,
    };
    session.client = client;
    return client;
  }

  /** @returns the EID. @throws Refusal */
  #checkChain({ ciKeyId }: S, euicc: Uint8Array, eum: Uint8Array): string {
    const { ciCertificates, clock } = this.#options;
    const cis = ciCertificates.filter((ci) => sameBytes(keyIdOf(publicKeyOf(ci)), ciKeyId));
    try {
      const eid = eidOfCertificate(euicc);
      verifyEuiccChain({ euicc, eum, cis, eid });
      checkValidity('EUM', eum, clock.now);
      checkValidity('eUICC', euicc, clock.now);
      return hex(eid);
    } catch (error) {
      if (!isChainProblem(error)) throw error;
      throw new Refusal(statusOf(error, eum), error.message, { cause: error });
    }
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.#options.random() * 256) & 0xff);
  }

  #forgetOld(): void {
    const { clock, sessionTimeout } = this.#options;
    for (const [id, session] of this.#sessions)
      if (clock.now - session.startedAt > sessionTimeout) this.#sessions.delete(id);
  }
}

function statusOf(error: Error, eum: Uint8Array): StatusCode {
  if (!(error instanceof ChainError)) return readable(eum) ? '8.1.3/6.1' : '8.1.2/6.1';
  switch (error.check) {
    case 'ciUnknown':
      return '8.11.1/3.9';
    case 'eumSignature':
    case 'eumPolicy':
    case 'eumUsage':
      return '8.1.2/6.1';
    case 'validity':
      return error.message.includes('EUM') ? '8.1.2/6.3' : '8.1.3/6.3';
    default:
      return '8.1.3/6.1';
  }
}

function readable(certificate: Uint8Array): boolean {
  try {
    publicKeyOf(certificate);
    return true;
  } catch {
    return false;
  }
}
