import { describe, expect, it } from 'vitest';
import { describeOnXs } from '../xs/available.js';
import { type Measured, type MemoryLine, measure, measureAlive } from './measure.js';
import { flashLines, partsLines } from './parts.js';
import { downloadPlot, plot, transportPlot } from './plot.js';
import { BUDGET, markdown, spread } from './report.js';
import { scenarios } from './scenarios.js';
import { byTransport, firstOf } from './transports.js';

/** Few of them, so that the long scenario is a short one. */
const ALL = scenarios(60);

async function run(name: string, bringUp = false): Promise<Measured> {
  const scenario = ALL.find((one) => one.name === name);
  if (!scenario) throw new Error(`no scenario ${name}`);
  const measured = await measure(scenario, bringUp);
  const { line } = measured;
  for (const value of Object.values(line)) {
    if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
  }
  expect(line).toMatchObject({ bench: 'memory', scenario: name, uartLost: 0 });
  expect(line.peakHeapBytes).toBeGreaterThanOrEqual(line.idleHeapBytes);
  expect(line.peakWithGarbageBytes).toBeGreaterThanOrEqual(line.idleHeapBytes);
  // What went over the line cannot be less than the least.
  expect(line.uartUp + line.uartDown).toBeGreaterThanOrEqual(line.uartLeast);
  expect(line.exchanges).toBeGreaterThanOrEqual(line.exchangesUncapped);
  expect(line.exchangesUncapped).toBeGreaterThanOrEqual(line.apdus);
  // A 64-bit host's slots are twice the size.
  if (line.slotBytes === 16) {
    const peak = scenario.profileBytes ? BUDGET.downloadHeapBytes : BUDGET.peakHeapBytes;
    expect(line.peakHeapBytes).toBeLessThanOrEqual(peak);
    expect(line.idleHeapBytes).toBeLessThanOrEqual(BUDGET.idleHeapBytes);
  }
  expect(line.peakStackSlots).toBeLessThanOrEqual(BUDGET.peakStackSlots);
  expect(line.apdus).toBeLessThanOrEqual(scenario.mostApdus ?? Number.POSITIVE_INFINITY);
  return measured;
}

describe('the list of scenarios', () => {
  it('has a name for each', () => {
    const names = ALL.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of [
      'idle',
      'empty-poll',
      'enable-report',
      'five-packages',
      'profile-list-8',
      'data-request',
    ])
      expect(names).toContain(name);
  });
});

await describeOnXs('the bench', () => {
  it('needs no APDU for a poll that finds nothing, nor heap that stays', async () => {
    const { line, bringUp, start } = await run('polls-60', true);
    expect(line).toMatchObject({ apdus: 0, exchanges: 0, uartUp: 0, uartDown: 0, uartLeast: 0 });
    expect(line.growthBytes).toBe(0);
    expect(line.networkUp).toBeGreaterThan(0);
    if (!bringUp) throw new Error('the way up was not measured');
    expect(bringUp.idleHeapBytes).toBe(line.idleHeapBytes);
    expect(bringUp.apdus).toBeGreaterThan(0);

    // Where the bytes are: whichever way they are counted, nothing is left over.
    const parts = partsLines(start);
    for (const by of ['made', 'alive']) {
      const own = parts.filter((part) => part.by === by);
      const sum = own.reduce((bytes, { heapBytes }) => bytes + heapBytes, 0);
      expect(Math.abs(sum - start.idle.bytes)).toBeLessThan(start.idle.bytes / 20);
    }
    const flash = await flashLines();
    const [all, ...rooms] = flash;
    expect(rooms.map(({ part }) => part)).toContain('ipa/procedures');
    expect(rooms.reduce((bytes, { bytecodeBytes }) => bytes + bytecodeBytes, 0)).toBe(all.bytecodeBytes);

    const page = markdown({ version: start.idle.version, memory: [bringUp, line], parts, flash }, ALL);
    expect(page).toContain('`polls-60`');
    expect(plot([bringUp, line])).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  }, 120_000);

  it('enables a profile and reports with the commands that the procedure asks for', async () => {
    const { line } = await run('enable-report');
    expect(line.apdus).toBeGreaterThan(0);
    expect(line.networkUp).toBeGreaterThan(0);
  }, 120_000);

  it('downloads profiles of any size in the same memory, with no character too many for the package', async () => {
    const { line: small, start } = await run('download-direct-12k');
    const { line: indirect } = await run('download-indirect-12k');
    for (const line of [small, indirect]) {
      expect(line.uartLoadLeast).toBeGreaterThan(2 * 12_000);
      expect(line.uartLoad / line.uartLoadLeast).toBeLessThanOrEqual(BUDGET.load);
      // All of the package went over the network, and nothing of it came twice.
      expect(line.networkDown).toBeGreaterThan(12_000);
      expect(line.networkDown).toBeLessThan(2 * 12_000);
    }
    const large = ALL.find(({ name }) => name === 'download-direct-100k')!;
    const { line } = await measureAlive(large, false);
    expect(line.uartLoadLeast).toBeGreaterThan(2 * 100_000);
    expect(line.uartLoad / line.uartLoadLeast).toBeLessThanOrEqual(BUDGET.load);
    expect((line.uartUp + line.uartDown) / line.uartLoadLeastUncapped).toBeLessThan(BUDGET.download);
    expect(line.uartLost).toBe(0);
    expect(spread([small, line])).toBeLessThanOrEqual(BUDGET.downloadSpreadBytes);
    expect(line.idleHeapBytes).toBe(small.idleHeapBytes);

    const lines = [small, indirect, line];
    const page = markdown({ version: start.idle.version, memory: lines, parts: [], flash: [] }, ALL);
    expect(page).toContain('## Downloads');
    expect(downloadPlot(lines)).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  }, 180_000);

  it('needs no more heap over CoAP than over MQTT', async () => {
    const lines: MemoryLine[] = [];
    for (const base of ['empty-poll', 'enable-report', 'download-indirect-12k']) {
      const [mqtt, coap] = [base, `${base}-coap`].map((name) => ALL.find((one) => one.name === name)!);
      lines.push((await measureAlive(mqtt, false)).line, (await measureAlive(coap, false)).line);
      const [overMqtt, overCoap] = lines.slice(-2);
      expect(overCoap.peakHeapBytes).toBeLessThanOrEqual(overMqtt.peakHeapBytes);
      expect(overCoap.idleHeapBytes).toBeLessThanOrEqual(overMqtt.idleHeapBytes);
      expect(overCoap.networkUp).toBeGreaterThan(0);
      expect(overCoap.networkUp + overCoap.networkDown).not.toBe(overMqtt.networkUp + overMqtt.networkDown);
    }
    const page = byTransport(lines, true);
    expect(page).toContain('| `empty-poll` | MQTT | ');
    expect(page).toContain('|  | CoAP | ');
    expect(firstOf(lines)).toEqual(lines.filter((_line, index) => index % 2 === 0));
    expect(transportPlot(lines)).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  }, 180_000);

  it('executes five packages in one poll', async () => {
    const { line } = await run('five-packages');
    // Each of them is one call, and so is the removal of its result.
    expect(line.apdus).toBeGreaterThanOrEqual(10);
  }, 120_000);
});
