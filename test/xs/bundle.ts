import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OutputChunk, type Plugin, rollup } from 'rollup';
import ts from 'typescript';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Modules that the device brings along: they stay imports. */
export const DEVICE = /^(embedded:|moddable:|timer$|time$|host$|mc\/config$)/;

/** Strips types and nothing else; `npm run typecheck` has checked them. */
export const typescript: Plugin = {
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
  const [code] = await build(resolve(root, entry), [typescript]);
  return code.code;
}

/** The second: of modules that have types only, where each is a chunk. */
const HARMLESS: readonly string[] = ['CIRCULAR_DEPENDENCY', 'EMPTY_BUNDLE', 'THIS_IS_UNDEFINED'];

export async function build(
  input: string,
  plugins: Plugin[],
  manualChunks?: (id: string) => string | undefined,
): Promise<OutputChunk[]> {
  const build = await rollup({
    input,
    plugins,
    onwarn: (warning) => {
      if (HARMLESS.includes(warning.code ?? '')) return;
      throw new Error(`${relative(root, input)} cannot be bundled for a device: ${warning.message}`);
    },
  });
  try {
    const { output } = await build.generate({
      format: 'es',
      chunkFileNames: '[name].js',
      ...(manualChunks && { manualChunks, hoistTransitiveImports: false }),
    });
    return output.filter((chunk): chunk is OutputChunk => chunk.type === 'chunk');
  } finally {
    await build.close();
  }
}
