import { IpaError, isUnavailable } from '../error.js';
import {
  appendNotifications,
  eachStoredResult,
  getAssociationToken,
  getCerts,
  getEuiccConfiguredAddresses,
  getEuiccInfo1,
  getEuiccInfo2,
  isEmergencyProfileEnabled,
  writeDeviceInfo,
} from '../es10/index.js';
import {
  beginReply,
  DataError,
  EimKnows,
  EsipaTag,
  type Incoming,
  PackageFault,
  type Reply,
  writeDataError,
  writeFault,
} from '../esipa/index.js';
import { Cursor, equal, TlvError, type Writer } from '../tlv/index.js';
import type { IpaContext } from './context.js';
import { readStored } from './deliver.js';
import { answer } from './euicc-package.js';
import type { EimSession } from './session.js';

/** One bit for each object, in the order of the response (esipa.md §3.2). */
const Wanted = {
  notifications: 1,
  defaultSmdpAddress: 2,
  packageResults: 4,
  euiccInfo1: 8,
  euiccInfo2: 16,
  rootSmdsAddress: 32,
  associationToken: 64,
  /** Not an object: which chain the certificates are to come from. */
  ciKeyId: 128,
  eumCertificate: 256,
  euiccCertificate: 512,
  eimTransactionId: 1024,
  ipaCapabilities: 2048,
  deviceInfo: 4096,
} as const;

/** Tags of 5C; the last four are those of v1.0, which stand for the same objects (open-questions.md Q8). */
const WANTED_BY_TAG: { readonly [tag: number]: number } = {
  0xa0: Wanted.notifications,
  0x81: Wanted.defaultSmdpAddress,
  0xa2: Wanted.packageResults,
  0xbf20: Wanted.euiccInfo1,
  0xbf22: Wanted.euiccInfo2,
  0x83: Wanted.rootSmdsAddress,
  0x84: Wanted.associationToken,
  0xa5: Wanted.eumCertificate,
  0xa6: Wanted.euiccCertificate,
  0xa8: Wanted.ipaCapabilities,
  0xa9: Wanted.deviceInfo,
  0x80: Wanted.defaultSmdpAddress,
  0x88: Wanted.ipaCapabilities,
  0xbf2b: Wanted.notifications | Wanted.packageResults,
};

/** IpaEuiccDataRequest in parts, and what has come of it so far; views into the message. */
interface Request {
  wanted: number;
  ciKeyId: Uint8Array | undefined;
  notificationCriteria: Uint8Array | undefined;
  resultSeqNumber: number;
  eimTransactionId: Uint8Array | undefined;
  /** Read together with the default SM-DP+ address, and written later; a copy. */
  rootSmdsAddress: Uint8Array | undefined;
  /** The error to answer with instead. */
  code: number;
}

/**
 * IpaEuiccDataRequest (esipa.md §3, procedures.md §11): collects what 5C asks for, object by object, and answers.
 * @param incoming of kind `dataRequest`
 */
export async function answerDataRequest(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
): Promise<unknown> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  context.enter('executing');
  const delivery = context.delivery(session, incoming.eimTransactionId);
  const request = readRequest(incoming);
  try {
    if (request && context.capabilities.ecallSupported && (await isEmergencyProfileEnabled(context.es10)))
      request.code = DataError.ecallActive;
    beginAnswer(context, incoming.reply);
    for (let object = 1; request?.code === 0 && object <= Wanted.deviceInfo; object *= 2)
      if (request.wanted & object) copy(context.message, await give(context, session, request, object));
  } catch (error) {
    // What the eUICC cannot give, or does not fit into one message, must not leave the eIM without answer.
    if (!request || !isUnavailable(error)) throw error;
    context.fail('IpaEuiccDataRequest', error);
    request.code = DataError.undefinedError;
  }
  endAnswer(context, incoming, request?.code);
  if (request?.code === 0) session.knows |= knownBy(request.wanted);
  return answer(context, session, delivery, incoming.reply);
}

/** @returns bits of EimKnows */
function knownBy(wanted: number): number {
  const certificates = Wanted.eumCertificate | Wanted.euiccCertificate;
  return (
    ((wanted & certificates) === certificates ? EimKnows.certificates : 0) |
    (wanted & Wanted.euiccInfo2 ? EimKnows.euiccInfo2 : 0)
  );
}

function beginAnswer({ message, eid }: IpaContext, reply: Reply): void {
  beginReply(message, reply, eid);
  message.begin(EsipaTag.ipaEuiccData).begin(0xa0);
}

