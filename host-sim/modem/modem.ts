import type { SerialConstructor } from '../../hal/contracts/index.js';
import { isRegistered, Registration } from '../../hal/contracts/index.js';
import type { Card } from '../card.js';
import type { Clock } from '../clock.js';
import type { SimEvent } from '../events.js';
import { Conversation } from './conversation.js';
import { SimModemError } from './error.js';
import type { Faults } from './faults.js';
import type { Network } from './network.js';
import { registrationLine } from './network-commands.js';
import { type Personality, personalityByName } from './personality.js';
import { Radio } from './radio.js';
import { serialClass, type TeLine, type TePort } from './serial.js';
import { type Mt, Settings } from './settings.js';
import { type Cut, Sim } from './sim.js';
import { type Te, Uart } from './uart.js';

export interface SimulatedModemOptions {
  card: Card;
  clock: Clock;
  /** Uniform in [0, 1): slices of the answers, session ids. */
  random: () => number;
  network: Network;
  /** `generic` when absent. */
  personality?: string | Personality;
  /** 115200 when absent; 0 = no pacing. */
  baud?: number;
  observe?: (event: SimEvent) => void;
  faults?: Faults;
  /** 15 digits. */
  imei?: string;
  /** Time of one exchange with the card; 10 when absent. */
  apduMilliseconds?: number | ((apdu: Uint8Array) => number);
  /** From card down to card up, also after power-up; 1500 when absent. */
  simResetMilliseconds?: number;
  /** From search to registration where the network has no figure of its own; 2000 when absent. */
  attachMilliseconds?: number;
  /** Channels the modem keeps for itself; the personality's figure when absent. */
  reservedChannels?: number;
  /** Called before every exchange with the card (the modem's own included), counted from 1. */
  beforeApdu?: (n: number, apdu: Uint8Array) => Cut;
  /** The card threw (its store, most likely); power is cut. Without this the exception is left to crash. */
  cardFailed?: (error: unknown) => void;
}

/**
 * A cellular modem with its card, its radio and one serial port. Powered on when made: the AT interface answers at
 * once, the card `simResetMilliseconds` later.
 */
export class SimulatedModem implements TePort {
  /** The TE's side as a class of ECMA-419's shape: `{ io: modem.Serial }`. */
  readonly Serial: SerialConstructor;
  readonly personality: Personality;
  readonly #options: SimulatedModemOptions;
  readonly #clock: Clock;
  readonly #uart: Uart;
  readonly #sim: Sim;
  readonly #radio: Radio;
  readonly #mt: Mt;
  readonly #conversation: Conversation;
  readonly #listeners = new Set<(registered: boolean, stat: number) => void>();
  #settings: Settings;
  #powered = false;
  /** AT+CFUN=1,1 was asked for. */
  #restart = false;
  /** Counts power cuts: a restart that is under way ends with one. */
  #epoch = 0;

