import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Plugin } from 'rollup';
import * as vectors from '../host-sim/asn1/vectors.js';
import { build, DEVICE, root, typescript } from './bundle.js';

/** What goes into flash. */
const PRELOADED = /^(ipa|hal\/(contracts|modem|xs))\//;

/** One of them is signed when it is loaded, by a library that XS 13 cannot load; so they are worked out here. */
const VECTORS = join(root, 'test', 'host-sim', 'asn1', 'vectors.ts');

/**
 * Tests written for vitest as two modules: the device code they test, to be preloaded as `./device.js`, and the tests with
 * all they need, which run as the main module.
 * @param tests path from the root of the repository
 */
export async function bundleTests(tests: string): Promise<{ device: string; main: string }> {
  const here = join(root, 'test', 'xs', 'units');
  const entry = join(here, 'entry.ts');
  const plugin: Plugin = {
    name: 'tests',
    resolveId(id, importer) {
      if (id === entry) return id;
      if (id === 'vitest') return join(here, 'vitest.ts');
      if (id === 'fast-check' && !importer?.startsWith(here)) return join(here, 'fast-check.ts');
      return DEVICE.test(id) ? null : packageEntry(id, importer ?? entry);
    },
    load(id) {
      if (id === VECTORS) return literals(vectors);
      if (id !== entry) return null;
      const lines = ['./globals.js', relative(here, resolve(root, tests))].map((path) => {
        const name = path.replaceAll('\\', '/').replace(/\.ts$/, '.js');
        return `import '${name.startsWith('.') ? name : `./${name}`}';`;
      });
      return [...lines, "import { runAll } from 'vitest';", 'void runAll();'].join('\n');
    },
  };
  const chunks = await build(entry, [plugin, typescript], (id) =>
    PRELOADED.test(relative(root, id).replaceAll('\\', '/')) ? 'device' : undefined,
  );
  const main = chunks.find(({ isEntry }) => isEntry);
  const device = chunks.find(({ isEntry }) => !isEntry);
  return { device: device?.code ?? '', main: main?.code ?? '' };
}

/** A module with the same exports: texts and bytes. */
function literals(values: Readonly<Record<string, string | Uint8Array>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      const text = typeof value === 'string' ? JSON.stringify(value) : `Uint8Array.from([${value.join()}])`;
      return `export const ${name} = ${text};`;
    })
    .join('\n');
}

/** The ES module of an npm package, by its package.json; null when there is none. */
function packageEntry(id: string, importer: string): string | null {
  const [, name, sub] = /^((?:@[^/]+\/)?[^./@][^/]*)(\/.*)?$/.exec(id) ?? [];
  if (!name) return null;
  let at = dirname(importer);
  let folder = join(at, 'node_modules', name);
  while (!existsSync(join(folder, 'package.json'))) {
    if (at === root || at === dirname(at)) return null;
    at = dirname(at);
    folder = join(at, 'node_modules', name);
  }
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  let target: unknown = manifest.exports?.[`.${sub ?? ''}`] ?? manifest.module ?? manifest.main;
  while (typeof target === 'object' && target !== null) {
    const conditions = target as Record<string, unknown>;
    target = conditions.import ?? conditions.default;
  }
  return typeof target === 'string' ? join(folder, target) : null;
}
