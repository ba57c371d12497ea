import {
  type AtCommand,
  type AtResult,
  type FailureRule,
  lineOf,
  nameOf,
  PromisedCommand,
} from './at-command.js';
import { AtError } from './at-error.js';
import {
  asText,
  BAD_LENGTH,
  classify,
  cmeCode,
  decodeHexAnswer,
  type Expectation,
  isEcho,
  NO_CODE,
} from './at-parser.js';
import type { AtPortOptions } from './at-port.js';
import { AtRecovery } from './at-recovery.js';

export type AtClientOptions = AtPortOptions;

/** Who is told what is nobody's answer. */
export interface AtListener {
  /** A line nobody asked for; the view is only valid during the call. */
  onUnsolicited?(line: Uint8Array): void;
  /** The port is gone. */
  onLost?(reason: unknown): void;
}

/** How often recovery tries AT, and how long an AT behind another command may take. */
const ATTEMPTS = 3;
const ALIVE = 2_000;

const DONE: AtResult = { ok: true, cme: NO_CODE, text: '' };

/**
 * One AT interface: commands one at a time, each with a deadline, unsolicited lines at any point (at.md §1).
 *
 * After a timeout {@link AtRecovery} runs before anything else is sent; what arrives meanwhile is dropped. So an answer
 * that comes late is never taken for the answer of the next command.
 *
 * All that happens is started by the port or by the timer, on an empty stack; send() only puts a command into the queue.
 */
export class AtClient extends AtRecovery {
  /** Milliseconds between a final result and the next command (u-blox: 20). */
  gap = 0;
  readonly #listener: AtListener | undefined;
  readonly #queue: AtCommand[] = [];
  #current: AtCommand | undefined;
  #sent = 0;
  #answered = false;
  #text = '';
  /** The present command has its outcome: a result or an error. */
  #isOver = false;
  #result: AtResult | undefined;
  #error: unknown;
  #finished = Number.NEGATIVE_INFINITY;
  #working = false;

  constructor(options: AtClientOptions, listener?: AtListener) {
    super(options);
    this.#listener = listener;
  }

