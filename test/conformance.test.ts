import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const text = readFileSync('docs/conformance.md', 'utf8');
const named = [...text.matchAll(/`([a-z0-9/-]+\.test\.ts)`/g)].map(([, path]) => path);

it('docs/conformance.md names tests that exist', () => {
  expect(named.length).toBeGreaterThan(40);
  const files = named.map((path) => `test/${path.replace(/^procedures\//, 'ipa/procedures/')}`);
  expect(files.filter((path) => !existsSync(path))).toEqual([]);
});

it('and leaves out no test of a procedure', () => {
  // How the link and several eIMs behave is no procedure of the standard.
  const beside = ['link-loss.test.ts'];
  const tests = readdirSync('test/ipa/procedures').filter((name) => name.endsWith('.test.ts'));
  expect(tests.filter((name) => !named.includes(`procedures/${name}`) && !beside.includes(name))).toEqual([]);
});
