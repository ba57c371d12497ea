import { chmodSync } from 'node:fs';
import typescript from '@rollup/plugin-typescript';

const program = 'dist/xs-ipa.js';

/** npm makes a program executable when it is installed for the first time only, and npx does not run it otherwise. */
const executable = { name: 'executable', writeBundle: () => chmodSync(program, 0o755) };

/** One bundle for the command line; what comes from npm stays outside of it. */
export default {
  input: 'host-sim/cli/main.ts',
  output: { file: program, format: 'es', banner: '#!/usr/bin/env node', sourcemap: true },
  external: (id) => !id.startsWith('.') && !id.startsWith('/') && !/^[A-Za-z]:/.test(id),
  plugins: [
    typescript({
      tsconfig: './tsconfig.json',
      noEmit: false,
      noEmitOnError: true,
      include: ['ipa/**/*.ts', 'hal/**/*.ts', 'host-sim/**/*.ts'],
      compilerOptions: { module: 'ESNext', moduleResolution: 'Bundler', sourceMap: true },
    }),
    executable,
  ],
};