  /** Idempotent. Every command still open is rejected. */
  close(reason: unknown = new AtError('closed', 'the AT interface was closed')): void {
    this.closePort();
    const open = this.#queue.splice(0);
    if (this.#current) open.unshift(this.#current);
    this.#current = undefined;
    this.#isOver = false;
    this.abandonRecovery();
    for (const command of open) command.done(undefined, reason);
  }

  /** Puts a command into the queue. Its errors are AtErrors: `timeout`, `closed`, `malformed`. */
  send(command: AtCommand): void {
    if (!this.isOpen) {
      command.done(undefined, new AtError('closed', 'the AT interface is not open'));
      return;
    }
    this.#queue.push(command);
    if (!this.#working && !this.#current && !this.isRecovering) this.wakeIn(0);
  }

  /**
   * Sends a text command without its CR.
   * @param deadline milliseconds from the moment the command is sent
   * @param failure what becomes of a failure
   * @throws {AtError} `timeout`, `closed`, `refused`
   */
  command(
    text: string,
    deadline: number,
    expect?: Expectation,
    failure: FailureRule = 'is a result',
  ): Promise<AtResult> {
    return new Promise((resolve, reject) => {
      const command = new PromisedCommand(text, deadline, expect, resolve, reject);
      command.failure = failure;
      this.send(command);
    });
  }

  /**
   * Sends `AT` until the modem answers OK and is silent.
   * @throws {AtError} `timeout`, `closed`
   */
  synchronise(attempts: number): Promise<AtResult> {
    return new Promise((resolve, reject) => {
      const command = new PromisedCommand('AT', ALIVE, undefined, resolve, reject);
      if (!this.#current || this.isRecovering) command.attempts = attempts;
      this.send(command);
    });
  }

  /** Does whatever can be done now: tells an outcome, begins the next command. */
  protected override work(): void {
    if (this.#working) return;
    this.#working = true;
    try {
      while (this.isOpen) {
        if (this.#isOver) {
          const command = this.#current;
          const result = this.#result;
          const error = this.#error;
          this.#isOver = false;
          this.#current = this.#result = this.#error = undefined;
          command?.done(result, error);
        } else if (!this.beginNext()) break;
      }
    } catch (error) {
      if (this.isOpen && !this.#current) this.wakeIn(0);
      throw error;
    } finally {
      this.#working = false;
    }
  }

  private beginNext(): boolean {
    if (this.#current || this.isRecovering || this.#queue.length === 0) return false;
    if (this.isLost && this.#queue[0].attempts === undefined) {
      this.recover(ATTEMPTS);
      return false;
    }
    const wait = this.gap - (this.options.time.ticks - this.#finished);
    if (wait > 0) {
      this.wakeIn(wait);
      return false;
    }
    const command = this.#queue.shift();
    if (command) this.begin(command);
    return true;
  }

  private begin(command: AtCommand): void {
    this.#current = command;
    this.#sent = 0;
    this.#answered = false;
    this.#text = '';
    this.#error = undefined;
    if (command.attempts !== undefined) {
      this.recover(command.attempts);
      return;
    }
    if (command.size === 0) {
      this.end(DONE);
      return;
    }
    this.wakeIn(command.deadline);
    const { observe } = this.options;
    if (observe) observe({ event: 'at', direction: 'tx', line: lineOf(command), kind: 'command' });
    this.onRoom();
  }

  private end(result: AtResult | undefined, error?: unknown): void {
    this.calm();
    this.#isOver = true;
    this.#result = result;
    this.#error = error;
  }

  protected override onRoom(): void {
    try {
      for (;;) {
        const command = this.#current;
        if (!command || this.#isOver || this.isRecovering) return;
        const sent = this.#sent;
        const count = this.fitting(command, sent);
        if (count <= 0) return;
        this.#sent = sent + count;
        this.write(command, sent, count);
      }
    } catch (error) {
      // A platform that breaks its promises: whoever waits for this command is told.
      this.end(undefined, error);
    }
  }

  protected override onTimer(): void {
    if (this.isRecovering) this.recoverByTimer();
    else if (this.#current && !this.#isOver) {
      this.recover(ATTEMPTS, this.#sent > 0 && this.#sent < this.#current.size);
    }
    this.work();
  }

  protected override onBroken(reason: unknown): void {
    const message = `the serial port to the modem is gone: ${describe(reason)}`;
    this.close(new AtError('closed', message, { cause: reason }));
    this.#listener?.onLost?.(reason);
  }

  protected override onRecovered(alive: boolean): void {
    const command = this.#current;
    if (!command) {
      if (alive) return;
      this.#current = this.#queue.shift();
      const name = (this.#current && nameOf(this.#current)) || 'the command';
      this.end(undefined, new AtError('timeout', `${name} was not sent: the modem does not answer AT`));
    } else if (command.attempts !== undefined) {
      const silence = `no modem answers AT (${command.attempts} attempts): check port, baud rate and power`;
      this.end(alive ? DONE : undefined, alive ? undefined : new AtError('timeout', silence));
    } else {
      const state = alive ? 'it answers AT again' : 'it does not answer AT either';
      const silence = `no result of ${nameOf(command)} within ${command.deadline} ms; ${state}`;
      this.end(undefined, new AtError('timeout', silence));
    }
  }

  protected override onLine(start: number, end: number): void {
    const { bytes } = this.lines;
    const command = this.#isOver ? undefined : this.#current;
    const recovering = this.isRecovering;
    if (recovering) this.recoverByLine(false);
    if (isEcho(bytes, start, end, recovering ? 'AT' : (command?.text ?? ''))) {
      this.observe('echo', start, end);
      return;
    }
    const kind = classify(bytes, start, end, this.#answered ? undefined : command?.expect);
    // A result that comes before the command is out belongs to something earlier.
    const stray = !command || recovering || this.#sent < command.size;
    switch (kind) {
      case 'ok':
      case 'error':
        this.observe('final', start, end);
        if (recovering) this.recoverByLine(kind === 'ok');
        if (!stray) this.onFinal(command, kind === 'ok', start, end);
        return;
      case 'answer':
        this.observe('answer', start, end);
        if (!stray) this.onAnswer(command, start, end);
        return;
      default:
        this.observe('urc', start, end);
        this.#listener?.onUnsolicited?.(bytes.subarray(start, end));
    }
  }

  private onAnswer(command: AtCommand, start: number, end: number): void {
    const { bytes } = this.lines;
    this.#answered = true;
    if (!command.answersInHex) {
      this.#text = asText(bytes, start, end);
      return;
    }
    const count = decodeHexAnswer(bytes, start, end);
    if (count < 0) {
      const why =
        count === BAD_LENGTH ? 'its length does not fit its hex characters' : 'it is not <length>,"<hex>"';
      const message = `the modem's ${command.expect?.prefix} answer is unreadable: ${why}`;
      this.#error = new AtError('malformed', message);
      return;
    }
    try {
      command.receive(bytes, start, count);
    } catch (error) {
      this.#error = error;
    }
  }

  private onFinal(command: AtCommand, ok: boolean, start: number, end: number): void {
    const { bytes } = this.lines;
    this.#finished = this.options.time.ticks;
    if (this.#error !== undefined) this.end(undefined, this.#error);
    else if (!ok) this.end({ ok: false, cme: cmeCode(bytes, start, end), text: asText(bytes, start, end) });
    else if (!command.answersInHex) this.end({ ok: true, cme: NO_CODE, text: this.#text });
    else if (this.#answered) this.end(DONE);
    else {
      const message = `the modem said OK without a ${command.expect?.prefix} line`;
      this.end(undefined, new AtError('malformed', message));
    }
  }

  private observe(kind: 'answer' | 'final' | 'urc' | 'echo', start: number, end: number): void {
    const { observe } = this.options;
    if (observe) observe({ event: 'at', direction: 'rx', line: this.lines.bytes.subarray(start, end), kind });
  }
}

function describe(reason: unknown): string {
  if (reason instanceof Error) return reason.message;
  return reason === undefined ? 'no reason given' : String(reason);
}
