import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { buildHost } from './build.mjs';
import { bundle } from './bundle.js';
import { COMPLAINT, FIGURES, switchboard, virtArguments } from './virt.js';

export { BuildError, buildHost } from './build.mjs';

/** What a UART is wired to. */
export type Wire = `tcp:${string}:${number}` | `tty:${string}` | `fd:${number}`;

export interface HostOptions {
  /**
   * TypeScript module with `export default function main(config)`, preloaded with everything it imports; or two modules:
   * `main` to run, importing the preloaded `./device.js`; or several to preload, by the names they import each other with.
   */
  entry: string | { device: string; main: string } | { modules: Record<string, string>; main: string };
  /** Constant data for main(), JSON. */
  config?: Readonly<Record<string, unknown>>;
  /** By number of the UART. */
  ports?: Readonly<Record<number, Wire>>;
  /** Bytes of the one heap; 0 grows without end. The ESP32-C3's when absent. */
  heap?: number;
  /** All the memory anyone could want: for what is no device code. Figures then mean nothing. */
  roomy?: boolean;
  /** Slots of the stack. The ESP32-C3's when absent. */
  stack?: number;
  /** Bytes of the UARTs' receive FIFO (128). */
  fifo?: number;
  /** Folder of the key-value storage, kept between runs; a temporary one when absent. */
  storage?: string;
  virtualTime?: boolean;
  /** How many times slower than this computer the device runs. 0, the default: scripts take no time. */
  slowness?: number;
  seed?: number;
  /** Intrinsics frozen as preload leaves them (true). */
  frozen?: boolean;
  bits?: 32 | 64;
  /** A bare RV32IMC board in qemu instead of a process. It has one UART and no UDP. */
  board?: 'rv32';
  /** Collects at every allocation, so that peaks are what was alive, without garbage. Slow. */
  livePeaks?: boolean;
  /**
   * Takes commands from XsHost.command(). `'live'`: with a host that can collect at every allocation, once the command
   * `live 1` says so.
   */
  control?: boolean | 'live';
  /** A line the script logged. */
  onLine?: (line: string) => void;
  onFigures?: (figures: Figures) => void;
  onCensus?: (census: Census) => void;
}

/** One line of figures. Slots and chunk bytes are above the freshly booted machine; peaks since the last mark. */
export interface Figures {
  event: 'mark' | 'exit';
  /** Of the mark; `end`, or why the engine aborted. */
  label: string;
  exit?: number;
  /** Of the engine. */
  version: string;
  /** 16 on a device; 32 on a 64-bit host, whose figures are not a device's. */
  slotBytes: number;
  ticks: number;
  /** Processor time of all callbacks so far, microseconds of this computer. */
  engine: number;
  slots: number;
  slotsPeak: number;
  chunks: number;
  chunksPeak: number;
  /** slots × slotBytes + chunks. */
  bytes: number;
  bytesPeak: number;
  /** Slots from the bottom of the stack. */
  stackPeak: number;
  slotsReserved: number;
  chunksReserved: number;
  collections: number;
  /** Names that the script made at run time. */
  keys: number;
  baseline: { slots: number; chunks: number };
  serial: { sent: number; received: number; lost: number };
  flash: {
    bytecode: number;
    mainBytecode: number;
    slots: number;
    chunks: number;
    keys: number;
    aliases: number;
    intrinsicSlots: number;
    /** Bytecode of every preloaded module. */
    modules: Record<string, number>;
  };
}

/** What is alive, largest class first. Variables that functions close over belong to none of them. */
export interface Census {
  event: 'census';
  label: string;
  /** In all, baseline included. */
  slots: number;
  chunks: number;
  classes: { name: string; count: number; slots: number; chunks: number }[];
}

export interface HostResult {
  /** 11: memory full, 12: stack overflow, 15: unhandled exception, 18: unhandled rejection. */
  code: number | null;
  signal: NodeJS.Signals | null;
  lines: string[];
  marks: Record<string, Figures>;
  census: Record<string, Census>;
  /** At the end. */
  figures: Figures | undefined;
  /** What engine and host had to complain about. */
  complaints: string;
}

