import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Needs the Moddable SDK, which no package manager has: where it is not, CI has nothing that it could install.
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.XS_IPA_NO_SKIP && !process.env.MODDABLE && !process.env.XS_IPA_CLI
        ? ['test/firmware/command-line.test.ts']
        : []),
    ],
    testTimeout: 30_000,
    // Tests are pure or on a virtual clock; the few that open sockets choose free ports themselves.
    pool: 'threads',
  },
});
