import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { codeSize, type LinkedImage, readImage } from './mc-xs.js';
import { needLinuxLibraries, runTool, type Sdk, SdkError } from './sdk.js';

export interface BuildOptions {
  /** Folder of `firmware/boards`, or nothing for the manifest at the top. */
  board?: string;
  tls?: boolean;
  /** `sdk`: the SDK's own MQTT client instead of this project's. */
  mqtt?: 'own' | 'sdk';
  /** Links that are left out of flash. */
  without?: readonly LeftOut[];
  onLine?: (line: string) => void;
}

/** What firmware/manifest_no_….json leave out. */
export const LEFT_OUT = ['mqtt', 'https', 'json', 'coap'] as const;

export type LeftOut = (typeof LEFT_OUT)[number];

export interface Built {
  image: LinkedImage;
  /** Bytes of bytecode by room of this project before it is linked (mc-xs.ts); `sdk` is everything else. */
  rooms: Record<string, number>;
  /** Path of the C source that the linker wrote. */
  source: string;
  /** Objects that the linker complains about: module-level objects that are not frozen, and so cost RAM. */
  notFrozen: string[];
}

/** What TLS needs (docs/firmware.md). */
const TLS_CREATION = { static: 122_880, stack: 1_024 };
const PLATFORM = 'XS_IPA_PLATFORM';

/** Boards there are, and the SDK's platform that each is built for. */
export function boards(root: string): Record<string, string> {
  const folder = join(root, 'firmware', 'boards');
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder).sort()) {
    const manifest = join(folder, name, 'manifest.json');
    if (!existsSync(manifest)) continue;
    const { build } = JSON.parse(readFileSync(manifest, 'utf8')) as { build?: Record<string, string> };
    const platform = build?.[PLATFORM];
    if (!platform) throw new SdkError(`${relative(root, manifest)} does not say build.${PLATFORM}`);
    found[name] = platform;
  }
  return found;
}

/**
 * Takes the manifest through mcconfig, TypeScript, the engine's compiler and its linker to `mc.xs.c`. No C is compiled, so
 * that ESP-IDF is not needed.
 *
 * @param platform of the SDK, such as `esp32/esp32c3`
 * @throws {SdkError} when a step fails, or what they made cannot be read
 */
export async function link(
  root: string,
  sdk: Sdk,
  platform: string,
  options: BuildOptions = {},
): Promise<Built> {
  const plan = await generate(root, sdk, platform, options);
  const args: string[] = [];
  if (platform.startsWith('esp32')) {
    // The rules of native modules look for a header that only ESP-IDF makes and that mc.xs.c has nothing to do with.
    const chip = platform.split('/')[1] ?? 'esp32';
    const header = join(plan.temporary, `xsProj-${chip}`, 'build', 'config', 'sdkconfig.h');
    mkdirSync(dirname(header), { recursive: true });
    writeFileSync(header, '');
    const later = new Date(Date.now() + 86_400_000);
    utimesSync(header, later, later);
    args.push('-o', header);
  }
  return make(sdk, plan, args, join(plan.temporary, 'mc.xs.c'), options);
}

/** Builds the program for the command line of Linux. @throws {SdkError} */
export async function buildProgram(
  root: string,
  sdk: Sdk,
  options: Omit<BuildOptions, 'board'> = {},
): Promise<Built & { program: string }> {
  needLinuxLibraries(sdk);
  const plan = await generate(root, sdk, 'x-cli-lin', options);
  const built = await make(sdk, plan, [], undefined, options);
  return { ...built, program: join(plan.output, 'bin', 'lin', 'release', plan.name) };
}

interface Plan {
  name: string;
  output: string;
  /** Where the makefile is and writes to. */
  temporary: string;
  env: NodeJS.ProcessEnv;
}

