import { Encoder } from 'cbor-x';
import type { IpaFeatureNames } from '../asn1/index.js';
import type { Store } from '../store.js';
import { EimError } from './error.js';
import type { Order } from './orders.js';

export type Mode = 'retrieval' | 'injection';

/** Something to be sent to a device, in the order of its queue; the first one may be outstanding. */
export interface Task {
  id: number;
  /** 'onboarding' and 'recovery' are data requests that the eIM makes for itself. */
  kind: 'order' | 'onboarding' | 'recovery';
  order: Order;
  mode: Mode;
  /** The whole BF51 or BF52 once it was sent; sent again it is the same. */
  request?: Uint8Array;
  counterValue?: number;
  eimTransactionId?: Uint8Array;
  /** Milliseconds since 1970 of the last sending. */
  sentAt?: number;
  /** Of an indirect download: the session with the SM-DP+ that runs for this task. */
  session?: { transactionId: Uint8Array; address: string };
  /** The eUICC called it a replay: its stored results are being fetched. */
  replayed?: boolean;
}

interface StoredResult {
  /** 'orphan': verified, but this eIM knows no package for it. */
  kind: 'result' | 'rollback' | 'orphan';
  seqNumber: number;
  counterValue: number;
  /** euiccPackageResultDataSigned as received. */
  data: Uint8Array;
  signature: Uint8Array;
  at: number;
}

interface StoredNotification {
  seqNumber: number;
  /** The signed part as received: BF2F or BF27. */
  data: Uint8Array;
  signature: Uint8Array;
  at: number;
}

export interface Device {
  eid: string;
  /** Of the last package made for this device. */
  counterValue: number;
  /** Known and verified: certificates and association token are there. */
  onboarded: boolean;
  /** After a failed onboarding: not before this time, milliseconds since 1970. */
  onboardAfter?: number;
  associationToken?: number;
  euiccCertificate?: Uint8Array;
  eumCertificate?: Uint8Array;
  /** BF22, for what compact messages leave out. */
  euiccInfo2?: Uint8Array;
  /** Absent: not asked yet. */
  ipaFeatures?: (typeof IpaFeatureNames)[number][];
  /** DER of DeviceInfo, tag 30. */
  deviceInfo?: Uint8Array;
  /** Notifications for an SM-DP+ that it has not got yet. */
  forwards?: { address: string; notification: Uint8Array }[];
  lastPackage?: Uint8Array;
  /** Last poll, milliseconds since 1970. */
  lastPoll?: number;
  tasks: Task[];
  results: StoredResult[];
  notifications: StoredNotification[];
}

/** What this eIM knows of a device. JSON-able. */
export interface DeviceView {
  eid: string;
  onboarded: boolean;
  counterValue: number;
  associationToken?: number;
  waiting: number;
  outstanding: boolean;
  results: number;
  notifications: number;
  /** Milliseconds since 1970. */
  lastPoll?: number;
}

interface Whole {
  version: 1;
  nextTask: number;
  devices: Record<string, Device>;
}

/** Kept per device; the oldest go first. */
const history = 200;

/** What the eIM must not forget, in one CBOR value. */
export class EimState {
  readonly #store: Store;
  readonly #codec = new Encoder({ useRecords: false, tagUint8Array: false, mapsAsObjects: true });
  readonly #whole: Whole;
  #unsaved = false;

  /** @throws EimError 'state' when what is stored cannot be read */
  constructor(store: Store) {
    this.#store = store;
    const bytes = store.load();
    this.#whole = bytes ? this.#read(bytes) : { version: 1, nextTask: 1, devices: {} };
  }

  get devices(): Device[] {
    return Object.values(this.#whole.devices);
  }

  device(eid: string): Device | undefined {
    return Object.hasOwn(this.#whole.devices, eid) ? this.#whole.devices[eid] : undefined;
  }

  add(eid: string): Device {
    const device: Device = {
      eid,
      counterValue: 0,
      onboarded: false,
      tasks: [],
      results: [],
      notifications: [],
    };
    this.#whole.devices[eid] = device;
    return device;
  }

  nextTask(): number {
    return this.#whole.nextTask++;
  }

  /** Durable when it returns. After a failure the next call of this or {@link retry} tries again. @throws EimError 'store' */
  save(): void {
    this.#unsaved = true;
    for (const device of this.devices) {
      device.results.splice(0, Math.max(0, device.results.length - history));
      device.notifications.splice(0, Math.max(0, device.notifications.length - history));
    }
    const bytes = this.#codec.encode(this.#whole);
    try {
      this.#store.save(bytes);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EimError('store', `the state of the eIM cannot be saved: ${why}`, { cause });
    }
    this.#unsaved = false;
  }

  /** Nothing may be acknowledged while an earlier change is not durable. */
  retry(): void {
    if (this.#unsaved) this.save();
  }

  #read(bytes: Uint8Array): Whole {
    let whole: Whole;
    try {
      whole = this.#codec.decode(Uint8Array.from(bytes)) as Whole;
    } catch (cause) {
      throw new EimError('state', 'the stored state of the eIM is damaged', { cause });
    }
    if (whole?.version !== 1) throw new EimError('state', 'the stored state of the eIM has another version');
    return whole;
  }
}

export function viewOf(device: Device): DeviceView {
  return {
    eid: device.eid,
    onboarded: device.onboarded,
    counterValue: device.counterValue,
    associationToken: device.associationToken,
    waiting: device.tasks.filter(({ sentAt }) => sentAt === undefined).length,
    outstanding: device.tasks.some(({ sentAt }) => sentAt !== undefined),
    results: device.results.length,
    notifications: device.notifications.length,
    lastPoll: device.lastPoll,
  };
}
