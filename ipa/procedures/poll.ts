import { IpaError } from '../error.js';
import {
  dispatch,
  EimPackageError,
  type Incoming,
  PackageFault,
  writeFault,
  writeGetEimPackageRequest,
  writeReceived,
} from '../esipa/index.js';
import { equal } from '../tlv/index.js';
import type { IpaContext } from './context.js';
import { answerDataRequest } from './data-request.js';
import { acknowledged, removeAcknowledged } from './deliver.js';
import { orderDownload } from './download/job.js';
import { answer, executeEuiccPackage } from './euicc-package.js';
import { type EimSession, forget, isHandled } from './session.js';

/**
 * eIM Package Retrieval (procedures.md §3): asks the eIM for a package, which session.fetched is then, to be carried out.
 * Where it has none, session.pollDue ends.
 */
export async function poll(context: IpaContext, session: EimSession): Promise<void> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  const { eimId } = session.configuration;
  for (let insists = false; ; insists = true) {
    context.enter('polling');
    if (context.plmnStale) await context.refreshPlmn();
    const cause = context.changes.get(eimId);
    const rPlmn = newPlmn(context, session);
    writeGetEimPackageRequest(context.message, context.eid, cause, rPlmn);
    const incoming = dispatch(await session.link.exchange(context.message.bytes, anything));
    const id = incoming.eimTransactionId;
    if (id && isHandled(session, id) && !(insists && forget(session, id))) {
      // An old answer that comes late, or an eIM restored from a backup: asking again tells them apart. An eIM that
      // insists gets the eUICC's answer, which refuses the replay; with a result still on its way it has to wait for that.
      noteDuplicate(context, session, incoming);
      if (!insists) continue;
      session.pollDue = false;
      return;
    }
    if (incoming.kind === 'error') {
      session.pollDue = false;
      if (incoming.code !== EimPackageError.noEimPackageAvailable) {
        noteRefusal(context, eimId, incoming.code);
        return;
      }
    } else session.fetched = incoming;
    if (cause !== undefined) context.changes.clear(eimId);
    if (rPlmn) session.reportedPlmn = rPlmn.slice();
    return;
  }
}

function anything(): boolean {
  return true;
}

/** rPLMN, where it is another one than the eIM was told last. */
function newPlmn({ rPlmn }: IpaContext, { reportedPlmn }: EimSession): Uint8Array | undefined {
  return rPlmn && !(reportedPlmn && equal(reportedPlmn, rPlmn)) ? rPlmn : undefined;
}

function noteRefusal(context: IpaContext, eimId: string, code: number): void {
  const { eidNotFound, invalidEid } = EimPackageError;
  context.eidDoubted ||= code === eidNotFound || code === invalidEid;
  const detail = `${eimId} answered the poll with error ${code}`;
  context.fail('GetEimPackage', new IpaError('refusedByEim', detail, code));
}

/** eIM Package Injection (procedures.md §3): carries out one BF4E from the eIM. */
export function inject(
  context: IpaContext,
  session: EimSession,
  message: Uint8Array,
): Promise<unknown> | undefined {
  const incoming = dispatch(message, 'transfer');
  if (incoming.kind === 'acknowledgements') return acknowledge(context, session, incoming);
  if (!isHandled(session, incoming.eimTransactionId)) return carryOut(context, session, incoming);
  noteDuplicate(context, session, incoming);
  return undefined;
}

/** EimAcknowledgements by injection: for results that were sent by it. */
async function acknowledge(context: IpaContext, session: EimSession, incoming: Incoming): Promise<void> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  context.enter('executing');
  const offered = session.awaiting.flatMap(({ seqNumber, notifications = [] }) => [
    seqNumber,
    ...notifications,
  ]);
  const removed = await removeAcknowledged(context, session, acknowledged(incoming), offered);
  session.awaiting = session.awaiting.filter((delivery) => !context.settle(session, delivery, removed));
  writeReceived(context.message);
  await session.link.send(context.message.bytes);
}

function noteDuplicate(context: IpaContext, session: EimSession, { tag }: Incoming): void {
  const { eimId } = session.configuration;
  context.observe?.({ event: 'dropped', eimId, tag, reason: 'alreadyHandled', count: 1 });
}

/**
 * Carries out a package of an eIM and answers it.
 * @returns undefined when there is nothing to answer: a download was ordered
 */
export function carryOut(
  context: IpaContext,
  session: EimSession,
  incoming: Incoming,
): Promise<unknown> | undefined {
  const { reply } = incoming;
  switch (incoming.kind) {
    case 'euiccPackage':
      return executeEuiccPackage(context, session, incoming);
    case 'dataRequest':
      return answerDataRequest(context, session, incoming);
  }
  let code: number = PackageFault.unknownPackage;
  if (incoming.kind === 'invalid') code = PackageFault.invalidPackageFormat;
  if (incoming.kind === 'downloadTrigger') code = orderDownload(context, session, incoming);
  if (code === 0) {
    // Its result follows by itself (procedures.md §3).
    if (reply === 'provide') return undefined;
    writeReceived(context.message);
    return session.link.send(context.message.bytes);
  }
  writeFault(context.message, reply, context.eid, code, incoming.eimTransactionId);
  return answer(context, session, context.delivery(session, incoming.eimTransactionId), reply);
}
