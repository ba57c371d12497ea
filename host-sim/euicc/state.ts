import { Decoder, Encoder } from 'cbor-x';
import { XsIpaError } from '../../hal/contracts/index.js';
import { type EimConfigurationData, iccidBytes, type NotificationEventName, unhex } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { type Connectivity, connectivityParameters } from '../rsp/index.js';
import type { BppCommand } from './load-failure.js';

/** A profile as it comes from the factory. */
export interface ProfileSeed {
  /** 18 to 20 digits. */
  iccid: string;
  /** 15 digits; the modem's network follows it. */
  imsi: string;
  enabled?: boolean;
  profileClass?: 'test' | 'provisioning' | 'operational';
  serviceProviderName?: string;
  profileName?: string;
  profileNickname?: string;
  /** Who is to be told of which events; none: nobody. */
  notifications?: readonly { events: readonly NotificationEventName[]; address: string }[];
  /** ppr1: must not be disabled, ppr2: must not be deleted. */
  profilePolicyRules?: readonly ('pprUpdateControl' | 'ppr1' | 'ppr2')[];
  /** MCC and MNC as 3 bytes of 3GPP TS 24.008. */
  mccMnc?: Uint8Array;
  fallbackAttribute?: boolean;
  fallbackAllowed?: boolean;
  ecallIndication?: boolean;
  /** There since the factory: spared by some memory resets. */
  preLoaded?: boolean;
  /** Taken from the eUICC's memory; 65,536 when absent. */
  memoryBytes?: number;
  /** What GetConnectivityParameters tells while this profile is enabled. */
  connectivity?: Connectivity;
}

export interface Profile {
  iccid: Uint8Array;
  isdpAid: Uint8Array;
  imsi: string;
  enabled: boolean;
  /** 0 test, 1 provisioning, 2 operational */
  profileClass: number;
  serviceProviderName: string;
  profileName: string;
  profileNickname: string;
  notifications: { events: NotificationEventName[]; address: string }[];
  profilePolicyRules: ('pprUpdateControl' | 'ppr1' | 'ppr2')[];
  iconType?: number;
  icon?: Uint8Array;
  mccMnc?: Uint8Array;
  gid1?: Uint8Array;
  gid2?: Uint8Array;
  fallbackAttribute: boolean;
  fallbackAllowed: boolean;
  ecallIndication: boolean;
  preLoaded: boolean;
  memoryBytes?: number;
  /** Content of httpParams (SGP.32 §5.9.24). */
  connectivityParameters?: Uint8Array;
}

export interface Eim {
  /** As given, without counterValue and associationToken. */
  configuration: EimConfigurationData;
  counterValue: number;
  associationToken?: number;
}

/** A PendingNotification or an EuiccPackageResult that waits for its BF30. */
export interface Pending {
  seqNumber: number;
  bytes: Uint8Array;
  event?: NotificationEventName;
}

/** Everything that survives a power cut. One save holds all of it. */
export interface EuiccState {
  version: 1;
  profiles: Profile[];
  eims: Eim[];
  notifications: Pending[];
  results: Pending[];
  nextSeqNumber: number;
  nextAssociationToken: number;
  nextIsdp: number;
  /** Profile change that takes effect with the next reset. */
  marked?: { enable?: Uint8Array; disable?: Uint8Array };
  /** Permission to go back to `iccid`, given by the package that enabled another profile (SGP.32 §3.3.2). */
  rollback?: {
    iccid: Uint8Array;
    eimId: string;
    counterValue: number;
    eimTransactionId?: Uint8Array;
    associationToken?: number;
    /** Of the result that a rollback replaces. */
    seqNumber?: number;
  };
  /** Profile to return to while the Fallback Profile is enabled. */
  fallbackReturn?: Uint8Array;
  /** Set while the Emergency Profile is enabled; the profile to return to, if there was one. */
  emergency?: { returnTo?: Uint8Array };
  defaultDpAddress: string;
  rootDsAddress: string;
  immediateEnable?: { defaultSmdpOid?: string; defaultSmdpAddress?: string };
  /** otPK.EUICC and its key for each try that an SM-DP+ may go on with; the latest is the last. */
  oneTimeKeys?: { smdpOid: string; publicKey: Uint8Array; privateKey: Uint8Array }[];
  /** Set while a Bound Profile Package is being loaded. */
  installing?: Installing;
}

