import { UiccError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError } from '../error.js';
import {
  findPackageResult,
  loadEuiccPackage,
  PACKAGE_RESULTS,
  type PackageResult,
  readPackageResult,
  retrieveNotificationsList,
} from '../es10/index.js';
import { type Incoming, PackageFault, type Reply, writeFault } from '../esipa/index.js';
import { utf8 } from '../text.js';
import { TlvError } from '../tlv/index.js';
import type { EimSession, IpaContext } from './context.js';
import { noteStateChange, provideResult, writeResult } from './deliver.js';
import { followProfileChange } from './profile-switch.js';
import type { StateChanges } from './state-change.js';

/**
 * eUICC package download and execution (procedures.md §4): the package goes to the eUICC unchanged, its result goes back
 * to the eIM; between them the card may be reset and the network change.
 * @param incoming of kind `euiccPackage`; its views must stay valid until this returns
 * @returns true when the list of associated eIMs may have changed
 */
export async function executeEuiccPackage(
  context: IpaContext,
  changes: StateChanges,
  session: EimSession,
  incoming: Incoming,
  reply: Reply,
): Promise<boolean> {
  context.enter('executing');
  const resetsBefore = context.modem.simResets;
  const result = await load(context, incoming);
  if (typeof result === 'number') {
    writeFault(context.message, reply, context.eid, result, incoming.eimTransactionId);
    await answer(context, session, incoming, reply, -1);
    return false;
  }
  const executed = result.kind === 'executed';
  // From here on the eUICC holds the result: whatever happens to us, it is delivered later.
  context.resultsPending ||= executed;
  context.notificationsPending ||= result.notifies;
  if (result.profileChanged) {
    noteStateChange(context, changes, utf8(result.eimId ?? new Uint8Array(0)));
    session.link.suspend();
    await followProfileChange(context, resetsBefore);
    session.link.resume();
  }
  context.enter('delivering');
  await writeResultWithNotifications(context, reply, result);
  const taken = await answer(context, session, incoming, reply, result.seqNumber);
  if (taken && reply === 'provide') {
    context.resultsPending = false;
    // Acknowledged together with the result; others that may exist are looked for.
    context.notificationsPending ||= result.notifies;
  }
  context.result.release();
  context.message.release();
  context.es10.release();
  return executed && !incoming.hasPsmo;
}

/**
 * Loads the package and puts the result into context.result.
 * @returns what the result says, or the EimPackageResultErrorCode to answer with when the eUICC gave none
 */
async function load(context: IpaContext, incoming: Incoming): Promise<PackageResult | number> {
  const { es10, result } = context;
  for (let attempt = 1; ; attempt++) {
    result.clear();
    try {
      await loadEuiccPackage(es10, incoming.body!, result);
      return readPackageResult(result.bytes);
    } catch (error) {
      if (error instanceof Es10Error) {
        if (error.sw === 0x6a80) return PackageFault.invalidPackageFormat;
        return error.sw === 0x6a88 ? PackageFault.unknownPackage : PackageFault.undefinedError;
      }
      if (error instanceof TlvError && result.length === 0) return PackageFault.undefinedError;
      if (!(error instanceof UiccError || error instanceof TlvError) || attempt === 2) throw error;
    }
    // The card was reset or the answer was lost on the way: only the eUICC knows whether the package was executed.
    await context.openIsdR();
    const list = await retrieveNotificationsList(es10, PACKAGE_RESULTS);
    const stored = list.is(0xa2) && findPackageResult(list, incoming.eimId!, incoming.counterValue);
    if (stored) {
      result.clear().write(stored);
      return readPackageResult(result.bytes);
    }
  }
}

/** The notifications a profile change has made travel with the result where they fit (procedures.md §4, steps 9 and 10). */
async function writeResultWithNotifications(
  context: IpaContext,
  reply: Reply,
  result: PackageResult,
): Promise<void> {
  if (result.notifies) {
    try {
      const list = await context.onCard(() => retrieveNotificationsList(context.es10));
      if (list.is(0xa0) && list.length > 0) {
        writeResult(context, reply, list.element);
        return;
      }
    } catch (error) {
      // Too many for one message, or not readable now: they are delivered one by one afterwards.
      if (!(error instanceof TlvError || error instanceof Es10Error || error instanceof IpaError))
        throw error;
    }
  }
  writeResult(context, reply);
}

/** @returns whether the eIM has the answer (and, where it is stored on the eUICC, has acknowledged it) */
export async function answer(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
  reply: Reply,
  seqNumber: number,
): Promise<boolean> {
  if (reply === 'provide') {
    const taken = await provideResult(context, session, seqNumber);
    if (taken) context.markHandled(session, incoming.eimTransactionId);
    return taken;
  }
  await session.link.send(context.message.bytes);
  if (seqNumber < 0) context.markHandled(session, incoming.eimTransactionId);
  else session.awaiting.push({ seqNumber, eimTransactionId: incoming.eimTransactionId?.slice() });
  return true;
}
