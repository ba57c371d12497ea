import { XsIpaError } from '../../hal/contracts/index.js';
import type { TraceEvent } from '../events.js';
import { jsonable, Timeline, toJson } from '../trace/index.js';

export interface OutputOptions {
  json?: boolean;
  verbose?: boolean;
  quiet?: boolean;
}

/** Where a command writes: lines for people, or one JSON object a line for programs. */
export class Output {
  readonly json: boolean;
  readonly #timeline: Timeline;

  constructor(options: OutputOptions) {
    this.json = options.json ?? false;
    const color = process.stdout.isTTY === true && !process.env.NO_COLOR;
    const columns = () => (process.stdout.isTTY ? process.stdout.columns : undefined);
    this.#timeline = new Timeline({ detail: options.quiet ? 0 : options.verbose ? 2 : 1, color, columns });
  }

  event(event: TraceEvent): void {
    if (this.json) this.#write(JSON.stringify(toJson(event)));
    else for (const line of this.#timeline.lines(event)) this.#write(line);
  }

  /** A result: `value` for programs, `lines` for people. */
  result(value: object, lines: readonly string[]): void {
    if (this.json) this.#write(JSON.stringify(jsonable(value)));
    else for (const line of lines) this.#write(line);
  }

  /** Only for people. */
  line(text = ''): void {
    if (!this.json) this.#write(text);
  }

  /** Beside the results: what people should know and programs can do without. */
  note(text: string): void {
    if (!this.json) process.stderr.write(`xs-ipa: ${text}\n`);
  }

  /** Says what is being waited for, once that takes longer than two seconds. */
  async during<T>(what: string | (() => string), work: Promise<T>): Promise<T> {
    if (this.json) return work;
    const terminal = process.stderr.isTTY === true;
    const begun = performance.now();
    let shown = 0;
    const show = () => {
      const passed = Math.round((performance.now() - begun) / 1000);
      // A log gets a line now and then, a terminal one line that changes.
      if (passed < 2 || (!terminal && passed < shown + 10 && shown > 0)) return;
      shown = passed;
      const text = `${typeof what === 'string' ? what : what()} (${passed} s)`;
      process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`);
    };
    const timer = setInterval(show, 1000);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      if (terminal && shown > 0) process.stderr.write('\r\x1b[K');
    }
  }

  #write(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}

/** Ends the program with a message that says what was wrong; a programming error keeps its stack. */
export function fail(error: unknown, json: boolean): never {
  const known = error instanceof XsIpaError || isSystemError(error);
  const code =
    error instanceof XsIpaError ? error.code : isSystemError(error) ? String(error.code) : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  if (json) process.stdout.write(`${JSON.stringify({ event: 'error', code, message })}\n`);
  else process.stderr.write(`xs-ipa: ${message}\n`);
  if (!known && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** Resolves at the first SIGINT or SIGTERM. */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
