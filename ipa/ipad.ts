import {
  isRegistered,
  type Modem,
  type ModemNotice,
  type Observer,
  type Platform,
  XsIpaError,
} from '../hal/contracts/index.js';
import { Alarm } from './alarm.js';
import { IpaError } from './error.js';
import type { EimConfiguration } from './es10/index.js';
import { type EsipaLink, LinkError } from './esipa/index.js';
import type { IpaEvent, IpaState } from './events.js';
import {
  associate,
  bringUp,
  defaultSettings,
  deliverNotifications,
  deliverResults,
  type EimSession,
  IpaContext,
  type IpaSettings,
  inject,
  isSettled,
  poll,
  refreshSessions,
  StateChanges,
  serveDownload,
} from './procedures/index.js';
import { equal } from './tlv/index.js';

export interface IpadOptions {
  modem: Modem;
  platform: Platform;
  /** The way to an associated eIM; undefined when this device has none that fits its configuration. */
  createLink: (eim: EimConfiguration, eid: Uint8Array) => EsipaLink | undefined;
  /** EimConfigurationData (`30 …`) to associate when the eUICC has no eIM. */
  initialEim?: Uint8Array;
  settings?: Partial<IpaSettings>;
  /** Bytes of a STORE DATA block, 1…255. */
  blockSize?: number;
  observe?: Observer<IpaEvent>;
}

/**
 * The IoT Profile Assistant in the device: brings the eUICC up, associates it, polls its eIMs, takes injected packages,
 * delivers what is due, and starts over after a failure. One run() at a time; everything it reports goes to `observe`.
 */
export class Ipad {
  readonly #options: IpadOptions;
  readonly #context: IpaContext;
  readonly #changes: StateChanges;
  readonly #alarm: Alarm;
  #initialEim: Uint8Array | undefined;
  #running = false;
  /** run() has not ended; after stop() that takes a while. */
  #active = false;
  #ready = false;
  /** Clock ticks of the next poll of every eIM. */
  #nextPoll = Number.NEGATIVE_INFINITY;
  /** Failures of the device in a row. */
  #failures = 0;

