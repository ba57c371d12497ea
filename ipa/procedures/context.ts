import {
  isRegistered,
  type Modem,
  type Observer,
  type Platform,
  UiccError,
} from '../../hal/contracts/index.js';
import { IpaError, isChannelGone } from '../error.js';
import { Es10, type EuiccCapabilities, type EuiccKind, ISD_R, readTemplates } from '../es10/index.js';
import type { IpaEvent, IpaState } from '../events.js';
import { Writer } from '../tlv/index.js';
import { Downloads } from './download/record.js';
import type { SmdpConnection } from './download/server.js';
import { Rollback } from './rollback.js';
import { type Delivery, type EimSession, markHandled } from './session.js';
import type { IpaSettings } from './settings.js';
import { StateChanges } from './state-change.js';

/** Longest wait that stop() has to sit out, milliseconds. */
const WAIT_SLICE = 5_000;

/** What the procedures share. What stands in the buffers is valid until the next procedure step. */
export class IpaContext {
  readonly modem: Modem;
  readonly es10: Es10;
  readonly platform: Platform;
  readonly settings: IpaSettings;
  readonly observe: Observer<IpaEvent> | undefined;
  /** The ESipa message on its way out. */
  readonly message: Writer;
  /** The EuiccPackageResult in hand. */
  readonly result: Writer;
  eid: Uint8Array = new Uint8Array(0);
  /** 15 digits, or empty. */
  imei = '';
  capabilities: EuiccCapabilities = {
    iot: false,
    ipaeActive: false,
    ecallSupported: false,
    fallbackSupported: false,
  };
  /** What EUICCInfo2 and the card's answer to SELECT say; undefined until both were read. */
  kind: EuiccKind | undefined;
  /** What the card's answer to SELECT says. */
  template: 'iot' | 'consumer' | undefined;
  sessions: EimSession[] = [];
  /** The eUICC may hold notifications that no eIM has acknowledged. True at start: nobody knows. */
  notificationsPending = true;
  /** A profile change may wait for the card's reset. True at start: the life before may have ended in the middle of one. */
  resetDue = true;
  /** An eIM does not know our EID: it is read again before the next poll. */
  eidDoubted = false;
  /** An eCO was carried out: the list of associated eIMs may have changed. */
  eimsChanged = false;
  rPlmn: Uint8Array | undefined;
  /** The modem registered anew: rPlmn may be another one. */
  plmnStale = true;
  readonly changes: StateChanges;
  readonly downloads: Downloads;
  readonly rollback: Rollback;
  /** The way to an SM-DP+ or SM-DS at this address; undefined when this device has none, so that downloads go through the eIM. */
  connectSmdp: ((address: string, isSmds?: boolean) => SmdpConnection) | undefined;
  /** stop() was called: no wait is begun any more. */
  stopping = false;
  state: IpaState = 'stopped';

  constructor(
    modem: Modem,
    platform: Platform,
    settings: IpaSettings,
    observe?: Observer<IpaEvent>,
    blockSize?: number,
  ) {
    this.modem = modem;
    this.platform = platform;
    this.settings = settings;
    this.observe = observe;
    this.changes = new StateChanges(platform.storage);
    this.downloads = new Downloads(platform.storage);
    this.es10 = new Es10(modem.uicc, { blockSize });
    this.es10.way = this;
    this.rollback = new Rollback(this);
    this.message = new Writer(64, settings.messageLimit);
    this.result = new Writer(64, settings.messageLimit);
  }

  enter(state: IpaState): void {
    if (state === this.state) return;
    const from = this.state;
    this.state = state;
    this.observe?.({ event: 'state', state, from });
  }