/** Runs mcconfig, which writes the makefile. */
async function generate(root: string, sdk: Sdk, platform: string, options: BuildOptions): Promise<Plan> {
  const { board, tls = false, mqtt = 'own', without = [] } = options;
  const known = boards(root);
  if (board !== undefined && !(board in known)) {
    throw new SdkError(`no board is called "${board}": ${Object.keys(known).join(', ')}`);
  }
  const variant = [
    platform,
    board,
    tls && 'tls',
    mqtt === 'sdk' && 'sdk-mqtt',
    ...without.map((name) => `no-${name}`),
  ]
    .filter(Boolean)
    .join('-');
  const output = join(root, 'node_modules', '.cache', 'xs-ipa', 'firmware', variant.replaceAll('/', '-'));
  const own = board === undefined ? root : join(root, 'firmware', 'boards', board);
  let manifest = join(own, 'manifest.json');
  const before = [
    ...(tls ? ['manifest_tls.json'] : []),
    ...(mqtt === 'sdk' ? ['manifest_sdk_mqtt.json'] : []),
    ...without.map((name) => `manifest_no_${name}.json`),
  ].map((name) => join(root, 'firmware', name));
  if (before.length > 0) manifest = writeVariant(join(output, 'xs-ipa'), [...before, manifest], tls);
  mkdirSync(output, { recursive: true });
  const env: NodeJS.ProcessEnv = platform.startsWith('esp32') ? { IDF_PATH: await noIdf(sdk, root) } : {};
  await runTool(sdk, 'mcconfig', ['-p', platform, '-o', output, manifest], { ...options, cwd: root, env });
  const name = basename(dirname(manifest));
  const folder = platform === 'x-cli-lin' ? 'lin' : platform === 'lin' ? 'lin/mc' : platform;
  const temporary = join(output, 'tmp', folder, 'release', name);
  if (!existsSync(join(temporary, 'makefile')))
    throw new SdkError(`mcconfig wrote no makefile to ${temporary}`);
  return { name, output, temporary, env };
}

/** The first manifest that names a module decides, the last one decides numbers. */
function writeVariant(folder: string, include: readonly string[], tls: boolean): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'manifest.json');
  writeFileSync(
    path,
    `${JSON.stringify({ include, ...(tls ? { creation: TLS_CREATION } : {}) }, null, 2)}\n`,
  );
  return path;
}

/** The makefile wants to know the version of ESP-IDF, even where nothing of it is used: a repository without files says one. */
async function noIdf(sdk: Sdk, root: string): Promise<string> {
  const folder = join(root, 'node_modules', '.cache', 'xs-ipa', 'firmware', 'no-esp-idf');
  if (existsSync(join(folder, '.git', 'logs'))) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const git = (...args: string[]) =>
    runTool(sdk, 'git', ['-c', 'user.name=xs-ipa', '-c', 'user.email=xs-ipa@localhost', ...args], {
      cwd: folder,
    });
  await git('init', '--quiet');
  await git('commit', '--quiet', '--allow-empty', '--message', 'No ESP-IDF');
  return folder;
}

async function make(
  sdk: Sdk,
  plan: Plan,
  args: string[],
  target: string | undefined,
  options: BuildOptions,
): Promise<Built> {
  const source = join(plan.temporary, 'mc.xs.c');
  // What the linker complains about is only said when it runs.
  rmSync(source, { force: true });
  const notFrozen: string[] = [];
  await runTool(sdk, 'make', ['-f', join(plan.temporary, 'makefile'), ...args, ...(target ? [target] : [])], {
    env: plan.env,
    onLine: (line) => {
      const found = /^### warning: (.*): not frozen$/.exec(line);
      if (found) notFrozen.push(found[1]);
      options.onLine?.(line);
    },
  });
  try {
    const image = readImage(readFileSync(source, 'utf8'));
    return { image, rooms: bytecodeByRoom(join(plan.temporary, 'modules')), source, notFrozen };
  } catch (cause) {
    throw new SdkError(`${source}: ${(cause as Error).message}`, { cause });
  }
}

/** Rooms of this project as its modules are named. */
const ROOMS = ['ipa', 'hal/modem', 'hal/xs', 'hal/contracts', 'firmware'];

function bytecodeByRoom(modules: string): Record<string, number> {
  const rooms: Record<string, number> = Object.fromEntries([...ROOMS, 'sdk'].map((room) => [room, 0]));
  for (const file of readdirSync(modules, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.xsb')) continue;
    const room = ROOMS.find((prefix) => file.startsWith(`${prefix}/`)) ?? 'sdk';
    rooms[room] += codeSize(readFileSync(join(modules, file)));
  }
  return rooms;
}
