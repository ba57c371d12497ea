import {
  type HalEvent,
  isRegistered,
  type Modem,
  type ModemIdentity,
  type ModemNotice,
  type Observer,
  type SerialConfiguration,
  type Time,
  type Timer,
  type Uicc,
  XsIpaError,
} from '../contracts/index.js';
import { AtClient } from './at-client.js';
import type { AtResult } from './at-command.js';
import { AtError } from './at-error.js';
import { asText } from './at-parser.js';
import { DEADLINE } from './deadlines.js';
import { IccidReader, identityText, imei, PlmnReader } from './identity.js';
import { GENERIC, type Quirks, quirksFor, quirksNamed } from './quirks.js';
import { REGISTRATION_COMMANDS, RegistrationState } from './registration.js';
import { simReport } from './sim-report.js';
import { type Access, AutoUicc } from './uicc-auto.js';
import { TERMINAL_CAPABILITY, type UiccContext } from './uicc-base.js';
import { CglaUicc } from './uicc-cgla.js';
import { CsimUicc } from './uicc-csim.js';
import { isBusy } from './uicc-error.js';
import { Waiter } from './waiter.js';

export interface AtModemOptions {
  serial: SerialConfiguration;
  timer: Timer;
  time: Time;
  /** Way to the card; `auto` probes and keeps what works. */
  access?: 'auto' | Access;
  /** Name of a row of the quirks table, or a row of your own; chosen by what the modem says of itself when absent. */
  quirks?: string | Quirks;
  observe?: Observer<HalEvent>;
  /** Most bytes to ask for by GET RESPONSE, for boards whose UART loses bytes. */
  maxResponse?: number;
  /** The TERMINAL CAPABILITY command APDU; empty = send none. Default: IPAd supported. */
  terminalCapability?: ArrayLike<number>;
  /** Switches the card's supply, on boards that can; used by resetSim() instead of AT commands. */
  simSwitch?: (on: boolean) => void | Promise<void>;
  /** Longest line that can be received, in characters (600). */
  lineSize?: number;
}

const WAKE_ATTEMPTS = 10;
/** at.md §6: 1–3 s between off and on. */
const SIM_OFF = 2_000;
/** +QUSIM so soon after READY belongs to the same start of the card. */
const SAME_START = 5_000;

/** A modem over AT commands. */
export class AtModem implements Modem {
  onNotice: ((notice: ModemNotice) => void) | undefined;
  readonly uicc: Uicc;
  readonly #options: AtModemOptions;
  readonly #ownQuirks: Quirks | undefined;
  readonly #client: AtClient;
  readonly #context: UiccContext;
  readonly #csim: CsimUicc;
  readonly #cgla: CglaUicc;
  readonly #auto: AutoUicc;
  readonly #iccid: IccidReader;
  readonly #registration = new RegistrationState();
  readonly #waiter: Waiter;
  readonly #plmn: PlmnReader;
  #simReady = false;
  #simResets = 0;
  #readySince = Number.NEGATIVE_INFINITY;
  #stat = 0;
  #started = false;
  #restarting = false;

