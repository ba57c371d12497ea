import { describe, expect, it } from 'vitest';
import { BETA, World } from '../../support/world.js';

function done(world: World): boolean {
  return (
    world.ipad.state === 'idle' &&
    world.count('verified') > 0 &&
    world.euicc.results.length + world.euicc.notifications.length === 0
  );
}

async function judge(world: World, what: string): Promise<void> {
  await world.until(() => done(world), what, 3_600_000);
  expect(world.count('packageExecuted')).toBe(1);
  expect(
    new Set(
      world
        .of('eim')
        .filter((event) => event.what === 'notification')
        .map(({ detail }) => detail?.seqNumber),
    ).size,
  ).toBe(2);
  expect(world.enabled).toBe(BETA);
  expect(world.count('rejected')).toBe(0);
  await world.stop();
}

/** Runs "enable + report" and does something at the nth crossing of a message. */
async function atEach(mode: 'retrieval' | 'injection', act: (world: World) => void): Promise<number> {
  let points = 0;
  for (let at = 1; ; at++) {
    const world = await World.idle();
    let n = 0;
    world.broker.onCrossing = () => {
      if (++n === at) act(world);
    };
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] }, { mode });
    if (mode === 'retrieval') world.ipad.poll();
    await world.until(() => done(world), `${mode}, crossing ${at}`, 3_600_000);
    const reached = n >= at;
    world.broker.onCrossing = undefined;
    await judge(world, `${mode}, crossing ${at}`);
    if (!reached) return points;
    points++;
  }
}

describe('link loss', () => {
  it.each(['retrieval', 'injection'] as const)('the connection breaks at any message (%s)', async (mode) => {
    const points = await atEach(mode, (world) => world.broker.cut());
    expect(points).toBeGreaterThanOrEqual(6);
  });

  it.each(['retrieval', 'injection'] as const)(
    'the registration is lost at any message (%s)',
    async (mode) => {
      const points = await atEach(mode, (world) => {
        world.network.blackOut('');
        world.network.blackOut('00101');
        world.network.blackOut('99970');
        world.clock.set(() => {
          world.network.allow('00101');
          world.network.allow('99970');
        }, 40_000);
      });
      expect(points).toBeGreaterThanOrEqual(6);
    },
  );

  it('every message comes twice', async () => {
    const world = await World.idle();
    world.broker.duplicate = () => true;
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await judge(world, 'duplicates');
  });

  it('the broker is away for a day: attempts get rare and vary, and end when it is back', async () => {
    const world = await World.idle();
    let away = true;
    world.broker.reachable = () => !away && world.modem.registered;
    world.broker.cut();
    const since = world.events.length;
    await world.pass(24 * 3_600_000);
    const attempts = world
      .of('link', since)
      .filter(({ state }) => state === 'connecting')
      .map(({ at }) => at);
    const gaps = attempts.slice(1).map((at, i) => at - attempts[i]);
    expect(gaps[0]).toBeLessThan(2_500);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(300_100);
    expect(Math.min(...gaps.slice(20))).toBeGreaterThanOrEqual(150_000);
    expect(new Set(gaps.slice(20).map(Math.round)).size).toBeGreaterThan(50);
    away = false;
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    await judge(world, 'the return of the broker');
  });

  it('the network comes back: the connection does not wait for its pause', async () => {
    const world = await World.idle();
    world.network.blackOut('00101');
    await world.pass(3_600_000 * 3);
    const since = world.events.length;
    world.network.allow('00101');
    await world.until(
      () => world.of('link', since).some(({ state }) => state === 'connected'),
      'the connection',
      10_000,
    );
    await world.untilState('idle');
    expect(world.of('link').filter(({ state }) => state === 'connecting').length).toBeLessThan(5);
    await world.stop();
  });
});
