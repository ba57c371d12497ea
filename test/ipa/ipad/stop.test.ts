import { describe, expect, it } from 'vitest';
import { BETA, World } from '../../support/world.js';

describe('stop()', () => {
  it('before and during bring-up, poll, switch and delivery: it ends soon and leaves nothing behind', async () => {
    const states = new Set<string>();
    // From an hour on it is idle, and polls.
    for (let steps = 0, began = 0; began < 3_600_000; steps += 8) {
      const world = await World.make();
      void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
      world.startIpa();
      let left = steps;
      await world.until(() => left-- <= 0, 'some steps', Number.POSITIVE_INFINITY);
      states.add(world.ipad.state);
      const start = world.clock.ticks;
      began = start;
      world.ipad.stop();
      world.ipad.stop();
      await world.wait(world.running, `the end after ${steps} steps`);
      expect(world.failure).toBeUndefined();
      expect(world.ipad.state).toBe('stopped');
      expect(world.clock.ticks - start).toBeLessThan(45_000);
      expect(world.life.timers).toBe(0);
      const { length } = world.events;
      await world.pass(100_000);
      expect(world.of('esipa', length)).toEqual([]);
      world.modem.powerOff();
    }
    expect([...states]).toEqual(
      expect.arrayContaining(['starting', 'polling', 'executing', 'switching', 'delivering']),
    );
  });

  it('while there is no network: it does not sit the deadline out', async () => {
    const world = await World.make();
    world.network.blackOut('00101');
    world.startIpa();
    await world.untilState('connecting');
    await world.pass(20_000);
    const start = world.clock.ticks;
    world.ipad.stop();
    await world.wait(world.running);
    expect(world.clock.ticks - start).toBeLessThan(10_000);
  });

  it('and run() again', async () => {
    const world = await World.idle();
    world.ipad.stop();
    await world.wait(world.running);
    const again = world.ipad.run();
    await world.untilState('idle');
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    world.ipad.stop();
    await world.wait(again);
    expect(world.ipad.state).toBe('stopped');
  });

  it('nothing is lost by it: the next life delivers', async () => {
    const world = await World.idle();
    const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.untilState('switching');
    world.ipad.stop();
    await world.wait(world.running);
    world.startIpa();
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    await world.until(() => world.euicc.results.length + world.euicc.notifications.length === 0, 'the rest');
    expect(world.count('packageExecuted')).toBe(1);
    await world.stop();
  });
});

describe('a programming error', () => {
  it('is a second run() before the first has ended; the first is not disturbed', async () => {
    const world = await World.idle();
    await expect(world.ipad.run()).rejects.toThrow('run() was called while it runs');
    expect(await world.order({ psmo: [{ op: 'listProfileInfo' }] })).toMatchObject({ ok: true });
    world.ipad.stop();
    await expect(world.ipad.run()).rejects.toThrow('run() was called while it runs');
    await world.wait(world.running);
    expect(world.ipad.state).toBe('stopped');
    world.modem.powerOff();
  });

  it('is loud, and closes what is open', async () => {
    const world = await World.idle();
    const ended = expect(world.running).resolves.toBeUndefined();
    const original = world.life.storage;
    expect(original).toBeDefined();
    world.eim.instead = () => {
      throw new RangeError('test');
    };
    world.eim.instead = undefined;
    // A platform that breaks its promises.
    (world.life.timer as { set: unknown }).set = () => {
      throw new RangeError('no timers left');
    };
    world.ipad.poll();
    await expect(world.until(() => world.ipad.state === 'stopped', 'the end')).rejects.toThrow(
      'no timers left',
    );
    await ended;
    expect(world.ipad.state).toBe('stopped');
  });
});
