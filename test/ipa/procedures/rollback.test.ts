import { describe, expect, it } from 'vitest';
import { ALPHA, BETA, World } from '../../support/world.js';

const clean = (world: World) => world.euicc.results.length + world.euicc.notifications.length === 0;
const enable = { psmo: [{ op: 'enable', iccid: BETA, rollback: true }] } as const;
const settings = { rollbackDeadline: 300_000, registrationDeadline: 120_000 };

describe('profile rollback', () => {
  it('does not happen when the new profile brings its result', async () => {
    const world = await World.idle({ settings });
    expect(await world.order(enable)).toMatchObject({ outcome: 'verified', ok: true });
    expect(world.storage.read('rollback')).toBeUndefined();
    await world.pass(2 * settings.rollbackDeadline);
    expect(world.enabled).toBe(BETA);
    expect(world.of('rollback')).toEqual([]);
    await world.stop();
  });

  it('brings the former profile back when the new one finds no network', async () => {
    const world = await World.idle({ settings });
    world.network.blackOut('99970');
    const since = world.clock.ticks;
    const outcome = await world.order(enable);
    expect(outcome).toMatchObject({ outcome: 'verified' });
    expect(world.enabled).toBe(ALPHA);
    expect(world.of('rollback')).toHaveLength(1);
    expect(world.clock.ticks - since).toBeLessThan(settings.rollbackDeadline + 120_000);
    await world.until(() => clean(world), 'everything delivered');
    expect(world.storage.read('rollback')).toBeUndefined();
    expect(world.count('verified')).toBe(1);
    await world.stop();
  });

  it('without the flag the device stays where it is', async () => {
    const world = await World.idle({ settings });
    world.network.blackOut('99970');
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.pass(3 * settings.rollbackDeadline);
    expect(world.enabled).toBe(BETA);
    world.network.allow('99970');
    await world.until(() => world.count('verified') > 0 && clean(world), 'the result');
    await world.stop();
  });

  it('remembers it over a power cut, whenever that comes', { timeout: 600_000 }, async () => {
    let cuts = 0;
    for (let at = 1; at < 200; at += 1) {
      const world = await World.idle({ settings });
      world.network.blackOut('99970');
      void world.eim.order(enable);
      let n = 0;
      let cut = false;
      world.beforeApdu = () => {
        if (++n !== at) return 'ok';
        cut = true;
        world.powerCut();
        world.clock.set(() => world.powerOn(), 1_000);
        return 'cutBefore';
      };
      world.ipad.poll();
      const ended = () =>
        world.count('verified') > 0 && clean(world) && world.life.alive && world.ipad.state === 'idle';
      await world.until(ended, `power cut at exchange ${at}`);
      world.beforeApdu = undefined;
      expect([at, world.enabled, world.count('packageExecuted')]).toEqual([at, ALPHA, 1]);
      expect(world.storage.read('rollback')).toBeUndefined();
      await world.stop();
      if (!cut) break;
      cuts++;
    }
    process.stdout.write(`enable with rollback: ${cuts} power cuts\n`);
    expect(cuts).toBeGreaterThan(20);
  });
});