/** What is needed to tell of an interrupted installation after a reset. */
export interface Installing {
  transactionId: Uint8Array;
  smdpOid: string;
  smdpAddress: string;
  bppCommandId: BppCommand;
  iccid?: Uint8Array;
}

const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
const decoder = new Decoder({ useRecords: false, copyBuffers: true });

export function saveState(state: EuiccState): Uint8Array {
  return Uint8Array.from(encoder.encode(state));
}

/** @throws XsIpaError `cardState` when the bytes are not a state of this program */
export function loadState(bytes: Uint8Array): EuiccState {
  let state: EuiccState;
  try {
    state = plain(decoder.decode(Uint8Array.from(bytes))) as EuiccState;
  } catch (cause) {
    throw new XsIpaError(
      'cardState',
      'the stored state of the virtual eUICC cannot be read; delete its file',
      {
        cause,
      },
    );
  }
  if (state?.version !== 1) {
    throw new XsIpaError(
      'cardState',
      'the stored state of the virtual eUICC is of another version; delete its file',
    );
  }
  return state;
}

/** Bytes as plain Uint8Array instead of Buffer, so that values compare by content. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

const classes = { test: 0, provisioning: 1, operational: 2 } as const;

/** ISD-P AID with its running number (es10.md §4.2). */
export function isdpAid(number: number): Uint8Array {
  const aid = unhex('A0000005591010FFFFFFFF8900000000');
  new DataView(aid.buffer).setUint16(13, number);
  return aid;
}

export function factoryState(
  seeds: readonly ProfileSeed[],
  addresses: { defaultDpAddress: string; rootDsAddress: string },
): EuiccState {
  if (seeds.filter((seed) => seed.enabled).length > 1) {
    throw new XsIpaError('cardSeed', 'only one profile can be enabled');
  }
  const profiles = seeds.map((seed, index): Profile => {
    if (!/^\d{6,15}$/.test(seed.imsi)) throw new XsIpaError('cardSeed', `"${seed.imsi}" is not an IMSI`);
    return {
      iccid: iccidBytes(seed.iccid),
      isdpAid: isdpAid(0x10 + index),
      imsi: seed.imsi,
      enabled: seed.enabled ?? false,
      profileClass: classes[seed.profileClass ?? 'operational'],
      serviceProviderName: seed.serviceProviderName ?? '',
      profileName: seed.profileName ?? '',
      profileNickname: seed.profileNickname ?? '',
      notifications: (seed.notifications ?? []).map(({ events, address }) => ({
        events: [...events],
        address,
      })),
      profilePolicyRules: [...(seed.profilePolicyRules ?? [])],
      mccMnc: seed.mccMnc,
      fallbackAttribute: seed.fallbackAttribute ?? false,
      fallbackAllowed: seed.fallbackAllowed ?? false,
      ecallIndication: seed.ecallIndication ?? false,
      preLoaded: seed.preLoaded ?? false,
      memoryBytes: seed.memoryBytes,
      connectivityParameters: seed.connectivity && connectivityParameters(seed.connectivity),
    };
  });
  return {
    version: 1,
    profiles,
    eims: [],
    notifications: [],
    results: [],
    nextSeqNumber: 1,
    nextAssociationToken: 1,
    nextIsdp: 0x10 + seeds.length,
    ...addresses,
  };
}

export function findProfile(state: EuiccState, iccid: Uint8Array | undefined): Profile | undefined {
  return state.profiles.find((profile) => sameBytes(profile.iccid, iccid));
}

export function enabledProfile(state: EuiccState): Profile | undefined {
  return state.profiles.find((profile) => profile.enabled);
}
