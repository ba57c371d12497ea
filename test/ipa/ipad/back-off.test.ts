import { describe, expect, it } from 'vitest';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { World } from '../../support/world.js';

describe('back-off', () => {
  it('of the device grows, varies, is bounded, and begins anew after a success', async () => {
    const world = await World.make();
    const restore = cardAnswering(world, (request) => (request[1] === ES10_TAGS.eid ? 0x6f00 : undefined));
    world.startIpa();
    await world.pass(6 * 3_600_000);
    const pauses = world.of('failure').map(({ retryIn }) => retryIn ?? 0);
    expect(pauses.length).toBeGreaterThan(12);
    for (const [n, pause] of pauses.entries()) {
      const longest = Math.min(900_000, 5_000 * 2 ** n);
      expect(pause).toBeGreaterThanOrEqual(longest / 2);
      expect(pause).toBeLessThanOrEqual(longest);
    }
    expect(new Set(pauses).size).toBe(pauses.length);
    expect(world.of('failure').every(({ where, code }) => where === 'device' && code === 'statusWord')).toBe(
      true,
    );
    restore();
    await world.untilState('idle');
    cardAnswering(world, (request) => (request[1] === ES10_TAGS.eid ? 0x6f00 : undefined));
    world.killIpa();
    const since = world.events.length;
    world.startIpa();
    await world.until(() => world.of('failure', since).length > 0, 'a failure');
    expect(world.of('failure', since)[0].retryIn).toBeLessThanOrEqual(5_000);
    await world.stop();
  });

  it('of an eIM that is silent grows, and ends with its first answer', async () => {
    const world = await World.idle();
    world.eim.stop();
    world.ipad.poll();
    await world.pass(4 * 3_600_000);
    const pauses = world.of('failure').map(({ retryIn }) => retryIn ?? 0);
    expect(pauses.length).toBeGreaterThan(8);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(900_000);
    expect(pauses[7]).toBeGreaterThan(pauses[0] * 20);
    expect(world.ipad.state).not.toBe('idle');
    world.eim.start();
    // Asked for by somebody: at once.
    const start = world.clock.ticks;
    world.ipad.poll();
    await world.untilState('idle');
    expect(world.clock.ticks - start).toBeLessThan(91_000);
    await world.stop();
  });

  it('injected messages do not shorten it', async () => {
    const world = await World.idle();
    world.eim.instead = () => undefined;
    world.ipad.poll();
    await world.until(() => world.of('failure').length === 4, 'four failures');
    const since = world.events.length;
    for (let i = 0; i < 5; i++)
      world.broker.publish(
        `esipa/${Buffer.from(world.ipad.eid).toString('hex')}/ipa`,
        Uint8Array.of(0xbf, 0x4e, 0),
      );
    await world.pass(10_000);
    expect(world.sent(since).filter((tag) => tag === 'bf4f')).toEqual([]);
    await world.stop();
  });
});
