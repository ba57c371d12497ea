import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { KeyValue } from '../../../hal/contracts/index.js';
import { FileKeyValue, MemoryKeyValue } from '../../../hal/node/storage.js';

const folder = mkdtempSync(join(tmpdir(), 'xs-ipa-storage-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each<[string, () => KeyValue]>([
  ['MemoryKeyValue', () => new MemoryKeyValue()],
  ['FileKeyValue', () => new FileKeyValue(join(folder, 'plain.json'))],
])('%s', (_, make) => {
  it('reads what was written, and forgets what was deleted', () => {
    const store = make();
    expect(store.read('cause')).toBeUndefined();
    store.write('cause', '3');
    store.write('cause', '4');
    expect(store.read('cause')).toBe('4');
    store.delete('cause');
    store.delete('cause');
    expect(store.read('cause')).toBeUndefined();
  });

  it('takes the keys the device takes and no others', () => {
    const store = make();
    store.write('fifteen-letters', 'x');
    store.write('__proto__', 'y');
    expect(store.read('__proto__')).toBe('y');
    for (const key of ['', 'sixteen--letters']) {
      expect(() => store.write(key, 'x')).toThrow(expect.objectContaining({ code: 'usage' }));
    }
  });
});

describe('FileKeyValue', () => {
  it('keeps everything for the next process, in a file only its owner reads', () => {
    const path = join(folder, 'deep', 'state.json');
    const store = new FileKeyValue(path);
    store.write('a', 'ä "quoted"');
    store.write('b', '');
    store.write('__proto__', 'z');
    store.write('c', '1');
    store.delete('c');
    const again = new FileKeyValue(path);
    expect([again.read('a'), again.read('b'), again.read('c'), again.read('__proto__')]).toEqual([
      'ä "quoted"',
      '',
      undefined,
      'z',
    ]);
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(existsSync(`${path}.new`)).toBe(false);
  });

  it('is not misled by a write that was cut', () => {
    const path = join(folder, 'cut.json');
    new FileKeyValue(path).write('a', 'old');
    writeFileSync(`${path}.new`, readFileSync(path).subarray(0, 3));
    const store = new FileKeyValue(path);
    expect(store.read('a')).toBe('old');
    store.write('a', 'new');
    expect(new FileKeyValue(path).read('a')).toBe('new');
  });

  it('refuses a file that is something else instead of overwriting it', () => {
    const path = join(folder, 'other.json');
    for (const text of ['', 'no JSON', '[1]', '{"a":1}', 'null']) {
      writeFileSync(path, text);
      expect(() => new FileKeyValue(path)).toThrow(expect.objectContaining({ code: 'storage' }));
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });

  it('does not read back what could not be written', () => {
    const path = join(folder, 'gone', 'state.json');
    const store = new FileKeyValue(path);
    store.write('a', '1');
    rmSync(join(folder, 'gone'), { recursive: true });
    expect(() => store.write('a', '2')).toThrow();
    expect(store.read('a')).toBe('1');
  });
});
