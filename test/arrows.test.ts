import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDeviceCode, checkImports, importsOf, isDeviceCode } from './arrows.js';

const root = join(import.meta.dirname, '..');
const files = ['ipa', 'hal', 'firmware', 'host-sim', 'tools', 'test'].flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${room}/${name.replaceAll(sep, '/')}`),
);
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('arrows of docs/design.md §2', () => {
  it('sees every room', () => {
    for (const file of [
      'ipa/tlv/cursor.ts',
      'hal/contracts/uicc.ts',
      'host-sim/card.ts',
      'test/arrows.test.ts',
    ]) {
      expect(files).toContain(file);
    }
  });

  it('no file imports what it must not know', () => {
    expect(files.flatMap((file) => checkImports(file, read(file)))).toEqual([]);
  });

  it('device code does nothing while it is loaded and uses no platform global', () => {
    const device = files.filter(isDeviceCode);
    expect(device.length).toBeGreaterThan(10);
    expect(device.flatMap((file) => checkDeviceCode(file, read(file)))).toEqual([]);
  });
});

describe('the check of imports', () => {
  it('reads every form of import', () => {
    const source = `
      import a from './a.js';
      import type { B } from './b.js';
      export * from './c.js';
      export type { D } from './d.js';
      const e = await import('./e.js');
      import './f.js';
      type G = import('./g.js').G;`;
    expect(importsOf(source)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `./${name}.js`));
  });

  it.each([
    ['ipa/es10/a.ts', '../../hal/contracts/index.js'],
    ['ipa/es10/a.ts', '../tlv/index.js'],
    ['hal/node/a.ts', 'node:net'],
    ['hal/node/a.ts', '../modem/index.js'],
    ['host-sim/eim/a.ts', '../../hal/node/index.js'],
    ['host-sim/cli/a.ts', '../../ipa/ipad.js'],
    ['test/ipa/a.test.ts', '../../host-sim/card.js'],
  ])('lets %s import %s', (file, specifier) => {
    expect(checkImports(file, `import type { x } from '${specifier}';`)).toEqual([]);
  });

  it.each([
    ['ipa/es10/a.ts', '../../hal/modem/index.js'],
    ['ipa/es10/a.ts', '../../hal/node/index.js'],
    ['ipa/es10/a.ts', '../../host-sim/card.js'],
    ['ipa/a.ts', 'node:fs'],
    ['ipa/a.ts', 'asn1js'],
    ['ipa/tlv/a.ts', '../es10/index.js'],
    ['hal/contracts/a.ts', '../modem/index.js'],
    ['hal/contracts/a.ts', 'mqtt'],
    ['hal/modem/a.ts', '../node/index.js'],
    ['hal/modem/a.ts', 'serialport'],
    ['hal/modem/a.ts', '../../ipa/tlv/index.js'],
    ['hal/node/a.ts', '../../ipa/events.js'],
    ['hal/node/a.ts', '../../host-sim/clock.js'],
    ['host-sim/eim/a.ts', '../../ipa/tlv/index.js'],
    ['host-sim/eim/a.ts', '../../ipa/events.js'],
    ['host-sim/cli/a.ts', '../../ipa/tlv/index.js'],
    ['host-sim/cli/a.ts', '../../test/tools.js'],
    ['elsewhere/a.ts', './b.js'],
  ])('does not let %s import %s', (file, specifier) => {
    expect(checkImports(file, `import type { x } from '${specifier}';`)).toHaveLength(1);
    expect(checkImports(file, `export * from '${specifier}';`)).toHaveLength(1);
  });

  it('lets host-sim/events.ts know types only', () => {
    const file = 'host-sim/events.ts';
    expect(checkImports(file, `import type { IpaEvent } from '../ipa/events.js';`)).toEqual([]);
    expect(checkImports(file, `import { run } from '../ipa/events.js';`)).toHaveLength(1);
    expect(checkImports(file, `export { run } from '../ipa/events.js';`)).toHaveLength(1);
  });
});

describe('the check of device code', () => {
  const check = (source: string) => checkDeviceCode('ipa/a.ts', source).map(({ what }) => what);

  it.each([
    'const a = new Uint8Array(4);',
    'const a = Object.freeze({});',
    'export const a = { b: [1, f()] };',
    'export default f();',
    'f();',
    'const a = b?.c();',
    '(() => {})();',
    'class A { static b = new Map(); }',
    'class A { static { f(); } }',
    'class A extends mixin(B) {}',
    'class A { [f()]() {} }',
    'const a = tag`x`;',
    'const a = /x/;',
    'await a;',
    'const a = await import("./b.js");',
    'if (a) f();',
    'enum A { b }',
    'namespace A { export const b = 1; }',
  ])('refuses at module level: %s', (source) => {
    expect(check(source)).not.toEqual([]);
  });

  it.each([
    'const a = [0xa0, 0x00] as const;',
    'export const a: Uint8Array | undefined = undefined;',
    'export const a = { b: () => f(), c() { return new Map(); } };',
    'class A extends B { #a = new Map(); static b = 1; c = f(); constructor() { super(); g(); } }',
    'function f(a = g()) { return new Uint8Array(a); }',
    'export type A = ReturnType<typeof f>;',
    'interface A { new (): B; console: string; setTimeout(): void }',
    'const f = async () => { await g(); };',
    'class A { override readonly name = "A"; }',
    'function f(timer: T) { timer.setTimeout(); const { process } = timer; return process; }',
  ])('takes: %s', (source) => {
    expect(check(source)).toEqual([]);
  });

  it.each([
    'function f() { setTimeout(g, 1); }',
    'function f() { console.log(1); }',
    'const f = () => Buffer.from([]);',
    'function f() { return globalThis.x; }',
    'class A { b = new TextEncoder(); }',
    'function f(a: Buffer) {}',
    'function f() { return { crypto }; }',
    'declare const process: unknown; const f = () => process;',
    'class A extends Error { constructor() { super(); this.name = "A"; } }',
  ])('refuses: %s', (source) => {
    expect(check(source)).not.toEqual([]);
  });

  it('names the line', () => {
    expect(checkDeviceCode('ipa/a.ts', 'const a = 1;\nconst b = f();')[0].file).toBe('ipa/a.ts:2');
  });
});
