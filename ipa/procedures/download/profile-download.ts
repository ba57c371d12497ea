import { XsIpaError } from '../../../hal/contracts/index.js';
import { Es10Error, isChannelGone } from '../../error.js';
import {
  authenticateServer,
  CancelReason,
  cancelSession,
  findCiKey,
  getEuiccChallenge,
  getEuiccInfo1,
  isConfirmationCodeRequired,
  prepareDownload,
  readServerSigned1,
  readSmdpSigned2,
  registeredId,
  rspErrorCode,
} from '../../es10/index.js';
import { utf8 } from '../../text.js';
import { Cursor, equal, TlvError } from '../../tlv/index.js';
import type { IpaContext } from '../context.js';
import { BppLoader } from './bpp-loader.js';
import { arePolicyRulesAllowed } from './policy-rules.js';
import { RspRefusal, type RspServer } from './server.js';

/** What is to be downloaded, in so far as the device knows it. */
export interface DownloadOrder {
  /** UTF-8; undefined for the default SM-DP+, and when the eIM has it. */
  matchingId?: ArrayLike<number>;
  /** Body of the OID that the SM-DP+ must have. */
  smdpOid?: ArrayLike<number>;
  /** @returns hashCc, 32 bytes (crypto.md §4); undefined when this device has no confirmation code */
  hashCc?: (transactionId: Uint8Array) => Uint8Array | undefined;
  /** Called with the transactionId before anything is loaded: whoever looks for the result later knows it by that. */
  onSession?: (transactionId: Uint8Array) => void;
  /** Of the session, a copy; there from serverSigned1 on. */
  transactionId?: Uint8Array;
  /** The package was asked for; no result without it. */
  isLoading?: boolean;
}

/**
 * Common mutual authentication and profile download (procedures.md §§6, 7): from the eUICC's challenge to its
 * ProfileInstallationResult. When it fails on the way, the session is ended on both sides.
 * @returns the ProfileInstallationResult BF37 is in context.result
 * @throws RspRefusal when one side said no, with what it said; another XsIpaError when the way to it failed
 */
export async function downloadProfile(
  context: IpaContext,
  server: RspServer,
  order: DownloadOrder,
): Promise<void> {
  const { es10, result } = context;
  let code = 0;
  try {
    const transactionId = await authenticate(context, server, order);
    order.onSession?.(transactionId);
    code = await prepare(context, server, order, transactionId);
    const loader = new BppLoader(es10, result);
    order.isLoading = true;
    await server.getBoundProfilePackage(transactionId, result.bytes, loader);
    if (code !== 0) throw euiccRefusal(code);
    if (!loader.isComplete)
      throw refusal('the package ended before the eUICC gave a result', CancelReason.loadBppExecutionError);
  } catch (error) {
    const { transactionId } = order;
    const told = explain(error, code);
    const cause = transactionId ? finalCause(told, order) : told;
    if (transactionId) await cancel(context, server, transactionId, cause);
    throw cause;
  }
}

/** Trying again helps where the way to a peer failed, not where one of them cannot be understood or says no. */
function finalCause(error: unknown, { isLoading }: DownloadOrder): unknown {
  const reason = isLoading ? CancelReason.loadBppExecutionError : CancelReason.undefinedReason;
  if (error instanceof TlvError)
    return refusal(`the other side sent what cannot be read: ${error.message}`, reason);
  if (error instanceof Es10Error && !isChannelGone(error))
    return refusal(error.message, reason, new Uint8Array([error.sw >> 8, error.sw & 0xff]));
  return error;
}

/**
 * Asks an SM-DS what it has for this eUICC (procedures.md §9): the same authentication, and then a list of events.
 * @returns the activation code of the first one; undefined when there is none
 */
export async function discoverEvent(
  context: IpaContext,
  server: RspServer,
  order: DownloadOrder,
): Promise<string | undefined> {
  const transactionId = await authenticate(context, server, order);
  const { result } = context;
  const code = rspErrorCode(result.bytes);
  const found = await withError(server.findEvent(transactionId, result.bytes), code);
  if (code !== 0) throw euiccRefusal(code);
  return found;
}

