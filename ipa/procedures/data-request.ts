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
  EsipaTag,
  type Incoming,
  PackageFault,
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
  eumCertificate: 128,
  euiccCertificate: 256,
  ipaCapabilities: 512,
  deviceInfo: 1024,
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

/** IpaEuiccDataRequest in parts; views into the message. */
interface Request {
  wanted: number;
  ciKeyId: Uint8Array | undefined;
  notificationCriteria: Uint8Array | undefined;
  resultSeqNumber: number;
}

/**
 * IpaEuiccDataRequest (esipa.md §3, procedures.md §11): collects what 5C asks for and answers.
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
  const request = readRequest(incoming.body!);
  let code = 0;
  try {
    if (request) code = await collect(context, session, incoming, request);
  } catch (error) {
    // What the eUICC cannot give, or does not fit into one message, must not leave the eIM without answer.
    if (!isUnavailable(error)) throw error;
    context.fail('IpaEuiccDataRequest', error);
    code = DataError.undefinedError;
  }
  const { message, eid } = context;
  const { reply } = incoming;
  if (!request) writeFault(message, reply, eid, PackageFault.invalidPackageFormat, incoming.eimTransactionId);
  else if (code !== 0) writeDataError(message, reply, eid, code, incoming.eimTransactionId);
  context.es10.release();
  context.enter('delivering');
  return answer(context, session, delivery, reply);
}

/** Writes the whole answer into context.message. @returns 0, or the code to answer with instead */
async function collect(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
  request: Request,
): Promise<number> {
  const { es10, message } = context;
  const { wanted } = request;
  if (context.capabilities.ecallSupported && (await isEmergencyProfileEnabled(es10)))
    return DataError.ecallActive;
  if (wanted === UNKNOWN_TAG) return DataError.incorrectTagList;
  beginReply(message, incoming.reply, context.eid);
  message.begin(EsipaTag.ipaEuiccData).begin(0xa0);

  if (wanted & Wanted.notifications) await appendNotifications(es10, message, request.notificationCriteria);
  let rootSmdsAddress: Uint8Array | undefined;
  if (wanted & (Wanted.defaultSmdpAddress | Wanted.rootSmdsAddress))
    rootSmdsAddress = copyAddresses(message, wanted, await getEuiccConfiguredAddresses(es10));
  if (wanted & Wanted.packageResults) {
    message.begin(0xa2);
    if ((await appendResults(context, request.resultSeqNumber)) > 0)
      throw new TlvError('overflow', 'a stored result does not fit into a message', 0);
    message.end();
  }
  if (wanted & Wanted.euiccInfo1) message.write((await getEuiccInfo1(es10)).element);
  if (wanted & Wanted.euiccInfo2) message.write((await getEuiccInfo2(es10)).element);
  if (rootSmdsAddress) message.primitive(0x83, rootSmdsAddress);
  if (wanted & Wanted.associationToken) {
    const token = await getAssociationToken(es10, session.configuration.eimId);
    if (token) message.write(token);
  }
  if (wanted & (Wanted.eumCertificate | Wanted.euiccCertificate)) {
    let keyId = request.ciKeyId;
    if (keyId) {
      keyId = completeKeyId(keyId, await getEuiccInfo1(es10));
      if (!keyId) return DataError.euiccCiPKIdNotFound;
    }
    if (!copyCertificates(message, wanted, await getCerts(es10, keyId)))
      return keyId ? DataError.euiccCiPKIdNotFound : DataError.undefinedError;
  }
  if (incoming.eimTransactionId) message.primitive(0x87, incoming.eimTransactionId);
  if (wanted & Wanted.ipaCapabilities) writeIpaCapabilities(message, context);
  if (wanted & Wanted.deviceInfo) writeDeviceInfo(message, 0xa9, context.imei);
  message.end().end().end();
  return 0;
}

/** `wanted` of a request whose 5C holds a tag that is none. */
const UNKNOWN_TAG = -1;

/** BF52 {5C tagList, [04 key id], [A1 {80 | 81}], [A2 {80}], [83]} */
function readRequest(body: Uint8Array): Request | undefined {
  try {
    return readParts(body);
  } catch (error) {
    if (error instanceof TlvError) return undefined;
    throw error;
  }
}

