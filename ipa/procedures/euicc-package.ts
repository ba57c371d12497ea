import { UiccError } from '../../hal/contracts/index.js';
import { Es10Error, isChannelGone, isUnavailable } from '../error.js';
import {
  appendNotifications,
  eachStoredResult,
  INCORRECT_DATA,
  loadEuiccPackage,
  NOT_SUPPORTED,
  type PackageResult,
  readPackageResult,
} from '../es10/index.js';
import {
  beginReply,
  type Incoming,
  MOST_ACKNOWLEDGED,
  PackageFault,
  type Reply,
  writeFault,
} from '../esipa/index.js';
import { equal, TlvError, type Writer } from '../tlv/index.js';
import type { IpaContext } from './context.js';
import { minimize, noteStateChange, provideResult, readStored, writeResult } from './deliver.js';
import { followProfileChange } from './profile-switch.js';
import type { Delivery, EimSession } from './session.js';

/**
 * eUICC package download and execution (procedures.md §4): the package goes to the eUICC unchanged, its result goes back
 * to the eIM; between them the card may be reset and the network change.
 * @param incoming of kind `euiccPackage`; its views must stay valid until this returns
 */
export async function executeEuiccPackage(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
): Promise<unknown> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  context.enter('executing');
  const resetsBefore = context.modem.simResets;
  const delivery = context.delivery(session, incoming.eimTransactionId);
  let outcome: number;
  if (incoming.mayRollBack) context.rollback.arm(session.configuration.eimId);
  try {
    context.result.clear();
    await loadEuiccPackage(context.es10, incoming.body!, context.result);
    outcome = noteResult(context, session, incoming, delivery);
  } catch (error) {
    const fault = await recover(context, session, incoming, error);
    if (fault !== 0) {
      followRollback(context, incoming, fault);
      writeFault(context.message, incoming.reply, context.eid, fault, incoming.eimTransactionId);
      return answer(context, session, delivery, incoming.reply);
    }
    outcome = noteResult(context, session, incoming, delivery);
  }
  if (outcome === PROFILE_CHANGED) await followProfileChange(context, resetsBefore);
  context.enter('delivering');
  if (outcome !== NOTHING_CHANGED) {
    // Those that the profile change made travel with the result where they fit (procedures.md §4, steps 9 and 10).
    try {
      delivery.notifications = await appendNotifications(
        context.es10,
        beginWithNotifications(context, incoming.reply),
      );
    } catch (error) {
      // Too many for one message, or not readable now: they are delivered one by one afterwards.
      if (!isUnavailable(error)) throw error;
      delivery.notifications = undefined;
    }
  }
  endResult(context, incoming.reply, delivery);
  if (delivery.notifications) minimize(context, session);
  return answer(context, session, delivery, incoming.reply);
}

// What a package has done, beside giving a result.
const NOTHING_CHANGED = 0;
/** There may be notifications. */
const NOTIFIES = 1;
/** There may be notifications, and the card is about to be reset. */
const PROFILE_CHANGED = 2;

/**
 * Reads context.result: what has to be delivered now, and what follows from it.
 * @throws TlvError when it cannot be read
 */
function noteResult(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
  delivery: Delivery,
): number {
  const result = readPackageResult(context.result.bytes);
  const { kind, seqNumber, notifies, profileChanged } = result;
  followRollback(context, incoming, result);
  delivery.seqNumber = seqNumber;
  // From here on the eUICC holds the result: whatever happens to us, it is delivered later.
  session.resultsPending ||= kind === 'executed';
  context.notificationsPending ||= notifies;
  context.eimsChanged ||= kind === 'executed' && !incoming.hasPsmo;
  context.resetDue ||= profileChanged;
  if (notifies) noteStateChange(context, session.configuration.eimId);
  return profileChanged ? PROFILE_CHANGED : notifies ? NOTIFIES : NOTHING_CHANGED;
}

