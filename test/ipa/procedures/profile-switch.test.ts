import { describe, expect, it } from 'vitest';
import { personalities } from '../../../host-sim/modem/index.js';
import { ALPHA, BETA, World } from '../../support/world.js';

const clean = (world: World) => world.euicc.results.length + world.euicc.notifications.length === 0;

describe('profile switch', () => {
  it.each(Object.keys(personalities))('on a modem of kind %s', async (personality) => {
    const world = await World.idle({ personality, baud: 115_200 });
    const [apdus, exchanges, start] = [world.apdus, world.modem.teApdus, world.clock.ticks];
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({
      outcome: 'verified',
      ok: true,
    });
    await world.until(() => clean(world) && world.ipad.state === 'idle', 'the end');
    expect(world.enabled).toBe(BETA);
    expect(world.modem.imsi).toMatch(/^99970/);
    expect(world.count('packageExecuted')).toBe(1);
    expect(world.of('failure')).toEqual([]);
    process.stdout.write(
      `enable + report on ${personality}: ${world.apdus - apdus} APDUs, ${world.modem.teApdus - exchanges} exchanges, ` +
        `${Math.round((world.clock.ticks - start) / 100) / 10} s\n`,
    );
    // And back, over what the first switch has left behind.
    expect(await world.order({ psmo: [{ op: 'enable', iccid: ALPHA }] })).toMatchObject({ ok: true });
    expect(world.enabled).toBe(ALPHA);
    await world.stop();
  });

  it('a modem that ignores REFRESH, and the IPA dies before it resets the card', async () => {
    for (let at = 1; at <= 40; at++) {
      const world = await World.idle({ personality: 'ignores-refresh' });
      void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
      let n = 0;
      world.beforeApdu = () => {
        if (++n === at) {
          world.killIpa();
          world.clock.set(() => world.startIpa(), 500);
        }
        return 'ok';
      };
      world.ipad.poll();
      await world.until(
        () => world.count('verified') > 0 && clean(world) && world.life.alive && world.ipad.state === 'idle',
        `death at exchange ${at}`,
      );
      world.beforeApdu = undefined;
      expect([at, world.enabled]).toEqual([at, BETA]);
      expect(world.modem.imsi).toMatch(/^99970/);
      expect(world.count('packageExecuted')).toBe(1);
      await world.stop();
      if (n < at) break;
    }
  });

  it('a card that refuses ES10 until it is reset', async () => {
    const world = await World.idle({ card: { blockedUntilReset: true } });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(clean(world)).toBe(true);
    await world.stop();
  });

  it('a profile without coverage: the result waits on the eUICC and is delivered when there is some', async () => {
    const world = await World.idle();
    world.network.blackOut('99970');
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.enabled === BETA, 'the switch');
    await world.pass(2 * 3_600_000);
    expect(world.count('verified')).toBe(0);
    expect(world.euicc.results).toHaveLength(1);
    expect(world.of('failure').some(({ code }) => code === 'notRegistered')).toBe(true);
    const start = world.clock.ticks;
    world.network.allow('99970');
    await world.until(() => clean(world) && world.ipad.state === 'idle', 'the delivery');
    expect(world.clock.ticks - start).toBeLessThan(30_000);
    expect(world.count('verified')).toBe(1);
    await world.stop();
  });

  it('and is not lost with the power either', async () => {
    const world = await World.idle();
    world.network.blackOut('99970');
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.enabled === BETA, 'the switch');
    await world.pass(60_000);
    world.powerCut();
    world.powerOn();
    await world.pass(3_600_000);
    world.network.allow('99970');
    await world.until(
      () => clean(world) && world.count('verified') === 1 && world.ipad.state === 'idle',
      'the delivery',
    );
    await world.stop();
  });

  it.each(['generic', 'csim-only'])(
    'starts without an enabled profile on a modem of kind %s',
    async (personality) => {
      const world = await World.idle({ personality, settings: { networkThroughModem: false } });
      expect(await world.order({ psmo: [{ op: 'disable', iccid: ALPHA }] })).toMatchObject({ ok: true });
      world.powerCut();
      world.powerOn();
      await world.untilState('idle');
      expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
      expect(world.enabled).toBe(BETA);
      await world.stop();
    },
  );

  it('a card that loses contact is found again', async () => {
    const world = await World.idle({
      faults: [{ apdu: (_n, apdu) => apdu[1] === 0xe2 && apdu[6] === 0x51, action: { kind: 'simDropped' } }],
    });
    const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(
      () => world.of('failure').length > 0 || world.count('verified') > 0,
      'somebody notices',
    );
    world.powerCut();
    world.powerOn();
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    await world.stop();
  });
});
