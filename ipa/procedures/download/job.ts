import { UiccError, XsIpaError } from '../../../hal/contracts/index.js';
import { ActivationCodeError, parseActivationCode } from '../../es9/activation-code.js';
import {
  CancelReason,
  getEuiccConfiguredAddresses,
  isEmergencyProfileEnabled,
  listNotifications,
  readInstallationResult,
} from '../../es10/index.js';
import {
  beginHandleNotification,
  type Incoming,
  PackageFault,
  readDownloadTrigger,
  writeCompactInstallation,
  writeDownloadResult,
} from '../../esipa/index.js';
import { fromHex, hex, utf8 } from '../../text.js';
import { equal, TlvError } from '../../tlv/index.js';
import type { IpaContext } from '../context.js';
import { handNotification, optional, removeAcknowledged } from '../deliver.js';
import { switchLocally } from '../fallback.js';
import { type EimSession, markHandled } from '../session.js';
import { confirmation } from './confirmation-code.js';
import { deliverDirect } from './direct-results.js';
import { EimServer } from './eim-server.js';
import { type DownloadOrder, discoverEvent, downloadProfile } from './profile-download.js';
import type { DownloadRecord, Downloads } from './record.js';
import { RspRefusal, type RspServer } from './server.js';
import { readNotification } from './stored-result.js';

/** ProfileDownloadTriggerResult reasons (esipa.md §3.4). */
const ECALL_ACTIVE = 104;
const UNDEFINED_ERROR = 127;

/**
 * Notes down what a ProfileDownloadTriggerRequest asks for; serveDownload() does it.
 * @returns 0, or the EimPackageResultErrorCode to answer with
 */
export function orderDownload(context: IpaContext, session: EimSession, incoming: Incoming): number {
  const { downloads } = context;
  try {
    const trigger = readDownloadTrigger(incoming.body!);
    const eimTransactionId = trigger.eimTransactionId ? hex(trigger.eimTransactionId) : '';
    const { eimId } = session.configuration;
    const { record } = downloads;
    if (record) {
      // The same one again: it is under way. Another one has to wait; there is one session with an SM-DP+ at a time.
      const isSame = record.eimId === eimId && record.eimTransactionId === eimTransactionId;
      return isSame ? 0 : PackageFault.undefinedError;
    }
    const indirect = isIndirect(context, session);
    if (trigger.kind === 'eimData' && !indirect) return PackageFault.invalidPackageFormat;
    const text = trigger.text ? utf8(trigger.text) : '';
    if (trigger.kind === 'activationCode') parseActivationCode(text);
    downloads.save({
      eimId,
      eimTransactionId,
      kind: trigger.kind,
      text,
      indirect,
      attempts: 0,
      transactionId: '',
      stage: 'ordered',
      seqNumber: -1,
      reason: 0,
      error: '',
    });
    return 0;
  } catch (error) {
    if (!(error instanceof TlvError || error instanceof ActivationCodeError)) throw error;
    context.fail('ProfileDownloadTrigger', error);
    return PackageFault.invalidPackageFormat;
  }
}

function isIndirect(context: IpaContext, { configuration }: EimSession): boolean {
  return configuration.indirectProfileDownload || !context.connectSmdp;
}

/**
 * Carries on with the download that this session's eIM ordered, from wherever it stands: it may have begun before a power
 * cut (procedures.md §§6, 7).
 * @throws LinkError and other XsIpaError when the way to a peer failed: it is tried again after a back-off
 */
export async function serveDownload(context: IpaContext, session: EimSession): Promise<void> {
  const { downloads } = context;
  const { record } = downloads;
  if (record?.eimId !== session.configuration.eimId) return;
  // From an empty stack, here and below (docs/design.md §4).
  await undefined;
  const { result, message } = context;
  try {
    result.clear();
    if (record.stage === 'ordered') await begin(context, downloads, session, record);
    // The eIM passes on what came through it; the rest is for the IPA to bring to the SM-DP+ (procedures.md §10).
    if (record.stage === 'installed' && !record.indirect) downloads.addDirect(record.seqNumber);
    if (record.stage === 'failed' || (await readNotification(context, record.seqNumber)))
      await report(context, session, record);
    const { stage, reason } = record;
    markHandled(session, transactionOf(record));
    downloads.clear();
    context.notificationsPending = true;
    session.pollDue = true;
    // At once, while the result need not be read again; what fails now is tried again later (device-work.ts).
    if (stage === 'installed' && !record.indirect) await tryDirect(context);
    if (stage === 'installed' && reason === 0 && context.settings.immediateEnable)
      await switchLocally(context, 'immediateEnable');
  } finally {
    result.release();
    message.release();
    context.es10.release();
  }
}

async function tryDirect(context: IpaContext): Promise<void> {
  try {
    await deliverDirect(context);
  } catch (error) {
    if (!(error instanceof XsIpaError) || error instanceof UiccError) throw error;
    context.fail('HandleNotification', error);
  }
}

/** One attempt. When it returns, the record is `installed` or `failed`, and saved. */
async function begin(
  context: IpaContext,
  downloads: Downloads,
  session: EimSession,
  record: DownloadRecord,
): Promise<void> {
  context.enter('downloading');
  if (record.transactionId !== '' && (await findInterrupted(context, record))) {
    downloads.save(record);
    return;
  }
  if (record.attempts >= context.settings.downloadAttempts) {
    failed(downloads, record, UNDEFINED_ERROR, '');
    return;
  }
  record.attempts++;
  record.transactionId = '';
  downloads.save(record);
  try {
    await undefined;
    const order: DownloadOrder = {
      hashCc: confirmation(context, context.settings.confirmationCode),
      onSession: (transactionId) => {
        record.transactionId = hex(transactionId);
        downloads.save(record);
      },
    };
    if (record.kind === 'contactSmds') await discover(context, downloads, session, record);
    const server = await connect(context, session, record, order);
    try {
      await downloadProfile(context, server, order);
    } finally {
      server.close();
    }
    noteResult(context, record);
    downloads.save(record);
  } catch (error) {
    if (error instanceof RspRefusal) {
      context.fail('download', error);
      failed(downloads, record, error.reason, error.raw ? hex(error.raw) : '');
    } else if (error instanceof TlvError) {
      context.fail('download', error);
      failed(downloads, record, UNDEFINED_ERROR, '');
    } else throw error;
  }
}

