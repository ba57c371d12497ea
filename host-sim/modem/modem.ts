import type { SerialConstructor } from '../../hal/contracts/index.js';
import { isRegistered, Registration } from '../../hal/contracts/index.js';
import type { Card } from '../card.js';
import type { Clock } from '../clock.js';
import type { SimEvent } from '../events.js';
import { execute } from './commands.js';
import { CmeError, LineError, Silence, SimModemError } from './error.js';
import { type FaultAction, FaultPlan, type Faults } from './faults.js';
import { LineEditor, parseLine } from './line.js';
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
}

/** Command lines that may wait while one is being carried out; what comes beyond is lost, as in a real modem. */
const MOST_LINES = 16;

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
  readonly #faults: FaultPlan;
  readonly #editor: LineEditor;
  readonly #mt: Mt;
  readonly #listeners = new Set<(registered: boolean, stat: number) => void>();
  #settings: Settings;
  #powered = false;
  /** Counts power cuts: a command that began before one never ends. */
  #epoch = 0;
  #lines: (string | 'tooLong')[] = [];
  #busy = false;
  #urcs: string[] = [];
  #restart = false;
  #commands = 0;
  #teApdus = 0;
  /** The command line being carried out, and the faults that strike it. */
  #line = '';
  #struck: FaultAction[] = [];

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
    this.#editor = new LineEditor(this.personality.longestLine);
    this.#faults = new FaultPlan(options.faults ?? []);
    this.#uart = new Uart(this.#clock, options.baud ?? 115_200, options.random, (bytes, begun) =>
      this.#arrived(bytes, begun),
    );
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
      cut: () => this.powerOff(),
      lost: () => this.#simLost(),
      ready: () => this.#simReady(),
      observe: (event) => this.#observe(event),
    });
    this.#mt = this.#handles();
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
    return this.#teApdus;
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
    this.#uart.silence();
    this.#editor.clear();
    this.#lines = [];
    this.#urcs = [];
    this.#busy = false;
    this.#restart = false;
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
    for (const line of this.personality.booted) this.#urc(line);
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

  // --- command lines ---

  #arrived(bytes: Uint8Array, begun: number): void {
    if (!this.#powered) return;
    const echo: number[] = [];
    for (const byte of bytes) {
      if (this.#settings.echo) this.#echo(byte, echo);
      const line = this.#editor.put(byte);
      if (line === undefined || line.trim() === '') continue;
      if (this.#lines.length < MOST_LINES) this.#lines.push(line);
    }
    if (echo.length > 0) this.#uart.echo(Uint8Array.from(echo), begun);
    this.#pump();
  }

  #echo(byte: number, echo: number[]): void {
    if (byte === 0x0d && this.personality.echoedReturn === '\r\n') echo.push(0x0d, 0x0a);
    else if (byte === 0x08 || byte === 0x7f) echo.push(0x08, 0x20, 0x08);
    else if (byte !== 0x0a) echo.push(byte);
  }

  #pump(): void {
    if (this.#busy || !this.#powered) return;
    const line = this.#lines.shift();
    if (line === undefined) return;
    this.#busy = true;
    void this.#serve(line, this.#epoch);
  }

  async #serve(line: string, epoch: number): Promise<void> {
    const answer: string[] = [];
    const final = await this.#run(line, answer);
    if (epoch !== this.#epoch) return;
    await this.#answer(answer, final);
    if (epoch !== this.#epoch) return;
    if (this.#restart) {
      // The final result still goes out; from now on nothing else does.
      this.#clock.set(() => {
        if (epoch === this.#epoch) this.#reboot();
      }, this.#uart.remaining);
      return;
    }
    this.#busy = false;
    for (const urc of this.#urcs.splice(0)) this.#urc(urc);
    this.#sim.settle();
    this.#pump();
  }

  /** @returns the final result, undefined for none */
  async #run(line: string, answer: string[]): Promise<string | undefined> {
    const n = ++this.#commands;
    this.#line = line;
    this.#struck = [];
    try {
      for (const action of this.#faults.atCommand(n, line)) this.#strike(action);
      const commands = line === 'tooLong' ? undefined : parseLine(line);
      if (!commands) throw new LineError('no command line');
      for (const command of commands) answer.push(...(await execute(this.#mt, command)));
      return 'OK';
    } catch (error) {
      if (error instanceof Silence) return undefined;
      if (error instanceof CmeError) return this.#cme(error);
      if (error instanceof LineError) return 'ERROR';
      throw error;
    }
  }

  #cme(error: CmeError): string {
    if (this.#settings.cmee === 0) return 'ERROR';
    return `+CME ERROR: ${this.#settings.cmee === 1 ? error.cme : error.message}`;
  }

  // --- faults ---

  /** What happens instead of the command throws; what spoils its answer is kept for #answer. */
  #strike(action: FaultAction): void {
    this.#observe({ event: 'sim-modem', what: 'fault', detail: { ...action, line: this.#line } });
    this.#struck.push(action);
    if (action.kind === 'cme') throw new CmeError(action.code);
    if (action.kind === 'error') throw new LineError('fault');
    if (action.kind === 'noAnswer' && action.executed === false) throw new Silence();
    if (action.kind === 'simDropped') {
      this.#sim.drop();
      this.#tune();
    }
  }

  async #exchange(apdu: Uint8Array): Promise<Uint8Array> {
    this.#sim.demandReady();
    const n = ++this.#teApdus;
    const struck = this.#faults.atApdu(n, apdu, this.#commands, this.#line);
    for (const action of struck) this.#strike(action);
    const spoilt = struck.find((action) => action.kind === 'statusWord');
    if (!spoilt) return this.#sim.forTe(apdu);
    if (spoilt.executed) await this.#sim.forTe(apdu);
    return Uint8Array.of(spoilt.sw >> 8, spoilt.sw & 255);
  }

  // --- answers and unsolicited lines ---

  async #answer(lines: readonly string[], final: string | undefined): Promise<void> {
    for (const action of this.#struck) {
      if (action.kind === 'delay')
        await new Promise<void>((done) => void this.#clock.set(done, action.milliseconds));
    }
    const silent = final === undefined || this.#struck.some((action) => action.kind === 'noAnswer');
    if (silent || !this.#powered) return;
    let text = this.#strays('before');
    for (const line of lines) text += this.#settings.verbose ? `\r\n${line}\r\n` : `${line}\r\n`;
    text += this.#strays('between') + this.#final(final);
    for (const action of this.#struck) {
      if (action.kind === 'truncate') text = text.slice(0, action.keep);
      if (action.kind === 'loseBytes') text = text.slice(0, action.at) + text.slice(action.at + action.count);
    }
    this.#send(text);
  }

  #strays(where: 'before' | 'between'): string {
    let text = '';
    for (const action of this.#struck) {
      if (action.kind === 'urc' && action.where === where) text += `\r\n${action.line}\r\n`;
    }
    return text;
  }

  #final(result: string): string {
    if (this.#settings.verbose) return `\r\n${result}\r\n`;
    if (result === 'OK') return '0\r';
    return result === 'ERROR' ? '4\r' : `${result}\r\n`;
  }

  /** Unsolicited lines wait while a command is being answered. */
  #urc(line: string): void {
    if (!this.#powered) return;
    if (this.#busy) this.#urcs.push(line);
    else this.#send(`\r\n${line}\r\n`);
  }

  #send(text: string): void {
    this.#uart.send(Buffer.from(text, 'latin1'));
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
      exchange: (apdu) => this.#exchange(apdu),
      tune: () => this.#tune(),
      restart: () => {
        this.#restart = true;
      },
    };
  }

  /** AT+CFUN=1,1: as a power cut, but orderly, and the modem comes back by itself. */
  #reboot(): void {
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
    for (const line of this.personality.simLost) this.#urc(line);
    this.#tune();
  }

  #simReady(): void {
    const quiet = this.#sim.imsi === undefined && this.personality.withoutProfile !== 'ready';
    for (const line of this.personality.simReady) {
      if (!quiet || line !== '+CPIN: READY') this.#urc(line);
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
      if (this.#settings.reports[name] > 0) this.#urc(registrationLine(this.#mt, name));
    }
    if (this.#settings.packetEvents > 0 && lost) this.#urc('+CGEV: NW DETACH');
    for (const listener of [...this.#listeners]) listener(this.registered, stat);
  }

  #observe(event: SimEvent): void {
    this.#options.observe?.(event);
  }
}
