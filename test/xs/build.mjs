/**
 * Builds the XS host (host/*.c) against the engine's sources: `$MODDABLE/xs` when that is set, else those in the npm
 * package @agoric/xsnap, of which one archive is fetched and its checksum compared; nothing in it is ever run.
 * Objects are cached; a second build takes no time.
 *
 *   node test/xs/build.mjs          prints the path of the program
 *   node test/xs/build.mjs --rv32   the same for the bare RV32IMC board that qemu calls `virt`
 *
 * Exit codes: 0 built, 3 no C compiler, 4 no engine sources, 5 it does not compile.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, '..', '..', 'node_modules', '.cache', 'xs-ipa');
const hostSources = join(here, 'host');
const run = promisify(execFile);

const PACKAGE = '@agoric/xsnap@0.15.0';
const INTEGRITY =
  'sha512-ZBm4DZxbtfacxMHVVdJjZi0Y8zOxN77vpu1WwI5RWfPkaRh0aHkz/dVdTGKXalDNzWfz183lljKxlxl3/h0n+A==';

/** Engine files that only newer engines have and that the host does without. */
const LEFT_OUT = new Set(['xsum.c', 'xsffi.c']);

/** What the engine is built with; what differs from a device's build is that it can parse. */
const DEFINES = [
  'INCLUDE_XSPLATFORM',
  'XSPLATFORM="platform.h"',
  'mxParse=1',
  'mxRun=1',
  'mxSloppy=1',
  'mxNoConsole=1',
  'mxRegExpUnicodePropertyEscapes=1',
  'mxStringNormalize=1',
  'mxMinusZero=1',
  'mxInstrument=1',
  // Without it a stack overflow is silent corruption; with it a clean abort.
  'mxBoundsCheck=1',
];

