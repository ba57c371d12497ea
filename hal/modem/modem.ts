import {
  type AccessPoint,
  type HalEvent,
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
import { authenticationCommand, contextCommand } from './access-point.js';
import type { AtResult } from './at-command.js';
import type { Expectation } from './at-parser.js';
import { DEADLINE } from './deadlines.js';
import { IdentityReader, identityText, imei } from './identity.js';
import { ModemState, NUMERIC_OPERATOR, SETTINGS } from './modem-state.js';
import { type Awaited, ModemWait, SIM_ANSWER, SIM_QUERY } from './modem-wait.js';
import { GENERIC, type Quirks, quirksFor, quirksNamed } from './quirks.js';
import { REGISTRATION } from './registration.js';
import type { Access } from './uicc-auto.js';

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

/** A modem over AT commands. */
export class AtModem implements Modem {
  readonly #options: AtModemOptions;
  readonly #state: ModemState;
  readonly #identity: IdentityReader;
  readonly #ownQuirks: Quirks | undefined;

  constructor(options: AtModemOptions) {
    const { quirks } = options;
    this.#options = options;
    this.#ownQuirks = typeof quirks === 'string' ? quirksNamed(quirks) : quirks;
    if (quirks !== undefined && !this.#ownQuirks) {
      throw new XsIpaError('usage', `no modem is called "${quirks}" in the quirks table`);
    }
    this.#state = new ModemState(options, this.#ownQuirks ?? GENERIC);
    this.#identity = new IdentityReader(this.#state.client);
  }

  get uicc(): Uicc {
    return this.#state.uicc;
  }

  get registration(): number {
    return this.#state.stat;
  }

  get simResets(): number {
    return this.#state.simResets;
  }

  get simReady(): boolean {
    return this.#state.simReady;
  }

  get onNotice(): ((notice: ModemNotice) => void) | undefined {
    return this.#state.onNotice;
  }

  set onNotice(listener: ((notice: ModemNotice) => void) | undefined) {
    this.#state.onNotice = listener;
  }

  /** @throws {AtError} `timeout` when nothing answers, `closed` when the port cannot be had */
  async start(): Promise<ModemIdentity> {
    const state = this.#state;
    const { client, uicc } = state;
    state.isStarted = false;
    client.open();
    await client.synchronise(WAKE_ATTEMPTS);
    for (const setting of SETTINGS) await this.try(setting);
    const identity: ModemIdentity = {
      manufacturer: await identityText(client, 'CGMI'),
      model: await identityText(client, 'CGMM'),
      revision: await identityText(client, 'CGMR'),
      imei: await imei(client),
      quirks: '',
      access: 'csim',
    };
    const quirks = this.#ownQuirks ?? quirksFor(identity.manufacturer, identity.model);
    state.quirks = quirks;
    client.gap = quirks.commandGap ?? 0;
    uicc.restart();
    for (const { report } of REGISTRATION) await this.try(report);
    await this.try(NUMERIC_OPERATOR);
    state.simAnswered(await this.try(SIM_QUERY, SIM_ANSWER));
    for (const { query, expect } of REGISTRATION) {
      state.registrationAnswered(await this.try(query, expect));
    }
    await this.chooseAccess();
    state.isStarted = true;
    identity.quirks = quirks.name;
    identity.access = uicc.access;
    state.tell('started', `${quirks.name}, ${uicc.access}`);
    return identity;
  }

  waitSimReset(since: number, deadline: number): Promise<boolean> {
    return this.wait('simReset', deadline, since);
  }

  waitSimReady(deadline: number): Promise<boolean> {
    return this.wait('simReady', deadline);
  }

  waitRegistered(deadline: number): Promise<boolean> {
    return this.wait('registered', deadline);
  }

  async resetSim(): Promise<void> {
    const { simSwitch, timer } = this.#options;
    const state = this.#state;
    const { simReset } = state.quirks;
    if (simSwitch) await simSwitch(false);
    else if (simReset) await this.must(simReset.off);
    else if (!(await state.client.command('AT+CFUN=0', DEADLINE.functionLevel)).ok) {
      await this.must('AT+CFUN=4');
    }
    // The modem may have said so already.
    if (state.simReady) state.simLost();
    await new Promise<void>((resolve) => timer.set(resolve, SIM_OFF));
    if (simSwitch) await simSwitch(true);
    else await this.must(simReset?.on ?? 'AT+CFUN=1');
  }

  iccid(): Promise<Uint8Array | undefined> {
    return this.#identity.iccid(this.#state.quirks);
  }

  rPlmn(): Promise<Uint8Array | undefined> {
    return this.#identity.plmn();
  }

  async setAccessPoint(access: AccessPoint): Promise<void> {
    const context = contextCommand(access);
    const authentication = authenticationCommand(access);
    await this.must(context);
    // A modem without the command has nothing to forget either.
    if (access.user === '' && access.password === '') await this.try(authentication);
    else await this.must(authentication);
  }

  close(): void {
    const { client, uicc } = this.#state;
    client.close();
    uicc.restart();
    this.#state.wake();
  }

  /** Which way to the card; asks with real commands where the test forms say nothing (at.md §3). */
  private async chooseAccess(): Promise<void> {
    const wanted = this.#options.access ?? 'auto';
    const state = this.#state;
    const { quirks, uicc } = state;
    if (wanted !== 'auto') {
      uicc.prefer(wanted);
      return;
    }
    const csim =
      (quirks.silentTest !== true && (await this.try('AT+CSIM=?')).ok) || (await uicc.csimAnswers());
    state.csimWorks = csim;
    let cgla = quirks.fixedSession !== undefined || quirks.silentTest === true;
    if (!cgla) cgla = (await this.try('AT+CCHO=?')).ok && (await this.try('AT+CGLA=?')).ok;
    // The command itself decides at open(); what says no to the test form is only tried last.
    if ((quirks.access === 'cgla' || !csim) && (csim || cgla)) uicc.prefer('cgla', 'csim');
    else uicc.prefer('csim', 'cgla');
  }

  private wait(what: Awaited, deadline: number, since = 0): Promise<boolean> {
    return new Promise((resolve, reject) => {
      new ModemWait(this.#state, what, deadline, since, resolve, reject);
    });
  }

  /** A command whose failure says something too; a timeout counts as failure. */
  private try(command: string, expect?: Expectation): Promise<AtResult> {
    return this.#state.client.command(command, DEADLINE.query, expect, 'includes silence');
  }

  private must(command: string): Promise<AtResult> {
    return this.#state.client.command(command, DEADLINE.functionLevel, undefined, 'is an error');
  }
}
