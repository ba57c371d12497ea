import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import type { SimEvent } from '../events.js';
import { parseCertificate, subjectKeyId } from '../pki/index.js';
import type { EuiccCredentials } from '../pki/types.js';
import type { Store } from '../store.js';
import type { CardKind, EuiccProperties } from './context.js';
import type { ProfileSeed } from './state.js';

export interface VirtualEuiccOptions {
  credentials: EuiccCredentials;
  store: Store;
  /** Trust anchors, whole X.509 DER: without any, no server is believed. */
  ciCertificates?: readonly Uint8Array[];
  /** For the validity dates of servers' certificates, which an eUICC without a clock does not look at. */
  clock?: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  observe?: (event: SimEvent) => void;
  /** Factory content; used while the store is empty. */
  profiles?: readonly ProfileSeed[];
  defaultDpAddress?: string;
  rootDsAddress?: string;
  /**
   * Be usable by LPAs of consumer eUICCs: ES10c is offered, and ES10 needs no IPAd bit in TERMINAL CAPABILITY (they
   * send another one, or none). Default false: 6A88 and 6985.
   */
  es10c?: boolean;
  /** IoT eUICC when absent. */
  kind?: CardKind;
  fallbackSupported?: boolean;
  ecallSupported?: boolean;
  rat?: EuiccProperties['rat'];
  /** Refused in the metadata of a profile, whatever the RAT says. */
  forbiddenPolicyRules?: EuiccProperties['forbiddenPolicyRules'];
  /** Non-volatile memory for profiles; 1,048,576 when absent. */
  memoryBytes?: number;
  /** 0 test, 1 provisioning, 2 operational: what may be downloaded; all when absent. */
  profileClasses?: readonly number[];
  resultCapacity?: number;
  maxResultBytes?: number;
  maxEims?: number;
  maxCounterValue?: number;
  /** First number that MANAGE CHANNEL gives out. */
  firstChannel?: number;
  /** Logical channels besides the basic one; 19, the most there can be, when absent. */
  channelCount?: number;
  /** Longest ES10 command, over all its STORE DATA blocks. */
  maxCommandBytes?: number;
  /** Refuse ES10 with 6985 between a profile switch and the reset, as some cards do. */
  blockedUntilReset?: boolean;
}

/** @throws PkiError when a trust anchor cannot be read */
export function propertiesOf(options: VirtualEuiccOptions): EuiccProperties {
  const { credentials, ciCertificates = [], clock, kind = 'iot' } = options;
  return {
    credentials,
    ciCertificates,
    ciKeyIds: ciKeyIds(credentials, ciCertificates),
    now: clock && (() => clock.now),
    memoryBytes: options.memoryBytes ?? 1_048_576,
    profileClasses: options.profileClasses ?? [0, 1, 2],
    forbiddenPolicyRules: options.forbiddenPolicyRules ?? [],
    kind,
    es10c: options.es10c ?? kind === 'consumer',
    fallbackSupported: options.fallbackSupported ?? true,
    ecallSupported: options.ecallSupported ?? false,
    rat: options.rat ?? [],
    resultCapacity: options.resultCapacity ?? 20,
    maxResultBytes: options.maxResultBytes ?? 8192,
    maxEims: options.maxEims ?? 8,
    maxCounterValue: options.maxCounterValue ?? 0x7fffff,
    random: options.random,
  };
}

/** Keys of the trust anchors; several certificates may have one key, and the own chain's is always among them. */
function ciKeyIds({ ciKeyId }: EuiccCredentials, certificates: readonly Uint8Array[]): Uint8Array[] {
  const ids = [ciKeyId];
  for (const certificate of certificates) {
    const id = subjectKeyId(parseCertificate(certificate));
    if (id && !ids.some((known) => sameBytes(known, id))) ids.push(id);
  }
  return ids;
}
