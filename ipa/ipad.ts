import {
  isRegistered,
  type Modem,
  type ModemNotice,
  type Observer,
  type Platform,
  type TimerHandle,
  XsIpaError,
} from '../hal/contracts/index.js';
import { IpaError } from './error.js';
import type { EimConfiguration } from './es10/index.js';
import { type EsipaLink, LinkError } from './esipa/index.js';
import type { IpaEvent, IpaState } from './events.js';
import {
  associate,
  bringUp,
  carryOut,
  DeviceWork,
  deliverNotifications,
  deliverResults,
  type EimSession,
  IpaContext,
  type IpaSettings,
  inject,
  isSettled,
  type Operation,
  poll,
  refreshSessions,
  type SmdpConnection,
  serveDownload,
  withDefaults,
} from './procedures/index.js';
import { equal } from './tlv/index.js';

export interface IpadOptions {
  modem: Modem;
  platform: Platform;
  /** The way to an associated eIM; undefined when this device has none that fits its configuration. */
  createLink: (eim: EimConfiguration, eid: Uint8Array) => EsipaLink | undefined;
  /** The way to an SM-DP+ or SM-DS at this address, `new SmdpServer(address, http, isSmds)`; without it downloads go through the eIM. */
  connectSmdp?: (address: string, isSmds?: boolean) => SmdpConnection;
  /** EimConfigurationData (`30 …`) to associate when the eUICC has no eIM. */
  initialEim?: Uint8Array;
  settings?: Partial<IpaSettings>;
  /** Bytes of a STORE DATA block, 1…255. */
  blockSize?: number;
  observe?: Observer<IpaEvent>;
}

// Where a turn stands: everything that is due is done in this order, then the IPA sleeps.
const NETWORK = 0;
const POLLS = 1;
const SERVE = 2;
const NOTIFY = 3;
const ASSOCIATE = 4;
const REST = 5;
/** After so many failures in a row an eIM holds up no change of the configuration. */
const TRIES = 3;

// Where serving an eIM stands.
const INJECTIONS = 0;
const RESULTS = 1;
const PACKAGES = 2;

/**
 * The IoT Profile Assistant in the device: brings the eUICC up, associates it, polls its eIMs, takes injected packages,
 * delivers what is due, and starts over after a failure. One run() at a time; everything it reports goes to `observe`.
 *
 * A procedure at a time is under way, begun by #next(), which is also where it ends. While there is none, nothing is held
 * but this object: no function waits, no buffer stays.
 */
export class Ipad {
  readonly #options: IpadOptions;
  readonly #context: IpaContext;
  readonly #work: DeviceWork;
  #initialEim: Uint8Array | undefined;
  #running = false;
  /** run() has not ended; after stop() that takes a while. */
  #active = false;
  #resolve: (() => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  /** A programming error, which ends run(). */
  #bug: { error: unknown } | undefined;
  #ready = false;
  #stage = NETWORK;
  /** Index of the eIM that is served, where that stands, and how many packages it has given. */
  #served = 0;
  #serving = INJECTIONS;
  #rounds = 0;
  /** Whose procedure is under way; undefined where it is nobody's. */
  #session: EimSession | undefined;
  /** Wakes from the sleep between two turns. */
  #timer: TimerHandle | undefined;
  #asleep = false;
  /** Something happened while nobody slept: the next sleep is short. */
  #signalled = false;
  /** Clock ticks of the next poll of every eIM. */
  #nextPoll = Number.NEGATIVE_INFINITY;
  /** Failures of the device in a row. */
  #failures = 0;