/** An XS machine with the memory and the ports of a device, in a process of its own. */
export class XsHost {
  /** Settles when the host has ended, by itself or by kill(). */
  readonly ended: Promise<HostResult>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ended: Promise<HostResult>) {
    this.#child = child;
    this.ended = ended;
  }

  /** Makes the program, if it is not there. @throws {BuildError} where it cannot be built */
  static async build(): Promise<void> {
    await buildHost();
  }

  /** @throws {BuildError} where the host cannot be built */
  static async start(options: HostOptions): Promise<XsHost> {
    const { entry } = options;
    const [{ path, emulator }, modules] = await Promise.all([
      buildHost({
        bits: options.bits,
        stress: options.livePeaks || options.control === 'live',
        board: options.board,
      }),
      typeof entry === 'string' ? preloaded(entry) : entry,
    ]);
    const flash = 'modules' in modules ? modules.modules : { './device.js': modules.device };
    const folder = mkdtempSync(join(tmpdir(), 'xs-ipa-xs-'));
    const storage = options.storage ?? join(folder, 'storage');
    mkdirSync(storage, { recursive: true });
    const config = JSON.stringify(options.config ?? {});
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return name;
    };
    const args = [
      `--preload=mc/config=${file('config.js', `export default Object.freeze(${config}, true);\n`)}`,
      ...Object.entries(flash).map(
        ([name, text], index) => `--preload=${name}=${file(`flash-${index}.js`, text)}`,
      ),
      `--storage=${resolve(storage)}`,
      '--results=3',
      ...flag('static', options.heap),
      ...flag('stack', options.stack),
      ...flag('fifo', options.fifo),
      ...flag('slowness', options.slowness),
      ...flag('seed', options.seed),
      ...Object.entries(options.ports ?? {}).map(
        ([port, wire]) => `--port=${port}=${options.board ? 'qemu:uart' : wire}`,
      ),
      ...(options.virtualTime ? ['--virtual-time'] : []),
      ...(options.roomy ? ROOMY : []),
      ...(options.livePeaks ? ['--live-peaks'] : []),
      ...(options.frozen === false ? ['--thawed'] : []),
      ...(options.control ? [`--control=${options.board ? 'qemu:control' : 'fd:4'}`] : []),
      file('main.js', modules.main),
    ];
    const streams = options.board && (await switchboard());
    const [program, ...parameters] = streams
      ? [emulator, ...virtArguments(path, args, options, streams)]
      : [path, ...args];
    const child = spawn(program, parameters, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    });
    // A host that has ended takes no command any more; `ended` says so.
    child.stdio[4]?.on('error', () => {});
    child.on('close', () => streams?.close());
    return new XsHost(child, collect(child, folder, options));
  }

  /**
   * A command that is carried out between two callbacks, at no cost to the heap: `mark LABEL`, `census LABEL`, `live 0|1`,
   * `call N` for what Host.onCommand() was given, `exit`. Needs the option `control`.
   */
  command(line: string): void {
    (this.#child.stdio[4] as Writable).write(`${line}\n`);
  }

  /** Cuts the power. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Runs an entry to its end. */
export async function runOnXs(options: HostOptions): Promise<HostResult> {
  return (await XsHost.start(options)).ended;
}

const ROOMY = ['--static=0', '--stack=16384', '--slots=131072,32768', '--chunks=4194304,1048576'];

/** The smallest main module: everything else is in flash. */
async function preloaded(entry: string): Promise<{ device: string; main: string }> {
  const main = "import config from 'mc/config';\nimport main from './device.js';\nmain(config);\n";
  return { device: await bundle(entry), main };
}

function flag(name: string, value: number | undefined): string[] {
  return value === undefined ? [] : [`--${name}=${value}`];
}

function collect(child: ChildProcess, folder: string, options: HostOptions): Promise<HostResult> {
  const result: HostResult = {
    code: null,
    signal: null,
    lines: [],
    marks: {},
    census: {},
    figures: undefined,
    complaints: '',
  };
  const logged = (line: string): void => {
    result.lines.push(line);
    options.onLine?.(line);
  };
  const figured = (line: string): void => {
    const figures = JSON.parse(line) as Figures | Census;
    if (figures.event === 'census') {
      result.census[figures.label] = figures;
      options.onCensus?.(figures);
      return;
    }
    if (figures.event === 'exit') result.figures = figures;
    else result.marks[figures.label] = figures;
    options.onFigures?.(figures);
  };
  createInterface(child.stdout!).on('line', (line) => {
    if (!options.board) logged(line);
    else if (line.startsWith(FIGURES)) figured(line.slice(1));
    else if (line.startsWith(COMPLAINT)) result.complaints += `${line.slice(1)}\n`;
    else logged(line);
  });
  createInterface(child.stdio[3] as Readable).on('line', figured);
  child.stderr!.on('data', (text: Buffer) => {
    result.complaints += text.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      rmSync(folder, { recursive: true, force: true });
      resolve({ ...result, code, signal });
    });
  });
}
