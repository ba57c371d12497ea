import { describe, it } from 'vitest';
import { BuildError, buildHost } from './build.mjs';

/**
 * A `describe` whose tests need the XS host. Where it cannot be built for want of a compiler they are skipped, and the title
 * says why; with XS_IPA_NO_SKIP set they fail instead.
 */
export async function describeOnXs(title: string, tests: () => void): Promise<void> {
  await describeBuilt(title, tests, async () => {
    const { bits } = await buildHost();
    return bits === 32 ? title : `${title} (64-bit: figures are not a device's)`;
  });
}

/** As describeOnXs, for tests that compare the RV32 board with the 32-bit process, with `livePeaks` and without. */
export async function describeOnRv32(title: string, tests: () => void): Promise<void> {
  await describeBuilt(title, tests, async () => {
    const { bits } = await buildHost({ stress: true });
    if (bits !== 32)
      throw new BuildError('no 32-bit C compiler to compare with: apt install gcc-multilib', 3);
    await buildHost({ stress: true, board: 'rv32' });
    return title;
  });
}

async function describeBuilt(title: string, tests: () => void, build: () => Promise<string>): Promise<void> {
  try {
    describe(await build(), tests);
  } catch (error) {
    if (!(error instanceof BuildError) || error.exitCode === 5) throw error;
    if (process.env.XS_IPA_NO_SKIP) {
      it(title, () => {
        throw error;
      });
    } else it.skip(`${title} [skipped: ${error.message}]`);
  }
}