export class BuildError extends Error {
  name = 'BuildError';
  /** @param {string} message @param {number} exitCode */
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The instruction set of an ESP32-C3; program and data in the memory that run.ts gives the board. */
const RV32 = {
  compiler: 'riscv64-unknown-elf-gcc',
  emulator: 'qemu-system-riscv32',
  packages: 'gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc',
  machine: ['-march=rv32imc', '-mabi=ilp32', '--specs=picolibc.specs'],
  memory: {
    __flash: 0x8000_0000,
    __flash_size: 0x0080_0000,
    __ram: 0x8080_0000,
    __ram_size: 0x0380_0000,
    __stack_size: 0x0010_0000,
  },
};

/** How to compile for the machine at hand. */
function posix(bits) {
  const cc = compiler();
  const width = bits ?? (has32(cc) ? 32 : 64);
  const m32 = width === 32 ? ['-m32'] : [];
  return {
    name: `${width}`,
    bits: width,
    cc,
    folder: 'posix',
    map: false,
    flags: [...(width === 32 ? [...m32, '-msse2', '-mfpmath=sse'] : ['-Dmx32bitID=1']), '-O2'],
    link: [...m32, '-lpthread'],
  };
}

/** How to compile for the bare board. */
function rv32() {
  try {
    execFileSync(RV32.emulator, ['--version'], { stdio: 'ignore' });
    execFileSync(RV32.compiler, [...RV32.machine, '-E', '-x', 'c', '-'], {
      input: '#include <semihost.h>\n',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  } catch {
    throw new BuildError(
      `no ${RV32.compiler} with picolibc, or no ${RV32.emulator}, for the RV32 board (Debian: apt install ${RV32.packages})`,
      3,
    );
  }
  return {
    name: 'rv32',
    bits: 32,
    cc: RV32.compiler,
    folder: 'rv32',
    map: true,
    flags: [...RV32.machine, '-Os', '-ffunction-sections', '-fdata-sections'],
    link: [
      ...RV32.machine,
      '--oslib=semihost',
      '--crt0=semihost',
      ...Object.entries(RV32.memory).map(([symbol, value]) => `-Wl,--defsym=${symbol}=${value}`),
    ],
  };
}

function compiler() {
  for (const name of [process.env.CC, 'gcc', 'cc', 'clang']) {
    if (!name) continue;
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {}
  }
  throw new BuildError(
    'no C compiler: the XS host cannot be built, and what needs it is skipped (Debian: apt install gcc-multilib)',
    3,
  );
}

/** Whether the compiler can build and link 32-bit programs, as the device's slots are. */
function has32(cc) {
  const out = join(tmpdir(), `xs-ipa-m32-${process.pid}`);
  try {
    execFileSync(cc, ['-m32', '-x', 'c', '-', '-o', out], {
      input: '#include <stdlib.h>\nint main(void) { return sizeof(void*) == 4 ? 0 : 1; }\n',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    execFileSync(out, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(out, { force: true });
  }
}

/** @returns the directory with sources/, includes/ and platforms/ */
function engine() {
  if (process.env.MODDABLE) {
    const xs = join(process.env.MODDABLE, 'xs');
    if (existsSync(join(xs, 'sources', 'xsAll.h'))) return xs;
    throw new BuildError(`$MODDABLE is set but ${xs} has no engine; correct it or unset it`, 4);
  }
  const target = join(cache, PACKAGE.replace(/[^a-z0-9.]/g, '-'));
  const xs = join(target, 'package', 'moddable', 'xs');
  if (existsSync(join(xs, 'sources', 'xsAll.h'))) return xs;
  const fetched = `${target}.${process.pid}`;
  mkdirSync(fetched, { recursive: true });
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const options = ['pack', PACKAGE, '--ignore-scripts', '--silent', '--pack-destination', fetched];
    const archive = join(fetched, execFileSync(npm, options, { encoding: 'utf8', cwd: fetched }).trim());
    const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (digest !== INTEGRITY) throw new Error(`its checksum is ${digest}, not the one pinned in build.mjs`);
    execFileSync('tar', ['-xzf', archive, '-C', fetched, 'package/moddable/xs']);
    if (!existsSync(target)) renameSync(fetched, target);
  } catch (cause) {
    throw new BuildError(`the engine's sources (${PACKAGE}) could not be fetched: ${cause.message}`, 4);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
  return xs;
}

/** Runs `tasks`, as many at a time as there are processors. */
async function inParallel(tasks) {
  const queue = [...tasks];
  const worker = async () => {
    for (let task = queue.shift(); task; task = queue.shift()) await task();
  };
  await Promise.all(cpus().map(worker));
}

/**
 * @param {{ bits?: 32 | 64, stress?: boolean, board?: 'rv32' }} [options] `bits`: 32 where the compiler can, unless told;
 * `stress`: able to collect at every allocation; `board`: for that instead of the machine at hand
 * @returns {Promise<{ path: string, bits: 32 | 64, built: boolean, map: string, emulator: string }>} `built`: something was
 * compiled; `map`: path of what the linker of a board tells; `emulator`: what runs a board
 */
export async function buildHost(options = {}) {
  const target = options.board === 'rv32' ? rv32() : posix(options.bits);
  const { cc, bits } = target;
  const xs = engine();
  const flags = [
    ...target.flags,
    ...(options.stress ? ['-DmxStress=1'] : []),
    '-fno-common',
    '-fno-strict-aliasing',
    ...DEFINES.map((define) => `-D${define}`),
    `-I${hostSources}`,
    ...['includes', 'platforms', 'sources'].map((name) => `-I${join(xs, name)}`),
  ];
  const key = createHash('sha256')
    .update(JSON.stringify([cc, xs, flags, target.link]))
    .digest('hex')
    .slice(0, 12);
  const objects = join(cache, `host-${target.name}${options.stress ? '-stress' : ''}-${key}`);
  const program = join(objects, 'xs-host');
  const map = join(objects, 'xs-host.map');
  mkdirSync(objects, { recursive: true });

  const headers = readdirSync(hostSources).filter((name) => name.endsWith('.h'));
  const headersAt = Math.max(...headers.map((name) => statSync(join(hostSources, name)).mtimeMs));
  const sources = [
    ...readdirSync(join(xs, 'sources'))
      .filter((name) => name.endsWith('.c') && !LEFT_OUT.has(name))
      // The engine's own files, which only platform.h of ours can change, get its warnings silenced.
      .map((name) => ({ file: join(xs, 'sources', name), changed: platformAt(), extra: ['-w'] })),
    ...[hostSources, join(hostSources, target.folder)]
      .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
      .filter((file) => file.endsWith('.c'))
      .map((file) => ({
        file,
        changed: headersAt,
        extra: ['-Wall', '-Wno-misleading-indentation', '-Wno-unused-variable'],
      })),
  ];
  const linked = [];
  const tasks = [];
  for (const { file, changed, extra } of sources) {
    const object = join(objects, `${basename(file, '.c')}.o`);
    linked.push(object);
    const from = Math.max(changed, statSync(file).mtimeMs);
    if (existsSync(object) && statSync(object).mtimeMs >= from) continue;
    tasks.push(async () => {
      // Written aside and renamed: two builds at a time must not read each other's halves.
      const aside = `${object}.${process.pid}`;
      try {
        const { stderr } = await run(cc, [...flags, ...extra, '-c', file, '-o', aside]);
        if (stderr) process.stderr.write(stderr);
      } catch (cause) {
        throw new BuildError(`${basename(file)} does not compile:\n${cause.stderr ?? cause.message}`, 5);
      }
      renameSync(aside, object);
    });
  }
  await inParallel(tasks);
  const built = tasks.length > 0 || !existsSync(program);
  if (built) {
    const aside = `${program}.${process.pid}`;
    try {
      await run(cc, [
        ...linked,
        ...target.link,
        '-lm',
        ...(target.map ? [`-Wl,-Map=${map}`] : []),
        '-o',
        aside,
      ]);
    } catch (cause) {
      throw new BuildError(`the host does not link:\n${cause.stderr ?? cause.message}`, 5);
    }
    renameSync(aside, program);
  }
  return { path: program, bits, built, map, emulator: RV32.emulator };
}

function platformAt() {
  return statSync(join(hostSources, 'platform.h')).mtimeMs;
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  try {
    const { path, bits } = await buildHost(process.argv[2] === '--rv32' ? { board: 'rv32' } : {});
    if (bits === 64)
      process.stderr.write(
        '64-bit host: slots are twice the size of a device’s (install gcc-multilib for 32)\n',
      );
    process.stdout.write(`${path}\n`);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
