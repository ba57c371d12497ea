import { Es10Error, IpaError } from '../error.js';
import {
  eachStoredResult,
  listNotifications,
  type PackageResult,
  readPackageResult,
  removeNotificationFromList,
  retrieveNotification,
} from '../es10/index.js';
import {
  beginReply,
  dispatch,
  EsipaTag,
  type Incoming,
  type Reply,
  readAcknowledgements,
  StateChangeCause,
  writeHandleNotification,
} from '../esipa/index.js';
import { utf8 } from '../text.js';
import { TlvError } from '../tlv/index.js';
import type { IpaContext } from './context.js';
import { followProfileChange } from './profile-switch.js';
import { type EimSession, markHandled } from './session.js';
import type { StateChanges } from './state-change.js';

/**
 * Removes from the eUICC what an eIM has acknowledged (procedures.md §3, step 7), but no result of another eIM. Repeating
 * it does no harm.
 * @param offered numbers this eIM has just been sent; for others the eUICC is asked whose they are
 * @returns those that the eUICC no longer holds
 */
export async function removeAcknowledged(
  context: IpaContext,
  session: EimSession,
  seqNumbers: readonly number[],
  offered: readonly number[],
): Promise<readonly number[]> {
  const removed: number[] = [];
  const own = seqNumbers.every((seqNumber) => offered.includes(seqNumber))
    ? offered
    : offered.concat(await ownOnCard(context, session, seqNumbers));
  for (const seqNumber of seqNumbers) {
    if (own.includes(seqNumber) && !removed.includes(seqNumber) && (await remove(context, seqNumber)))
      removed.push(seqNumber);
  }
  if (removed.length > 0)
    context.observe?.({ event: 'acknowledged', eimId: session.configuration.eimId, seqNumbers: removed });
  return removed;
}

/** @returns whether the eUICC no longer holds it; if it still does, it is offered again later */
async function remove(context: IpaContext, seqNumber: number): Promise<boolean> {
  let why: string;
  try {
    const result = await context.onCard(() => removeNotificationFromList(context.es10, seqNumber));
    // nothingToDelete (1): it was removed before.
    if (result === 0 || result === 1) return true;
    why = `with result ${result}`;
  } catch (error) {
    if (!(error instanceof Es10Error)) throw error;
    why = `with status word ${error.sw.toString(16)}`;
  }
  const detail = `the eUICC refused to remove number ${seqNumber} ${why}; it is offered again later`;
  context.fail('RemoveNotificationFromList', new IpaError('unexpectedAnswer', detail));
  return false;
}

/** Which of `seqNumbers` are notifications, or results of this eIM's packages? What cannot be found out is not. */
async function ownOnCard(
  context: IpaContext,
  session: EimSession,
  seqNumbers: readonly number[],
): Promise<readonly number[]> {
  const { es10, message } = context;
  const own: number[] = [];
  let foreign = 0;
  const look = (stored: Uint8Array): void => {
    const found = readStored(stored);
    if (!found || !seqNumbers.includes(found.seqNumber)) return;
    if (isFor(session, found)) own.push(found.seqNumber);
    else foreign++;
  };
  await optional(() => context.onCard(() => eachStoredResult(es10, message, look)));
  if (foreign > 0) {
    context.observe?.({
      event: 'dropped',
      eimId: session.configuration.eimId,
      tag: EsipaTag.eimAcknowledgements,
      reason: 'foreignResult',
      count: foreign,
    });
  }
  return own.concat((await optional(() => context.onCard(() => listNotifications(es10)))) ?? []);
}

function isFor({ configuration }: EimSession, { eimId }: PackageResult): boolean {
  return eimId !== undefined && utf8(eimId) === configuration.eimId;
}

