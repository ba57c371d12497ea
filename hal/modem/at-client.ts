import type {
  HalEvent,
  Observer,
  SerialConfiguration,
  SerialPort,
  Time,
  Timer,
  TimerHandle,
} from '../contracts/index.js';
import {
  type AtResult,
  characterOf,
  type HexCommand,
  lineOf,
  nameOf,
  type Sendable,
  sizeOf,
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
} from './at-parser.js';
import { AtRecovery } from './at-recovery.js';
import { LineBuffer } from './line-buffer.js';

export interface AtClientOptions {
  serial: SerialConfiguration;
  timer: Timer;
  time: Time;
  /** Longest line that can be received, in characters. A 256-byte answer with status word has about 530. */
  lineSize?: number;
  /** Size of the buffer in which commands are put together for write(). */
  pieceSize?: number;
  /** A line nobody asked for; the view is only valid during the call. */
  onUnsolicited?: (line: Uint8Array) => void;
  /** The port is gone. */
  onLost?: (reason: unknown) => void;
  observe?: Observer<HalEvent>;
}

/** Takes the decoded answer of a hex command; the view is only valid during the call. */
export type HexReceiver = (bytes: Uint8Array) => void;

interface Pending extends Sendable {
  expect: Expectation | undefined;
  receive: HexReceiver | undefined;
  deadline: number;
  resolve: (result: AtResult) => void;
  reject: (error: unknown) => void;
}

/** How often recovery tries AT, and how long an AT behind another command may take. */
const ATTEMPTS = 3;
const ALIVE = 2_000;

const DONE: AtResult = { ok: true, cme: -1, text: '' };

/**
 * One AT interface: commands one at a time, each with a deadline, unsolicited lines at any point (at.md §1).
 *
 * After a timeout {@link AtRecovery} runs before anything else is sent; what arrives meanwhile is dropped. So an answer
 * that comes late is never taken for the answer of the next command.
 */
export class AtClient {
  /** Milliseconds between a final result and the next command (u-blox: 20). */
  gap = 0;
  readonly #options: AtClientOptions;
  readonly #lines: LineBuffer;
  readonly #piece: Uint8Array;
  readonly #queue: Pending[] = [];
  #port: SerialPort | undefined;
  #writable = 0;
  #current: Pending | undefined;
  #sent = 0;
  #answered = false;
  #text = '';
  #failure: unknown;
  #timer: TimerHandle | undefined;
  #gapTimer: TimerHandle | undefined;
  #finished = Number.NEGATIVE_INFINITY;
  readonly #recovery: AtRecovery;
  #reading = false;

