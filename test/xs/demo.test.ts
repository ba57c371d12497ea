import { beforeAll, expect, it } from 'vitest';
import { describeOnXs } from './available.js';
import { demo, type Summary } from './demo.js';

await describeOnXs('the demo with the IPA on XS', () => {
  let onNode: Summary;
  beforeAll(async () => {
    ({ summary: onNode } = await demo('--baud', '0', '--speed', '10'));
  }, 60_000);

  it('ends as on Node, in the memory of a device, and loses no byte', async () => {
    const { code, summary, lines } = await demo('--engine', 'xs', '--slowness', '0');
    expect({ code, failures: summary.failures }).toEqual({ code: 0, failures: [] });
    const { packages, notifications, profileSwitches } = onNode;
    expect(summary).toMatchObject({ ok: true, packages, notifications, profileSwitches });
    expect(summary.xs).toMatchObject({ slotBytes: 16, serialLost: 0, restarts: 0 });
    const { peakHeap, peakSlots, peakChunks, peakStack } = summary.xs ?? {};
    expect(peakSlots).toBeGreaterThan(0);
    expect(peakChunks).toBeGreaterThan(0);
    expect(peakHeap).toBe(peakSlots * 16 + peakChunks);
    expect(peakStack).toBeGreaterThan(0);
    // Counted from what the device told, which is on the stream as on Node.
    for (const kind of ['apdu', 'esipa'])
      expect(lines.filter((line) => line.startsWith(`{"event":"${kind}"`))).toHaveLength(
        kind === 'apdu' ? summary.apdus : summary.esipa.messages,
      );
    expect(summary.apdus).toBeGreaterThan(0);
  }, 90_000);

  it('downloads profiles, directly and through an eIM, and says what each step took of its memory', async () => {
    const fast = ['--slowness', '0', '--baud', '921600', '--profile-size', '3000'];
    const { code, summary } = await demo('--engine', 'xs', '--scenario', 'download', ...fast);
    expect({ code, failures: summary.failures }).toEqual({ code: 0, failures: [] });
    expect(summary).toMatchObject({ ok: true, downloads: 2, xs: { serialLost: 0, restarts: 0 } });
    const { peakHeap = 0, peakStack = 0 } = summary.xs ?? {};
    for (const step of summary.steps) {
      expect(step.keptHeap).toBeGreaterThan(0);
      expect(step.peakHeap).toBeGreaterThanOrEqual(step.keptHeap!);
      expect(step.peakHeap).toBeLessThanOrEqual(peakHeap);
      expect(step.peakStack).toBeLessThanOrEqual(peakStack);
    }
    expect(peakHeap).toBeLessThan(94_208);
    expect(peakStack).toBeLessThanOrEqual(384);
  }, 90_000);
});