/** @param code undefined for a request that cannot be read */
function endAnswer(
  context: IpaContext,
  { reply, eimTransactionId }: Incoming,
  code: number | undefined,
): void {
  const { message, eid } = context;
  if (code === undefined)
    writeFault(message, reply, eid, PackageFault.invalidPackageFormat, eimTransactionId);
  else if (code !== 0) writeDataError(message, reply, eid, code, eimTransactionId);
  else message.end().end().end();
  context.es10.release();
  context.enter('delivering');
}

/** Writes one object into context.message, or sets request.code. @returns what is left to copy into it as it is */
function give(
  context: IpaContext,
  session: EimSession,
  request: Request,
  object: number,
): Promise<unknown> | undefined {
  const { es10, message } = context;
  switch (object) {
    case Wanted.notifications:
      return appendNotifications(es10, message, request.notificationCriteria);
    case Wanted.defaultSmdpAddress:
      return getEuiccConfiguredAddresses(es10, (addresses) => copyAddresses(message, request, addresses));
    case Wanted.rootSmdsAddress:
      if (request.wanted & Wanted.defaultSmdpAddress) return writeRootSmds(message, request);
      return getEuiccConfiguredAddresses(es10, (addresses) => {
        copyAddresses(message, request, addresses);
        writeRootSmds(message, request);
      });
    case Wanted.packageResults:
      return appendResults(context, request.resultSeqNumber);
    case Wanted.euiccInfo1:
      return getEuiccInfo1(es10);
    case Wanted.euiccInfo2:
      return getEuiccInfo2(es10);
    case Wanted.associationToken:
      return getAssociationToken(es10, session.configuration.eimId);
    case Wanted.ciKeyId:
      return getEuiccInfo1(es10, (info) => completeKeyId(request, info));
    case Wanted.euiccCertificate:
      // With the other one.
      if (request.wanted & Wanted.eumCertificate) return undefined;
      return getCerts(es10, request.ciKeyId, (certs) => copyCertificates(message, request, certs));
    case Wanted.eumCertificate:
      return getCerts(es10, request.ciKeyId, (certs) => copyCertificates(message, request, certs));
    case Wanted.eimTransactionId:
      message.primitive(0x87, request.eimTransactionId);
      return undefined;
    case Wanted.ipaCapabilities:
      writeIpaCapabilities(message, context);
      return undefined;
  }
  writeDeviceInfo(message, 0xa9, context.imei);
  return undefined;
}

function copy(message: Writer, found: unknown): void {
  if (found instanceof Cursor) message.write(found.element);
  else if (found instanceof Uint8Array) message.write(found);
}

/** BF52 {5C tagList, [04 key id], [A1 {80 | 81}], [A2 {80}], [83]} */
function readRequest({ body, eimTransactionId }: Incoming): Request | undefined {
  try {
    return readParts(body!, eimTransactionId);
  } catch (error) {
    if (error instanceof TlvError) return undefined;
    throw error;
  }
}

function readParts(body: Uint8Array, eimTransactionId: Uint8Array | undefined): Request {
  const found: Request = {
    wanted: eimTransactionId ? Wanted.eimTransactionId : 0,
    eimTransactionId,
    rootSmdsAddress: undefined,
    code: 0,
    ciKeyId: undefined,
    notificationCriteria: undefined,
    resultSeqNumber: -1,
  };
  const cursor = new Cursor(body).expect(EsipaTag.ipaEuiccData).enter();
  while (cursor.next()) {
    if (cursor.is(0x5c)) {
      const tags = cursor.value;
      for (let at = 0; at < tags.length; at++) {
        let tag = tags[at];
        if ((tag & 0x1f) === 0x1f && at + 1 < tags.length) tag = (tag << 8) | tags[++at];
        const wanted = WANTED_BY_TAG[tag];
        if (wanted === undefined) found.code = DataError.incorrectTagList;
        else found.wanted |= wanted;
      }
    } else if (cursor.is(0x04)) found.ciKeyId = cursor.value;
    else if (cursor.is(0xa1)) found.notificationCriteria = cursor.value;
    else if (cursor.is(0xa2)) {
      cursor.enter();
      if (cursor.find(0x80)) found.resultSeqNumber = cursor.integer();
      cursor.leave();
    }
  }
  if (found.ciKeyId && found.wanted & (Wanted.eumCertificate | Wanted.euiccCertificate))
    found.wanted |= Wanted.ciKeyId;
  return found;
}

