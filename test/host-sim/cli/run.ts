import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What `npm test` has built before. */
const program = resolve('dist/xs-ipa.js');

export interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
}

export type Line = Record<string, unknown> & { event?: string };

/** A command that runs until it is stopped, seen through its --json lines. */
export class Running {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  stderr = '';
  #rest = '';
  #wake = () => {};
  #ended = false;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout!.on('data', (bytes: Buffer) => this.#take(bytes.toString()));
    child.stderr!.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString();
    });
    child.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop()!;
    for (const part of parts) this.lines.push(JSON.parse(part) as Line);
    this.#wake();
  }

  /** The first line that fits, now or later; from line `from` on. */
  async line(fits: (line: Line) => boolean, from = 0): Promise<Line> {
    for (;;) {
      const found = this.lines.slice(from).find(fits);
      if (found) return found;
      if (this.#ended)
        throw new Error(`it ended before: ${JSON.stringify(this.lines.at(-1))} ${this.stderr}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<number | null> {
    if (!this.#ended) {
      const end = once(this.child, 'close');
      this.child.kill(signal);
      await end;
    }
    return this.child.exitCode;
  }
}

/** A folder of its own, and the commands that run in it. */
export class Shell {
  readonly dir = mkdtempSync(join(tmpdir(), 'xs-ipa-cli-'));
  readonly #running: Running[] = [];
  readonly #children = new Set<ChildProcess>();

  #spawn(args: readonly string[]): ChildProcess {
    const env = { ...process.env, NO_COLOR: '1' };
    const child = spawn(process.execPath, [program, ...args], { cwd: this.dir, env });
    this.#children.add(child);
    child.on('close', () => this.#children.delete(child));
    return child;
  }

  async run(...args: string[]): Promise<Finished> {
    const child = this.#spawn(args);
    let stdout = '';
    let stderr = '';
    child.stdout!.on('data', (bytes: Buffer) => {
      stdout += bytes.toString();
    });
    child.stderr!.on('data', (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    await once(child, 'close');
    return { status: child.exitCode, stdout, stderr };
  }

  /** Runs a command with --json. @returns what it printed, its last line read */
  async json(...args: string[]): Promise<{ status: number | null; value: Record<string, unknown> }> {
    const { status, stdout } = await this.run(...args, '--json');
    return { status, value: JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown> };
  }

  start(...args: string[]): Running {
    const running = new Running(this.#spawn([...args, '--json']));
    this.#running.push(running);
    return running;
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop()));
    // What a test that failed has left behind.
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
