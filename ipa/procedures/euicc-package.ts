import { UiccError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError } from '../error.js';
import {
  eachStoredResult,
  INCORRECT_DATA,
  loadEuiccPackage,
  NOT_SUPPORTED,
  notificationNumbers,
  type PackageResult,
  readPackageResult,
  retrieveNotificationsList,
} from '../es10/index.js';
import { type Incoming, MOST_ACKNOWLEDGED, PackageFault, type Reply, writeFault } from '../esipa/index.js';
import { equal, TlvError } from '../tlv/index.js';
import { type IpaContext, isChannelGone } from './context.js';
import { noteStateChange, optional, provideResult, readStored, writeResult } from './deliver.js';
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
  const result = await load(context, session, incoming);
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
async function load(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
): Promise<PackageResult | number> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  const { es10, result } = context;
  for (let attempt = 1; ; attempt++) {
    let again = attempt === 1;
    result.clear();
    try {
      await loadEuiccPackage(es10, incoming.body!, result);
      return readPackageResult(result.bytes);
    } catch (error) {
      if (error instanceof Es10Error) {
        // These two say that nothing was executed; any other may have come after the execution.
        if (error.sw === INCORRECT_DATA) return PackageFault.invalidPackageFormat;
        if (error.sw === NOT_SUPPORTED) return PackageFault.unknownPackage;
        again &&= isChannelGone(error);
      } else if (!(error instanceof TlvError || (again && error instanceof UiccError))) throw error;
      if (!again) context.fail('LoadEuiccPackage', error);
    }
    // The card was reset or the answer was lost on the way: only the eUICC knows whether the package was executed.
    if (again) {
      await context.openIsdR();
      await findStored(context, incoming);
    } else await optional(() => context.onCard(() => findStored(context, incoming)));
    if (result.length > 0) return readPackageResult(result.bytes);
    if (again) continue;
    // Nobody knows what became of it: what the eUICC may still hold is looked for before the next poll.
    session.resultsPending = context.notificationsPending = context.resetDue = true;
    return PackageFault.undefinedError;
  }
}

/** Copies the stored result of the package in `incoming` into context.result, which is empty where there is none. */
async function findStored(context: IpaContext, { eimId, counterValue }: Incoming): Promise<void> {
  const { es10, message, result } = context;
  result.clear();
  await eachStoredResult(es10, message, (stored) => {
    const found = readStored(stored);
    if (found?.eimId && found.counterValue === counterValue && equal(found.eimId, eimId!))
      result.clear().write(stored);
  });
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
