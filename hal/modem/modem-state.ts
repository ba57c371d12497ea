import type { ModemNotice } from '../contracts/index.js';
import { AtClient, type AtClientOptions, type AtListener } from './at-client.js';
import { type AtResult, TextCommand } from './at-command.js';
import { asText } from './at-parser.js';
import { DEADLINE } from './deadlines.js';
import type { ModemWait } from './modem-wait.js';
import type { Quirks } from './quirks.js';
import { REGISTRATION, RegistrationState } from './registration.js';
import { simReport } from './sim-report.js';
import { AutoUicc } from './uicc-auto.js';
import type { UiccContext, UiccOptions } from './uicc-context.js';

/** +QUSIM so soon after READY belongs to the same start of the card. */
const SAME_START = 5_000;

/** What a modem is told to report, after the echo is off and errors have numbers. */
export const SETTINGS = ['ATE0', 'AT+CMEE=1'] as const;
export const NUMERIC_OPERATOR = 'AT+COPS=3,2';

/** What is known about card and network, from answers and from what the modem says by itself. */
export class ModemState implements AtListener, UiccContext {
  readonly client: AtClient;
  readonly options: AtClientOptions & UiccOptions;
  readonly uicc: AutoUicc;
  quirks: Quirks;
  csimWorks: boolean | undefined;
  cleaned = 0;
  /** start() has got to its end. */
  isStarted = false;
  onNotice: ((notice: ModemNotice) => void) | undefined;
  simReady = false;
  simResets = 0;
  stat = 0;
  /** Whoever waits, the latest first. */
  waits: ModemWait | undefined;
  readonly #registration = new RegistrationState();
  #readySince = Number.NEGATIVE_INFINITY;
  #isRestarting = false;

  constructor(options: AtClientOptions & UiccOptions, quirks: Quirks) {
    this.options = options;
    this.quirks = quirks;
    this.client = new AtClient(options, this);
    this.uicc = new AutoUicc(this);
  }

  onUnsolicited(bytes: Uint8Array): void {
    const line = asText(bytes, 0, bytes.length);
    if (this.#registration.take(line)) this.registrationChanged();
    else if (line === 'RDY') {
      if (this.isStarted && !this.#isRestarting) this.restarted();
    } else this.onSim(line, false);
  }

  /** The port is gone. */
  onLost(reason: unknown): void {
    this.tell('portLost', String(reason));
    this.uicc.restart();
    this.wake();
  }

  /** Everyone who waits looks again. */
  wake(): void {
    let wait = this.waits;
    while (wait) {
      const { next } = wait;
      wait.wake();
      wait = next;
    }
  }

  /** Takes the answer to AT+CPIN?. @returns the CME code of a failure, else -1 */
  simAnswered({ ok, cme, text }: AtResult): number {
    if (ok && text !== '') this.onSim(text, true);
    else if (cme === 10 || cme === 13 || cme === 15) this.onSim('+CPIN: NOT READY', true);
    return ok ? -1 : cme;
  }

  /** Takes the answer to AT+CEREG? and the like. */
  registrationAnswered({ ok, text }: AtResult): void {
    if (ok && this.#registration.take(text)) this.registrationChanged();
  }

  simLost(): void {
    this.simReady = false;
    this.simResets++;
    this.uicc.cardReset();
    this.#registration.reset();
    this.notify({ notice: 'simLost' });
    this.registrationChanged();
  }

  tell(notice: string, detail?: string | number): void {
    this.options.observe?.({ event: 'modem', notice, detail });
  }

  /** The modem has started anew by itself: its settings are gone, and so are the card's channels. */
  private restarted(): void {
    // One at a time: a modem in a boot loop must not fill the queue.
    this.#isRestarting = true;
    this.tell('restarted');
    if (this.simReady || this.uicc.isOpen) this.simLost();
    for (const text of SETTINGS) this.client.send(new Setting(text, DEADLINE.query));
    for (const { report } of REGISTRATION) this.client.send(new Setting(report, DEADLINE.query));
    const last = new Setting(NUMERIC_OPERATOR, DEADLINE.query);
    last.whenDone = () => {
      this.#isRestarting = false;
    };
    this.client.send(last);
  }

  private onSim(line: string, asked: boolean): void {
    const { ticks } = this.options.time;
    switch (simReport(line)) {
      case 'ready':
        if (this.simReady) return;
        // A channel from before: the card had no usable profile then, and has been started anew with one.
        if (this.uicc.isOpen) this.simLost();
        this.simReady = true;
        this.#readySince = ticks;
        this.notify({ notice: 'simReady' });
        return;
      case 'lost':
        // Asked again and again, a card without a profile says so each time; unasked it says so once.
        if (this.simReady || (!asked && this.uicc.isOpen)) this.simLost();
        return;
      case 'initialised':
        if (this.simReady && ticks - this.#readySince > SAME_START) this.simLost();
        return;
      default:
    }
  }

  private registrationChanged(): void {
    const { stat } = this.#registration;
    if (stat === this.stat) return;
    this.stat = stat;
    this.notify({ notice: 'registration', stat });
  }

  private notify(notice: ModemNotice): void {
    this.tell(notice.notice, notice.notice === 'registration' ? notice.stat : undefined);
    this.onNotice?.(notice);
    this.wake();
  }
}

/** A command nobody waits for: what goes wrong, start() will put right. */
class Setting extends TextCommand {
  whenDone: (() => void) | undefined;

  override done(): void {
    this.whenDone?.();
  }
}
