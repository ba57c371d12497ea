import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

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

/** The command xs-ipa as `npm test` has built it. @throws Error when it is not there */
export function xsIpa(...parameters: readonly string[]): Program {
  const command = 'dist/xs-ipa.js';
  if (!existsSync(command)) throw new Error(`${command} is not there: run "npm run build" first`);
  return new Program(process.execPath, [command, ...parameters]);
}