/** Writes 81 defaultSmdpAddress if it is wanted, and keeps rootSmdsAddress for later in the message. */
function copyAddresses(message: Writer, request: Request, addresses: Cursor): void {
  addresses.enter();
  while (addresses.next()) {
    if (addresses.is(0x80) && request.wanted & Wanted.defaultSmdpAddress)
      message.primitive(0x81, addresses.value);
    else if (addresses.is(0x81)) request.rootSmdsAddress = addresses.value.slice();
  }
}

function writeRootSmds(message: Writer, { rootSmdsAddress }: Request): undefined {
  if (rootSmdsAddress) message.primitive(0x83, rootSmdsAddress);
}

/** A2 {BF51 …}, all of them or the one with `seqNumber`. */
async function appendResults({ message, es10, result }: IpaContext, seqNumber: number): Promise<void> {
  message.begin(0xa2);
  const start = message.length;
  const take = (stored: Uint8Array): void => {
    if (seqNumber < 0 || readStored(stored)?.seqNumber === seqNumber) message.write(stored);
  };
  if ((await eachStoredResult(es10, result, take, () => message.cut(start))) > 0)
    throw new TlvError('overflow', 'a stored result does not fit into a message', 0);
  message.end();
}

/** A5 and A6 of the chain that ends in the wanted CI. */
function copyCertificates(message: Writer, request: Request, certs: Cursor): void {
  if (!certs.enter().nextIs(0xa0)) {
    request.code = request.ciKeyId ? DataError.euiccCiPKIdNotFound : DataError.undefinedError;
    return;
  }
  certs.enter();
  while (certs.next()) {
    const bit = certs.is(0xa5) ? Wanted.eumCertificate : certs.is(0xa6) ? Wanted.euiccCertificate : 0;
    if (request.wanted & bit) message.write(certs.element);
  }
}

/**
 * Finds the signing key of EUICCInfo1 (AA) that begins with request.ciKeyId: it may be truncated (esipa.md §3.1), and some
 * eIMs send it as a TLV `04 14 …` (Q17). A copy takes its place.
 */
function completeKeyId(request: Request, info: Cursor): void {
  const ciKeyId = request.ciKeyId!;
  const wanted =
    ciKeyId.length > 2 && ciKeyId[0] === 0x04 && ciKeyId[1] === ciKeyId.length - 2
      ? ciKeyId.subarray(2)
      : ciKeyId;
  if (!info.enter().find(0xaa)) throw new IpaError('unexpectedAnswer', 'EUICCInfo1 lists no signing keys');
  info.enter();
  while (info.next()) {
    if (!info.is(0x04) || wanted.length > info.length) continue;
    if (!equal(info.value.subarray(0, wanted.length), wanted)) continue;
    request.ciKeyId = info.value.slice();
    return;
  }
  request.code = DataError.euiccCiPKIdNotFound;
}

/** Bits of ipaFeatures (esipa.md §3.2). */
const DIRECT = 0x80;
const INDIRECT = 0x40;
const EIM_DOWNLOAD_DATA_HANDLING = 0x20;
const EIM_CTX_PARAMS1_GENERATION = 0x10;
const EIM_PROFILE_METADATA_VERIFICATION = 0x08;
const MINIMIZE_ESIPA_BYTES = 0x04;

/** IpaCapabilities A8 {80 ipaFeatures, 81 ipaSupportedProtocols} (esipa.md §3.2). */
function writeIpaCapabilities(to: Writer, context: IpaContext): void {
  const { connectSmdp, settings } = context;
  let features = INDIRECT;
  if (connectSmdp) features |= DIRECT;
  if (settings.eimDownloadDataHandling) features |= EIM_DOWNLOAD_DATA_HANDLING;
  if (settings.eimCtxParams1Generation) features |= EIM_CTX_PARAMS1_GENERATION;
  if (settings.eimProfileMetadataVerification) features |= EIM_PROFILE_METADATA_VERIFICATION;
  if (settings.minimizeEsipaBytes) features |= MINIMIZE_ESIPA_BYTES;
  to.begin(0xa8);
  writeBits(to, 0x80, features);
  writeBits(to, 0x81, settings.supportedProtocols);
  to.end();
}

/** BIT STRING of one octet under `tag`, as DER has it. */
function writeBits(to: Writer, tag: number, bits: number): void {
  let unused = 0;
  while (unused < 8 && (bits & (1 << unused)) === 0) unused++;
  to.primitive(tag, unused === 8 ? [0] : [unused, bits]);
}
