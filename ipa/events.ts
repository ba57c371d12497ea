import type { EuiccKind } from './es10/identity.js';

/** States of the IPA's state machine (ipad.ts). */
export type IpaState =
  /** Modem and eUICC are being brought up. */
  | 'starting'
  /** No eIM is associated and none is provided: nothing to do until one is. */
  | 'unassociated'
  /** Waiting for the network, or for the link to an eIM. */
  | 'connecting'
  | 'polling'
  /** An eUICC Package, a data request or an acknowledgement is being carried out. */
  | 'executing'
  /** A profile was enabled or disabled: the card resets, the network comes back. */
  | 'switching'
  /** A profile is being downloaded and installed. */
  | 'downloading'
  /** Results and notifications are on their way to an eIM. */
  | 'delivering'
  /** A consumer eUICC: nothing is done but what the device's program asks for. */
  | 'local'
  /** Everything is done until the next poll, injection or loss of network. */
  | 'idle'
  /** Something failed; a new attempt follows after a back-off. */
  | 'recovering'
  | 'stopped';

/** What an observer can see of the IPA. Views are lent: copy what must outlive the call. docs/events.md has examples. */
export type IpaEvent =
  | { event: 'state'; state: IpaState; from: IpaState }
  | { event: 'eid'; eid: Uint8Array }
  /** What the card is: of SGP.32, SGP.22, SGP.02, or without an ISD-R; `detail` says it to people. */
  | { event: 'euicc'; kind: EuiccKind; detail: string }
  /** One ESipa message as it crosses the link; `tag` is its first tag, for example 0xBF4F. */
  | {
      event: 'esipa';
      direction: 'up' | 'down';
      eimId: string;
      tag: number;
      message: Uint8Array;
      /** Of the whole message, where `message` is only its beginning. */
      byteLength?: number;
    }
  /** `idle`: a connection that is made when it is needed was given up. */
  | {
      event: 'link';
      eimId: string;
      state: 'connecting' | 'connected' | 'idle' | 'lost' | 'closed';
      detail?: string;
    }
  /** A message that was not expected or came twice; `reason` says which rule dropped it. */
  | { event: 'dropped'; eimId: string; tag: number; reason: string; count: number }
  | { event: 'associated'; eimIds: readonly string[] }
  /** sequence numbers the eIM confirmed and the eUICC forgot */
  | { event: 'acknowledged'; eimId: string; seqNumbers: readonly number[] }
  /** The profile before is enabled again; its eIM gets another result. */
  | { event: 'rollback'; eimId: string }
  /** The device changed the profile by itself: fallback, emergency, immediate enabling. */
  | { event: 'switched'; what: string }
  | { event: 'failure'; where: string; code: string; detail: string; retryIn?: number };
