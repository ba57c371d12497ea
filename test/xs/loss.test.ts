import { expect, it } from 'vitest';
import { hex } from '../../host-sim/asn1/index.js';
import { describeOnXs } from './available.js';
import { demo } from './demo.js';
import { EID, xsWorld } from './world.js';

/** Of the device. Bytes are lost while a script runs: what is slow enough for that depends on the computer. */
const SLOWNESS = [60, 150, 400, 1_000];

await describeOnXs('a serial port that loses bytes', () => {
  async function listProfiles(slowness: number): Promise<{ lost: number; failures: number }> {
    const world = await xsWorld({ speed: 10 });
    try {
      const outcome = world.eim.queue(
        EID,
        { psmo: [{ op: 'listProfileInfo' }] },
        { timeoutMilliseconds: 400_000 },
      );
      const failures: string[] = [];
      const host = await world.boot(
        { initialEim: hex(world.initialEim), polls: 0, maxResponse: 256 },
        {
          slowness,
          onLine: (line) => {
            if (line.startsWith('failure')) failures.push(line);
          },
        },
      );
      expect(await outcome).toMatchObject({ ok: true });
      const { code, figures } = await host.ended;
      expect(code).toBe(0);
      expect(world.euicc.results).toEqual([]);
      return { lost: figures?.serial.lost ?? 0, failures: failures.length };
    } finally {
      await world.close();
    }
  }

  it('costs a device that asks for long answers attempts, and no result', async () => {
    let seen = { lost: 0, failures: 0 };
    for (const slowness of SLOWNESS) {
      seen = await listProfiles(slowness);
      if (seen.lost > 0 && seen.failures > 0) break;
    }
    expect(seen.lost).toBeGreaterThan(0);
    expect(seen.failures).toBeGreaterThan(0);
  }, 240_000);

  async function life(slowness: number) {
    const { code, summary } = await demo(
      '--engine',
      'xs',
      '--slowness',
      `${slowness}`,
      '--max-response',
      'none',
    );
    expect({ code, failures: summary.failures }).toEqual({ code: 0, failures: [] });
    const { queued, verified, answered, rejected } = summary.packages;
    expect(verified + answered).toBe(queued);
    expect(rejected).toBe(0);
    expect(summary.xs?.restarts).toBe(0);
    return { serialLost: 0, retries: 0, ...summary.xs };
  }

  it('is what the demo survives without the cap on Le, and counts', async () => {
    let seen = { serialLost: 0, retries: 0 };
    for (const slowness of SLOWNESS.slice(1, 3)) {
      seen = await life(slowness);
      if (seen.serialLost > 0 && seen.retries > 0) break;
    }
    expect(seen.serialLost).toBeGreaterThan(0);
    expect(seen.retries).toBeGreaterThan(0);
  }, 300_000);
});