  constructor(options: AtClientOptions) {
    this.#options = options;
    this.#lines = new LineBuffer(options.lineSize ?? 600);
    this.#piece = new Uint8Array(options.pieceSize ?? 64);
    this.#recovery = new AtRecovery({
      timer: options.timer,
      time: options.time,
      isOpen: () => this.isOpen,
      send: (text) => this.#raw(text),
    });
  }

  get isOpen(): boolean {
    return this.#port !== undefined;
  }

  /** Received lines that were too long for the buffer and were dropped. */
  get overlongLines(): number {
    return this.#lines.overlong;
  }

  /** Opens the port; nothing happens if it is open. */
  open(): void {
    if (this.#port) return;
    this.#lines.reset();
    this.#writable = 0;
    const { io, ...rest } = this.#options.serial;
    const port = new io({
      ...rest,
      onReadable: () => this.#onReadable(port),
      onWritable: (count) => {
        if (this.#port !== port) return;
        this.#writable = count;
        this.#send();
      },
      onError: (reason) => {
        if (this.#port !== port) return;
        this.close(
          new AtError('closed', `the serial port to the modem is gone: ${describe(reason)}`, {
            cause: reason,
          }),
        );
        this.#options.onLost?.(reason);
      },
    });
    this.#port = port;
  }

  /** Idempotent. Every command still open is rejected. */
  close(reason: unknown = new AtError('closed', 'the AT interface was closed')): void {
    const port = this.#port;
    this.#port = undefined;
    this.#options.timer.clear(this.#timer);
    this.#options.timer.clear(this.#gapTimer);
    this.#timer = undefined;
    this.#gapTimer = undefined;
    port?.close();
    const open = this.#queue.splice(0);
    if (this.#current) open.unshift(this.#current);
    this.#current = undefined;
    this.#recovery.abandon();
    for (const command of open) command.reject(reason);
  }

  /**
   * Sends a text command without its CR.
   * @param deadline milliseconds from the moment the command is sent
   * @throws {AtError} `timeout`, `closed`
   */
  command(text: string, deadline: number, expect?: Expectation): Promise<AtResult> {
    return this.#enqueue(text, undefined, expect, undefined, deadline);
  }

  /**
   * Sends a hex command. `receive` is called once, with the decoded bytes of a `+CSIM:`/`+CGLA:` answer, before the
   * promise is fulfilled; an error result comes without that call. `hex` must not change until then.
   * @throws {AtError} `timeout`, `closed`, `malformed`, and whatever `receive` throws
   */
  exchange(hex: HexCommand, receive: HexReceiver, deadline: number): Promise<AtResult> {
    return this.#enqueue('', hex, hex.expect, receive, deadline);
  }

  /** Like command(), with the text and the quoted bytes of `hex`; the answer is text. */
  commandWithBytes(hex: HexCommand, deadline: number): Promise<AtResult> {
    return this.#enqueue('', hex, hex.expect, undefined, deadline);
  }

  /**
   * Sends `AT` until the modem answers OK and is silent.
   * @throws {AtError} `timeout`, `closed`
   */
  async synchronise(attempts: number): Promise<void> {
    while (this.#recovery.running) await this.#recovery.running;
    if (!this.#port) throw new AtError('closed', 'the AT interface is not open');
    if (this.#current) {
      await this.command('AT', ALIVE);
      return;
    }
    const alive = await this.#recovery.run(attempts);
    if (!this.#port) throw new AtError('closed', 'the serial port to the modem is gone');
    if (!alive) {
      throw new AtError(
        'timeout',
        `no modem answers AT (${attempts} attempts): check port, baud rate and power`,
      );
    }
    this.#next();
  }

  #enqueue(
    text: string,
    hex: HexCommand | undefined,
    expect: Expectation | undefined,
    receive: HexReceiver | undefined,
    deadline: number,
  ): Promise<AtResult> {
    return new Promise((resolve, reject) => {
      if (!this.#port) {
        reject(new AtError('closed', 'the AT interface is not open'));
        return;
      }
      this.#queue.push({ text, hex, expect, receive, deadline, resolve, reject });
      void this.#nextSoon();
    });
  }

  /** From an empty stack: callers are nested deeply, and a device has a stack of few hundred slots. */
  async #nextSoon(): Promise<void> {
    // From here on an empty stack (docs/design.md §4).
    await undefined;
    try {
      this.#next();
    } catch (error) {
      // A platform that breaks its promises: whoever waits for this command is told.
      const command = this.#current;
      if (!command) throw error;
      this.#current = undefined;
      command.reject(error);
    }
  }

  #next(): void {
    const { timer, time } = this.#options;
    if (this.#current || this.#recovery.running || this.#gapTimer !== undefined || this.#queue.length === 0)
      return;
    if (this.#recovery.needed) {
      void this.#recoverForNext();
      return;
    }
    const wait = this.gap - (time.ticks - this.#finished);
    if (wait > 0) {
      this.#gapTimer = timer.set(() => {
        this.#gapTimer = undefined;
        this.#next();
      }, wait);
      return;
    }
    const command = this.#queue.shift();
    if (command) this.#begin(command);
  }

  #begin(command: Pending): void {
    this.#current = command;
    this.#sent = 0;
    this.#answered = false;
    this.#text = '';
    this.#failure = undefined;
    this.#timer = this.#options.timer.set(() => this.#onTimeout(command), command.deadline);
    const { observe } = this.#options;
    if (observe) observe({ event: 'at', direction: 'tx', line: lineOf(command), kind: 'command' });
    this.#send();
  }

  /** Writes as much of the present command as the port takes. */
  #send(): void {
    const piece = this.#piece;
    for (;;) {
      const command = this.#current;
      const port = this.#port;
      if (!command || !port || this.#recovery.running) return;
      const total = sizeOf(command);
      const count = Math.min(this.#writable, piece.length, total - this.#sent);
      if (count <= 0) return;
      for (let i = 0; i < count; i++) piece[i] = characterOf(command, this.#sent + i);
      this.#sent += count;
      this.#writable -= count;
      port.write(count === piece.length ? piece : piece.subarray(0, count));
    }
  }

  #onReadable(port: SerialPort): void {
    // A port may announce bytes from inside read() or write(); the loop that runs already takes them.
    if (this.#port !== port || this.#reading) return;
    this.#reading = true;
    try {
      this.#lines.fill(port, this.#onLine);
    } finally {
      this.#reading = false;
    }
  }

  readonly #onLine = (start: number, end: number): void => {
    if (!this.#port) return;
    const { bytes } = this.#lines;
    const command = this.#current;
    const recovering = this.#recovery.running !== undefined;
    this.#recovery.onLine(false);
    if (isEcho(bytes, start, end, recovering ? 'AT' : (command?.text ?? ''))) {
      this.#observeLine('echo', start, end);
      return;
    }
    const kind = classify(bytes, start, end, this.#answered ? undefined : command?.expect);
    // A result that comes before the command is out belongs to something earlier.
    const stray = !command || recovering || this.#sent < sizeOf(command);
    switch (kind) {
      case 'ok':
      case 'error':
        this.#observeLine('final', start, end);
        this.#recovery.onLine(kind === 'ok');
        if (!stray) this.#onFinal(command, kind === 'ok', start, end);
        return;
      case 'answer':
        this.#observeLine('answer', start, end);
        if (!stray) this.#onAnswer(command, start, end);
        return;
      default:
        this.#observeLine('urc', start, end);
        this.#options.onUnsolicited?.(bytes.subarray(start, end));
    }
  };

  #onAnswer(command: Pending, start: number, end: number): void {
    const { bytes } = this.#lines;
    this.#answered = true;
    if (!command.receive) {
      this.#text = asText(bytes, start, end);
      return;
    }
    const count = decodeHexAnswer(bytes, start, end);
    if (count < 0) {
      const why =
        count === BAD_LENGTH ? 'its length does not fit its hex characters' : 'it is not <length>,"<hex>"';
      this.#failure = new AtError(
        'malformed',
        `the modem's ${command.expect?.prefix} answer is unreadable: ${why}`,
      );
      return;
    }
    try {
      command.receive(bytes.subarray(start, start + count));
    } catch (error) {
      this.#failure = error;
    }
  }

  #onFinal(command: Pending, ok: boolean, start: number, end: number): void {
    const { timer, time } = this.#options;
    timer.clear(this.#timer);
    this.#timer = undefined;
    this.#current = undefined;
    this.#finished = time.ticks;
    if (this.#failure !== undefined) command.reject(this.#failure);
    else if (!ok) {
      const { bytes } = this.#lines;
      command.resolve({ ok: false, cme: cmeCode(bytes, start, end), text: asText(bytes, start, end) });
    } else if (!command.receive) command.resolve({ ok: true, cme: -1, text: this.#text });
    else if (this.#answered) command.resolve(DONE);
    else
      command.reject(new AtError('malformed', `the modem said OK without a ${command.expect?.prefix} line`));
    this.#next();
  }

  #onTimeout(command: Pending): void {
    if (this.#current !== command) return;
    const unfinished = this.#sent > 0 && this.#sent < sizeOf(command);
    this.#timer = undefined;
    void this.#recovery.run(ATTEMPTS, unfinished).then((alive) => {
      if (this.#current !== command) return;
      this.#current = undefined;
      const state = alive ? 'it answers AT again' : 'it does not answer AT either';
      command.reject(
        new AtError('timeout', `no result of ${nameOf(command)} within ${command.deadline} ms; ${state}`),
      );
      this.#next();
    });
  }

  async #recoverForNext(): Promise<void> {
    if (!(await this.#recovery.run(ATTEMPTS)) && this.#port) {
      const command = this.#queue.shift();
      command?.reject(
        new AtError('timeout', `${nameOf(command)} was not sent: the modem does not answer AT`),
      );
    }
    this.#next();
  }

  /** Sends past the queue; false when the port has no room. */
  #raw(text: string): boolean {
    const port = this.#port;
    if (!port || this.#writable < text.length) return false;
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    this.#writable -= text.length;
    port.write(bytes);
    const line = bytes.subarray(text.length - 3, text.length - 1);
    this.#options.observe?.({ event: 'at', direction: 'tx', line, kind: 'command' });
    return true;
  }

  #observeLine(kind: 'answer' | 'final' | 'urc' | 'echo', start: number, end: number): void {
    const { observe } = this.#options;
    if (observe)
      observe({ event: 'at', direction: 'rx', line: this.#lines.bytes.subarray(start, end), kind });
  }
}

function describe(reason: unknown): string {
  if (reason instanceof Error) return reason.message;
  return reason === undefined ? 'no reason given' : String(reason);
}