  constructor(options: IpadOptions) {
    const settings = { ...defaultSettings(), ...options.settings };
    this.#options = options;
    this.#initialEim = options.initialEim;
    this.#context = new IpaContext(
      options.modem,
      options.platform,
      settings,
      options.observe,
      options.blockSize,
    );
    this.#alarm = new Alarm(options.platform.timer);
    this.#changes = new StateChanges(options.platform.storage);
    options.modem.onNotice = (notice) => this.#notice(notice);
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
    this.#retryNow();
  }

  /** Provides an EimConfigurationData (`30 …`); it is used when the eUICC has no eIM. */
  associate(initialEim: Uint8Array): void {
    this.#initialEim = initialEim;
    this.#alarm.signal();
  }

  /**
   * Runs until stop(). Rejects only on a programming error, such as a second call before the first has ended.
   */
  async run(): Promise<void> {
    if (this.#active)
      throw new Error('Ipad.run() was called while it runs; call stop() and await the first run() before');
    const context = this.#context;
    this.#active = this.#running = true;
    context.stopping = false;
    try {
      while (this.#running) {
        const pause = await this.#turn();
        if (this.#running) await this.#alarm.sleep(pause);
      }
    } finally {
      this.#running = this.#ready = false;
      for (const { link } of context.sessions) link.close();
      context.sessions = [];
      try {
        await context.modem.uicc.close();
      } finally {
        context.modem.close();
        this.#active = false;
        context.enter('stopped');
      }
    }
  }

  /** Ends run() at the next step: links are closed, the channel to the card is given back, the modem is closed. */
  stop(): void {
    this.#running = false;
    this.#context.stopping = true;
    for (const { link } of this.#context.sessions) link.close();
    this.#alarm.signal();
  }

  /** Does everything that is due. @returns milliseconds until there is something to do again */
  async #turn(): Promise<number> {
    const context = this.#context;
    try {
      // Each step begins on an empty stack: a device has few hundred slots of it.
      await undefined;
      if (!this.#ready) await this.#start();
      await this.#work();
      this.#failures = 0;
      if (!this.#running) return 0;
      // Without an eIM the next look starts over: somebody else may have associated one.
      this.#ready = context.sessions.length > 0 && !context.eidDoubted;
      const failing = context.sessions.some(({ failures }) => failures > 0);
      context.enter(failing ? 'recovering' : context.sessions.length > 0 ? 'idle' : 'unassociated');
      return this.#pause();
    } catch (error) {
      if (!this.#running) return 0;
      if (!(error instanceof XsIpaError)) throw error;
      // Without a network there is nothing to start over; everything else may have left modem or card in any state.
      if (!(error instanceof IpaError && error.code === 'notRegistered')) this.#ready = false;
      return this.#backOff('device', error, this.#failures++);
    }
  }

  async #start(): Promise<void> {
    const context = this.#context;
    const before = context.eid;
    await bringUp(context);
    // Another card, or an EID that was misread: links and what is known of eIMs belong to the EID.
    if (!equal(before, context.eid)) this.#refreshSessions([]);
    context.eidDoubted = false;
    this.#refreshSessions(await associate(context, this.#initialEim));
    for (const session of context.sessions) session.resultsPending = true;
    context.notificationsPending = context.plmnStale = true;
    context.eimsChanged = false;
    this.#nextPoll = Number.NEGATIVE_INFINITY;
    if (context.sessions.length > 0) {
      context.enter('connecting');
      const { networkThroughModem, registrationDeadline } = context.settings;
      if (!networkThroughModem || (await context.waitRegistered(registrationDeadline)))
        for (const { link } of context.sessions) link.resume();
    }
    this.#ready = true;
  }

  #refreshSessions(eims: readonly EimConfiguration[]): void {
    refreshSessions(this.#context, eims, (configuration) => {
      const link = this.#options.createLink(configuration, this.#context.eid);
      if (link) link.onInjection = () => this.#alarm.signal();
      return link;
    });
  }

  /** Everything that is due now, for every eIM; one that fails does not hold up the others. */
  async #work(): Promise<void> {
    const context = this.#context;
    const { sessions, settings } = context;
    const { time, random } = this.#options.platform;
    if (sessions.length > 0 && !(await context.hasNetwork())) {
      throw new IpaError(
        'notRegistered',
        'the modem is not registered; results stay on the eUICC until it is',
      );
    }
    if (time.ticks >= this.#nextPoll) {
      // Jitter: a fleet switched on together must not poll together for ever.
      this.#nextPoll = time.ticks + settings.pollInterval * (0.9 + random() / 5);
      for (const session of sessions) {
        session.pollDue = true;
        session.resultsPending ||= session.resultsRefused;
      }
    }
    for (const session of sessions) await this.#attempt(session, () => this.#serve(session));
    if (context.notificationsPending && sessions.every(({ awaiting }) => awaiting.length === 0)) {
      // Any eIM can pass them on.
      const session = sessions.find((one) => this.#mayTry(one));
      if (session) await this.#attempt(session, () => deliverNotifications(context, session));
    }
    // An eIM that has just been removed must get its result first.
    if (context.eimsChanged && this.#running && sessions.every(isSettled)) {
      this.#refreshSessions(await associate(context, undefined));
      context.eimsChanged = false;
      for (const { link } of context.sessions) link.resume();
      if (context.sessions.some(({ pollDue }) => pollDue)) this.#alarm.signal();
    }
  }

  /** Injected messages, stored results, and a poll when it is time. */
  async #serve(session: EimSession): Promise<void> {
    const context = this.#context;
    const { link } = session;
    for (let message = link.takeInjection(); message; message = link.takeInjection())
      await inject(context, this.#changes, session, message);
    const late = this.#options.platform.time.ticks - context.settings.acknowledgementDeadline;
    if (session.awaiting.some(({ sentAt }) => sentAt <= late)) {
      // The acknowledgement of an injected package did not come: offer the result once more, as BF50.
      session.awaiting = [];
      session.resultsPending = context.notificationsPending = true;
    }
    if (session.resultsPending && session.awaiting.length === 0)
      await deliverResults(context, this.#changes, session);
    await serveDownload(context, session);
    while (session.pollDue) {
      await poll(context, this.#changes, session);
      session.pollDue = false;
      await serveDownload(context, session);
    }
  }

  #mayTry({ retryAt }: EimSession): boolean {
    return this.#running && this.#options.platform.time.ticks >= retryAt;
  }

  async #attempt(session: EimSession, step: () => Promise<void>): Promise<void> {
    if (!this.#mayTry(session)) return;
    try {
      // Continues on an empty stack, as before each command to the card: the descent from here is the longest.
      await undefined;
      await step();
      session.failures = 0;
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (!this.#running) return;
      const pause = this.#backOff('link', error, session.failures++);
      session.retryAt = this.#options.platform.time.ticks + pause;
    }
  }

  /** Milliseconds until a poll is due, an acknowledgement is late, or an eIM that failed may be tried again. */
  #pause(): number {
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
    return Math.max(0, Math.ceil(next - ticks));
  }

  #backOff(where: string, error: XsIpaError, failures: number): number {
    const { backOff, backOffLimit } = this.#context.settings;
    const longest = Math.min(backOffLimit, backOff * 2 ** Math.min(failures, 20));
    const pause = Math.ceil(longest * (0.5 + this.#options.platform.random() / 2));
    this.#context.enter('recovering');
    this.#context.fail(where, error, pause);
    return pause;
  }

  #retryNow(): void {
    for (const session of this.#context.sessions) session.retryAt = 0;
    this.#alarm.signal();
  }

  #notice(notice: ModemNotice): void {
    const context = this.#context;
    if (notice.notice !== 'registration' || !context.settings.networkThroughModem) return;
    const registered = isRegistered(notice.stat);
    if (registered) context.plmnStale = true;
    // While a profile change is followed, that procedure decides when the links go on.
    if (context.state === 'switching') return;
    for (const { link } of context.sessions) {
      if (registered) link.resume();
      else link.suspend();
    }
    if (registered && context.state === 'recovering') this.#retryNow();
  }
}
