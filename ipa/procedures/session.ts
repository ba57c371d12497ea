import { XsIpaError } from '../../hal/contracts/index.js';
import { IpaError } from '../error.js';
import type { EimConfiguration } from '../es10/index.js';
import type { EsipaLink, Incoming } from '../esipa/index.js';
import { equal } from '../tlv/index.js';
import type { IpaContext } from './context.js';

/** One eIM the IPA serves. */
export interface EimSession {
  configuration: EimConfiguration;
  link: EsipaLink;
  /** rPLMN the eIM was last told, so that it is sent only when it changed. */
  reportedPlmn: Uint8Array | undefined;
  /** Transactions the eIM has acknowledged, newest last: their packages are duplicates when they come again. */
  handled: Uint8Array[];
  /** Results sent by injection and not acknowledged yet. */
  awaiting: Delivery[];
  /** The eUICC may hold results for this eIM that it has not acknowledged. True at start: nobody knows. */
  resultsPending: boolean;
  /** It did not take some of them: they are offered again with the next poll. */
  resultsRefused: boolean;
  /** It is this eIM's turn to be polled; until it has nothing more. */
  pollDue: boolean;
  /** EimKnows: what a data request has given it, so that compact messages may leave it out (esipa.md §4). */
  knows: number;
  /** What the last poll fetched and nobody has carried out yet. Its views are valid until the next exchange. */
  fetched: Incoming | undefined;
  /** Failures in a row, and when (clock ticks) it may be tried again. */
  failures: number;
  retryAt: number;
}

/** A session of which nothing is known yet: everything may be pending, and a poll is due. */
function newSession(configuration: EimConfiguration, link: EsipaLink): EimSession {
  return {
    configuration,
    link,
    reportedPlmn: undefined,
    handled: [],
    awaiting: [],
    resultsPending: true,
    resultsRefused: false,
    knows: 0,
    pollDue: true,
    fetched: undefined,
    failures: 0,
    retryAt: 0,
  };
}

/**
 * The associated eIMs are `eims` now: keeps the links of those that stay as they are, makes those of new ones and of those that
 * are reached in another way, closes the rest.
 * @param keepsUnsettled an eIM that was removed stays while it has not got its results
 * @param createLink gives undefined for an eIM that this device has no link for; it is named and not served
 * @returns whether one stays that was removed
 */
export function refreshSessions(
  context: IpaContext,
  eims: readonly EimConfiguration[],
  keepsUnsettled: boolean,
  createLink: (eim: EimConfiguration) => EsipaLink | undefined,
): boolean {
  const former = context.sessions;
  context.sessions = [];
  for (const configuration of eims) {
    const known = former.find((session) => session.configuration.eimId === configuration.eimId);
    const isSameWay = known?.configuration.way === configuration.way;
    let failure: XsIpaError | undefined;
    let link = isSameWay ? known?.link : undefined;
    try {
      link ??= createLink(configuration);
    } catch (error) {
      if (!(error instanceof XsIpaError)) throw error;
      failure = error;
    }
    // It may be a whole certificate.
    configuration.trustedTls = undefined;
    if (known && link) {
      if (!isSameWay) {
        known.link.close();
        // It is tried there at once.
        known.failures = known.retryAt = 0;
        known.pollDue = true;
      }
      known.configuration = configuration;
      known.link = link;
      context.sessions.push(known);
      continue;
    }
    if (link) {
      context.sessions.push(newSession(configuration, link));
      continue;
    }
    const reason = 'this device has no link for the protocols of its configuration';
    const error = new IpaError('noEim', `${configuration.eimId} cannot be served: ${reason}`);
    context.fail('association', failure ?? error);
  }
  let keeps = false;
  for (const session of former) {
    if (context.sessions.includes(session)) continue;
    const isRemoved = !eims.some(({ eimId }) => eimId === session.configuration.eimId);
    if (keepsUnsettled && isRemoved && !isSettled(session)) {
      context.sessions.push(session);
      keeps = true;
    } else session.link.close();
  }
  return keeps;
}

/** A result on its way to an eIM: what its acknowledgement will settle. */
export interface Delivery {
  /** −1 for an answer that the eUICC does not store. */
  seqNumber: number;
  eimTransactionId: Uint8Array | undefined;
  /** Clock ticks when it was handed to the link. */
  sentAt: number;
  /** Sequence numbers of the notifications that travel with it; undefined when some stay behind. */
  notifications: readonly number[] | undefined;
  /** What was pending on the eUICC before. */
  resultsPending: boolean;
  notificationsPending: boolean;
}

/** Nothing is on its way to this eIM, and nothing will be tried again. */
export function isSettled({ failures, awaiting, resultsPending }: EimSession): boolean {
  return failures === 0 && awaiting.length === 0 && !resultsPending;
}

/**
 * The eIM insists on a transaction that it has acknowledged: it lost its memory of that, so ours is given up.
 * @returns false when its result is still on its way
 */
export function forget({ handled, awaiting }: EimSession, id: Uint8Array): boolean {
  const at = handled.findIndex((known) => equal(known, id));
  if (at >= 0) handled.splice(at, 1);
  return !isAwaited(awaiting, id);
}

function isAwaited(awaiting: readonly Delivery[], id: Uint8Array): boolean {
  return awaiting.some(({ eimTransactionId }) => eimTransactionId && equal(eimTransactionId, id));
}

/** Has this eIM acknowledged that transaction already, or got the result by injection and will acknowledge it? */
export function isHandled({ handled, awaiting }: EimSession, id: Uint8Array | undefined): boolean {
  if (!id) return false;
  return handled.some((known) => equal(known, id)) || isAwaited(awaiting, id);
}

/** How many acknowledged transactions are remembered for each eIM. */
const REMEMBERED = 4;

export function markHandled({ handled }: EimSession, eimTransactionId: Uint8Array | undefined): void {
  if (!eimTransactionId || handled.some((known) => equal(known, eimTransactionId))) return;
  handled.push(eimTransactionId.slice());
  if (handled.length > REMEMBERED) handled.shift();
}
