import { IpaError } from '../error.js';
import {
  dispatch,
  EimPackageError,
  type Incoming,
  PackageFault,
  type Reply,
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
import type { StateChanges } from './state-change.js';

/** eIM Package Retrieval (procedures.md §3): asks for packages and carries them out until there is none. */
export async function poll(context: IpaContext, changes: StateChanges, session: EimSession): Promise<void> {
  const { eimId } = session.configuration;
  let insists = false;
  for (let round = 0; round < context.settings.pollRounds; round++) {
    context.enter('polling');
    await context.refreshPlmn();
    const cause = changes.get(eimId);
    const rPlmn =
      context.rPlmn && !(session.reportedPlmn && equal(session.reportedPlmn, context.rPlmn))
        ? context.rPlmn
        : undefined;
    writeGetEimPackageRequest(context.message, context.eid, cause, rPlmn);
    const incoming = dispatch(await session.link.exchange(context.message.bytes, () => true));
    const id = incoming.eimTransactionId;
    if (id && isHandled(session, id) && !(insists && forget(session, id))) {
      // An old answer that comes late, or an eIM restored from a backup: asking again tells them apart. An eIM that
      // insists gets the eUICC's answer, which refuses the replay; with a result still on its way it has to wait for that.
      noteDuplicate(context, session, incoming);
      if (insists) return;
      insists = true;
      continue;
    }
    insists = false;
    if (incoming.kind === 'error' && incoming.code !== EimPackageError.noEimPackageAvailable) {
      const { eidNotFound, invalidEid } = EimPackageError;
      context.eidDoubted ||= incoming.code === eidNotFound || incoming.code === invalidEid;
      context.fail(
        'GetEimPackage',
        new IpaError('refusedByEim', `${eimId} answered the poll with error ${incoming.code}`, incoming.code),
      );
      return;
    }
    if (cause !== undefined) changes.clear(eimId);
    if (rPlmn) session.reportedPlmn = rPlmn.slice();
    if (incoming.kind === 'error') return;
    await carryOut(context, changes, session, incoming, 'provide');
    // It is done first: an eIM that has to wait for its result would offer it again.
    if (context.downloads.record) return;
  }
}

/** eIM Package Injection (procedures.md §3): carries out one BF4E from the eIM. */
export async function inject(
  context: IpaContext,
  changes: StateChanges,
  session: EimSession,
  message: Uint8Array,
): Promise<void> {
  const incoming = dispatch(message);
  if (incoming.kind === 'acknowledgements') {
    context.enter('executing');
    const offered = session.awaiting.flatMap(({ seqNumber, notifications = [] }) => [
      seqNumber,
      ...notifications,
    ]);
    const removed = await removeAcknowledged(context, session, acknowledged(incoming), offered);
    session.awaiting = session.awaiting.filter((delivery) => !context.settle(session, delivery, removed));
    writeReceived(context.message);
    await session.link.send(context.message.bytes);
    return;
  }
  if (isHandled(session, incoming.eimTransactionId)) {
    noteDuplicate(context, session, incoming);
    return;
  }
  await carryOut(context, changes, session, incoming, 'transfer');
}

function noteDuplicate(context: IpaContext, session: EimSession, { tag }: Incoming): void {
  const { eimId } = session.configuration;
  context.observe?.({ event: 'dropped', eimId, tag, reason: 'alreadyHandled', count: 1 });
}

async function carryOut(
  context: IpaContext,
  changes: StateChanges,
  session: EimSession,
  incoming: Incoming,
  reply: Reply,
): Promise<void> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  switch (incoming.kind) {
    case 'euiccPackage':
      return executeEuiccPackage(context, changes, session, incoming, reply);
    case 'dataRequest':
      await answerDataRequest(context, session, incoming, reply);
      return;
  }
  let code: number = PackageFault.unknownPackage;
  if (incoming.kind === 'invalid') code = PackageFault.invalidPackageFormat;
  if (incoming.kind === 'downloadTrigger') code = orderDownload(context, session, incoming);
  if (code === 0) {
    // Its result follows by itself (procedures.md §3).
    if (reply === 'provide') return;
    writeReceived(context.message);
    await session.link.send(context.message.bytes);
    return;
  }
  writeFault(context.message, reply, context.eid, code, incoming.eimTransactionId);
  await answer(context, session, context.delivery(session, incoming.eimTransactionId), reply);
}
