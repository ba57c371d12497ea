import type { Infer, ProfilePolicyAuthorisationRule } from '../asn1/index.js';
import type { SimEvent } from '../events.js';
import type { EuiccCredentials } from '../pki/types.js';
import type { RspSession } from './session.js';
import type { EuiccState } from './state.js';

/**
 * What an IPA may meet: an eUICC of SGP.32, of SGP.22 (ES10c, no eIM functions), of SGP.02 (its ISD-R listens to its
 * SM-SR only), or a card without any ISD-R.
 */
export type CardKind = 'iot' | 'consumer' | 'm2m' | 'none';

/** What the card is, fixed for its life. */
export interface EuiccProperties {
  kind: CardKind;
  credentials: EuiccCredentials;
  /** ES10c (BF29, BF31–BF34) is offered. */
  es10c: boolean;
  fallbackSupported: boolean;
  ecallSupported: boolean;
  /** Package results kept at once; the oldest is dropped. */
  resultCapacity: number;
  /** A longer euiccPackageResultDataSigned is refused with sizeOverflow. */
  maxResultBytes: number;
  /** Rules Authorisation Table (SGP.22 §2.9.2.3). */
  rat: readonly Infer<typeof ProfilePolicyAuthorisationRule>[];
  /** Trust anchors, whole X.509 DER, and their key identifiers in the same order. */
  ciCertificates: readonly Uint8Array[];
  ciKeyIds: readonly Uint8Array[];
  /** For validity dates; an eUICC without a clock does not look at them. */
  now?: () => number;
  /** Non-volatile memory for profiles. */
  memoryBytes: number;
  /** 0 test, 1 provisioning, 2 operational: what may be installed. */
  profileClasses: readonly number[];
  forbiddenPolicyRules: readonly ('ppr1' | 'ppr2')[];
  maxEims: number;
  maxCounterValue: number;
  random: () => number;
}

/** One ES10 command on its way: changes go to a draft, which is saved once, before the answer leaves. */
export interface Command {
  readonly card: EuiccProperties;
  readonly state: EuiccState;
  /** Not part of the state: it does not survive a reset. */
  readonly session: RspSession;
  /** A card application toolkit session exists: the terminal can be asked for a REFRESH. */
  readonly toolkit: boolean;
  changed: boolean;
  /** The terminal is to reset the card. */
  refresh: boolean;
  readonly events: SimEvent[];
}

export function report(
  command: Pick<Command, 'events'>,
  what: (SimEvent & { event: 'card' })['what'],
  detail?: Record<string, unknown>,
): void {
  command.events.push({ event: 'card', what, detail });
}
