import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What of a manifest matters here. */
interface Section {
  modules?: Record<string, string | string[]>;
  preload?: string[];
}

interface Manifest extends Section {
  platforms: Record<string, Section>;
}

/** Modules that need the running device when they are loaded: the one that runs, and what lies on the SDK's `preference` for Linux. */
const NOT_PRELOADED: Readonly<Record<string, readonly string[]>> = {
  '': ['firmware/main'],
  lin: ['hal/xs/moddable/storage'],
  'x-cli-lin': ['hal/xs/moddable/storage'],
};

/** Rooms whose folders, all of them, are in the firmware; `hal/xs/moddable` is chosen from module by module. */
const ROOMS = ['ipa', 'hal/contracts', 'hal/modem', 'hal/xs'];
const CHOSEN = 'hal/xs/moddable';

/**
 * The manifest at the top with all folders of the device's rooms as `modules`, and a `preload` that names every module of this project. mcconfig (8.2.3) takes `*` there for
 * JavaScript only: a module in TypeScript that is not named is loaded into RAM, or, when one that is named imports it, keeps
 * its whole bytecode in flash.
 */
export function withPreload(
  root: string,
  text = readFileSync(join(root, 'manifest.json'), 'utf8'),
): Manifest {
  const manifest = JSON.parse(text) as Manifest;
  manifest.modules = { ...manifest.modules };
  for (const folder of ROOMS.flatMap((room) => foldersIn(root, room)))
    manifest.modules[`${folder}/*`] = `./${folder}/*`;
  manifest.preload = named(root, manifest, '');
  for (const [platform, section] of Object.entries(manifest.platforms)) {
    if (section.modules) section.preload = named(root, section, platform);
  }
  return manifest;
}

/** A folder and all in it that have modules. */
function foldersIn(root: string, folder: string): string[] {
  if (folder === CHOSEN) return [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  const own = entries.some(({ name }) => name.endsWith('.ts')) ? [folder] : [];
  const inner = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`);
  return [...own, ...inner.sort().flatMap((name) => foldersIn(root, name))];
}

function named(root: string, { modules = {} }: Section, platform: string): string[] {
  const left = NOT_PRELOADED[platform] ?? [];
  return Object.entries(modules)
    .flatMap(([name, files]) =>
      name === '~' || name === '*' || typeof files !== 'string' ? [] : expand(root, name, files),
    )
    .filter((name) => !left.includes(name));
}

function expand(root: string, name: string, file: string): string[] {
  if (file.includes('typings')) return [];
  if (!name.endsWith('/*')) return [name];
  const room = name.slice(0, -1);
  return readdirSync(join(root, file.slice(0, -1)))
    .filter((entry) => entry.endsWith('.ts') && !entry.endsWith('.d.ts'))
    .sort()
    .map((entry) => room + entry.slice(0, -'.ts'.length));
}
