import type { Clock } from '../clock.js';
import { execute } from './commands.js';
import { CmeError, LineError, Silence } from './error.js';
import { type FaultAction, FaultPlan, type Faults } from './faults.js';
import { LineEditor, parseLine } from './line.js';
import type { Mt } from './settings.js';
import type { Uart } from './uart.js';

/** Command lines that may wait while one is being carried out; what comes beyond is lost, as in a real modem. */
const MOST_LINES = 16;

interface ConversationOptions {
  clock: Clock;
  uart: Uart;
  mt: Mt;
  faults: Faults;
  /** A fault strikes. */
  struck: (action: FaultAction, line: string) => void;
  /** Contact with the card is to be lost. */
  dropSim: () => void;
  /** A command line has been answered. */
  idle: () => void;
}

/** The AT interface: lines in, one command line at a time, answers and unsolicited lines out. */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #editor: LineEditor;
  readonly #faults: FaultPlan;
  #on = false;
  /** Counts switch-offs: a command that began before one never ends. */
  #epoch = 0;
  #lines: string[] = [];
  #busy = false;
  #urcs: string[] = [];
  #commands = 0;
  #apdus = 0;
  /** The command line being carried out, and the faults that strike it. */
  #line = '';
  #struck: FaultAction[] = [];

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#editor = new LineEditor(options.mt.personality.longestLine);
    this.#faults = new FaultPlan(options.faults);
  }

  /** APDUs the TE has sent to the card. */
  get apdus(): number {
    return this.#apdus;
  }

  start(): void {
    this.#on = true;
  }

  /** Forgets everything; what is under way gets no answer. */
  stop(): void {
    this.#on = false;
    this.#epoch++;
    this.#editor.clear();
    this.#lines = [];
    this.#urcs = [];
    this.#busy = false;
  }

  /** Another TE: it does not go on with a line that the one before has begun. */
  dropPartial(): void {
    this.#editor.clear();
  }

  /** @param begun when the first of these characters was on the line */
  take(bytes: Uint8Array, begun: number): void {
    if (!this.#on) return;
    const { mt, uart } = this.#options;
    const echo: number[] = [];
    for (const byte of bytes) {
      if (mt.settings.echo) this.#echo(byte, echo);
      const line = this.#editor.put(byte);
      if (line === undefined) continue;
      if (this.#lines.length < MOST_LINES) this.#lines.push(line);
    }
    if (echo.length > 0) uart.echo(Uint8Array.from(echo), begun);
    this.#pump();
  }

  /** Unsolicited lines wait while a command is being answered. */
  tell(line: string): void {
    if (!this.#on) return;
    if (this.#busy) this.#urcs.push(line);
    else this.#send(`\r\n${line}\r\n`);
  }

  #echo(byte: number, echo: number[]): void {
    if (byte === 0x0d && this.#options.mt.personality.echoedReturn === '\r\n') echo.push(0x0d, 0x0a);
    else if (byte === 0x08 || byte === 0x7f) echo.push(0x08, 0x20, 0x08);
    else if (byte !== 0x0a) echo.push(byte);
  }

  #pump(): void {
    if (this.#busy || !this.#on) return;
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
    this.#busy = false;
    for (const urc of this.#urcs.splice(0)) this.tell(urc);
    this.#options.idle();
    this.#pump();
  }

  /** @returns the final result, undefined for none */
  async #run(line: string, answer: string[]): Promise<string | undefined> {
    const n = ++this.#commands;
    this.#line = line;
    this.#struck = [];
    try {
      for (const action of this.#faults.atCommand(n, line)) this.#strike(action);
      for (const command of parseLine(line)) answer.push(...(await execute(this.#options.mt, command)));
      return 'OK';
    } catch (error) {
      if (error instanceof Silence) return undefined;
      if (error instanceof CmeError) return this.#cme(error);
      if (error instanceof LineError) return 'ERROR';
      throw error;
    }
  }

  #cme(error: CmeError): string {
    const { cmee } = this.#options.mt.settings;
    if (cmee === 0) return 'ERROR';
    return `+CME ERROR: ${cmee === 1 ? error.cme : error.message}`;
  }

  // --- faults ---

  /** What happens instead of the command throws; what spoils its answer is kept for #answer. */
  #strike(action: FaultAction): void {
    this.#options.struck(action, this.#line);
    this.#struck.push(action);
    if (action.kind === 'cme' && !action.executed) throw new CmeError(action.code);
    if (action.kind === 'error' && !action.executed) throw new LineError('fault');
    if (action.kind === 'noAnswer' && action.executed === false) throw new Silence();
    if (action.kind === 'simDropped') this.#options.dropSim();
  }

  /** One APDU of the TE, spoilt where a fault says so. */
  async exchange(apdu: Uint8Array): Promise<Uint8Array> {
    const { sim } = this.#options.mt;
    sim.demandReady();
    const n = ++this.#apdus;
    const struck = this.#faults.atApdu(n, apdu, this.#commands, this.#line);
    for (const action of struck) this.#strike(action);
    const spoilt = struck.find((action) => action.kind === 'statusWord');
    if (!spoilt) return sim.forTe(apdu);
    if (spoilt.executed) await sim.forTe(apdu);
    return Uint8Array.of(spoilt.sw >> 8, spoilt.sw & 255);
  }

  // --- answers ---

  async #answer(lines: readonly string[], final: string | undefined): Promise<void> {
    const { clock, mt } = this.#options;
    let result = final;
    let shown = lines;
    for (const action of this.#struck) {
      if (action.kind === 'delay')
        await new Promise<void>((done) => void clock.set(done, action.milliseconds));
      if (action.kind === 'noAnswer') result = undefined;
      if (action.kind !== 'cme' && action.kind !== 'error') continue;
      shown = [];
      result = action.kind === 'error' ? 'ERROR' : this.#cme(new CmeError(action.code));
    }
    if (result === undefined || !this.#on) return;
    let text = this.#strays('before');
    for (const line of shown) text += mt.settings.verbose ? `\r\n${line}\r\n` : `${line}\r\n`;
    text += this.#strays('between') + this.#final(result);
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
    if (this.#options.mt.settings.verbose) return `\r\n${result}\r\n`;
    if (result === 'OK') return '0\r';
    return result === 'ERROR' ? '4\r' : `${result}\r\n`;
  }

  #send(text: string): void {
    this.#options.uart.send(Buffer.from(text, 'latin1'));
  }
}