/** The eUICC has given its ProfileInstallationResult, good or bad. */
function noteResult(context: IpaContext, record: DownloadRecord): void {
  const found = readInstallationResult(context.result.bytes);
  record.seqNumber = found.seqNumber;
  record.stage = 'installed';
  if (found.installed) return;
  record.reason = found.errorReason;
  const message = `the profile was not installed: command ${found.bppCommandId} of the package, reason ${found.errorReason}`;
  context.fail('download', { code: 'notInstalled', message });
}

function failed(downloads: Downloads, record: DownloadRecord, reason: number, error: string): void {
  record.stage = 'failed';
  record.reason = reason;
  record.error = error;
  downloads.save(record);
}

/**
 * The life before ended while a package was being loaded: the eUICC may have finished it, or noted that it was
 * interrupted (procedures.md §5).
 */
async function findInterrupted(context: IpaContext, record: DownloadRecord): Promise<boolean> {
  const wanted = fromHex(record.transactionId);
  const pending = (await optional(() => context.onCard(() => listNotifications(context.es10)))) ?? [];
  // The newest is the likeliest.
  for (let i = pending.length - 1; i >= 0; i--) {
    record.seqNumber = pending[i];
    if (!(await readNotification(context, record.seqNumber))) continue;
    const { transactionId } = readInstallationResult(context.result.bytes);
    if (!equal(transactionId, wanted)) continue;
    noteResult(context, record);
    return true;
  }
  record.seqNumber = -1;
  return false;
}

/** Tells the eIM how it ended; what is in context.result, or the error of the record. */
async function report(context: IpaContext, session: EimSession, record: DownloadRecord): Promise<void> {
  const { message, result, eid } = context;
  context.enter('delivering');
  const { reason, seqNumber } = record;
  await undefined;
  if (record.stage === 'installed' && record.indirect) {
    // The ordinary notification is all that the eIM needs: it knows the session (procedures.md §7, step 10).
    beginHandleNotification(message);
    message.begin(0xa0);
    if (context.settings.minimizeEsipaBytes) writeCompactInstallation(message, result.bytes);
    else message.write(result.bytes);
    message.end().end();
    const confirmed = await handNotification(context, session, seqNumber);
    await removeAcknowledged(context, session, confirmed, [seqNumber]);
    return;
  }
  const error = record.error === '' ? undefined : fromHex(record.error);
  const id = transactionOf(record);
  writeDownloadResult(message, eid, id, record.stage === 'failed' ? { reason, error } : result.bytes);
  await handNotification(context, session, seqNumber);
}

/** Finds the event at the SM-DS; the record is one of an activation code afterwards, and saved. */
async function discover(
  context: IpaContext,
  downloads: Downloads,
  session: EimSession,
  record: DownloadRecord,
): Promise<void> {
  let address = record.text;
  if (address === '') {
    const addresses = await getEuiccConfiguredAddresses(context.es10);
    if (addresses.enter().find(0x81)) address = utf8(addresses.value);
  }
  if (address === '')
    throw new RspRefusal('the eUICC has no address of an SM-DS', CancelReason.undefinedReason);
  const server = record.indirect
    ? new EimServer(context, session, address, transactionOf(record))
    : context.connectSmdp!(address, true);
  let code: string | undefined;
  try {
    code = await discoverEvent(context, server, { matchingId: [] });
  } finally {
    server.close();
  }
  if (code === undefined)
    throw new RspRefusal(`${address} has no event for this eUICC`, CancelReason.undefinedReason);
  record.kind = 'activationCode';
  record.text = code;
  downloads.save(record);
}

function transactionOf({ eimTransactionId }: DownloadRecord): Uint8Array | undefined {
  return eimTransactionId === '' ? undefined : fromHex(eimTransactionId);
}

/** Finds out whom to talk to, and completes the order. */
async function connect(
  context: IpaContext,
  session: EimSession,
  record: DownloadRecord,
  order: DownloadOrder,
): Promise<RspServer> {
  if (context.capabilities.ecallSupported && (await isEmergencyProfileEnabled(context.es10)))
    throw new RspRefusal(
      'the Emergency Profile is enabled',
      CancelReason.undefinedReason,
      undefined,
      ECALL_ACTIVE,
    );
  let address: string | undefined;
  if (record.kind === 'activationCode') {
    const code = parseActivationCode(record.text);
    address = code.smdpAddress;
    order.matchingId = code.matchingId;
    order.smdpOid = code.smdpOid;
  } else if (record.kind === 'contactDefaultSmdp') {
    const addresses = await getEuiccConfiguredAddresses(context.es10);
    if (addresses.enter().find(0x80) && addresses.length > 0) address = utf8(addresses.value);
    else throw new RspRefusal('the eUICC has no default SM-DP+ address', CancelReason.undefinedReason);
  }
  if (record.indirect) {
    const told = context.settings.eimDownloadDataHandling ? undefined : address;
    return new EimServer(context, session, told, transactionOf(record));
  }
  return context.connectSmdp!(address!);
}
