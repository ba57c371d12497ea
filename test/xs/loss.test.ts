import { expect, it } from 'vitest';
import { hex } from '../../host-sim/asn1/index.js';
import { describeOnXs } from './available.js';
import { demo } from './demo.js';
import { EID, xsWorld } from './world.js';

/** Of the device, so that no computer is too fast for it to lose bytes while a script runs. */
const SLOWNESS = 60;

await describeOnXs('a serial port that loses bytes', () => {
  it('costs a device that asks for long answers attempts, and no result', async () => {
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
          slowness: SLOWNESS,
          onLine: (line) => {
            if (line.startsWith('failure')) failures.push(line);
          },
        },
      );
      expect(await outcome).toMatchObject({ ok: true });
      const { code, figures } = await host.ended;
      expect(code).toBe(0);
      expect(figures?.serial.lost).toBeGreaterThan(0);
      expect(failures.length).toBeGreaterThan(0);
      expect(world.euicc.results).toEqual([]);
    } finally {
      await world.close();
    }
  }, 60_000);

  it('is what the demo survives without the cap on Le', async () => {
    const { code, summary } = await demo(
      '--engine',
      'xs',
      '--slowness',
      `${SLOWNESS}`,
      '--max-response',
      'none',
    );
    expect({ code, failures: summary.failures }).toEqual({ code: 0, failures: [] });
    const { queued, verified, answered, rejected } = summary.packages;
    expect(verified + answered).toBe(queued);
    expect(rejected).toBe(0);
    expect(summary.xs?.serialLost).toBeGreaterThan(0);
    expect(summary.xs?.retries).toBeGreaterThan(0);
    expect(summary.xs?.restarts).toBe(0);
  }, 150_000);
});
