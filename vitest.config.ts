import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Needs a program that only somebody with the Moddable SDK can build, and names in XS_IPA_CLI (docs/firmware.md).
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.XS_IPA_CLI ? [] : ['test/firmware/command-line.test.ts']),
    ],
    testTimeout: 30_000,
    // Tests are pure or on a virtual clock; the few that open sockets choose free ports themselves.
    pool: 'threads',
  },
});