/** Builds the message that carries context.result, with `notifications` (an element A0 {…}) where there are some. */
export function writeResult(context: IpaContext, reply: Reply, notifications?: Uint8Array): void {
  const { message, result, eid } = context;
  beginReply(message, reply, eid);
  if (notifications) {
    message.begin(0x30).write(result.bytes);
    message.write(notifications);
    message.end();
  } else {
    message.write(result.bytes);
  }
  message.end();
}

/**
 * Sends ProvideEimPackageResult (in context.message) and does what the answer says: acknowledged results leave the
 * eUICC, a refusal by the eIM leaves everything where it is.
 * @param seqNumber of the result inside; −1 when the eUICC does not store it
 * @param notifications sequence numbers of those that travel with it
 * @returns the sequence numbers that the eIM acknowledged and the eUICC no longer holds, undefined when the result is not
 *   among them
 */
export async function provideResult(
  context: IpaContext,
  session: EimSession,
  seqNumber: number,
  notifications: readonly number[] = [],
): Promise<readonly number[] | undefined> {
  const answer = dispatch(
    await session.link.exchange(context.message.bytes, (bytes) => {
      const incoming = dispatch(bytes);
      if (incoming.kind !== 'acknowledgements') return true;
      return seqNumber < 0 || acknowledged(incoming).includes(seqNumber);
    }),
  );
  if (answer.kind === 'error') {
    const refusal = new IpaError(
      'refusedByEim',
      `${session.configuration.eimId} did not take a result: ${answer.code}`,
      answer.code,
    );
    context.fail('ProvideEimPackageResult', refusal);
    return undefined;
  }
  const seqNumbers = answer.kind === 'acknowledgements' ? acknowledged(answer) : [];
  const offered = seqNumber < 0 ? [] : [seqNumber, ...notifications];
  const removed = await removeAcknowledged(context, session, seqNumbers, offered);
  return seqNumber < 0 || removed.includes(seqNumber) ? removed : undefined;
}

/** Sequence numbers of an acknowledgement; none when it cannot be read. */
export function acknowledged(incoming: Incoming): number[] {
  try {
    return incoming.body ? readAcknowledgements(incoming.body) : [];
  } catch (error) {
    if (error instanceof TlvError) return [];
    throw error;
  }
}

/** A package enabled, disabled or deleted a profile: the other eIMs are told at their next poll (esipa.md §2.1, cause 0). */
export function noteStateChange(context: IpaContext, changes: StateChanges, byEimId: string): void {
  for (const { configuration } of context.sessions) {
    if (configuration.eimId !== byEimId) changes.set(configuration.eimId, StateChangeCause.otherEim);
  }
}

/**
 * Delivers the eUICC Package Results that are stored on the eUICC for one eIM, oldest first (procedures.md §1, step 7).
 * What the eIM refuses, or the eUICC does not let go, stays and is offered again with the next poll.
 */
export async function deliverResults(
  context: IpaContext,
  changes: StateChanges,
  session: EimSession,
): Promise<void> {
  const refused: number[] = [];
  const delivered: number[] = [];
  for (;;) {
    const next = await oldestResult(context, session, refused);
    if (!next) break;
    if (delivered.includes(next.seqNumber)) {
      const detail = `the eUICC still holds result ${next.seqNumber} after it was removed`;
      context.fail('RemoveNotificationFromList', new IpaError('unexpectedAnswer', detail));
      refused.push(next.seqNumber);
      continue;
    }
    if (next.notifies) {
      context.notificationsPending = true;
      noteStateChange(context, changes, session.configuration.eimId);
    }
    // Whoever loaded the package may have died before the card was reset; then the change is not effective yet.
    if (next.profileChanged && context.resetDue) {
      await followProfileChange(context, undefined);
      continue;
    }
    context.enter('delivering');
    writeResult(context, 'provide');
    if (await provideResult(context, session, next.seqNumber)) {
      delivered.push(next.seqNumber);
      markHandled(session, next.eimTransactionId);
    } else refused.push(next.seqNumber);
  }
  session.resultsPending = false;
  session.resultsRefused = refused.length > 0;
  context.result.release();
  context.message.release();
  context.es10.release();
}