  fail(where: string, error: { code: string; message: string }, retryIn?: number): void {
    this.observe?.({ event: 'failure', where, code: error.code, detail: error.message, retryIn });
  }

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.platform.timer.set(resolve, milliseconds);
    });
  }

  /** @returns whether the modem is registered at the deadline at the latest */
  waitRegistered(deadline: number): Promise<boolean> {
    return this.wait(deadline, (slice) => this.modem.waitRegistered(slice));
  }

  /** @returns whether the modem reports a usable card at the deadline at the latest */
  waitSimReady(): Promise<boolean> {
    return this.wait(this.settings.simReadyDeadline, (slice) => this.modem.waitSimReady(slice));
  }

  private async wait(deadline: number, wait: (slice: number) => Promise<boolean>): Promise<boolean> {
    const { time } = this.platform;
    const until = time.ticks + deadline;
    for (;;) {
      this.goOn();
      const left = until - time.ticks;
      // From here on an empty stack (docs/design.md §4).
      await undefined;
      if (await wait(Math.max(0, Math.min(left, WAIT_SLICE)))) return true;
      if (left <= WAIT_SLICE) return false;
    }
  }

  /** @throws IpaError `stopped` after stop() */
  goOn(): void {
    if (this.stopping) throw new IpaError('stopped', 'the IPA is being stopped');
  }

  /** Is there a network to reach an eIM through, as far as we know? Reports of it may get lost: the modem can be asked. */
  get hasNetwork(): boolean {
    return !this.settings.networkThroughModem || isRegistered(this.modem.registration);
  }

  /** Asks the modem for its network, which may have changed. */
  async refreshPlmn(): Promise<void> {
    this.plmnStale = false;
    // From here on an empty stack (docs/design.md §4).
    await undefined;
    this.rPlmn = (await this.modem.rPlmn()) ?? this.rPlmn;
  }

  /**
   * Reaches the ISD-R: TERMINAL CAPABILITY, channel, SELECT. After a reset the modem reads the card first and refuses
   * for a while, so this is tried several times (at.md §6).
   */
  async openIsdR(openAttempts = this.settings.openAttempts): Promise<void> {
    const { openPause } = this.settings;
    for (let attempt = 1; ; attempt++) {
      this.goOn();
      // From here on an empty stack (docs/design.md §4).
      await undefined;
      try {
        this.template = readTemplates(await this.modem.uicc.open(ISD_R));
        return;
      } catch (error) {
        if (!(error instanceof UiccError) || error.code === 'closed') throw error;
        // A modem that still initialises the card says the same as a card without ISD-R, but not for long.
        const most = error.code === 'noApplication' ? Math.min(3, openAttempts) : openAttempts;
        if (attempt >= most) throw error;
      }
      await this.pause(openPause);
    }
  }

  /**
   * Runs several functions that only make sense together; when the card was reset or the ISD-R deselected meanwhile, opens
   * the channel and repeats them once. A single function does that by itself (es10.run).
   */
  async onCard<T>(operation: () => Promise<T>): Promise<T> {
    // Begins on an empty stack: a procedure stands above, the whole way to the card below.
    await undefined;
    try {
      return await operation();
    } catch (error) {
      if (!isChannelGone(error)) throw error;
    }
    await this.openIsdR();
    return operation();
  }

  /** Gives the memory of all buffers back. */
  release(): void {
    this.result.release();
    this.message.release();
    this.es10.release();
  }

  /** A delivery before anything is known of it. */
  delivery(session: EimSession, eimTransactionId: Uint8Array | undefined): Delivery {
    const { resultsPending } = session;
    const { notificationsPending } = this;
    // A copy: the message it came in is overwritten by the answer.
    const id = eimTransactionId?.slice();
    return {
      seqNumber: -1,
      eimTransactionId: id,
      sentAt: 0,
      notifications: [],
      resultsPending,
      notificationsPending,
    };
  }

  /** An eIM acknowledged `seqNumbers`, and the eUICC removed them: is this delivery complete with them? */
  settle(session: EimSession, delivery: Delivery, seqNumbers: readonly number[]): boolean {
    if (delivery.seqNumber >= 0 && !seqNumbers.includes(delivery.seqNumber)) return false;
    // What the eUICC does not store is not acknowledged either: the eIM may not have taken it, and asks again then.
    if (delivery.seqNumber < 0) return true;
    markHandled(session, delivery.eimTransactionId);
    if (delivery.seqNumber === this.rollback.seqNumber) this.rollback.disarm();
    session.resultsPending = delivery.resultsPending;
    if (delivery.notifications?.every((one) => seqNumbers.includes(one)))
      this.notificationsPending = delivery.notificationsPending;
    return true;
  }
}
