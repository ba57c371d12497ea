import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';

/** Something is missing or does not compile; the message says what to do. */
export class SdkError extends Error {
  override readonly name = 'SdkError';
}

/** The Moddable SDK of this computer. */
export interface Sdk {
  /** `$MODDABLE`. */
  path: string;
  version: string;
  /** For the programs of the SDK: with it in the PATH, and TypeScript. */
  environment: NodeJS.ProcessEnv;
}

const DOCUMENTATION =
  'https://github.com/Moddable-OpenSource/moddable (documentation/Moddable SDK – Getting Started)';
const TOOLS = ['mcconfig', 'xsc', 'xsl', 'xsid'];

/** Directory names of the SDK's builds by Node's names of platforms. */
const HOSTS: Partial<Record<NodeJS.Platform, string>> = { linux: 'lin', darwin: 'mac' };

/** The SDK's sources, whether its tools are built or not. @throws {SdkError} */
export function findSources(env: NodeJS.ProcessEnv): { path: string; version: string } {
  const path = env.MODDABLE;
  if (!path) {
    throw new SdkError(
      `$MODDABLE is not set: get the Moddable SDK from ${DOCUMENTATION} and set it to its folder`,
    );
  }
  const version = join(path, 'tools', 'VERSION');
  if (!isAbsolute(path) || resolve(path) !== path || !existsSync(version)) {
    throw new SdkError(
      `$MODDABLE is "${path}", which is not the absolute path of a Moddable SDK: it has no tools/VERSION`,
    );
  }
  return { path, version: readFileSync(version, 'utf8').trim() };
}

/**
 * @param root top of this repository, for its TypeScript
 * @throws {SdkError} where there is none, or its tools are not built
 */
export function findSdk(
  root: string,
  env: NodeJS.ProcessEnv = process.env,
  platform = process.platform,
): Sdk {
  const { path, version } = findSources(env);
  const host = HOSTS[platform];
  if (!host) throw new SdkError(`the firmware is built on Linux or macOS, not on ${platform}`);
  const bin = join(path, 'build', 'bin', host, 'release');
  const missing = TOOLS.filter((name) => !isExecutable(join(bin, name)));
  if (missing.length > 0) {
    const parts = ['xsc', 'xsid', 'xsl'].map((name) => `$MODDABLE/xs/makefiles/${host}/${name}.mk`);
    const make = [...parts, 'tools.mk'].map((file) => `make GOAL=release -f ${file}`).join(' && ');
    throw new SdkError(
      `the tools of the SDK are not built (no ${missing.join(', ')} in ${bin}): cd $MODDABLE/build/makefiles/${host} && ${make}`,
    );
  }
  const compiler = join(root, 'node_modules', '.bin');
  const search = [bin, compiler, env.PATH ?? ''].join(delimiter);
  const sdk = { path, version, environment: { ...env, MODDABLE: path, PATH: search } };
  need(sdk, 'make', ['--version'], 'make is not installed (Debian: apt install make)');
  need(sdk, 'tsc', ['--version'], 'TypeScript is not installed: run "npm ci"');
  return sdk;
}

/** What the command-line program needs beyond the SDK. @throws {SdkError} */
export function needLinuxLibraries(sdk: Sdk): void {
  if (process.platform !== 'linux')
    throw new SdkError('the command-line program is built and run on Linux only');
  need(sdk, 'cc', ['--version'], 'no C compiler (Debian: apt install gcc)');
  need(sdk, 'pkg-config', ['--version'], 'pkg-config is not installed (Debian: apt install pkg-config)');
  need(
    sdk,
    'pkg-config',
    ['--exists', 'gio-2.0'],
    "GLib's headers, on which the SDK builds for Linux, are not installed (Debian: apt install libglib2.0-dev)",
  );
}

function need(sdk: Sdk, program: string, args: readonly string[], message: string): void {
  const { status }: SpawnSyncReturns<string> = spawnSync(program, args, {
    env: sdk.environment,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  if (status !== 0) throw new SdkError(message);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program of the SDK to its end. @throws {SdkError} with the end of its output when it fails */
export async function runTool(
  sdk: Sdk,
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; onLine?: (line: string) => void } = {},
): Promise<void> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...sdk.environment, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const complete = (rest + text).split('\n');
      rest = complete.pop() ?? '';
      for (const line of complete) {
        lines.push(line);
        options.onLine?.(line);
      }
    });
    stream.on('end', () => rest && lines.push(rest));
  }
  const code = await new Promise<number>((done) => {
    child.on('error', (error) => {
      lines.push(error.message);
      done(-1);
    });
    child.on('close', (code) => done(code ?? -1));
  });
  if (code === 0) return;
  const shown = lines.filter((line) => !line.startsWith('# ') && !line.includes('not frozen'));
  throw new SdkError(`${program} failed (exit code ${code}):\n${shown.slice(-30).join('\n')}`);
}