/** Copies the oldest stored result for this eIM into context.result. */
async function oldestResult(
  context: IpaContext,
  session: EimSession,
  except: readonly number[],
): Promise<PackageResult | undefined> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  const { es10, message, result } = context;
  let oldest = Number.POSITIVE_INFINITY;
  result.clear();
  const keepOldest = (stored: Uint8Array): void => {
    const found = readStored(stored);
    if (!found || !isFor(session, found)) return;
    if (found.seqNumber >= oldest || except.includes(found.seqNumber)) return;
    oldest = found.seqNumber;
    result.clear().write(stored);
  };
  const passedOver = await optional(() => context.onCard(() => eachStoredResult(es10, message, keepOldest)));
  if (passedOver) {
    const { messageLimit } = context.settings;
    const detail = `${passedOver} stored results are longer than messageLimit (${messageLimit}); raise it`;
    context.fail('deliverResults', new IpaError('unexpectedAnswer', detail));
  }
  return result.length > 0 ? readPackageResult(result.bytes) : undefined;
}

/** A stored result; undefined when it cannot be read: it stays where it is and does not hold up the others. */
export function readStored(stored: Uint8Array): PackageResult | undefined {
  try {
    const found = readPackageResult(stored);
    return found.seqNumber >= 0 ? found : undefined;
  } catch (error) {
    if (error instanceof TlvError) return undefined;
    throw error;
  }
}

/**
 * Delivers pending notifications one by one, oldest first, and removes each once the eIM has it (procedures.md §10).
 * One that is refused stays and does not hold up the others.
 */
export async function deliverNotifications(context: IpaContext, session: EimSession): Promise<void> {
  const pending = (await optional(() => context.onCard(() => listNotifications(context.es10)))) ?? [];
  let kept = false;
  for (const seqNumber of pending) {
    // The eIM has no session for it to pass it on with (procedures.md §10).
    if (context.downloads.direct.includes(seqNumber)) continue;
    const list = await optional(() => context.onCard(() => retrieveNotification(context.es10, seqNumber)));
    if (!list?.is(0xa0) || list.length === 0) continue;
    context.enter('delivering');
    try {
      writeHandleNotification(context.message, list.element);
    } catch (error) {
      if (!(error instanceof TlvError)) throw error;
      kept = true;
      context.fail('HandleNotification', error);
      continue;
    }
    const seqNumbers = await handNotification(context, session, seqNumber);
    const removed = await removeAcknowledged(context, session, seqNumbers, [seqNumber]);
    kept ||= !removed.includes(seqNumber);
  }
  context.notificationsPending = kept;
  context.es10.release();
  context.message.release();
}

/**
 * Hands over the HandleNotification in context.message and waits until the eIM has it.
 * @param seqNumber of what is inside; −1 for what the eUICC does not store
 * @returns the sequence numbers that the eIM confirms
 */
export async function handNotification(
  context: IpaContext,
  session: EimSession,
  seqNumber: number,
): Promise<readonly number[]> {
  const answer = await session.link.exchange(context.message.bytes, (bytes) => {
    const incoming = dispatch(bytes);
    if (incoming.kind !== 'acknowledgements') return false;
    const seqNumbers = acknowledged(incoming);
    return seqNumbers.length === 0 || seqNumbers.includes(seqNumber);
  });
  // A link that has a confirmation of its own, such as 204 of HTTP, gives an empty answer.
  return answer.length === 0 ? [seqNumber] : acknowledged(dispatch(answer));
}

/** A function that this eUICC does not have, or answers with nonsense, gives nothing instead of failing. */
export async function optional<T>(operation: () => Promise<T>): Promise<T | undefined> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof Es10Error || error instanceof IpaError || error instanceof TlvError)
      return undefined;
    throw error;
  }
}
