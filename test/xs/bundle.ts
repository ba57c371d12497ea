import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, rollup } from 'rollup';
import ts from 'typescript';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Modules that the device brings along: they stay imports. */
const DEVICE = /^(embedded:|moddable:|timer$|time$|host$|mc\/config$)/;

/** Strips types and nothing else; `npm run typecheck` has checked them. */
const typescript: Plugin = {
  name: 'typescript',
  resolveId(id, importer) {
    if (DEVICE.test(id)) return { id, external: true };
    if (!id.startsWith('.') || !importer) return null;
    const file = resolve(dirname(importer), id).replace(/\.js$/, '.ts');
    return existsSync(file) ? file : null;
  },
  load(id) {
    if (!id.endsWith('.ts')) return null;
    const { outputText } = ts.transpileModule(readFileSync(id, 'utf8'), {
      fileName: id,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        useDefineForClassFields: true,
        removeComments: true,
      },
    });
    return outputText;
  },
};

/**
 * One ES2022 module of an entry and all it imports.
 * @param entry path from the root of the repository
 */
export async function bundle(entry: string): Promise<string> {
  const input = resolve(root, entry);
  const build = await rollup({
    input,
    plugins: [typescript],
    onwarn: (warning) => {
      throw new Error(`${entry} cannot be bundled for a device: ${warning.message}`);
    },
  });
  try {
    const { output } = await build.generate({ format: 'es' });
    return output[0].code;
  } finally {
    await build.close();
  }
}
