import { Es10Error, IpaError, isUnavailable } from '../error.js';
import {
  appendNotification,
  eachStoredResult,
  listNotifications,
  type PackageResult,
  readPackageResult,
  removeNotificationFromList,
} from '../es10/index.js';
import {
  type Accept,
  beginHandleNotification,
  beginReply,
  dispatch,
  EimKnows,
  EsipaTag,
  type Incoming,
  type Reply,
  readAcknowledgements,
  StateChangeCause,
  writeCompactNotifications,
} from '../esipa/index.js';
import { utf8 } from '../text.js';
import { TlvError } from '../tlv/index.js';
import type { IpaContext } from './context.js';
import { followProfileChange } from './profile-switch.js';
import type { Delivery, EimSession } from './session.js';

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
  const own = isWithin(seqNumbers, offered)
    ? offered
    : await ownOnCard(context, session, seqNumbers, offered);
  for (let i = 0; i < seqNumbers.length; i++) {
    const seqNumber = seqNumbers[i];
    if (!own.includes(seqNumber) || removed.includes(seqNumber)) continue;
    try {
      const result = await removeNotificationFromList(context.es10, seqNumber);
      // nothingToDelete (1): it was removed before.
      if (result === 0 || result === 1) removed.push(seqNumber);
      else noteKept(context, seqNumber, `with result ${result}`);
    } catch (error) {
      if (!(error instanceof Es10Error)) throw error;
      noteKept(context, seqNumber, `with status word ${error.sw.toString(16)}`);
    }
  }
  if (removed.length > 0)
    context.observe?.({ event: 'acknowledged', eimId: session.configuration.eimId, seqNumbers: removed });
  return removed;
}

function isWithin(seqNumbers: readonly number[], offered: readonly number[]): boolean {
  return seqNumbers.every((seqNumber) => offered.includes(seqNumber));
}

function noteKept(context: IpaContext, seqNumber: number, why: string): void {
  const detail = `the eUICC refused to remove number ${seqNumber} ${why}; it is offered again later`;
  context.fail('RemoveNotificationFromList', new IpaError('unexpectedAnswer', detail));
}

/** `offered`, and which of `seqNumbers` are notifications, or results of this eIM's packages. What cannot be found out is not. */
async function ownOnCard(
  context: IpaContext,
  session: EimSession,
  seqNumbers: readonly number[],
  offered: readonly number[],
): Promise<readonly number[]> {
  const { es10, message } = context;
  let own: number[] = [];
  let foreign = 0;
  const begin = (): void => {
    own = [...offered];
    foreign = 0;
  };
  const look = (stored: Uint8Array): void => {
    const found = readStored(stored);
    if (!found || !seqNumbers.includes(found.seqNumber)) return;
    if (isFor(session, found)) own.push(found.seqNumber);
    else foreign++;
  };
  begin();
  try {
    await eachStoredResult(es10, message, look, begin);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
  }
  if (foreign > 0) {
    context.observe?.({
      event: 'dropped',
      eimId: session.configuration.eimId,
      tag: EsipaTag.eimAcknowledgements,
      reason: 'foreignResult',
      count: foreign,
    });
  }
  try {
    return own.concat(await listNotifications(es10));
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return own;
  }
}

function isFor({ configuration }: EimSession, { eimId }: PackageResult): boolean {
  return eimId !== undefined && utf8(eimId) === configuration.eimId;
}

/** Builds the message that carries context.result alone. */
export function writeResult({ message, result, eid }: IpaContext, reply: Reply): void {
  beginReply(message, reply, eid);
  message.write(result.bytes);
  message.end();
}

/**
 * Sends ProvideEimPackageResult (in context.message) and does what the answer says: acknowledged results leave the
 * eUICC, a refusal by the eIM leaves everything where it is.
 * @returns whether the eIM acknowledged the result and the eUICC no longer holds it; the delivery is settled then
 */
export async function provideResult(
  context: IpaContext,
  session: EimSession,
  delivery: Delivery,
): Promise<boolean> {
  // From here on an empty stack, and whoever ended with this call is over (docs/design.md §4).
  await undefined;
  const { seqNumber } = delivery;
  const answer = dispatch(await session.link.exchange(context.message.bytes, acknowledging(seqNumber)));
  context.message.release();
  if (answer.kind === 'error') {
    noteRefusal(context, session, answer.code);
    return false;
  }
  const seqNumbers = answer.kind === 'acknowledgements' ? acknowledged(answer) : [];
  const removed = await removeAcknowledged(context, session, seqNumbers, offeredBy(delivery));
  return context.settle(session, delivery, removed);
}

/** Any answer but the acknowledgement of another result. */
function acknowledging(seqNumber: number): Accept {
  return (bytes) => {
    const incoming = dispatch(bytes);
    if (incoming.kind !== 'acknowledgements') return true;
    return seqNumber < 0 || acknowledged(incoming).includes(seqNumber);
  };
}

function offeredBy({ seqNumber, notifications = [] }: Delivery): readonly number[] {
  return seqNumber < 0 ? [] : [seqNumber, ...notifications];
}