  constructor(options: IpadOptions) {
    const settings = withDefaults(options.settings);
    this.#options = options;
    this.#initialEim = options.initialEim;
    this.#context = new IpaContext(
      options.modem,
      options.platform,
      settings,
      options.observe,
      options.blockSize,
    );
    this.#context.connectSmdp = options.connectSmdp;
    this.#work = new DeviceWork(this.#context);
    options.modem.onNotice = (notice) => this.notice(notice);
  }

  get state(): IpaState {
    return this.#context.state;
  }

  /** 16 bytes; empty until the eUICC was read. */
  get eid(): Uint8Array {
    return this.#context.eid;
  }

  /** Asks for a poll of every eIM as soon as possible. */
  poll(): void {
    this.#nextPoll = Number.NEGATIVE_INFINITY;
    this.retryNow();
  }

  /** Provides an EimConfigurationData (`30 …`); it is used when the eUICC has no eIM. */
  associate(initialEim: Uint8Array): void {
    this.#initialEim = initialEim;
    this.signal();
  }

  /**
   * Does something that the device's program wants of the eUICC, between two procedures: what is in procedures/local.ts.
   * @returns what the operation gives
   * @throws what it throws; IpaError `stopped` when run() ends before
   */
  perform<T>(operation: Operation<T>): Promise<T> {
    const result = this.#work.add(operation);
    this.signal();
    return result;
  }

  /**
   * Runs until stop(). Rejects only on a programming error, such as a second call before the first has ended.
   */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#active)
        throw new Error('Ipad.run() was called while it runs; call stop() and await the first run() before');
      this.#active = this.#running = true;
      this.#context.stopping = false;
      this.#resolve = resolve;
      this.#reject = reject;
      this.wake();
    });
  }

  /** Ends run() at the next step: links are closed, the channel to the card is given back, the modem is closed. */
  stop(): void {
    this.#running = false;
    this.#context.stopping = true;
    for (const { link } of this.#context.sessions) link.close();
    this.signal();
  }

  // Steps and sleep -------------------------------------------------------------------------------------------------

  /** Begins the next procedure that is due, or sleeps until one is. */
  private next(): void {
    this.#asleep = false;
    if (!this.#running) {
      this.end().then(() => this.ended(), this.#reject);
      return;
    }
    try {
      const step = this.due();
      if (step) step.then(this.#went, (error) => this.failed(error));
      else this.sleep(this.pause());
    } catch (error) {
      this.failed(error);
    }
  }

  /** Kept, so that sleeping costs no further function. */
  readonly #went = (): void => this.next();

  private failed(error: unknown): void {
    const session = this.#session;
    this.#session = undefined;
    let pause = 0;
    if (!this.#running) {
      // Whatever it was, it is over.
    } else if (!(error instanceof XsIpaError)) {
      this.#bug = { error };
      this.#running = false;
    } else if (session && error instanceof LinkError) {
      // One that fails does not hold up the others.
      const pause = this.backOff('link', error, session.failures++, error.retryAfter);
      session.retryAt = this.#options.platform.time.ticks + pause;
      session.fetched = undefined;
      if (this.#stage === SERVE) this.serveNext();
    } else {
      // Without a network there is nothing to start over; everything else may have left modem or card in any state.
      if (!(error instanceof IpaError && error.code === 'notRegistered')) this.#ready = false;
      pause = this.backOff('device', error, this.#failures++);
      this.#stage = NETWORK;
    }
    // What was due already and has just failed waits like everything else.
    if (pause > 0) this.sleep(Math.min(pause, this.untilWork() || pause));
    else this.next();
  }

  private sleep(milliseconds: number): void {
    this.#context.release();
    this.#asleep = true;
    if (this.#signalled) this.wake();
    else this.#timer = this.#options.platform.timer.set(this.#went, milliseconds);
  }

  private signal(): void {
    this.#signalled = true;
    if (this.#asleep) this.wake();
  }

  /** On an empty stack. */
  private wake(): void {
    this.#signalled = this.#asleep = false;
    this.#options.platform.timer.clear(this.#timer);
    this.#timer = undefined;
    void Promise.resolve().then(this.#went);
  }

  private async end(): Promise<void> {
    const context = this.#context;
    this.#ready = false;
    this.#work.cancel(new IpaError('stopped', 'the IPA was stopped'));
    for (const { link } of context.sessions) link.close();
    context.sessions = [];
    try {
      await context.modem.uicc.close();
    } finally {
      context.modem.close();
      context.release();
      this.#active = false;
      this.#stage = NETWORK;
      this.#session = undefined;
      context.enter('stopped');
    }
  }

  private ended(): void {
    const bug = this.#bug;
    this.#bug = undefined;
    if (bug) this.#reject?.(bug.error);
    else this.#resolve?.();
  }

  // What is due -----------------------------------------------------------------------------------------------------

  /** @returns the procedure that is under way now; undefined when everything is done that was due */
  private due(): Promise<unknown> | undefined {
    const context = this.#context;
    const { sessions } = context;
    if (!this.#ready) return this.start();
    const work = this.#work.next();
    if (work) return work;
    if (this.#stage === NETWORK) {
      this.#stage = POLLS;
      if (sessions.length > 0 && !context.hasNetwork) return this.findNetwork();
    }
    if (this.#stage === POLLS) {
      this.markPolls();
      this.#served = -1;
      this.serveNext();
      this.#stage = SERVE;
    }
    if (this.#stage === SERVE) {
      for (; this.#served < sessions.length; this.serveNext()) {
        const step = this.serve(sessions[this.#served]);
        if (step) return step;
      }
      this.#stage = NOTIFY;
    }
    if (this.#stage === NOTIFY) {
      this.#stage = ASSOCIATE;
      const session = this.notifier();
      if (session) return deliverNotifications(context, this.begin(session));
    }
    if (this.#stage === ASSOCIATE) {
      this.#stage = REST;
      this.succeeded();
      // An eIM that has just been removed should get its result first. One that cannot be reached holds up nobody: another
      // address for it may be what has come.
      const isReady = sessions.every((session) => isSettled(session) || session.failures > TRIES);
      if (context.eimsChanged && isReady) return this.associateAnew();
    }
    this.rest();
    return undefined;
  }

  private async start(): Promise<void> {
    const context = this.#context;
    const before = context.eid;
    this.#stage = NETWORK;
    await bringUp(context);
    // Another card, or an EID that was misread: links and what is known of eIMs belong to the EID.
    if (!equal(before, context.eid)) this.refreshSessions([]);
    context.eidDoubted = false;
    this.refreshSessions(context.kind === 'iot' ? await associate(context, this.#initialEim) : []);
    for (const session of context.sessions) session.resultsPending = true;
    context.notificationsPending = context.plmnStale = true;
    context.eimsChanged = false;
    this.#nextPoll = Number.NEGATIVE_INFINITY;
    if (context.sessions.length > 0) {
      context.enter('connecting');
      const { networkThroughModem, registrationDeadline } = context.settings;
      if (!networkThroughModem || (await context.waitRegistered(registrationDeadline))) this.resumeLinks();
    }
    this.#ready = true;
  }

  private async findNetwork(): Promise<void> {
    if (await this.#context.modem.waitRegistered(0)) return;
    throw new IpaError('notRegistered', 'the modem is not registered; results stay on the eUICC until it is');
  }

  private markPolls(): void {
    const { sessions, settings } = this.#context;
    const { time, random } = this.#options.platform;
    if (time.ticks < this.#nextPoll) return;
    // Jitter: a fleet switched on together must not poll together for ever.
    this.#nextPoll = time.ticks + settings.pollInterval * (0.9 + random() / 5);
    for (const session of sessions) {
      session.pollDue = true;
      session.resultsPending ||= session.resultsRefused;
    }
  }

  /** Injected messages, stored results, and a poll when it is time. */
  private serve(session: EimSession): Promise<unknown> | undefined {
    if (this.#session !== session && !this.mayTry(session)) return undefined;
    const context = this.#context;
    this.begin(session);
    while (this.#serving === INJECTIONS) {
      const message = session.link.takeInjection();
      if (message) {
        const step = inject(context, session, message);
        if (step) return step;
      } else {
        this.offerAgain(session);
        this.#serving = RESULTS;
      }
    }
    if (this.#serving === RESULTS) {
      this.#serving = PACKAGES;
      if (session.resultsPending && session.awaiting.length === 0) return deliverResults(context, session);
    }
    const { downloads, settings } = context;
    const { fetched } = session;
    session.fetched = undefined;
    if (fetched) {
      const step = carryOut(context, session, fetched);
      if (step) return step;
    }
    if (downloads.record?.eimId === session.configuration.eimId) {
      this.#rounds = 0;
      return serveDownload(context, session);
    }
    // While a download is under way, an eIM that has given something is not asked for more: it would offer it again.
    const busy = this.#rounds > 0 && downloads.record !== undefined;
    if (session.pollDue && !busy && this.#rounds++ < settings.pollRounds) return poll(context, session);
    session.pollDue = false;
    this.succeeded();
    return undefined;
  }

  private serveNext(): void {
    this.#served++;
    this.#serving = INJECTIONS;
    this.#rounds = 0;
  }

  private begin(session: EimSession): EimSession {
    this.#session = session;
    return session;
  }

  /** What was begun for an eIM has ended well. */
  private succeeded(): void {
    if (this.#session) this.#session.failures = 0;
    this.#session = undefined;
  }

  /** Where the acknowledgement of an injected package did not come, the result is offered once more, as BF50. */
  private offerAgain(session: EimSession): void {
    const context = this.#context;
    const late = this.#options.platform.time.ticks - context.settings.acknowledgementDeadline;
    if (!session.awaiting.some(({ sentAt }) => sentAt <= late)) return;
    session.awaiting = [];
    session.resultsPending = context.notificationsPending = true;
  }

  /** Whoever gets the notifications: any eIM can pass them on. */
  private notifier(): EimSession | undefined {
    const { sessions, notificationsPending } = this.#context;
    if (!notificationsPending || sessions.some(({ awaiting }) => awaiting.length > 0)) return undefined;
    return sessions.find((session) => this.mayTry(session));
  }

  private async associateAnew(): Promise<void> {
    const context = this.#context;
    const eims = await associate(context, undefined);
    context.eimsChanged = this.refreshSessions(eims, true);
    this.resumeLinks();
    if (context.sessions.some((session) => session.pollDue && this.mayTry(session))) this.signal();
  }

  /** The turn is over. */
  private rest(): void {
    const context = this.#context;
    const { sessions } = context;
    this.#failures = 0;
    this.#stage = NETWORK;
    context.release();
    // Without an eIM the next look starts over: somebody else may have associated one.
    const isLocal = context.kind === 'consumer';
    this.#ready = (sessions.length > 0 || isLocal) && !context.eidDoubted;
    const failing = sessions.some(({ failures }) => failures > 0);
    const calm = isLocal ? 'local' : 'unassociated';
    context.enter(failing ? 'recovering' : sessions.length > 0 ? 'idle' : calm);
  }

  private refreshSessions(eims: readonly EimConfiguration[], keepsUnsettled = false): boolean {
    return refreshSessions(this.#context, eims, keepsUnsettled, (configuration) => {
      const link = this.#options.createLink(configuration, this.#context.eid);
      if (link) link.onInjection = () => this.signal();
      return link;
    });
  }

  private resumeLinks(): void {
    for (const { link } of this.#context.sessions) link.resume();
  }

  private mayTry({ retryAt }: EimSession): boolean {
    return this.#options.platform.time.ticks >= retryAt;
  }

  /** Milliseconds until a poll is due, an acknowledgement is late, or an eIM that failed may be tried again. */
  private pause(): number {
    const { ticks } = this.#options.platform.time;
    const { sessions, settings } = this.#context;
    let next = this.#nextPoll;
    for (const { retryAt, failures, awaiting } of sessions) {
      if (failures > 0) next = Math.min(next, retryAt);
      for (const { sentAt } of awaiting) {
        const late = sentAt + settings.acknowledgementDeadline;
        next = Math.min(next, failures > 0 ? Math.max(late, retryAt) : late);
      }
    }
    return Math.min(Math.max(0, Math.ceil(next - ticks)), this.untilWork());
  }

  /** The sleep ends when the device's own work is due, at the latest. */
  private shorten(): void {
    const work = this.untilWork();
    if (work === Number.POSITIVE_INFINITY) return;
    this.#options.platform.timer.clear(this.#timer);
    this.#timer = this.#options.platform.timer.set(this.#went, Math.min(work, this.pause()));
  }

  /** Milliseconds until the device's own work is due. */
  private untilWork(): number {
    return Math.max(0, Math.ceil(this.#work.look() - this.#options.platform.time.ticks));
  }

  private backOff(where: string, error: XsIpaError, failures: number, least = 0): number {
    const { backOff, backOffLimit } = this.#context.settings;
    const longest = Math.min(backOffLimit, backOff * 2 ** Math.min(failures, 20));
    const pause = Math.max(least, Math.ceil(longest * (0.5 + this.#options.platform.random() / 2)));
    this.#context.enter('recovering');
    this.#context.fail(where, error, pause);
    return pause;
  }

  private retryNow(): void {
    for (const session of this.#context.sessions) session.retryAt = 0;
    this.signal();
  }

  private notice(notice: ModemNotice): void {
    const context = this.#context;
    if (notice.notice !== 'registration' || !context.settings.networkThroughModem) return;
    const registered = isRegistered(notice.stat);
    if (registered) context.plmnStale = true;
    // How long there may be none is the device's own policy, and some of its work waits for one.
    if (this.#asleep) this.shorten();
    // While a profile change is followed, that procedure decides when the links go on.
    if (context.state === 'switching') return;
    for (const { link } of context.sessions) {
      if (registered) link.resume();
      else link.suspend();
    }
    if (registered && context.state === 'recovering') this.retryNow();
  }
}
