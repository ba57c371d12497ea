import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { World } from '../../support/world.js';

// The heap is only comparable after a collection.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

it('10,000 empty polls: no APDU, no timer left behind, no growth', async () => {
  const world = await World.idle({ forgetful: true });
  world.broker.keepPublished = false;
  // The answer is always the same, so that the eIM's own work does not count.
  const nothing = Uint8Array.of(0xbf, 0x4f, 3, 2, 1, 1);
  let polls = 0;
  world.eim.instead = () => {
    polls++;
    return nothing;
  };
  const round = async (count: number): Promise<number> => {
    const end = polls + count;
    while (polls < end) {
      const before = polls;
      world.ipad.poll();
      await world.until(() => polls > before && world.ipad.state === 'idle', 'a poll');
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  await round(1_000);
  const { apdus } = world;
  const exchanges = world.modem.apdus;
  const timers = world.life.timers;
  const before = await round(2_000);
  const after = await round(7_000);
  expect(polls).toBeGreaterThanOrEqual(10_000);
  expect(world.apdus).toBe(apdus);
  expect(world.modem.apdus).toBe(exchanges);
  expect(world.life.timers).toBe(timers);
  expect(world.broker.connects).toBe(1);
  // 40 bytes a poll would show.
  expect(after - before).toBeLessThan(7_000 * 40);
  await world.stop();
});
