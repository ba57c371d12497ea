import { Encoder } from 'cbor-x';
import { decode, hex, type NotificationEventName, StoreMetadataRequest } from '../asn1/index.js';
import type { Store } from '../store.js';
import { SmdpError } from './error.js';
import type { Provocation } from './provocation.js';

/** Life of an order (SGP.22 §3.1.6): a profile that may be downloaded once it is released, by one eUICC. */
export type OrderState = 'confirmed' | 'released' | 'downloaded' | 'installed' | 'error';

/** What an order knows; whole of it is durable. */
export interface DownloadOrder {
  /** Digits. */
  iccid: string;
  /** Absent: the order is for `eid`, from its default SM-DP+. */
  matchingId?: string;
  /** 32 digits: only this eUICC; set by the first download otherwise. */
  eid?: string;
  state: OrderState;
  /** SHA-256 of the confirmation code. */
  confirmationHash?: Uint8Array;
  wrongConfirmationCodes: number;
  /** AuthenticateClient calls that found it. */
  attempts: number;
  maxAttempts: number;
  /** Milliseconds since 1970. */
  expires?: number;
  /** BF25 as it goes to AuthenticateClient and into the package. */
  metadata: Uint8Array;
  /** Unprotected profile package. */
  profile: Uint8Array;
  replaceSessionKeys: boolean;
  /** After a first download another one-time key of the eUICC is refused with 8.2/3.7. */
  oneBinding: boolean;
  provoke: Provocation[];
  /** One-time key of the eUICC that the last package was bound to. */
  boundTo?: Uint8Array;
  /** Of the last download; the installation result refers to it. */
  transactionId?: Uint8Array;
  euiccCertificate?: Uint8Array;
  /** Result or reason of state 'error'. */
  outcome?: string;
  notifications: ReceivedNotification[];
}

export interface ReceivedNotification {
  seqNumber: number;
  event: NotificationEventName | string;
  iccid?: string;
  /** The signature and its chain hold. */
  verified: boolean;
  /** BF37 or 30, as received. */
  bytes: Uint8Array;
  /** Milliseconds since 1970. */
  at: number;
}

/** An order for people and programs, JSON-able. */
export interface OrderView {
  iccid: string;
  matchingId?: string;
  eid?: string;
  state: OrderState;
  activationCode?: string;
  confirmationCodeRequired: boolean;
  attempts: number;
  expires?: string;
  profileBytes: number;
  metadata: unknown;
  outcome?: string;
  notifications: { seqNumber: number; event: string; verified: boolean }[];
}

interface Whole {
  version: 1;
  orders: DownloadOrder[];
  /** Notifications of profiles that no order is for. */
  strays: ReceivedNotification[];
}

/** Kept of each kind; the oldest go first. */
const history = 200;

/** Orders of an SM-DP+ in one CBOR value. */
export class OrderBook {
  readonly #store: Store;
  readonly #codec = new Encoder({ useRecords: false, tagUint8Array: false, mapsAsObjects: true });
  readonly #whole: Whole;

  /** @throws SmdpError 'state' */
  constructor(store: Store) {
    this.#store = store;
    const bytes = store.load();
    this.#whole = bytes ? this.#read(bytes) : { version: 1, orders: [], strays: [] };
  }

  get orders(): readonly DownloadOrder[] {
    return this.#whole.orders;
  }

  get strays(): ReceivedNotification[] {
    return this.#whole.strays;
  }

  add(order: DownloadOrder): void {
    this.#whole.orders.push(order);
    this.save();
  }

  remove(order: DownloadOrder): void {
    this.#whole.orders = this.#whole.orders.filter((other) => other !== order);
    this.save();
  }

  /** Durable when it returns. */
  save(): void {
    const { orders, strays } = this.#whole;
    for (const list of [strays, ...orders.map(({ notifications }) => notifications)])
      list.splice(0, Math.max(0, list.length - history));
    this.#store.save(this.#codec.encode(this.#whole));
  }

  #read(bytes: Uint8Array): Whole {
    let whole: Whole;
    try {
      whole = this.#codec.decode(Uint8Array.from(bytes)) as Whole;
    } catch (cause) {
      throw new SmdpError('state', 'the stored state of the SM-DP+ is damaged', { cause });
    }
    if (whole?.version !== 1)
      throw new SmdpError('state', 'the stored state of the SM-DP+ has another version');
    return whole;
  }
}

/** @param address of the SM-DP+, for the activation code (SGP.22 §4.1) */
export function viewOf(order: DownloadOrder, address: string): OrderView {
  const { iccid, matchingId, eid, state, attempts, expires, outcome, confirmationHash } = order;
  const activationCode =
    matchingId === undefined ? undefined : `1$${address}$${matchingId}${confirmationHash ? '$$1' : ''}`;
  return {
    iccid,
    ...(matchingId !== undefined && { matchingId }),
    ...(eid !== undefined && { eid }),
    state,
    ...(activationCode !== undefined && { activationCode }),
    confirmationCodeRequired: confirmationHash !== undefined,
    attempts,
    ...(expires !== undefined && { expires: new Date(expires).toISOString() }),
    profileBytes: order.profile.length,
    metadata: metadataShown(order.metadata),
    ...(outcome !== undefined && { outcome }),
    notifications: order.notifications.map(({ seqNumber, event, verified }) => ({
      seqNumber,
      event,
      verified,
    })),
  };
}

function metadataShown(metadata: Uint8Array): unknown {
  try {
    return StoreMetadataRequest.show(decode(StoreMetadataRequest, metadata));
  } catch {
    return hex(metadata);
  }
}