function noteRefusal(context: IpaContext, { configuration }: EimSession, code: number): void {
  const detail = `${configuration.eimId} did not take a result: ${code}`;
  context.fail('ProvideEimPackageResult', new IpaError('refusedByEim', detail, code));
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
export function noteStateChange(context: IpaContext, byEimId: string): void {
  for (const { configuration } of context.sessions) {
    if (configuration.eimId !== byEimId) context.changes.set(configuration.eimId, StateChangeCause.otherEim);
  }
}

/**
 * Delivers the eUICC Package Results that are stored on the eUICC for one eIM, oldest first (procedures.md §1, step 7).
 * What the eIM refuses, or the eUICC does not let go, stays and is offered again with the next poll.
 */
export async function deliverResults(context: IpaContext, session: EimSession): Promise<void> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  const delivered: number[] = [];
  const refused: number[] = [];
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
      noteStateChange(context, session.configuration.eimId);
    }
    // Whoever loaded the package may have died before the card was reset; then the change is not effective yet.
    if (next.profileChanged && context.resetDue) {
      await followProfileChange(context, undefined);
      continue;
    }
    context.enter('delivering');
    const delivery = context.delivery(session, next.eimTransactionId);
    delivery.seqNumber = next.seqNumber;
    writeResult(context, 'provide');
    context.result.release();
    if (await provideResult(context, session, delivery)) delivered.push(delivery.seqNumber);
    else refused.push(delivery.seqNumber);
  }
  session.resultsPending = false;
  session.resultsRefused = refused.length > 0;
  // Whatever the eUICC held for this eIM has arrived, through the profile that is enabled now.
  if (refused.length === 0) context.rollback.disarm(session.configuration.eimId);
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
  let oldest: number;
  const begin = (): void => {
    oldest = Number.POSITIVE_INFINITY;
    result.clear();
  };
  const keepOldest = (stored: Uint8Array): void => {
    const found = readStored(stored);
    if (!found || !isFor(session, found)) return;
    if (found.seqNumber >= oldest || except.includes(found.seqNumber)) return;
    oldest = found.seqNumber;
    result.clear().write(stored);
  };
  begin();
  try {
    const passedOver = await eachStoredResult(es10, message, keepOldest, begin);
    if (passedOver > 0) notePassedOver(context, passedOver);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
  }
  return result.length > 0 ? readPackageResult(result.bytes) : undefined;
}

function notePassedOver(context: IpaContext, count: number): void {
  const { messageLimit } = context.settings;
  const detail = `${count} stored results are longer than messageLimit (${messageLimit}); raise it`;
  context.fail('deliverResults', new IpaError('unexpectedAnswer', detail));
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
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  const { es10, message } = context;
  let kept = false;
  let pending: readonly number[] = [];
  try {
    pending = await listNotifications(es10);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
  }
  for (let i = 0; i < pending.length; i++) {
    const seqNumber = pending[i];
    // The eIM has no session for it to pass it on with (procedures.md §10).
    if (context.downloads.direct.includes(seqNumber)) continue;
    beginHandleNotification(message);
    try {
      const found = await appendNotification(es10, message, seqNumber);
      if (found.length === 0) continue;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      // Longer than a message: it stays. What cannot be read now is asked for again next time.
      if (error.code === 'overflow') {
        kept = true;
        context.fail('HandleNotification', error);
      }
      continue;
    }
    message.end();
    minimize(context, session);
    context.enter('delivering');
    const answer = await session.link.exchange(message.bytes, acknowledgingNotification(seqNumber));
    message.release();
    const removed = await removeAcknowledged(context, session, confirmed(answer, seqNumber), [seqNumber]);
    kept ||= !removed.includes(seqNumber);
  }
  context.notificationsPending = kept;
}

/** Certificates that the eIM has are left out of the notifications in context.message (esipa.md §4). */
export function minimize({ settings, message, result, eid }: IpaContext, { knows }: EimSession): void {
  if (!settings.minimizeEsipaBytes || !(knows & EimKnows.certificates)) return;
  writeCompactNotifications(result, message.bytes, eid);
  message.clear().write(result.bytes);
  result.release();
}

/** An acknowledgement of this one, or an empty one. */
function acknowledgingNotification(seqNumber: number): Accept {
  return (bytes) => {
    const incoming = dispatch(bytes);
    if (incoming.kind !== 'acknowledgements') return false;
    const seqNumbers = acknowledged(incoming);
    return seqNumbers.length === 0 || seqNumbers.includes(seqNumber);
  };
}

/** Sequence numbers that the answer to a HandleNotification confirms. */
function confirmed(answer: Uint8Array, seqNumber: number): readonly number[] {
  // A link that has a confirmation of its own, such as 204 of HTTP, gives an empty answer.
  return answer.length === 0 ? [seqNumber] : acknowledged(dispatch(answer));
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
  const { link } = session;
  await undefined;
  const answer = await link.exchange(context.message.bytes, acknowledgingNotification(seqNumber));
  return confirmed(answer, seqNumber);
}

/** A function that this eUICC does not have, or answers with nonsense, gives nothing instead of failing. */
export async function optional<T>(operation: () => Promise<T>): Promise<T | undefined> {
  try {
    return await operation();
  } catch (error) {
    if (isUnavailable(error)) return undefined;
    throw error;
  }
}
