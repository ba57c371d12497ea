import { decode, EuiccPackageRequest } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import type { EimHappening, SimEvent } from '../events.js';
import type { EimCredentials } from '../pki/index.js';
import type { Store } from '../store.js';
import { type ConfigurationOptions, eimConfiguration } from './configuration.js';
import { EimError } from './error.js';
import { Esipa, type MessageContext } from './esipa.js';
import { Forwarding } from './forwarding.js';
import { Intake } from './intake.js';
import { attempt, transfer } from './messages.js';
import { checkOrder, eidBytes, type Order, operationsOf, type PackageOrder } from './orders.js';
import { Outbox } from './outbox.js';
import type { Outcome } from './outcome.js';
import { Relay } from './relay.js';
import type { RspConnection } from './rsp-connection.js';
import { type Device, type DeviceView, EimState, type Mode, type Task, viewOf } from './state.js';
import { Waiting } from './waiting.js';

export interface EimOptions {
  credentials: EimCredentials;
  /** Trust anchors for the eUICCs, whole X.509 DER. */
  ciCertificates: readonly Uint8Array[];
  store: Store;
  clock: Clock;
  /** 0 ≤ x < 1; transaction identifiers come from it. */
  random: () => number;
  /** Bytes of an eimTransactionId, 1 to 16; default 4. Fewer are fewer bytes on the wire. */
  transactionIdLength?: number;
  observe?: (event: SimEvent) => void;
  /** Who may poll: 'any' (default), or only devices named by {@link Eim.addDevice} or {@link Eim.queue}. */
  accept?: 'any' | 'listed';
  /** The way to SM-DP+ and SM-DS, for indirect downloads and for notifications; without it there are none. */
  connect?: RspConnection;
  /** After this time a poll is answered with a package that was injected and not answered; milliseconds, default 60 s. */
  resendAfter?: number;
}

export interface QueueOptions {
  /** 'retrieval' (default): the device fetches it with a poll. 'injection': it is pushed as soon as its turn comes. */
  mode?: Mode;
  /** Without it the order waits for ever. */
  timeoutMilliseconds?: number;
}

/** The eUICC need not support more (SGP.32 §5.9.4). */
const lastCounter = 0x7fffff;

/**
 * An eIM (SGP.32 §2.1) behind any number of links: one queue per device, one outstanding package per eUICC, counters that
 * are durable before they are used, results that are acknowledged only when they are verified and durable.
 */
export class Eim {
  readonly #options: EimOptions;
  readonly #state: EimState;
  readonly #esipa: Esipa;
  readonly #outbox: Outbox;
  /** What happens once the state is durable. */
  readonly #afterSave: (() => void)[] = [];
  readonly #forwarding: Forwarding;
  readonly #waiting: Waiting;
  #onInjection: ((eid: string, message: Uint8Array) => void) | undefined;

