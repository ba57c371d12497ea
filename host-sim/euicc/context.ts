import type { Infer, ProfilePolicyAuthorisationRule } from '../asn1/index.js';
import type { SimEvent } from '../events.js';
import type { EuiccCredentials } from '../pki/types.js';
import type { EuiccState } from './state.js';

/** What the card is, fixed for its life. */
export interface EuiccProperties {
  credentials: EuiccCredentials;
  /** ES10c (BF29, BF31–BF33) is offered. */
  es10c: boolean;
  fallbackSupported: boolean;
  ecallSupported: boolean;
  /** Package results kept at once; the oldest is dropped. */
  resultCapacity: number;
  /** A longer euiccPackageResultDataSigned is refused with sizeOverflow. */
  maxResultBytes: number;
  /** Rules Authorisation Table (SGP.22 §2.9.2.3). */
  rat: readonly Infer<typeof ProfilePolicyAuthorisationRule>[];
  maxEims: number;
  maxCounterValue: number;
  random: () => number;
}

/** One ES10 command on its way: changes go to a draft, which is saved once, before the answer leaves. */
export interface Command {
  readonly card: EuiccProperties;
  readonly state: EuiccState;
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
