import {
  decode,
  EuiccPackageRequest,
  GetEimPackageRequest,
  GetEimPackageResponse,
  HandleNotification,
  ProvideEimPackageResult,
  ProvideEimPackageResultResponse,
  readElement,
  TransferEimPackageResponse,
  writeElement,
} from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { EimHappening, SimEvent } from '../events.js';
import type { EimCredentials } from '../pki/index.js';
import type { Store } from '../store.js';
import { type ConfigurationOptions, eimConfiguration } from './configuration.js';
import { EimError } from './error.js';
import { Intake, same } from './intake.js';
import { acknowledgement, attempt, transactionOf, transfer } from './messages.js';
import { checkOrder, eidBytes, eidDigits, type Order, operationsOf, type PackageOrder } from './orders.js';
import { Outbox } from './outbox.js';
import type { Outcome } from './outcome.js';
import { type Device, EimState, type Mode, type Task } from './state.js';
import { Waiting } from './waiting.js';

export interface EimOptions {
  credentials: EimCredentials;
  /** Trust anchors for the eUICCs, whole X.509 DER. */
  ciCertificates: readonly Uint8Array[];
  store: Store;
  clock: Clock;
  /** 0 ≤ x < 1; transaction identifiers come from it. */
  random: () => number;
  observe?: (event: SimEvent) => void;
  /** Who may poll: 'any' (default), or only devices named by {@link Eim.addDevice} or {@link Eim.queue}. */
  accept?: 'any' | 'listed';
  /** After this time a poll is answered with a package that was injected and not answered; milliseconds, default 60 s. */
  resendAfter?: number;
}

export interface QueueOptions {
  /** 'retrieval' (default): the device fetches it with a poll. 'injection': it is pushed as soon as its turn comes. */
  mode?: Mode;
  /** Without it the order waits for ever. */
  timeoutMilliseconds?: number;
}

/** How a message came. */
export interface MessageContext {
  /** 32 digits, if the link knows who is speaking: over MQTT the topic says it. */
  eid?: string;
  /** 'mqtt', 'https', … */
  link: string;
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

const eidNotFound = 2;
const invalidEid = 3;
const missingEid = 4;
const undefinedError = 127;
/** The eUICC need not support more (SGP.32 §5.9.4). */
const lastCounter = 0x7fffff;

/**
 * An eIM (SGP.32 §2.1) behind any number of links: one queue per device, one outstanding package per eUICC, counters that
 * are durable before they are used, results that are acknowledged only when they are verified and durable.
 */
export class Eim {
  readonly #options: EimOptions;
  readonly #state: EimState;
  readonly #intake: Intake;
  readonly #outbox: Outbox;
  /** What happens once the state is durable. */
  readonly #afterSave: (() => void)[] = [];
  readonly #waiting: Waiting;
  #onInjection: ((eid: string, message: Uint8Array) => void) | undefined;