  constructor(options: SimulatedModemOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const named = options.personality ?? 'generic';
    const personality = typeof named === 'string' ? personalityByName(named) : named;
    this.personality = {
      ...personality,
      reservedChannels: options.reservedChannels ?? personality.reservedChannels,
    };
    this.#settings = new Settings(this.personality);
    this.#uart = new Uart(this.#clock, options.baud ?? 115_200, options.random, (bytes, begun, other) => {
      if (other) this.#conversation.dropPartial();
      this.#conversation.take(bytes, begun);
    });
    this.#radio = new Radio(
      this.#clock,
      options.network,
      options.attachMilliseconds ?? 2000,
      (stat, before) => this.#registration(stat, before),
    );
    this.#sim = new Sim({
      card: options.card,
      clock: this.#clock,
      random: options.random,
      personality: this.personality,
      apduMilliseconds: options.apduMilliseconds ?? 10,
      simResetMilliseconds: options.simResetMilliseconds ?? 1500,
      beforeApdu: options.beforeApdu,
      cardFailed: options.cardFailed,
      cut: () => this.powerOff(),
      lost: () => this.#simLost(),
      ready: () => this.#simReady(),
      observe: (event) => this.#observe(event),
    });
    this.#mt = this.#handles();
    this.#conversation = new Conversation({
      clock: this.#clock,
      uart: this.#uart,
      mt: this.#mt,
      faults: options.faults ?? [],
      struck: (action, line) =>
        this.#observe({ event: 'sim-modem', what: 'fault', detail: { ...action, line } }),
      dropSim: () => {
        this.#sim.drop();
        this.#tune();
      },
      idle: () => this.#idle(),
    });
    this.Serial = serialClass(this, this.#clock);
    this.powerOn();
  }

  // --- what the world around may ask ---

  get registered(): boolean {
    return this.#radio.registered;
  }

  /** `stat` of 27.007 §7.2. */
  get registration(): number {
    return this.#radio.stat;
  }

  /** Serving PLMN, 5 or 6 digits, while registered. */
  get plmn(): string | undefined {
    return this.#radio.attachment?.plmn;
  }

  /** IMSI the modem has read, undefined without one. */
  get imsi(): string | undefined {
    return this.#sim.imsi;
  }

  /** Context 1 as +CGDCONT and +CGAUTH have set it. */
  get accessPoint(): { apn: string; user: string; password: string } {
    const { apn = '', auth } = this.#settings.contexts.get(1) ?? {};
    return { apn, user: auth?.user ?? '', password: auth?.password ?? '' };
  }

  get powered(): boolean {
    return this.#powered;
  }

  get simReady(): boolean {
    return this.#sim.state === 'ready';
  }

  /** Characters on the serial line; `up` is TE to modem. */
  get uartBytes(): { readonly up: number; readonly down: number } {
    return this.#uart.bytes;
  }

  /** Exchanges with the card, the modem's own included. */
  get apdus(): number {
    return this.#sim.exchanges;
  }

  /** Exchanges with the card on behalf of the TE. */
  get teApdus(): number {
    return this.#conversation.apdus;
  }

  /** @returns how to stop listening */
  onRegistration(listener: (registered: boolean, stat: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Modem and card lose power at once: silence, and nothing under way is finished. Idempotent. */
  powerOff(): void {
    this.#epoch++;
    if (!this.#powered) return;
    this.#powered = false;
    this.#restart = false;
    this.#uart.silence();
    this.#conversation.stop();
    this.#sim.powerOff();
    this.#radio.update(undefined, false);
    this.#observe({ event: 'sim-modem', what: 'simOff', detail: { power: false } });
  }

  /** @param card another card, or the same one remade from its store */
  powerOn(card?: Card): void {
    if (card) this.#sim.insert(card);
    if (this.#powered) return;
    this.#powered = true;
    this.#settings = new Settings(this.personality);
    this.#conversation.start();
    for (const line of this.personality.booted) this.#conversation.tell(line);
    this.#sim.activate();
  }

  connectTe(receive: (bytes: Uint8Array) => void, sent?: (bytes: number) => void): TeLine {
    if (this.#uart.te) {
      throw new SimModemError('portBusy', "the modem's serial port is in use; close the other end first");
    }
    const uart = this.#uart;
    const te: Te = { receive, sent };
    uart.attach(te);
    return {
      write: (bytes) => {
        if (uart.te === te) uart.write(bytes);
      },
      close: () => uart.detach(te),
      get backlog() {
        return uart.backlog;
      },
    };
  }

  // --- card and radio ---

  #handles(): Mt {
    const modem = this;
    return {
      personality: this.personality,
      get settings() {
        return modem.#settings;
      },
      sim: this.#sim,
      radio: this.#radio,
      imei: this.#options.imei ?? '352906112345675',
      exchange: (apdu) => this.#conversation.exchange(apdu),
      tune: () => this.#tune(),
      restart: () => {
        this.#restart = true;
      },
    };
  }

  #idle(): void {
    if (this.#restart) this.#reboot();
    else this.#sim.settle();
  }

  /** AT+CFUN=1,1: the final result still goes out, then the modem is off and comes back by itself. */
  #reboot(): void {
    const remaining = this.#uart.remaining;
    this.#conversation.stop();
    const before = this.#epoch;
    this.#clock.set(() => {
      if (before === this.#epoch) this.#offAndOn();
    }, remaining);
  }

  #offAndOn(): void {
    this.powerOff();
    const epoch = this.#epoch;
    this.#clock.set(() => {
      if (epoch === this.#epoch) this.powerOn();
    }, this.#options.simResetMilliseconds ?? 1500);
  }

  #tune(): void {
    this.#radio.update(this.#sim.imsi, this.#settings.cfun === 1 && this.#settings.operatorMode === 0);
  }

  #simLost(): void {
    for (const line of this.personality.simLost) this.#conversation.tell(line);
    this.#tune();
  }

  #simReady(): void {
    const quiet = this.#sim.imsi === undefined && this.personality.withoutProfile !== 'ready';
    for (const line of this.personality.simReady) {
      if (!quiet || line !== '+CPIN: READY') this.#conversation.tell(line);
    }
    this.#tune();
  }

  #registration(stat: number, before: number): void {
    const lost = isRegistered(before) && !this.registered;
    for (const context of this.#settings.contexts.values()) {
      if (!this.registered) context.active = false;
    }
    const first = this.#settings.contexts.get(1);
    if (this.registered && first && !this.#settings.detached) first.active = true;
    if (lost) this.#observe({ event: 'sim-modem', what: 'lost', detail: { stat } });
    if (stat === Registration.searching) this.#observe({ event: 'sim-modem', what: 'searching' });
    if (this.registered) {
      this.#observe({
        event: 'sim-modem',
        what: 'registered',
        detail: { stat, plmn: this.plmn, imsi: this.imsi },
      });
    }
    for (const name of Object.keys(this.#settings.reports)) {
      if (this.#settings.reports[name] > 0) this.#conversation.tell(registrationLine(this.#mt, name));
    }
    if (this.#settings.packetEvents > 0 && lost) this.#conversation.tell('+CGEV: NW DETACH');
    for (const listener of [...this.#listeners]) listener(this.registered, stat);
  }

  #observe(event: SimEvent): void {
    this.#options.observe?.(event);
  }
}
