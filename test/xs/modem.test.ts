import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeOnXs } from './available.js';
import { type XsWorld, xsWorld } from './world.js';

let world: XsWorld;
beforeEach(async () => {
  world = await xsWorld();
});
afterEach(() => world.close());

await describeOnXs('the modem on XS', () => {
  it.each(['csim', 'cgla'] as const)('by %s keeps little, and little more for a command', async (access) => {
    const host = await world.boot({ access }, { entry: 'test/xs/device/modem.ts', livePeaks: true });
    const { code, complaints, marks, lines } = await host.ended;
    expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
    expect(lines).toContain('list: 9000 218');
    expect(marks.idle.bytes - marks.boot.bytes).toBeLessThan(5 * 1024);
    expect(marks.list.bytesPeak - marks.open.bytes).toBeLessThan(2 * 1024);
    expect(marks.again.bytes).toBe(marks.list.bytes);
  });
});
