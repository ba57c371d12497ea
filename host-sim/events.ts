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
  | { event: 'smdp'; what: SmdpHappening; eid?: string; detail?: Record<string, unknown> }
  | { event: 'smds'; what: SmdsHappening; eid?: string; detail?: Record<string, unknown> }
  | { event: 'step'; title: string; detail?: string }
  | { event: 'summary'; [figure: string]: unknown };

type CardHappening =
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
  /** detail: serverAddress, role 'dpAuth' | 'dsAuth', oid, transactionId */
  | 'serverAuthenticated'
  /** AuthenticateServer was refused; detail: serverAddress, code */
  | 'serverRefused'
  | 'downloadPrepared'
  /** PrepareDownload was refused; detail: transactionId, code */
  | 'downloadRefused'
  /** detail: transactionId, reason */
  | 'sessionCancelled'
  /** detail: iccid, bytes, smdp */
  | 'profileInstalled'
  /** detail: bppCommandId, errorReason, iccid, smdp */
  | 'installationFailed';

type ModemHappening = 'refresh' | 'simOff' | 'simOn' | 'searching' | 'registered' | 'lost' | 'fault';

export type EimHappening =
  /** detail: operations, mode 'retrieval' | 'injection' */
  | 'queued'
  /** detail: kind, operations, mode, bytes, counterValue, eimTransactionId, again when it was sent before */
  | 'sent'
  /** detail: kind 'result' | 'rollback' | 'orphan', counterValue, seqNumber, results */
  | 'verified'
  /** A result or message that failed a check; detail: why */
  | 'rejected'
  /** The state cannot be saved: nothing is acknowledged until it is; detail: why */
  | 'unsaved'
  /** A package or request was not carried out; detail: name, code, by 'euicc' (verified) | 'euiccUnsigned' | 'ipa' */
  | 'refused'
  /** detail: seqNumbers, again when they were stored before */
  | 'acknowledged'
  /** detail: seqNumber, event, iccid */
  | 'notification'
  /** A download ended; detail: the Outcome */
  | 'download'
  /** A function of an indirect download went to the SM-DP+ and was answered; detail: function, address */
  | 'relayed'
  /** A notification reached its SM-DP+; detail: address */
  | 'forwarded'
  /** detail: kind 'order' | 'onboarding' | 'recovery', data */
  | 'data'
  /** detail: eidValue, notifyStateChange, stateChangeCause, rPLMN */
  | 'poll';

export type SmdpHappening =
  /** detail: iccid, matchingId, state */
  | 'ordered'
  /** detail: iccid */
  | 'released'
  /** detail: transactionId, address */
  | 'sessionStarted'
  /** detail: transactionId, iccid, attempt */
  | 'clientAuthenticated'
  /** A Bound Profile Package was made; detail: transactionId, iccid, bytes */
  | 'downloaded'
  /** detail: transactionId, reason, iccid */
  | 'cancelled'
  /** A function failed; detail: function, status "subject/reason", why, transactionId */
  | 'refused'
  /** detail: seqNumber, event, iccid, verified, result of an installation, again when it had come before */
  | 'notification'
  /** detail: why */
  | 'rejected';

export type SmdsHappening =
  /** detail: eventId, rspServerAddress */
  | 'registered'
  | 'deleted'
  /** detail: transactionId, address */
  | 'sessionStarted'
  /** detail: eventIds */
  | 'eventsGiven'
  /** detail: function, status, why */
  | 'refused';

/** Everything on one stream: who says it, when (milliseconds since start), and what. */
export type TraceEvent = { at: number; who: string } & (HalEvent | IpaEvent | SimEvent);
