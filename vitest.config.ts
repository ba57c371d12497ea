import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The Moddable SDK and lpac are in no package manager: where they are not, CI has nothing that it could install.
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.XS_IPA_NO_SKIP && !process.env.MODDABLE && !process.env.XS_IPA_CLI
        ? ['test/firmware/command-line.test.ts', 'test/firmware/tls.test.ts']
        : []),
      ...(process.env.XS_IPA_NO_SKIP && !process.env.XS_IPA_LPAC ? ['test/interop/lpac.test.ts'] : []),
    ],
    testTimeout: 30_000,
    // Tests are pure or on a virtual clock; the few that open sockets choose free ports themselves.
    pool: 'threads',
    // Many wait for sockets and other processes: no processor need be left free for them.
    maxWorkers: '100%',
  },
});
