import type { HalEvent } from '../hal/contracts/index.js';
import type { IpaEvent } from '../ipa/events.js';

/** What the simulated actors report. Bytes may be kept: they are not reused. */
export type SimEvent =
  | { event: 'card'; what: CardHappening; detail?: Record<string, unknown> }
  | { event: 'sim-modem'; what: ModemHappening; detail?: Record<string, unknown> }
  | { event: 'eim'; what: EimHappening; eid?: string; detail?: Record<string, unknown> }
  | {
      event: 'broker';
      what: 'listening' | 'connected' | 'disconnected' | 'kept' | 'dropped';
      detail?: Record<string, unknown>;
    }
  | { event: 'step'; title: string; detail?: string }
  | { event: 'summary'; [figure: string]: unknown };

export type CardHappening =
  | 'reset'
  /** detail: eimId, counterValue, operations, seqNumber */
  | 'packageExecuted'
  /** detail: reason as the specification names it */
  | 'packageRefused'
  /** detail: enabled (ICCID or null), disabled */
  | 'profileSwitched'
  /** detail: seqNumber, event, iccid */
  | 'notificationCreated'
  | 'notificationRemoved'
  | 'eimAssociated'
  | 'powerCut';

export type ModemHappening = 'refresh' | 'simOff' | 'simOn' | 'searching' | 'registered' | 'lost' | 'fault';

export type EimHappening =
  /** detail: operations, counterValue, eimTransactionId */
  | 'queued'
  /** detail: mode 'retrieval' | 'injection', bytes */
  | 'sent'
  /** detail: counterValue, results */
  | 'verified'
  /** A result or message that failed a check; detail: why */
  | 'rejected'
  /** The eUICC refused a package and the refusal is verified; detail: code, name */
  | 'refused'
  | 'acknowledged'
  | 'notification'
  | 'data'
  | 'poll';

/** Everything on one stream: who says it, when (milliseconds since start), and what. */
export type TraceEvent = { at: number; who: string } & (HalEvent | IpaEvent | SimEvent);