  /** @throws EimError 'state' when the stored state cannot be read */
  constructor(options: EimOptions) {
    this.#options = options;
    this.#state = new EimState(options.store);
    const { credentials, ciCertificates, clock, random, accept = 'any', resendAfter = 60_000 } = options;
    const { transactionIdLength = 4 } = options;
    this.#waiting = new Waiting(clock);
    this.#outbox = new Outbox({
      credentials,
      state: this.#state,
      clock,
      random,
      transactionIdLength,
      resendAfter,
      report: (device, detail) => this.#observe('sent', device.eid, detail),
    });
    const observe = (what: EimHappening, eid: string | undefined, detail: Record<string, unknown>) =>
      this.#observe(what, eid, detail);
    const { connect } = options;
    this.#forwarding = new Forwarding({
      state: this.#state,
      clock,
      connect,
      observe,
      save: () => this.#save(),
    });
    const relay = new Relay({ state: this.#state, connect, observe });
    const intake = new Intake({
      eimId: credentials.eimId,
      ciCertificates,
      clock,
      nextTask: () => this.#state.nextTask(),
      report: (device, what, detail) => this.#afterSave.push(() => this.#observe(what, device.eid, detail)),
      settle: (device, task, outcome) => this.#settle(device, task, outcome),
      whole: (device, notification) => relay.whole(device, notification),
      forward: (device, notification) => {
        this.#forwarding.add(device, notification);
        this.#afterSave.push(() => this.#forwarding.run(device));
      },
      unqueued: (device, id, outcome) =>
        this.#afterSave.push(() => this.#waiting.finishProbes(device.eid, id, outcome)),
    });
    this.#esipa = new Esipa({
      state: this.#state,
      intake,
      relay,
      outbox: this.#outbox,
      clock,
      accept,
      probed: (eid) => this.#waiting.probed(eid),
      commit: (device, acknowledged) => this.#commit(device, acknowledged),
      observe,
    });
    for (const device of this.#state.devices) this.#forwarding.run(device);
  }

  get eimId(): string {
    return this.#options.credentials.eimId;
  }

  /** Set by a link that can push messages to devices. Setting it sends what has been waiting for it. */
  set onInjection(callback: ((eid: string, message: Uint8Array) => void) | undefined) {
    this.#onInjection = callback;
    if (callback) for (const device of this.#state.devices) this.#unasked(() => this.#pump(device));
  }

  get onInjection(): ((eid: string, message: Uint8Array) => void) | undefined {
    return this.#onInjection;
  }

  /** For a link: what it was to push has not arrived, or may not have. The next poll brings it. */
  undelivered(eid: string, message: Uint8Array): void {
    const head = this.#state.device(eid)?.tasks.at(0);
    if (head?.mode !== 'injection' || head.sentAt === undefined || !head.request) return;
    if (sameBytes(transfer(head.request), message)) head.mode = 'retrieval';
  }

  // ---------------------------------------------------------------------------------------------- messages

  /**
   * Takes one ESipa message and gives the one to send back, if any. Bytes from outside never make it throw; a store that
   * cannot save does, and then nothing was acknowledged.
   */
  handle(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    this.#state.retry();
    return this.#esipa.handle(message, context);
  }

  // ----------------------------------------------------------------------------------------------- devices

  /** Lists a device, so that it may poll. @throws EimError 'argument' */
  addDevice(eid: string): void {
    this.#device(eid);
    this.#state.save();
  }

  #device(eid: string): Device {
    eidBytes(eid);
    return this.#state.device(eid) ?? this.#state.add(eid);
  }

  #known(eid: string): Device {
    const device = this.#state.device(eid);
    if (!device) throw new EimError('unknownDevice', `this eIM knows no device ${eid}`);
    return device;
  }

  devices(): DeviceView[] {
    return this.#state.devices.map(viewOf);
  }

  /** An association token that was handed over out of band. @throws EimError 'argument' */
  setToken(eid: string, associationToken: number | undefined): void {
    this.#device(eid).associationToken = associationToken;
    this.#state.save();
  }

  /** The counter of the last package, for example after a loss of state. @throws EimError 'argument' */
  setCounter(eid: string, counterValue: number): void {
    if (!Number.isInteger(counterValue) || counterValue < 0 || counterValue > lastCounter) {
      throw new EimError('argument', `a counter value is 0 to ${lastCounter}, not ${counterValue}`);
    }
    this.#device(eid).counterValue = counterValue;
    this.#state.save();
  }

  // ------------------------------------------------------------------------------------------------ orders

  /**
   * Puts an order behind the others of this device. The promise never rejects for what the device does.
   * @param eid 32 digits
   * @throws EimError 'argument' (as a rejection) for an order that cannot be sent
   */
  async queue(eid: string, order: Order, options: QueueOptions = {}): Promise<Outcome> {
    const { mode = 'retrieval', timeoutMilliseconds } = options;
    const checked = checkOrder(order);
    const device = this.#device(eid);
    const task: Task = { id: this.#state.nextTask(), kind: 'order', order: checked, mode };
    device.tasks.push(task);
    device.onboardAfter = undefined;
    try {
      this.#state.save();
    } catch (error) {
      device.tasks.pop();
      throw error;
    }
    this.#observe('queued', eid, { operations: operationsOf(order), mode });
    const outcome = this.#waiting.task(task.id, () => this.#expire(device, task), timeoutMilliseconds);
    this.#unasked(() => this.#pump(device));
    return outcome;
  }

  /** @returns false where that could not be saved: the order stands then */
  #expire(device: Device, task: Task): boolean {
    const sent = task.sentAt !== undefined;
    const { tasks } = device;
    if (!sent) {
      device.tasks = tasks.filter((other) => other !== task);
      if (!this.#save()) {
        device.tasks = tasks;
        return false;
      }
    }
    this.#waiting.finishTask(task.id, { outcome: 'timeout', ok: false, sent });
    return true;
  }

  #settle(device: Device, task: Task, outcome: Outcome): void {
    device.tasks = device.tasks.filter((other) => other !== task);
    this.#afterSave.push(() => this.#waiting.finishTask(task.id, outcome));
  }

  /** Makes durable what a message changed; only then anyone hears of it. */
  #commit(device: Device, acknowledged: readonly number[]): void {
    this.#state.save();
    for (const act of this.#afterSave.splice(0)) act();
    if (acknowledged.length > 0) this.#observe('acknowledged', device.eid, { seqNumbers: acknowledged });
    // After the answer that the caller is about to send.
    queueMicrotask(() => this.#unasked(() => this.#pump(device)));
  }

  #save(): boolean {
    return this.#unasked(() => this.#state.save());
  }

  /** What nobody waits for: a state that cannot be saved is told, and saved with the next message. */
  #unasked(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (!(error instanceof EimError && error.code === 'store')) throw error;
      this.#observe('unsaved', undefined, { why: error.message });
      return false;
    }
  }

  // ----------------------------------------------------------------------------------------------- sending

  /** Pushes the next task if it is one to be injected. */
  #pump(device: Device): void {
    const head = device.tasks.at(0);
    if (!this.#onInjection || head?.mode !== 'injection' || head.sentAt !== undefined) return;
    const task = this.#outbox.due(device);
    if (task) this.#onInjection(device.eid, transfer(this.#outbox.send(device, task, 'injection')));
  }

  /**
   * EimConfigurationData for AddInitialEim or addEim, whole DER (30 …). The counter in it is that of the last package
   * for `eid`, so that the next one is greater. It lists that device, and will ask it for its token (again).
   */
  eimConfiguration(options: ConfigurationOptions & { eid?: string }): Uint8Array {
    const device = options.eid === undefined ? undefined : this.#device(options.eid);
    if (device) {
      device.onboarded = false;
      this.#state.save();
    }
    const counterValue = options.counterValue ?? device?.counterValue ?? 0;
    return eimConfiguration(this.#options.credentials, { ...options, counterValue });
  }

  // ------------------------------------------------------------------------------------ to show what is refused

  /** The last package made for this device, whole BF51. @throws EimError 'unknownDevice' when there is none */
  lastPackage(eid: string): Uint8Array {
    const { lastPackage } = this.#known(eid);
    if (!lastPackage) throw new EimError('unknownDevice', `no package has been made for ${eid} yet`);
    return lastPackage;
  }

  /** A package signed with a key that is not this eIM's, whole BF51. No counter is used up. */
  forge(eid: string, order: PackageOrder): Uint8Array {
    return this.#outbox.forge(this.#known(eid), order);
  }

  /** A package with a good signature and a counter that was used before, whole BF51. */
  stale(eid: string, order: PackageOrder): Uint8Array {
    return this.#outbox.stale(this.#known(eid), order);
  }

  /**
   * Pushes a BF51 or BF52 that is in no queue, and waits for what the device says to it. Where no link can push, polls are
   * answered with it until the device has said something. An IPA may well drop a package that it has seen before, and then
   * nothing comes.
   */
  async probe(eid: string, request: Uint8Array, timeoutMilliseconds = 60_000): Promise<Outcome> {
    const device = this.#known(eid);
    const push = this.#onInjection;
    const id = attempt(() => decode(EuiccPackageRequest, request))?.euiccPackageSigned.value.eimTransactionId;
    const outcome = this.#waiting.probe(eid, id, timeoutMilliseconds, push ? undefined : request);
    push?.(device.eid, transfer(request));
    return outcome;
  }

  /** Ends all timers. What waits stays in the store. */
  close(): void {
    this.#waiting.close();
    this.#forwarding.close();
    this.#onInjection = undefined;
  }

  #observe(what: EimHappening, eid: string | undefined, detail: Record<string, unknown>): void {
    this.#options.observe?.({ event: 'eim', what, eid, detail });
  }
}
