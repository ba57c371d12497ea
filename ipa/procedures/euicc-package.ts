import { UiccError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError } from '../error.js';
import {
  eachStoredResult,
  loadEuiccPackage,
  notificationNumbers,
  type PackageResult,
  readPackageResult,
  retrieveNotificationsList,
} from '../es10/index.js';
import { type Incoming, MOST_ACKNOWLEDGED, PackageFault, type Reply, writeFault } from '../esipa/index.js';
import { equal, TlvError } from '../tlv/index.js';
import { type IpaContext, isChannelGone } from './context.js';
import { noteStateChange, provideResult, readStored, writeResult } from './deliver.js';
import { followProfileChange } from './profile-switch.js';
import type { Delivery, EimSession } from './session.js';
import type { StateChanges } from './state-change.js';

/**
 * eUICC package download and execution (procedures.md §4): the package goes to the eUICC unchanged, its result goes back
 * to the eIM; between them the card may be reset and the network change.
 * @param incoming of kind `euiccPackage`; its views must stay valid until this returns
 */
export async function executeEuiccPackage(
  context: IpaContext,
  changes: StateChanges,
  session: EimSession,
  incoming: Incoming,
  reply: Reply,
): Promise<void> {
  context.enter('executing');
  const resetsBefore = context.modem.simResets;
  const delivery = context.delivery(session, incoming.eimTransactionId);
  const result = await load(context, incoming);
  if (typeof result === 'number') {
    writeFault(context.message, reply, context.eid, result, incoming.eimTransactionId);
    await answer(context, session, delivery, reply);
    return;
  }
  delivery.seqNumber = result.seqNumber;
  // From here on the eUICC holds the result: whatever happens to us, it is delivered later.
  session.resultsPending ||= result.kind === 'executed';
  context.notificationsPending ||= result.notifies;
  context.eimsChanged ||= result.kind === 'executed' && !incoming.hasPsmo;
  if (result.notifies) noteStateChange(context, changes, session.configuration.eimId);
  if (result.profileChanged) {
    context.resetDue = true;
    await followProfileChange(context, resetsBefore);
  }
  context.enter('delivering');
  delivery.notifications = await writeResultWithNotifications(context, reply, result);
  await answer(context, session, delivery, reply);
  context.result.release();
  context.message.release();
  context.es10.release();
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
      const again = attempt === 1 && isChannelGone(error);
      if (error instanceof Es10Error && !again) {
        if (error.sw === 0x6a80) return PackageFault.invalidPackageFormat;
        return error.sw === 0x6a88 ? PackageFault.unknownPackage : PackageFault.undefinedError;
      }
      if (!(again || error instanceof UiccError || error instanceof TlvError)) throw error;
      if (attempt === 2) {
        if (error instanceof UiccError) throw error;
        return PackageFault.undefinedError;
      }
    }
    // The card was reset or the answer was lost on the way: only the eUICC knows whether the package was executed.
    await context.openIsdR();
    result.clear();
    await eachStoredResult(es10, context.message, (stored) => {
      const found = readStored(stored);
      const { eimId, counterValue } = incoming;
      if (found?.eimId && found.counterValue === counterValue && equal(found.eimId, eimId!))
        result.clear().write(stored);
    });
    if (result.length > 0) return readPackageResult(result.bytes);
  }
}

/**
 * The notifications that a profile change made travel with the result where they fit (procedures.md §4, steps 9 and 10).
 * @returns their sequence numbers; undefined when they stay behind
 */
async function writeResultWithNotifications(
  context: IpaContext,
  reply: Reply,
  result: PackageResult,
): Promise<readonly number[] | undefined> {
  let left: readonly number[] | undefined = [];
  if (result.notifies) {
    left = undefined;
    try {
      const list = await context.onCard(() => retrieveNotificationsList(context.es10));
      if (!list.is(0xa0) || list.length === 0) left = [];
      else {
        const whole = list.element;
        const seqNumbers = notificationNumbers(list);
        // One acknowledgement has to name them all, and the result.
        if (seqNumbers.length < MOST_ACKNOWLEDGED) {
          writeResult(context, reply, whole);
          return seqNumbers;
        }
      }
    } catch (error) {
      // Too many for one message, or not readable now: they are delivered one by one afterwards.
      if (!(error instanceof TlvError || error instanceof Es10Error || error instanceof IpaError))
        throw error;
    }
  }
  writeResult(context, reply);
  return left;
}

/** Sends context.message as the answer to a package, by BF50 or BF4E, and settles what the eIM acknowledges. */
export async function answer(
  context: IpaContext,
  session: EimSession,
  delivery: Delivery,
  reply: Reply,
): Promise<void> {
  if (reply === 'provide') {
    const seqNumbers = await provideResult(context, session, delivery.seqNumber, delivery.notifications);
    if (seqNumbers) context.settle(session, delivery, seqNumbers);
    return;
  }
  await session.link.send(context.message.bytes);
  delivery.sentAt = context.platform.time.ticks;
  // An injected package is acknowledged by an injected BF53, which may come much later.
  if (delivery.seqNumber < 0) context.settle(session, delivery, []);
  else session.awaiting.push(delivery);
}
