import { describe, expect, it } from 'vitest';
import { BETA, World } from '../../../support/world.js';

describe('the whole IPA over CoAP', () => {
  it('enables and reports in calm weather', async () => {
    const world = await World.idle({ transport: 'coap' });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(world.enabled).toBe(BETA);
    await world.stop();
  });

  it('takes injected packages, and their acknowledgement', async () => {
    const world = await World.idle({ transport: 'coap' });
    const outcome = await world.order({ psmo: [{ op: 'getRAT' }] }, { mode: 'injection' });
    expect(outcome).toMatchObject({ outcome: 'verified', ok: true });
    const listed = await world.order({ psmo: [{ op: 'listProfileInfo' }] }, { mode: 'injection' });
    expect(listed).toMatchObject({ outcome: 'verified', ok: true });
    await world.pass(60_000);
    expect(world.sent().filter((tag) => tag === 'bf4e').length).toBeGreaterThanOrEqual(2);
    expect(world.count('acknowledged')).toBeGreaterThanOrEqual(2);
    await world.stop();
  });

  it('injects as long as the device is heard, and else waits for its poll', async () => {
    const world = await World.idle({ transport: 'coap' });
    const inject = () => world.order({ psmo: [{ op: 'getRAT' }] }, { mode: 'injection' });
    for (let i = 0; i < 4; i++) {
      await world.pass(200_000);
      const { ticks } = world.clock;
      expect(await inject()).toMatchObject({ ok: true });
      expect(world.clock.ticks - ticks).toBeLessThan(5_000);
    }
    await world.pass(900_000);
    const { ticks } = world.clock;
    expect(await inject()).toMatchObject({ ok: true });
    expect(world.clock.ticks - ticks).toBeGreaterThan(60_000);
    await world.stop();
  });
});
