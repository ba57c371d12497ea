import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findSdk, findSources, runTool, type Sdk, SdkError } from '../../../tools/firmware/sdk.js';

const root = join(import.meta.dirname, '..', '..', '..');

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Looks like an SDK, with these programs built. */
function sdkWith(...tools: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'xs-ipa-sdk-'));
  folders.push(folder);
  const bin = join(folder, 'build', 'bin', 'lin', 'release');
  mkdirSync(join(folder, 'tools'));
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(folder, 'tools', 'VERSION'), '8.2.3\n');
  for (const tool of tools) writeFileSync(join(bin, tool), '#!/bin/sh\n', { mode: 0o755 });
  return folder;
}

describe('findSources', () => {
  it('says that $MODDABLE is not set, and what to do', () => {
    expect(() => findSources({})).toThrow(SdkError);
    expect(() => findSources({})).toThrow(/^\$MODDABLE is not set: get the Moddable SDK from https/);
    expect(() => findSources({ MODDABLE: '' })).toThrow('$MODDABLE is not set');
  });

  it('says that there is no SDK where it points', () => {
    expect(() => findSources({ MODDABLE: tmpdir() })).toThrow(`$MODDABLE is "${tmpdir()}", which is not`);
    const folder = sdkWith();
    expect(() => findSources({ MODDABLE: `${folder}/` })).toThrow('not the absolute path');
    expect(() => findSources({ MODDABLE: 'moddable' })).toThrow('not the absolute path');
  });

  it('reads its version', () => {
    const path = sdkWith();
    expect(findSources({ MODDABLE: path })).toEqual({ path, version: '8.2.3' });
  });
});

describe('findSdk', () => {
  const env = (path: string) => ({ ...process.env, MODDABLE: path });

  it('says which tools are not built, and the commands that build them', () => {
    const path = sdkWith('xsc', 'xsid');
    expect(() => findSdk(root, env(path), 'linux')).toThrow(
      /no mcconfig, xsl in .*: cd \$MODDABLE\/build\/makefiles\/lin && make /,
    );
    expect(() => findSdk(root, env(path), 'darwin')).toThrow('no mcconfig, xsc, xsl, xsid in');
  });

  it('says where it cannot be used at all', () => {
    expect(() => findSdk(root, env(sdkWith()), 'win32')).toThrow('on Linux or macOS, not on win32');
  });

  it('puts the tools of the SDK and TypeScript into the PATH', () => {
    const path = sdkWith('mcconfig', 'xsc', 'xsl', 'xsid');
    const { environment } = findSdk(root, env(path), 'linux');
    const places = (environment.PATH ?? '').split(':');
    expect(places.slice(0, 2)).toEqual([
      join(path, 'build/bin/lin/release'),
      join(root, 'node_modules/.bin'),
    ]);
    expect(environment.MODDABLE).toBe(path);
  });
});

describe('runTool', () => {
  const sdk: Sdk = { path: '/', version: '0', environment: process.env };

  it('gives every line, and the last ones in the error', async () => {
    const lines: string[] = [];
    const onLine = (line: string) => lines.push(line);
    await runTool(sdk, 'sh', ['-c', 'echo one; echo two >&2; printf three'], { onLine });
    expect(lines.sort()).toEqual(['one', 'two']);
    const failing = runTool(sdk, 'sh', ['-c', 'echo "# cc x.c"; echo wrong; exit 3']);
    await expect(failing).rejects.toThrow('sh failed (exit code 3):\nwrong');
  });

  it('says that a program does not exist', async () => {
    await expect(runTool(sdk, 'no-such-program-anywhere', [])).rejects.toThrow(
      /no-such-program-anywhere failed.*\n.*ENOENT/,
    );
  });
});
