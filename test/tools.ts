import { describe, it } from 'vitest';
import { PACKAGES, type Tool, tool } from './installed.js';

export { tool };

/** Paths of the tools that were asked for. */
export type Tools<Name extends Tool> = { readonly [name in Name]: string };

/**
 * A `describe` that needs programs. When one is missing its tests are skipped, and the title says why; with XS_IPA_NO_SKIP
 * set it fails instead, so that a machine that should have everything cannot pass by skipping.
 */
export function describeWith<Name extends Tool>(
  names: readonly Name[],
  title: string,
  tests: (tools: Tools<Name>) => void,
): void {
  const paths = names.map((name) => [name, tool(name)] as const);
  const missing = paths.flatMap(([name, path]) => (path === undefined ? [name] : []));
  if (missing.length === 0) {
    describe(title, () => tests(Object.fromEntries(paths) as Tools<Name>));
    return;
  }
  const packages = [...new Set(missing.map((name) => PACKAGES[name]))].join(' ');
  const reason = `${missing.join(', ')} not found: apt-get install ${packages}`;
  if (process.env.XS_IPA_NO_SKIP) {
    it(title, () => {
      throw new Error(`${reason} (XS_IPA_NO_SKIP is set)`);
    });
  } else {
    it.skip(`${title} [skipped: ${reason}]`);
  }
}
