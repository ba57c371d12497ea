import { type SerialConfiguration, type SerialPort, XsIpaError } from '../hal/contracts/index.js';
import { CARD_HELP } from './card-commands.js';
import { type Provisioning, SETTINGS } from './provisioning.js';

export interface ConsoleOptions {
  serial: SerialConfiguration;
  provisioning: Provisioning;
  /** `poll`: polls now. */
  onPoll?: () => void;
  /** A command of card-commands.ts; undefined when it is none. */
  onCard?: (command: string, name: string, value: string) => Promise<string[]> | undefined;
  /** `restart`: settings are read when the device starts. */
  onRestart?: () => void;
}

const LINE_LIMIT = 1_200;
const CR = 13;
const LF = 10;
const BACKSPACE = 8;
const DELETE = 127;

/** A command line on the debug serial: shows and sets what the device is told. One command a line, plain ASCII. */
export class SettingsConsole {
  readonly #options: ConsoleOptions;
  readonly #port: SerialPort;
  readonly #piece = new Uint8Array(32);
  #line = '';
  #overlong = false;
  #out = '';
  #room = 0;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    const { io, ...rest } = options.serial;
    this.#port = new io({
      ...rest,
      onReadable: () => this.#read(),
      onWritable: (count) => {
        this.#room = count;
        this.#flush();
      },
    });
  }

  close(): void {
    this.#port.close();
  }

  /** Writes a line when there is room. */
  say(text: string): void {
    this.#out += `${text}\r\n`;
    this.#flush();
  }

  #read(): void {
    for (let count = this.#port.read(this.#piece); count > 0; count = this.#port.read(this.#piece)) {
      for (let at = 0; at < count; at++) this.#take(this.#piece[at]);
    }
  }

  #take(byte: number): void {
    if (byte === CR || byte === LF) {
      const line = this.#line;
      const overlong = this.#overlong;
      this.#line = '';
      this.#overlong = false;
      if (overlong) this.say(`error: a line has at most ${LINE_LIMIT} characters`);
      else if (line !== '') this.#execute(line);
    } else if (byte === BACKSPACE || byte === DELETE) this.#line = this.#line.slice(0, -1);
    else if (this.#line.length >= LINE_LIMIT) this.#overlong = true;
    else if (byte >= 0x20 && byte < DELETE) this.#line += String.fromCharCode(byte);
  }

  #execute(line: string): void {
    const [command, name] = line.split(' ', 2);
    // A value may have spaces in it.
    const value = name === undefined ? '' : line.slice(command.length + name.length + 2);
    try {
      this.#run(command, name ?? '', value);
    } catch (error) {
      if (!(error instanceof XsIpaError)) throw error;
      this.say(`error: ${error.message}`);
    }
  }

  #run(command: string, name: string, value: string): void {
    const { provisioning, onPoll, onRestart } = this.#options;
    if (command === 'show') {
      for (const setting of SETTINGS) {
        if (name === '' || setting.name === name) this.say(provisioning.describe(setting.name));
      }
    } else if (command === 'set') {
      provisioning.set(name, value);
      this.say(provisioning.describe(name));
    } else if (command === 'unset') {
      provisioning.unset(name);
      this.say(provisioning.describe(name));
    } else if (command === 'poll') onPoll?.();
    else if (command === 'restart') onRestart?.();
    else if (!this.#card(command, name, value)) {
      this.say(
        'show [name] | set name value | unset name | poll | restart; settings count from the next start on',
      );
      for (const help of CARD_HELP) this.say(help);
      for (const setting of SETTINGS) this.say(`  ${setting.name}: ${setting.help}`);
    }
  }

  /** The answer follows when the card has given it. @returns whether it is such a command */
  #card(command: string, name: string, value: string): boolean {
    const work = this.#options.onCard?.(command, name, value);
    if (!work) return false;
    work.then(
      (lines) => {
        for (const line of lines) this.say(line);
      },
      (error) => this.say(`error: ${error instanceof Error ? error.message : String(error)}`),
    );
    return true;
  }

  #flush(): void {
    while (this.#out !== '' && this.#room > 0) {
      const count = Math.min(this.#out.length, this.#room);
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count; at++) bytes[at] = this.#out.charCodeAt(at);
      this.#out = this.#out.slice(count);
      this.#room -= count;
      this.#port.write(bytes);
    }
  }
}
