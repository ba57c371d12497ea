import { chmodSync } from 'node:fs';
import typescript from '@rollup/plugin-typescript';

const program = 'dist/xs-ipa.js';

/** npm makes a program executable when it is installed for the first time only, and npx does not run it otherwise. */
const executable = { name: 'executable', writeBundle: () => chmodSync(program, 0o755) };

/**
 * The command line, and beside it what starts the XS host of test/xs, which `demo --engine xs` loads when it is asked for.
 * What comes from npm stays outside of them. With --configBench: what `npm run bench` and `bench:rv32` run;
 * with --configFirmware: what `npm run firmware` runs.
 */
export default ({ configBench, configFirmware }) => ({
  input: configBench
    ? { 'xs/bench': 'test/bench/main.ts', 'xs/bench-rv32': 'test/bench/rv32.ts' }
    : configFirmware
      ? { firmware: 'tools/firmware/main.ts' }
      : { 'xs-ipa': 'host-sim/cli/main.ts', 'xs/host': 'test/xs/run.ts', 'bench-wire': 'test/bench/wire.ts' },
  output: {
    dir: '.',
    // It has to stay beside the host's C sources.
    paths: (id) => (id.endsWith('build.mjs') ? './test/xs/build.mjs' : id),
    entryFileNames: 'dist/[name].js',
    // As deep as the entries that share them: test/xs/bundle.ts counts the way up to the root.
    chunkFileNames: configBench ? 'dist/xs/[name].js' : 'dist/[name].js',
    format: 'es',
    banner: (chunk) => (chunk.name === 'xs-ipa' ? '#!/usr/bin/env node' : ''),
    sourcemap: true,
  },
  external: (id) =>
    id.endsWith('.mjs') || (!id.startsWith('.') && !id.startsWith('/') && !/^[A-Za-z]:/.test(id)),
  plugins: [
    typescript({
      tsconfig: './tsconfig.json',
      noEmit: false,
      noEmitOnError: true,
      include: [
        'ipa/**/*.ts',
        'hal/**/*.ts',
        'host-sim/**/*.ts',
        'tools/**/*.ts',
        'test/*.ts',
        'test/{xs,bench,interop}/*.ts',
      ],
      exclude: ['test/**/*.test.ts'],
      compilerOptions: { module: 'ESNext', moduleResolution: 'Bundler', sourceMap: true },
    }),
    ...(configBench || configFirmware ? [] : [executable]),
  ],
});