/** Steps 5a–5d. @returns transactionId, a copy; AuthenticateServerResponse is in context.result */
async function authenticate(
  context: IpaContext,
  server: RspServer,
  order: DownloadOrder,
): Promise<Uint8Array> {
  const { es10, result } = context;
  // From an empty stack (docs/design.md §4).
  await undefined;
  const info1 = (await getEuiccInfo1(es10)).element.slice();
  const challenge = (await getEuiccChallenge(es10)).slice();
  const found = await server.initiateAuthentication(challenge, info1);
  const signed = readServerSigned1(found.serverSigned1);
  const transactionId = signed.transactionId.slice();
  order.transactionId = transactionId;
  if (!equal(signed.euiccChallenge, challenge))
    throw refusal('serverSigned1 does not repeat the challenge of this session');
  const address = utf8(signed.serverAddress);
  if (server.address !== undefined && !isSameHost(address, server.address))
    throw refusal(`the server calls itself ${address}, not ${server.address}`);
  if (order.smdpOid && !equal(registeredId(found.serverCertificate), order.smdpOid))
    throw refusal('the certificate of the SM-DP+ does not carry the OID of the activation code');
  const ciKey = findCiKey(new Cursor(info1).expect(0xbf20), 0xaa, found.euiccCiPkId);
  if (!ciKey) throw refusal('the server chose a CI key that the eUICC does not have');
  found.euiccCiPkId = ciKey;
  const { ctxParams1 } = found;
  const matchingId = found.matchingId ?? order.matchingId;
  await authenticateServer(es10, found, { ctxParams1, matchingId, imei: context.imei }, result);
  return transactionId;
}

/** FQDNs are compared without regard to case (procedures.md §6, step 5c); a port is not part of them. */
function isSameHost(a: string, b: string): boolean {
  return hostOf(a) === hostOf(b);
}

function hostOf(address: string): string {
  const colon = address.indexOf(':');
  return (colon < 0 ? address : address.slice(0, colon)).toLowerCase();
}

/**
 * Steps 5e–10. What the server sent is gone from memory afterwards.
 * @returns error of the eUICC, 0 for none; PrepareDownloadResponse is in context.result
 */
async function prepare(
  context: IpaContext,
  server: RspServer,
  order: DownloadOrder,
  transactionId: Uint8Array,
): Promise<number> {
  const { es10, result } = context;
  await undefined;
  // An error goes to the server too, which ends its session with it.
  const authenticated = rspErrorCode(result.bytes);
  const found = await withError(server.authenticateClient(transactionId, result.bytes), authenticated);
  if (authenticated !== 0) throw euiccRefusal(authenticated);
  if (!equal(readSmdpSigned2(found.smdpSigned2), transactionId))
    throw refusal('smdpSigned2 belongs to another transaction');
  if (found.profileMetadata && !(await arePolicyRulesAllowed(context, found.profileMetadata)))
    throw new RspRefusal(
      'the Rules Authorisation Table does not allow the policy rules of the profile',
      CancelReason.pprNotAllowed,
    );
  let { hashCc } = found;
  if (isConfirmationCodeRequired(found.smdpSigned2)) {
    hashCc ??= order.hashCc?.(transactionId);
    if (!hashCc)
      throw refusal(
        'the order needs a confirmation code, and this device has none',
        CancelReason.endUserRejection,
      );
  } else hashCc = undefined;
  // It has grown for the certificates in the answer of before; the next one is short, and long in use.
  result.release();
  await prepareDownload(es10, found, hashCc, result);
  return rspErrorCode(result.bytes);
}

/** What the server says to an error of the eUICC does not matter: the eUICC's reason is the one to report. */
async function withError<T>(answer: Promise<T>, code: number): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw explain(error, code);
  }
}

function explain(error: unknown, code: number): unknown {
  return code !== 0 && error instanceof RspRefusal ? euiccRefusal(code) : error;
}

/** AuthenticateServer or PrepareDownload ended with `code`, which has gone to the server: its session is over. */
function euiccRefusal(code: number): RspRefusal {
  const raw = new Uint8Array([0x02, 0x01, code]);
  const found = refusal(`the eUICC refused the server with ${code}`, CancelReason.undefinedReason, raw);
  found.serverKnows = true;
  return found;
}

function refusal(
  message: string,
  reason: number = CancelReason.undefinedReason,
  raw?: Uint8Array,
): RspRefusal {
  return new RspRefusal(message, reason, raw);
}

/**
 * CancelSession on the eUICC and with the server; whatever fails here is noted and does not hide the first failure. What is
 * tried again is postponed, and only the eUICC hears of it: to the server an order that was cancelled may be over.
 */
async function cancel(
  context: IpaContext,
  server: RspServer,
  transactionId: Uint8Array,
  cause: unknown,
): Promise<void> {
  const { es10, result } = context;
  const refused = cause instanceof RspRefusal ? cause : undefined;
  try {
    await cancelSession(es10, transactionId, refused?.cancelReason ?? CancelReason.postponed, result);
    if (refused && !refused.serverKnows) await server.cancelSession(transactionId, result.bytes);
  } catch (error) {
    if (!(error instanceof XsIpaError)) throw error;
    context.fail('CancelSession', error);
  } finally {
    result.clear();
  }
}
