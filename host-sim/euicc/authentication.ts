import {
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  CancelSessionRequest,
  CancelSessionResponse,
  concat,
  decode,
  EuiccCancelSessionSigned,
  EuiccSigned1,
  EuiccSigned2,
  encode,
  GetEuiccChallengeRequest,
  GetEuiccChallengeResponse,
  hex,
  type Infer,
  PrepareDownloadRequest,
  PrepareDownloadResponse,
  Signature,
  toSign,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { isChainProblem, verify, verifyServerChain } from '../pki/index.js';
import { makeOneTimeKey, type OneTimeKey } from '../rsp/index.js';
import { type Command, report } from './context.js';
import { sign } from './crypto.js';
import { euiccInfo2 } from './info.js';
import { abandonLoading } from './install.js';
import { endSession } from './session.js';

// Mutual authentication and its end: SGP.22 §5.7.5, §5.7.7, §5.7.13, §5.7.14; signatures of crypto.md §3.

/** One-time keys kept for a further try of the same order; the oldest makes room. */
const keptOneTimeKeys = 4;

/** Begins a session; one that was under way is over. */
export function getEuiccChallenge(command: Command, bytes: Uint8Array): Uint8Array {
  decode(GetEuiccChallengeRequest, bytes);
  abandonLoading(command);
  const euiccChallenge = Uint8Array.from({ length: 16 }, () => Math.floor(command.card.random() * 256));
  endSession(command.session);
  command.session.euiccChallenge = euiccChallenge;
  return encode(GetEuiccChallengeResponse, { euiccChallenge });
}

type AuthenticateError = 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** Checks in this order: session, CI, certificate, signature, challenge. */
export function authenticateServer(command: Command, bytes: Uint8Array): Uint8Array {
  const request = decode(AuthenticateServerRequest, bytes);
  const { transactionId, serverAddress, serverChallenge, euiccChallenge } = request.serverSigned1.value;
  const { card, session } = command;
  const refuse = (authenticateErrorCode: AuthenticateError) => {
    report(command, 'serverRefused', { serverAddress, code: authenticateErrorCode });
    return encode(AuthenticateServerResponse, {
      authenticateResponseError: { transactionId, authenticateErrorCode },
    });
  };
  if (!session.euiccChallenge && !session.server) return refuse(4);
  const ciKeyId = request.euiccCiPKIdToBeUsed;
  if (!card.ciKeyIds.some((known) => sameBytes(known, ciKeyId))) return refuse(7);
  const server = trusted(command, request.serverCertificate, ['dpAuth', 'dsAuth'], ciKeyId);
  if (typeof server === 'number') return refuse(server);
  if (!verify(server.publicKey, request.serverSignature1, request.serverSigned1.bytes)) return refuse(2);
  if (!sameBytes(euiccChallenge, session.euiccChallenge)) return refuse(6);

  const euiccSigned1 = toSign(EuiccSigned1, {
    transactionId,
    serverAddress,
    serverChallenge,
    euiccInfo2: euiccInfo2(command),
    ctxParams1: request.ctxParams1,
  });
  const { privateKey, certificate, eumCertificate } = card.credentials;
  const euiccSignature1 = sign(privateKey, euiccSigned1.bytes);
  endSession(session);
  const { role, oid } = server;
  session.server = { role, transactionId, serverAddress, oid, ciKeyId, euiccSignature1 };
  report(command, 'serverAuthenticated', { serverAddress, role, oid, transactionId: hex(transactionId) });
  return encode(AuthenticateServerResponse, {
    authenticateResponseOk: {
      euiccSigned1,
      euiccSignature1,
      euiccCertificate: certificate,
      eumCertificate,
    },
  });
}

type Role = Parameters<typeof verifyServerChain>[0]['role'];

/**
 * What the certificate says, or the error code 1 invalidCertificate, 3 unsupportedCurve, 5 invalidOid (no OID, or
 * another one than `oid`).
 */
function trusted<R extends Role>(
  { card }: Command,
  certificate: Uint8Array,
  roles: readonly R[],
  ciKeyId: Uint8Array,
  oid?: string,
): { role: R; oid: string; publicKey: Uint8Array } | 1 | 3 | 5 {
  let answer: 1 | 3 | 5 = 1;
  for (const role of roles) {
    try {
      const chain = { certificate, role, cis: card.ciCertificates, ciKeyId, oid, now: card.now?.() };
      return { role, ...verifyServerChain(chain) };
    } catch (error) {
      if (!isChainProblem(error)) throw error;
      if (error.code === 'unsupportedKey') answer = 3;
      else if (error.code === 'serverOid') answer = 5;
      // Only another role can help.
      if (error.code !== 'serverPolicy') break;
    }
  }
  return answer;
}

type DownloadError = 1 | 2 | 3 | 4 | 5;

/** Checks in this order: session, certificate, signature, transactionId. */
export function prepareDownload(command: Command, bytes: Uint8Array): Uint8Array {
  const request = decode(PrepareDownloadRequest, bytes);
  const { transactionId, bppEuiccOtpk } = request.smdpSigned2.value;
  const { card, session } = command;
  const refuse = (downloadErrorCode: DownloadError) => {
    report(command, 'downloadRefused', { transactionId: hex(transactionId), code: downloadErrorCode });
    return encode(PrepareDownloadResponse, { downloadResponseError: { transactionId, downloadErrorCode } });
  };
  const { server } = session;
  if (server?.role !== 'dpAuth' || session.loading) return refuse(4);
  const binder = trusted(command, request.smdpCertificate, ['dpPb'], server.ciKeyId, server.oid);
  // There is no code for an OID that is not the one of CERT.DPauth.
  if (typeof binder === 'number') return refuse(binder === 3 ? 3 : 1);
  const signature1 = Signature.write(server.euiccSignature1);
  if (!verify(binder.publicKey, request.smdpSignature2, request.smdpSigned2.bytes, signature1))
    return refuse(2);
  if (!sameBytes(transactionId, server.transactionId)) return refuse(5);

  const oneTimeKey = oneTimeKeyFor(command, server.oid, bppEuiccOtpk);
  session.prepared = { bindingKey: binder.publicKey, oneTimeKey };
  const euiccSigned2 = toSign(EuiccSigned2, {
    transactionId,
    euiccOtpk: oneTimeKey.publicKey,
    hashCc: request.hashCc,
  });
  const euiccSignature2 = sign(
    card.credentials.privateKey,
    concat([euiccSigned2.bytes, Signature.write(request.smdpSignature2)]),
  );
  report(command, 'downloadPrepared', { serverAddress: server.serverAddress });
  return encode(PrepareDownloadResponse, { downloadResponseOk: { euiccSigned2, euiccSignature2 } });
}

/** The key of an earlier try when the SM-DP+ names it and it is still there, else a new one (SGP.22 §3.1.3). */
function oneTimeKeyFor(command: Command, smdpOid: string, wanted: Uint8Array | undefined): OneTimeKey {
  const { state } = command;
  const kept = state.oneTimeKeys?.find(
    (key) => key.smdpOid === smdpOid && wanted !== undefined && sameBytes(key.publicKey, wanted),
  );
  if (kept) return { privateKey: kept.privateKey, publicKey: kept.publicKey };
  const key = makeOneTimeKey(command.card.random);
  state.oneTimeKeys = [...(state.oneTimeKeys ?? []), { smdpOid, ...key }].slice(-keptOneTimeKeys);
  command.changed = true;
  return key;
}

/** The session of that transaction is over, whatever it has come to. */
export function cancelSession(command: Command, bytes: Uint8Array): Uint8Array {
  const { transactionId, reason } = decode(CancelSessionRequest, bytes);
  const { session, state, card } = command;
  const answer = (value: Infer<typeof CancelSessionResponse>) => encode(CancelSessionResponse, value);
  const { server } = session;
  if (!server || !sameBytes(server.transactionId, transactionId))
    return answer({ cancelSessionResponseError: 5 });
  const euiccCancelSessionSigned = toSign(EuiccCancelSessionSigned, {
    transactionId,
    smdpOid: server.oid,
    reason,
  });
  if (state.installing) {
    state.installing = undefined;
    command.changed = true;
  }
  endSession(session);
  report(command, 'sessionCancelled', { transactionId: hex(transactionId), reason });
  return answer({
    cancelSessionResponseOk: {
      euiccCancelSessionSigned,
      euiccCancelSessionSignature: sign(card.credentials.privateKey, euiccCancelSessionSigned.bytes),
    },
  });
}
