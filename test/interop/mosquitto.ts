import { type ChildProcess, spawn } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** A program that was started: its lines as they come. */
export class Program {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  readonly #watchers = new Set<() => void>();
  #over = false;

  constructor(command: string, parameters: readonly string[]) {
    this.#child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.#child;
    for (const stream of [stdout!, stderr!]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        this.lines.push(...lines);
        this.#tell();
      });
    }
    this.#ended = new Promise((resolve) => {
      const end = (code: number | null) => {
        this.#over = true;
        resolve(code ?? -1);
        this.#tell();
      };
      // Not 'exit': its last lines may still be on their way then.
      this.#child.on('close', end);
      this.#child.on('error', (error) => {
        this.lines.push(error.message);
        end(-1);
      });
    });
  }

  /** Resolves with the first line that fits. @throws Error with all its lines when it ends without one */
  async line(fits: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => fits.test(line));
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`ended without ${fits}:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  /** @returns its exit code */
  ended(): Promise<number> {
    return this.#ended;
  }

  async stop(): Promise<void> {
    if (!this.#over) this.#child.kill();
    await this.#ended;
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** A Mosquitto of our own on 127.0.0.1, with its configuration in a folder that goes away with it. */
export class Mosquitto {
  readonly port: number;
  readonly log: Program;
  readonly #folder: string;

  private constructor(port: number, log: Program, folder: string) {
    this.port = port;
    this.log = log;
    this.#folder = folder;
  }

  /**
   * @param path of the program
   * @param settings lines of mosquitto.conf; `@name` stands for the path of a file
   * @param files by name, written beside the configuration
   */
  static async start(
    path: string,
    settings: readonly string[],
    files: Readonly<Record<string, string>> = {},
  ): Promise<Mosquitto> {
    for (let attempt = 1; ; attempt++) {
      const folder = mkdtempSync(join(tmpdir(), 'xs-ipa-mosquitto-'));
      const port = await freePort();
      for (const [name, text] of Object.entries(files))
        writeFileSync(join(folder, name), text, { mode: 0o600 });
      // Started by root it would become a user that cannot read these files.
      const user = `user ${userInfo().username}`;
      const configuration = [`listener ${port} 127.0.0.1`, user, 'log_type all', ...settings].join('\n');
      const file = join(folder, 'mosquitto.conf');
      writeFileSync(file, `${configuration.replaceAll('@', `${folder}/`)}\n`);
      const log = new Program(path, ['-c', file]);
      const broker = new Mosquitto(port, log, folder);
      try {
        await log.line(/ running$/);
        return broker;
      } catch (error) {
        await broker.stop();
        // Somebody else may have taken the port in the meantime.
        if (attempt === 3) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    await this.log.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** A line of Mosquitto's password file. */
export function passwordLine(user: string, password: string): string {
  const salt = Buffer.from('twelve bytes');
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  return `${user}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`;
}
