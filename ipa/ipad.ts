import {
  isRegistered,
  type Modem,
  type ModemNotice,
  type Observer,
  type Platform,
  XsIpaError,
} from '../hal/contracts/index.js';
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
  poll,
  StateChanges,
} from './procedures/index.js';

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
  #initialEim: Uint8Array | undefined;
  #running = false;
  #ready = false;
  #pollDue = true;
  #nextPoll = 0;
  #failures = 0;
  /** Something happened that #work should look at: it must not be slept through. */
  #signalled = false;
  #wake: (() => void) | undefined;

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
    this.#pollDue = true;
    this.#signal();
  }

  /** Provides an EimConfigurationData (`30 …`); it is used when the eUICC has no eIM. */
  associate(initialEim: Uint8Array): void {
    this.#initialEim = initialEim;
    this.#signal();
  }

  /** Runs until stop(). Rejects only on a programming error. */
  async run(): Promise<void> {
    this.#running = true;
    const context = this.#context;
    while (this.#running) {
      let pause: number | undefined;
      try {
        if (!this.#ready) await this.#start();
        const failed = await this.#work();
        if (failed) pause = this.#backOff('link', failed);
        else {
          this.#failures = 0;
          // Without an eIM the next look starts over: somebody else may have associated one.
          this.#ready = context.sessions.length > 0;
          context.enter(this.#ready ? 'idle' : 'unassociated');
        }
      } catch (error) {
        if (!this.#running) break;
        if (!(error instanceof XsIpaError)) throw error;
        this.#ready = false;
        pause = this.#backOff('device', error);
      }
      await this.#sleep(pause ?? Math.max(0, this.#nextPoll - this.#options.platform.time.ticks));
    }
    await context.modem.uicc.close();
    context.modem.close();
    context.enter('stopped');
  }

  /** Ends run() at the next step: links are closed, the channel to the card is given back, the modem is closed. */
  stop(): void {
    this.#running = false;
    for (const { link } of this.#context.sessions) link.close();
    this.#signal();
  }

  async #start(): Promise<void> {
    const context = this.#context;
    await bringUp(context);
    this.#refreshSessions(await associate(context, this.#initialEim));
    context.resultsPending = context.notificationsPending = this.#pollDue = true;
    if (context.sessions.length > 0) {
      context.enter('connecting');
      if (context.settings.networkThroughModem)
        await context.modem.waitRegistered(context.settings.registrationDeadline);
      context.rPlmn = (await context.modem.rPlmn()) ?? context.rPlmn;
      for (const { link } of context.sessions) link.resume();
    }
    this.#ready = true;
  }

  /** Keeps the links of eIMs that stay, opens those of new ones, closes the rest. */
  #refreshSessions(eims: readonly EimConfiguration[]): void {
    const context = this.#context;
    const former = context.sessions;
    context.sessions = [];
    for (const configuration of eims) {
      const known = former.find((session) => session.configuration.eimId === configuration.eimId);
      if (known) {
        known.configuration = configuration;
        context.sessions.push(known);
        continue;
      }
      const link = this.#options.createLink(configuration, context.eid);
      if (!link) {
        const reason = 'this device has no link for the protocols of its configuration';
        context.fail(
          'association',
          new IpaError('noEim', `${configuration.eimId} cannot be served: ${reason}`),
        );
        continue;
      }
      link.onInjection = () => this.#signal();
      context.sessions.push({ configuration, link, reportedPlmn: undefined, handled: [], awaiting: [] });
    }
    for (const session of former) if (!context.sessions.includes(session)) session.link.close();
  }

  /** Everything that is due now, for every eIM. @returns the error of a link that failed, after the others had their turn */
  async #work(): Promise<XsIpaError | undefined> {
    const context = this.#context;
    const { modem, settings } = context;
    if (context.sessions.length > 0 && settings.networkThroughModem && !isRegistered(modem.registration)) {
      return new IpaError(
        'notRegistered',
        'the modem is not registered; results stay on the eUICC until it is',
      );
    }
    const unreachable = new Set<EimSession>();
    let failed: XsIpaError | undefined;
    let eimsChanged = false;
    const attempt = async (session: EimSession, step: () => Promise<unknown>): Promise<void> => {
      if (!this.#running || unreachable.has(session)) return;
      try {
        await step();
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        if (this.#running) failed = error;
        unreachable.add(session);
      }
    };

    const pollDue = this.#pollDue;
    this.#pollDue = false;
    if (pollDue) {
      // Jitter: a fleet switched on together must not poll together for ever.
      const { time, random } = this.#options.platform;
      this.#nextPoll = time.ticks + settings.pollInterval * (0.9 + random() / 5);
    }
    for (const session of context.sessions) {
      for (let message = session.link.takeInjection(); message; message = session.link.takeInjection()) {
        const injected = message;
        await attempt(session, async () => {
          if (await inject(context, this.#changes, session, injected)) eimsChanged = true;
        });
      }
      const late = context.platform.time.ticks - settings.acknowledgementDeadline;
      if (session.awaiting.some((delivery) => delivery.sentAt <= late)) {
        // The acknowledgement of an injected package did not come: offer the result once more, as BF50.
        session.awaiting = [];
        context.resultsPending = context.notificationsPending = true;
      }
    }
    const [primary] = context.sessions;
    if (context.resultsPending && this.#idleSessions()) {
      for (const session of context.sessions)
        await attempt(session, () => deliverResults(context, this.#changes, session));
      context.resultsPending = unreachable.size > 0;
    }
    if (pollDue) {
      for (const session of context.sessions) {
        await attempt(session, async () => {
          if (await poll(context, this.#changes, session)) eimsChanged = true;
        });
      }
    }
    if (primary && context.notificationsPending && this.#idleSessions()) {
      await attempt(primary, () => deliverNotifications(context, primary));
    }
    if (eimsChanged) {
      this.#refreshSessions(await associate(context, undefined));
      for (const { link } of context.sessions) link.resume();
    }
    if (failed) this.#pollDue ||= pollDue;
    return failed;
  }

  /** No result of an injected package waits for its acknowledgement: what is on the eUICC is really undelivered. */
  #idleSessions(): boolean {
    return this.#context.sessions.every((session) => session.awaiting.length === 0);
  }

  #backOff(where: string, error: XsIpaError): number {
    const { backOff, backOffLimit } = this.#context.settings;
    const longest = Math.min(backOffLimit, backOff * 2 ** Math.min(this.#failures++, 20));
    const pause = longest * (0.5 + this.#options.platform.random() / 2);
    this.#context.enter('recovering');
    this.#context.fail(where, error, pause);
    return pause;
  }

  #signal(): void {
    this.#signalled = true;
    this.#wake?.();
  }

  #sleep(milliseconds: number): Promise<void> {
    const { timer } = this.#options.platform;
    if (this.#signalled || !this.#running) {
      this.#signalled = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake = undefined;
        this.#signalled = false;
        timer.clear(handle);
        resolve();
      };
      const handle = timer.set(() => {
        this.#pollDue = true;
        wake();
      }, milliseconds);
      this.#wake = wake;
    });
  }

  #notice(notice: ModemNotice): void {
    const context = this.#context;
    // While a profile change is followed, that procedure decides when the links go on.
    if (
      notice.notice !== 'registration' ||
      !context.settings.networkThroughModem ||
      context.state === 'switching'
    )
      return;
    const registered = isRegistered(notice.stat);
    for (const { link } of context.sessions) {
      if (registered) link.resume();
      else link.suspend();
    }
    if (registered && context.state === 'recovering') this.#signal();
  }
}
