import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Tests are pure or on a virtual clock; the few that open sockets choose free ports themselves.
    pool: 'threads',
  },
});