/** Each package that the eUICC accepts ends an earlier authorisation to roll back (procedures.md §2.2, step 9). */
function followRollback({ rollback }: IpaContext, incoming: Incoming, result: PackageResult | number): void {
  // What became of it is not known: the deadline runs.
  if (result === PackageFault.undefinedError) rollback.start();
  else if (typeof result === 'number' || result.kind !== 'executed') {
    if (incoming.mayRollBack) rollback.disarm();
  } else if (incoming.mayRollBack && result.profileChanged) rollback.start(result.seqNumber);
  else rollback.disarm();
}

/** The result and a list of notifications, which is still to be written. */
function beginWithNotifications({ message, eid, result }: IpaContext, reply: Reply): Writer {
  beginReply(message, reply, eid);
  message.begin(0x30).write(result.bytes);
  return message;
}

/** Ends what {@link beginWithNotifications} began, or writes the result alone. */
function endResult(context: IpaContext, reply: Reply, delivery: Delivery): void {
  const { notifications } = delivery;
  // One acknowledgement has to name them all, and the result.
  if (notifications && (notifications.length >= MOST_ACKNOWLEDGED || notifications.includes(-1)))
    delivery.notifications = undefined;
  if (delivery.notifications && delivery.notifications.length > 0) context.message.end().end();
  else writeResult(context, reply);
  context.result.release();
  context.es10.release();
}

/**
 * LoadEuiccPackage failed with `error`: finds out what became of the package, and loads it once more where the way to the
 * card broke before it was executed. The result is in context.result.
 * @returns 0, or the EimPackageResultErrorCode to answer with when the eUICC gave none
 */
async function recover(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
  error: unknown,
): Promise<number> {
  const { es10, result } = context;
  for (let again = true; ; again = false) {
    if (error instanceof Es10Error) {
      // These two say that nothing was executed; any other may have come after the execution.
      if (error.sw === INCORRECT_DATA || error.sw === NOT_SUPPORTED) {
        context.fail('LoadEuiccPackage', error);
        return error.sw === INCORRECT_DATA ? PackageFault.invalidPackageFormat : PackageFault.unknownPackage;
      }
      again &&= isChannelGone(error);
    } else if (!(error instanceof TlvError || (again && error instanceof UiccError))) throw error;
    // The card was reset or the answer was lost on the way: only the eUICC knows whether the package was executed.
    if (again) await context.openIsdR();
    else context.fail('LoadEuiccPackage', error);
    try {
      await findStored(context, incoming);
    } catch (unknown) {
      if (again || !isUnavailable(unknown)) throw unknown;
    }
    if (result.length > 0) return 0;
    if (!again) break;
    try {
      await loadEuiccPackage(es10, incoming.body!, result);
      readPackageResult(result.bytes);
      return 0;
    } catch (second) {
      error = second;
    }
  }
  // Nobody knows what became of it: what the eUICC may still hold is looked for before the next poll.
  session.resultsPending = context.notificationsPending = context.resetDue = true;
  return PackageFault.undefinedError;
}

/** Copies the stored result of the package in `incoming` into context.result, which is empty where there is none. */
function findStored(
  { es10, message, result }: IpaContext,
  { eimId, counterValue }: Incoming,
): Promise<number> {
  const begin = () => result.clear();
  const take = (stored: Uint8Array): void => {
    const found = readStored(stored);
    if (found?.eimId && found.counterValue === counterValue && equal(found.eimId, eimId!))
      result.clear().write(stored);
  };
  begin();
  return eachStoredResult(es10, message, take, begin);
}

/** Sends context.message as the answer to a package, by BF50 or BF4E, and settles what the eIM acknowledges. */
export function answer(
  context: IpaContext,
  session: EimSession,
  delivery: Delivery,
  reply: Reply,
): Promise<unknown> {
  return reply === 'provide'
    ? provideResult(context, session, delivery)
    : transferResult(context, session, delivery);
}

async function transferResult(context: IpaContext, session: EimSession, delivery: Delivery): Promise<void> {
  await session.link.send(context.message.bytes);
  delivery.sentAt = context.platform.time.ticks;
  // An injected package is acknowledged by an injected BF53, which may come much later.
  if (delivery.seqNumber < 0) context.settle(session, delivery, []);
  else session.awaiting.push(delivery);
}