  constructor(options: AtModemOptions) {
    const { serial, timer, time, observe, quirks } = options;
    this.#options = options;
    this.#ownQuirks = typeof quirks === 'string' ? quirksNamed(quirks) : quirks;
    if (quirks !== undefined && !this.#ownQuirks) {
      throw new XsIpaError('usage', `no modem is called "${quirks}" in the quirks table`);
    }
    this.#client = new AtClient({
      serial,
      timer,
      time,
      observe,
      lineSize: options.lineSize,
      onUnsolicited: (line) => this.#onLine(asText(line, 0, line.length)),
      onLost: (reason) => {
        this.#tell('portLost', String(reason));
        this.#auto.restart();
        this.#waiter.wake();
      },
    });
    this.#context = {
      client: this.#client,
      timer,
      time,
      observe,
      quirks: this.#ownQuirks ?? GENERIC,
      maxResponse: options.maxResponse ?? 0,
      terminalCapability: options.terminalCapability ?? TERMINAL_CAPABILITY,
      onLost: () => this.#simLost(),
    };
    this.#csim = new CsimUicc(this.#context);
    this.#cgla = new CglaUicc(this.#context);
    this.#auto = new AutoUicc(this.#csim, this.#cgla, ['csim', 'cgla']);
    this.uicc = this.#auto;
    this.#iccid = new IccidReader(this.#client);
    this.#plmn = new PlmnReader(this.#client);
    this.#waiter = new Waiter(timer, time, () => this.#client.isOpen);
  }

  get registration(): number {
    return this.#stat;
  }

  get simResets(): number {
    return this.#simResets;
  }

  get simReady(): boolean {
    return this.#simReady;
  }

  /** @throws {AtError} `timeout` when nothing answers, `closed` when the port cannot be had */
  async start(): Promise<ModemIdentity> {
    const client = this.#client;
    this.#started = false;
    client.open();
    await client.synchronise(WAKE_ATTEMPTS);
    await this.#try('ATE0');
    await this.#try('AT+CMEE=1');
    const manufacturer = await identityText(client, 'CGMI');
    const model = await identityText(client, 'CGMM');
    const revision = await identityText(client, 'CGMR');
    const serialNumber = await imei(client);
    const quirks = this.#ownQuirks ?? quirksFor(manufacturer, model);
    this.#context.quirks = quirks;
    client.gap = quirks.commandGap ?? 0;
    this.#auto.restart();
    await this.#reports();
    await this.#askSim();
    await this.#askRegistration();
    await this.#chooseAccess();
    this.#started = true;
    this.#tell('started', `${quirks.name}, ${this.#auto.access}`);
    return {
      manufacturer,
      model,
      revision,
      imei: serialNumber,
      quirks: quirks.name,
      access: this.#auto.access,
    };
  }

  waitSimReset(since: number, deadline: number): Promise<boolean> {
    return this.#waiter.until(
      deadline,
      () => this.#simResets > since,
      async () => {
        const cme = await this.#askSim();
        // Busy after it was ready: the modem is reading the files of a card that has started anew.
        if (isBusy(cme) && this.#simReady) this.#simLost();
        // Not every modem shows that it reset the card; a channel that is gone does.
        await this.#auto.check();
      },
    );
  }

  async waitSimReady(deadline: number): Promise<boolean> {
    let asked = false;
    return this.#waiter.until(
      deadline,
      () => asked && this.#simReady,
      async () => {
        const cme = await this.#askSim();
        asked = !isBusy(cme);
      },
    );
  }

  waitRegistered(deadline: number): Promise<boolean> {
    let asked = false;
    return this.#waiter.until(
      deadline,
      () => asked && isRegistered(this.#stat),
      async () => {
        await this.#askRegistration();
        asked = true;
      },
    );
  }

  async resetSim(): Promise<void> {
    const { simSwitch } = this.#options;
    const { simReset } = this.#context.quirks;
    if (simSwitch) await simSwitch(false);
    else if (simReset) await this.#must(simReset.off);
    else if (!(await this.#client.command('AT+CFUN=0', DEADLINE.functionLevel)).ok)
      await this.#must('AT+CFUN=4');
    // The modem may have said so already.
    if (this.#simReady) this.#simLost();
    await new Promise<void>((resolve) => this.#options.timer.set(resolve, SIM_OFF));
    if (simSwitch) await simSwitch(true);
    else await this.#must(simReset?.on ?? 'AT+CFUN=1');
  }

  iccid(): Promise<Uint8Array | undefined> {
    return this.#iccid.read(this.#context.quirks);
  }

  rPlmn(): Promise<Uint8Array | undefined> {
    return this.#plmn.read();
  }

  close(): void {
    this.#client.close();
    this.#auto.restart();
    this.#waiter.wake();
  }

  async #reports(): Promise<void> {
    for (const domain of REGISTRATION_COMMANDS) await this.#try(`AT+${domain}=2`);
    await this.#try('AT+COPS=3,2');
  }

  /** The modem has started anew by itself: its settings are gone, and so are the card's channels. */
  async #restarted(): Promise<void> {
    // One at a time: a modem in a boot loop must not fill the queue.
    this.#restarting = true;
    this.#tell('restarted');
    if (this.#simReady || this.#auto.isOpen) this.#simLost();
    try {
      await this.#try('ATE0');
      await this.#try('AT+CMEE=1');
      await this.#reports();
    } catch (error) {
      // Closed: start() will do all this.
      if (!(error instanceof AtError)) throw error;
    } finally {
      this.#restarting = false;
    }
  }

  /** Which way to the card; asks with real commands where the test forms say nothing (at.md §3). */
  async #chooseAccess(): Promise<void> {
    const wanted = this.#options.access ?? 'auto';
    const { quirks } = this.#context;
    if (wanted !== 'auto') {
      this.#auto.prefer([wanted]);
      return;
    }
    const csim = await this.#csimAnswers();
    this.#cgla.csimWorks = csim;
    const cgla =
      quirks.fixedSession !== undefined || quirks.silentTest === true || (await this.#cglaAnswers());
    // The command itself decides at open(); what says no to the test form is only tried last.
    if (quirks.access === 'cgla' || !csim)
      this.#auto.prefer(csim || cgla ? ['cgla', 'csim'] : ['csim', 'cgla']);
    else this.#auto.prefer(['csim', 'cgla']);
  }

  async #csimAnswers(): Promise<boolean> {
    if (!this.#context.quirks.silentTest && (await this.#try('AT+CSIM=?')).ok) return true;
    try {
      return await this.#csim.probe();
    } catch {
      return false;
    }
  }

  async #cglaAnswers(): Promise<boolean> {
    return (await this.#try('AT+CCHO=?')).ok && (await this.#try('AT+CGLA=?')).ok;
  }

  /** @returns the CME code of a failure, else -1 */
  async #askSim(): Promise<number> {
    const result = await this.#try('AT+CPIN?', { prefix: '+CPIN:' });
    if (result.ok && result.text !== '') this.#onSim(result.text, true);
    else if (result.cme === 10 || result.cme === 13 || result.cme === 15)
      this.#onSim('+CPIN: NOT READY', true);
    return result.ok ? -1 : result.cme;
  }

  async #askRegistration(): Promise<void> {
    for (const domain of REGISTRATION_COMMANDS) {
      const result = await this.#try(`AT+${domain}?`, { prefix: `+${domain}:`, registration: true });
      if (result.ok && this.#registration.take(result.text)) this.#registrationChanged();
    }
  }

  #onLine(line: string): void {
    if (this.#registration.take(line)) this.#registrationChanged();
    else if (line === 'RDY') {
      if (this.#started && !this.#restarting) void this.#restarted();
    } else this.#onSim(line);
  }

  #onSim(line: string, asked = false): void {
    const { time } = this.#options;
    switch (simReport(line)) {
      case 'ready':
        if (this.#simReady) return;
        // A channel from before: the card had no usable profile then, and has been started anew with one.
        if (this.#auto.isOpen) this.#simLost();
        this.#simReady = true;
        this.#readySince = time.ticks;
        this.#notify({ notice: 'simReady' });
        return;
      case 'lost':
        // Asked again and again, a card without a profile says so each time; unasked it says so once.
        if (this.#simReady || (!asked && this.#auto.isOpen)) this.#simLost();
        return;
      case 'initialised':
        if (this.#simReady && time.ticks - this.#readySince > SAME_START) this.#simLost();
        return;
      default:
    }
  }

  #simLost(): void {
    this.#simReady = false;
    this.#simResets++;
    this.#auto.cardReset();
    this.#registration.reset();
    this.#notify({ notice: 'simLost' });
    this.#registrationChanged();
  }

  #registrationChanged(): void {
    const { stat } = this.#registration;
    if (stat === this.#stat) return;
    this.#stat = stat;
    this.#notify({ notice: 'registration', stat });
  }

  #notify(notice: ModemNotice): void {
    this.#tell(notice.notice, notice.notice === 'registration' ? notice.stat : undefined);
    this.onNotice?.(notice);
    this.#waiter.wake();
  }

  #tell(notice: string, detail?: string | number): void {
    this.#options.observe?.({ event: 'modem', notice, detail });
  }

  /** A command whose failure says something too; a timeout counts as failure. */
  async #try(command: string, expect?: Parameters<AtClient['command']>[2]): Promise<AtResult> {
    try {
      return await this.#client.command(command, DEADLINE.query, expect);
    } catch (error) {
      if (error instanceof AtError && error.code !== 'closed')
        return { ok: false, cme: -1, text: error.message };
      throw error;
    }
  }

  async #must(command: string): Promise<void> {
    const result = await this.#client.command(command, DEADLINE.functionLevel);
    if (!result.ok) throw new AtError('refused', `the modem refused ${command}: ${result.text}`);
  }
}
