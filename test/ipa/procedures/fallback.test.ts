import { describe, expect, it } from 'vitest';
import { MemoryReset } from '../../../ipa/es10/index.js';
import { resetMemory, switchLocally } from '../../../ipa/procedures/index.js';
import { ALPHA, BETA, World } from '../../support/world.js';

const settings = {
  fallbackAfter: 600_000,
  fallbackReturn: 3_600_000,
  registrationDeadline: 60_000,
  pollInterval: 300_000,
};

/** Beta is the Fallback Profile. */
async function withFallback(options: Partial<typeof settings> = {}): Promise<World> {
  const world = await World.idle({
    settings: { ...settings, ...options },
    card: { fallbackSupported: true },
  });
  expect(await world.order({ psmo: [{ op: 'setFallbackAttribute', iccid: BETA }] })).toMatchObject({
    ok: true,
  });
  return world;
}

describe('fallback', () => {
  it('goes to the Fallback Profile when no eIM can be reached, tells the eIM why, and returns', async () => {
    const world = await withFallback();
    world.network.blackOut('00101');
    await world.until(() => world.enabled === BETA, 'the fallback', 2 * settings.fallbackAfter);
    await world.until(
      () =>
        world.events.some(
          (event) =>
            event.event === 'eim' && event.what === 'poll' && event.detail?.stateChangeCause === 'fallback',
        ),
      'the cause',
    );
    world.network.allow('00101');
    await world.until(() => world.enabled === ALPHA, 'the return', 2 * settings.fallbackReturn);
    expect(world.of('switched').map(({ what }) => what)).toEqual([
      'executeFallbackMechanism',
      'returnFromFallback',
    ]);
    await world.untilState('idle');
    expect(world.storage.read('fallback')).toBeUndefined();
    await world.stop();
  });

  it('stays on the profile that works', async () => {
    const world = await withFallback();
    await world.pass(4 * settings.fallbackAfter);
    expect(world.enabled).toBe(ALPHA);
    expect(world.of('switched')).toEqual([]);
    await world.stop();
  });

  it('is off unless it is asked for', async () => {
    const world = await withFallback({ fallbackAfter: 0 });
    world.network.blackOut('00101');
    await world.pass(20 * settings.fallbackAfter);
    expect(world.enabled).toBe(ALPHA);
    await world.stop();
  });

  it('returns after a restart too', async () => {
    const world = await withFallback();
    world.network.blackOut('00101');
    await world.until(() => world.enabled === BETA, 'the fallback', 2 * settings.fallbackAfter);
    await world.untilState('idle');
    world.powerCut();
    world.powerOn();
    world.network.allow('00101');
    await world.until(() => world.enabled === ALPHA, 'the return', 2 * settings.fallbackReturn);
    await world.stop();
  });
});

describe('what the device itself asks of the eUICC', () => {
  it('an emergency profile, and back', async () => {
    const world = await World.idle({ card: { ecallSupported: true } });
    const refused = world.ipad.perform((context) => switchLocally(context, 'enableEmergencyProfile'));
    expect(await world.wait(refused)).toBe(8);
    await world.stop();
  });

  it('a memory reset: profiles are gone, the eIM is told why', async () => {
    const world = await World.idle();
    const reset = world.ipad.perform((context) => resetMemory(context, MemoryReset.defaultSmdpAddress));
    expect(await world.wait(reset)).toMatchObject({ profiles: 0, eimConfiguration: -1 });
    await world.poll();
    expect(
      world.of('eim').some(({ what, detail }) => what === 'poll' && detail?.stateChangeCause === 'reset'),
    ).toBe(true);
    await world.stop();
  });

  it('what waits when the IPA is stopped fails', async () => {
    const world = await World.idle();
    world.ipad.stop();
    const late = world.ipad.perform(async () => 1);
    await expect(world.wait(late)).rejects.toMatchObject({ code: 'stopped' });
    world.modem.powerOff();
  });
});
