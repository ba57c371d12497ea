import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../firmware/provisioning.js';
import { quirksNamed } from '../../hal/modem/quirks.js';
import { boards } from '../../tools/firmware/build.js';
import { withPreload } from '../../tools/firmware/preload.js';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));

describe('manifest.json', () => {
  it('has every module, and preloads it by its name (npm run firmware:preload writes them)', () => {
    expect(read('manifest.json')).toEqual(withPreload(root));
  });

  it('has everything that main.ts imports preloaded on a device', () => {
    const { preload, platforms } = read('manifest.json');
    const named = [...preload, ...platforms.esp32.preload];
    const main = readFileSync(join(root, 'firmware/main.ts'), 'utf8');
    const imported = [
      ...main.matchAll(/^import [^;]* from '(\.[^']+)\.js';|^\} from '(\.[^']+)\.js';/gm),
    ].map(([, one, two]) => join('firmware', one ?? two));
    expect(imported.length).toBeGreaterThan(10);
    expect(imported.filter((name) => !named.includes(name))).toEqual([]);
  });
});

describe('boards', () => {
  const all = Object.entries(boards(root));
  /** What main.ts reads beside the settings. */
  const beside = ['power', 'pmu', 'console'];

  it('are three at least, each for one of the chips', () => {
    expect(all.length).toBeGreaterThanOrEqual(3);
    for (const [, platform] of all) expect(['esp32', 'esp32/esp32c3', 'esp32/esp32s3']).toContain(platform);
  });

  it.each(all)('%s says nothing that the firmware does not know', (board) => {
    const { xsIpa } = read(`firmware/boards/${board}/manifest.json`).config;
    const known = [...SETTINGS.map(({ name }) => name), ...beside];
    expect(Object.keys(xsIpa).filter((name) => !known.includes(name))).toEqual([]);
    expect(quirksNamed(xsIpa.model), xsIpa.model).toBeDefined();
  });

  it.each(all)('%s uses every pin for one thing, and pins that the chip has', (board, platform) => {
    const { receive, transmit, power, pmu, console } = read(`firmware/boards/${board}/manifest.json`).config
      .xsIpa;
    const control = new Set<number>(
      power.flatMap(({ pin }: { pin?: number }) => (pin === undefined ? [] : [pin])),
    );
    const pins = [receive, transmit, ...control];
    if (pmu) pins.push(pmu.data, pmu.clock);
    if (console) pins.push(console.receive, console.transmit);
    expect(new Set(pins).size).toBe(pins.length);
    const most = platform === 'esp32' ? 33 : 48;
    for (const pin of pins) expect(pin >= 0 && pin <= most && Number.isInteger(pin), `pin ${pin}`).toBe(true);
  });
});