  /** @throws EimError 'state' when the stored state cannot be read */
  constructor(options: EimOptions) {
    this.#options = options;
    this.#state = new EimState(options.store);
    const { credentials, ciCertificates, clock, random, resendAfter = 60_000 } = options;
    this.#waiting = new Waiting(clock);
    this.#outbox = new Outbox({
      credentials,
      state: this.#state,
      clock,
      random,
      resendAfter,
      report: (device, detail) => this.#observe('sent', device.eid, detail),
    });
    this.#intake = new Intake({
      eimId: credentials.eimId,
      ciCertificates,
      clock,
      nextTask: () => this.#state.nextTask(),
      report: (device, what, detail) => this.#afterSave.push(() => this.#observe(what, device.eid, detail)),
      settle: (device, task, outcome) => this.#settle(device, task, outcome),
      unqueued: (device, id, outcome) =>
        this.#afterSave.push(() => this.#waiting.finishProbes(device.eid, id, outcome)),
    });
  }

  get eimId(): string {
    return this.#options.credentials.eimId;
  }

  /** Set by a link that can push messages to devices. Setting it sends what has been waiting for it. */
  set onInjection(callback: ((eid: string, message: Uint8Array) => void) | undefined) {
    this.#onInjection = callback;
    if (callback) for (const device of this.#state.devices) this.#pump(device);
  }

  get onInjection(): ((eid: string, message: Uint8Array) => void) | undefined {
    return this.#onInjection;
  }

  // ---------------------------------------------------------------------------------------------- messages

  /**
   * Takes one ESipa message and gives the one to send back, if any. Bytes from outside never make it throw; a store that
   * cannot save does, and then nothing was acknowledged.
   */
  handle(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    this.#state.retry();
    const tag = message.length > 1 ? (message[0] << 8) | message[1] : 0;
    switch (tag) {
      case GetEimPackageRequest.tag:
        return this.#poll(message, context);
      case ProvideEimPackageResult.tag:
        return this.#provide(message, context);
      case HandleNotification.tag:
        return this.#notification(message, context);
      case TransferEimPackageResponse.tag:
        return this.#transferred(message, context);
      default:
        this.#observe('rejected', context.eid, {
          why: 'not a message that this eIM takes',
          bytes: message.length,
        });
        return undefined;
    }
  }

  #poll(message: Uint8Array, context: MessageContext): Uint8Array {
    const refuse = (eimPackageError: number, why: string) => {
      this.#observe('rejected', context.eid, { why, eimPackageError });
      return GetEimPackageResponse.write({ eimPackageError });
    };
    const request = attempt(() => decode(GetEimPackageRequest, message));
    let claimed = request?.eidValue;
    if (!request) {
      const children = attempt(() => readElement(message))?.children;
      const field = children?.find((child) => child.tag === 0x5a);
      if (!children || field?.content.length === 16) return refuse(undefinedError, 'the poll cannot be read');
      if (field) return refuse(invalidEid, 'the EID of the poll has not 16 bytes');
      claimed = undefined;
    }
    const device = this.#identify(context, claimed);
    if (typeof device === 'number') return refuse(device, whyNot(device));
    device.lastPoll = this.#options.clock.now;
    this.#observe(
      'poll',
      device.eid,
      request ? (GetEimPackageRequest.show(request) as Record<string, unknown>) : {},
    );
    const task = this.#outbox.due(device);
    if (!task) return GetEimPackageResponse.write({ eimPackageError: 1 });
    return writeElement(GetEimPackageResponse.tag, this.#outbox.send(device, task, 'retrieval'));
  }

  #provide(message: Uint8Array, context: MessageContext): Uint8Array {
    const refuse = (provideEimPackageResultError: number, why: string) => {
      this.#observe('rejected', context.eid, { why, provideEimPackageResultError });
      return ProvideEimPackageResultResponse.write({ provideEimPackageResultError });
    };
    const provided = attempt(() => decode(ProvideEimPackageResult, message));
    if (!provided) return refuse(undefinedError, 'the result cannot be read');
    const device = this.#sender(context, provided);
    if (typeof device === 'number') return refuse(device, whyNot(device));
    const acknowledged = this.#intake.take(device, provided.eimPackageResult);
    this.#commit(device, acknowledged);
    return ProvideEimPackageResultResponse.write(
      acknowledged.length > 0 ? { eimAcknowledgements: acknowledged } : { emptyResponse: {} },
    );
  }

  /** HandleNotification has no answer; over MQTT an injected EimAcknowledgements stands for it (docs/mqtt-binding.md). */
  #notification(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    const answer = (seqNumbers: number[]) =>
      context.link === 'mqtt' ? acknowledgement(seqNumbers) : undefined;
    const handled = attempt(() => decode(HandleNotification, message));
    if (!handled) {
      this.#observe('rejected', context.eid, { why: 'the notification cannot be read' });
      return answer([]);
    }
    const result = handled.provideEimPackageResult;
    const device = result ? this.#sender(context, result) : this.#identify(context, undefined);
    if (typeof device === 'number') {
      this.#observe('rejected', context.eid, { why: whyNot(device) });
      return undefined;
    }
    const acknowledged = handled.provideEimPackageResult
      ? this.#intake.take(device, handled.provideEimPackageResult.eimPackageResult)
      : this.#intake.notification(device, handled.pendingNotification);
    this.#commit(device, acknowledged);
    return answer(acknowledged);
  }

  #transferred(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    const answer = attempt(() => decode(TransferEimPackageResponse, message));
    const device = answer ? this.#identify(context, undefined) : undefinedError;
    if (!answer || typeof device === 'number') {
      const why = answer ? whyNot(device as number) : 'the answer cannot be read';
      this.#observe('rejected', context.eid, { why });
      return undefined;
    }
    if (answer.eimPackageReceived) return undefined;
    let acknowledged: number[] = [];
    if (answer.eimPackageError !== undefined) this.#intake.ipaError(device, answer.eimPackageError);
    else acknowledged = this.#intake.take(device, answer);
    this.#commit(device, acknowledged);
    return acknowledged.length > 0 ? acknowledgement(acknowledged) : undefined;
  }

  // ----------------------------------------------------------------------------------------------- devices

  /** The device that speaks, or the error code for one that may not. */
  #identify(context: MessageContext, claimed: Uint8Array | undefined): Device | number {
    const digits = claimed && eidDigits(claimed);
    if (claimed && !digits) return invalidEid;
    const eid = digits ?? context.eid;
    if (eid === undefined) return missingEid;
    if (!/^\d{32}$/.test(eid) || (context.eid !== undefined && context.eid !== eid)) return invalidEid;
    const device = this.#state.device(eid);
    if (device) return device;
    return this.#options.accept === 'listed' ? eidNotFound : this.#state.add(eid);
  }

  /** As {@link #identify}; some IPAs leave the EID out, then the transaction tells who it is. */
  #sender(context: MessageContext, provided: ProvideEimPackageResult): Device | number {
    if (provided.eidValue || context.eid !== undefined) return this.#identify(context, provided.eidValue);
    const id = transactionOf(provided);
    const owner = (device: Device) => device.tasks.some((task) => same(task.eimTransactionId, id));
    return this.#state.devices.find(owner) ?? missingEid;
  }

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
    return this.#state.devices.map((device) => ({
      eid: device.eid,
      onboarded: device.onboarded,
      counterValue: device.counterValue,
      associationToken: device.associationToken,
      waiting: device.tasks.filter(({ sentAt }) => sentAt === undefined).length,
      outstanding: device.tasks.some(({ sentAt }) => sentAt !== undefined),
      results: device.results.length,
      notifications: device.notifications.length,
      lastPoll: device.lastPoll,
    }));
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
    this.#pump(device);
    return outcome;
  }

  #expire(device: Device, task: Task): void {
    const sent = task.sentAt !== undefined;
    if (!sent) {
      device.tasks = device.tasks.filter((other) => other !== task);
      this.#state.save();
    }
    this.#waiting.finishTask(task.id, { outcome: 'timeout', ok: false, sent });
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
    queueMicrotask(() => this.#pump(device));
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
   * Pushes a BF51 or BF52 that is in no queue, and waits for what the device says to it. An IPA may well drop a package
   * that it has seen before, and then nothing comes.
   * @throws EimError 'argument' without a link that can push
   */
  async probe(eid: string, request: Uint8Array, timeoutMilliseconds = 60_000): Promise<Outcome> {
    const device = this.#known(eid);
    const push = this.#onInjection;
    if (!push) throw new EimError('argument', 'no link is there that could push a message to the device');
    const id = attempt(() => decode(EuiccPackageRequest, request))?.euiccPackageSigned.value.eimTransactionId;
    const outcome = this.#waiting.probe(eid, id, timeoutMilliseconds);
    push(device.eid, transfer(request));
    return outcome;
  }

  /** Ends all timers. What waits stays in the store. */
  close(): void {
    this.#waiting.close();
    this.#onInjection = undefined;
  }

  #observe(what: EimHappening, eid: string | undefined, detail: Record<string, unknown>): void {
    this.#options.observe?.({ event: 'eim', what, eid, detail });
  }
}

function whyNot(code: number): string {
  if (code === eidNotFound) return 'the device is not listed';
  if (code === missingEid) return 'the message does not say who sent it';
  return 'the EID is none, or not the one of the link';
}
