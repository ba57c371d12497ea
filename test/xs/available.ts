import { describe, it } from 'vitest';
import { BuildError, buildHost } from './build.mjs';

/**
 * A `describe` whose tests need the XS host. Where it cannot be built for want of a compiler they are skipped, and the title
 * says why; with XS_IPA_NO_SKIP set they fail instead.
 */
export async function describeOnXs(title: string, tests: () => void): Promise<void> {
  try {
    const { bits } = await buildHost();
    describe(bits === 32 ? title : `${title} (64-bit: figures are not a device's)`, tests);
  } catch (error) {
    if (!(error instanceof BuildError) || error.exitCode === 5) throw error;
    if (process.env.XS_IPA_NO_SKIP) {
      it(title, () => {
        throw error;
      });
    } else it.skip(`${title} [skipped: ${error.message}]`);
  }
}