function readParts(body: Uint8Array): Request {
  const found: Request = {
    wanted: 0,
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
        found.wanted = wanted === undefined ? UNKNOWN_TAG : found.wanted | wanted;
      }
    } else if (cursor.is(0x04)) found.ciKeyId = cursor.value;
    else if (cursor.is(0xa1)) found.notificationCriteria = cursor.value;
    else if (cursor.is(0xa2)) {
      cursor.enter();
      if (cursor.find(0x80)) found.resultSeqNumber = cursor.integer();
      cursor.leave();
    }
  }
  return found;
}

/** Writes 81 defaultSmdpAddress if it is wanted. @returns rootSmdsAddress for later in the message, a copy, if it is wanted */
function copyAddresses(message: Writer, wanted: number, addresses: Cursor): Uint8Array | undefined {
  let rootSmdsAddress: Uint8Array | undefined;
  addresses.enter();
  while (addresses.next()) {
    if (addresses.is(0x80) && wanted & Wanted.defaultSmdpAddress) message.primitive(0x81, addresses.value);
    else if (addresses.is(0x81) && wanted & Wanted.rootSmdsAddress) rootSmdsAddress = addresses.value.slice();
  }
  return rootSmdsAddress;
}

/** BF51 …, all of them or the one with `seqNumber`. @returns how many were too long */
function appendResults({ message, es10, result }: IpaContext, seqNumber: number): Promise<number> {
  const start = message.length;
  const take = (stored: Uint8Array): void => {
    if (seqNumber < 0 || readStored(stored)?.seqNumber === seqNumber) message.write(stored);
  };
  return eachStoredResult(es10, result, take, () => message.cut(start));
}

/** A5 and A6 of the chain that ends in the wanted CI. @returns false when there is none */
function copyCertificates(message: Writer, wanted: number, certs: Cursor): boolean {
  if (!certs.enter().nextIs(0xa0)) return false;
  certs.enter();
  while (certs.next()) {
    const bit = certs.is(0xa5) ? Wanted.eumCertificate : certs.is(0xa6) ? Wanted.euiccCertificate : 0;
    if (wanted & bit) message.write(certs.element);
  }
  return true;
}

/**
 * The signing key of EUICCInfo1 (AA) that begins with `ciKeyId`, a copy: it may be truncated (esipa.md §3.1), and some eIMs
 * send it as a TLV `04 14 …` (Q17).
 */
function completeKeyId(ciKeyId: Uint8Array, info: Cursor): Uint8Array | undefined {
  const wanted =
    ciKeyId.length > 2 && ciKeyId[0] === 0x04 && ciKeyId[1] === ciKeyId.length - 2
      ? ciKeyId.subarray(2)
      : ciKeyId;
  if (!info.enter().find(0xaa)) throw new IpaError('unexpectedAnswer', 'EUICCInfo1 lists no signing keys');
  info.enter();
  while (info.next()) {
    if (info.is(0x04) && wanted.length <= info.length && equal(info.value.subarray(0, wanted.length), wanted))
      return info.value.slice();
  }
  return undefined;
}

/** Bits of ipaFeatures (esipa.md §3.2). */
const DIRECT = 0x80;
const INDIRECT = 0x40;
const EIM_DOWNLOAD_DATA_HANDLING = 0x20;
const EIM_CTX_PARAMS1_GENERATION = 0x10;

/** IpaCapabilities A8 {80 ipaFeatures, 81 ipaSupportedProtocols} (esipa.md §3.2). */
function writeIpaCapabilities(to: Writer, context: IpaContext): void {
  let features = INDIRECT | EIM_CTX_PARAMS1_GENERATION;
  if (context.connectSmdp) features |= DIRECT;
  if (context.settings.eimDownloadDataHandling) features |= EIM_DOWNLOAD_DATA_HANDLING;
  to.begin(0xa8);
  writeBits(to, 0x80, features);
  writeBits(to, 0x81, context.settings.supportedProtocols);
  to.end();
}

/** BIT STRING of one octet under `tag`, as DER has it. */
function writeBits(to: Writer, tag: number, bits: number): void {
  let unused = 0;
  while (unused < 8 && (bits & (1 << unused)) === 0) unused++;
  to.primitive(tag, unused === 8 ? [0] : [unused, bits]);
}
