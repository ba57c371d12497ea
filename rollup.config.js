import typescript from '@rollup/plugin-typescript';

/** One bundle for the command line; what comes from npm stays outside of it. */
export default {
  input: 'host-sim/cli/main.ts',
  output: { file: 'dist/xs-ipa.js', format: 'es', banner: '#!/usr/bin/env node', sourcemap: true },
  external: (id) => !id.startsWith('.') && !id.startsWith('/') && !/^[A-Za-z]:/.test(id),
  plugins: [
    typescript({
      tsconfig: './tsconfig.json',
      noEmit: false,
      noEmitOnError: true,
      include: ['ipa/**/*.ts', 'hal/**/*.ts', 'host-sim/**/*.ts'],
      compilerOptions: { module: 'ESNext', moduleResolution: 'Bundler', sourceMap: true },
    }),
  ],
};
