import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { writeSdkConfig } from '../../../tools/firmware/types.js';

const root = join(import.meta.dirname, '..', '..', '..');
const { MODDABLE } = process.env;

describe('writeSdkConfig', () => {
  it('takes every declaration from the SDK, and ours for nothing that the SDK has', () => {
    const { files, exclude, include } = JSON.parse(readFileSync(writeSdkConfig(root, '/sdk'), 'utf8'));
    expect(files.length).toBeGreaterThan(15);
    for (const file of files) expect(file).toMatch(/^\/sdk\/(typings|xs\/includes)\/.*\.d\.ts$/);
    expect(files).toContain('/sdk/typings/embedded/storage/key-value.d.ts');
    expect(exclude).toEqual([join(root, 'hal/xs/moddable/typings/sdk.d.ts')]);
    expect(existsSync(exclude[0])).toBe(true);
    expect(include).toContain(join(root, 'hal/xs/moddable'));
  });

  const title = "hal/xs and firmware agree with the SDK's own declarations";
  if (MODDABLE) {
    it(title, { timeout: 60_000 }, async () => {
      const config = writeSdkConfig(root, MODDABLE);
      for (const file of JSON.parse(readFileSync(config, 'utf8')).files)
        expect(existsSync(file), file).toBe(true);
      const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const { stdout } = await promisify(execFile)(process.execPath, [
        compiler,
        '--noEmit',
        '--project',
        config,
      ]);
      expect(stdout).toBe('');
    });
  } else if (!process.env.XS_IPA_NO_SKIP) it.skip(`${title} [skipped: $MODDABLE is not set]`);
});
