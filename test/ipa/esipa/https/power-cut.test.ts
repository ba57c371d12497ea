import { describe, expect, it } from 'vitest';
import { BETA, World } from '../../../support/world.js';

/** Cuts the power around the n-th message of an enable, and lets it begin anew. */
async function cutAt(transport: 'https' | 'https-json', n: number, stage: 'before' | 'after') {
  const world = await World.idle({ transport });
  const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
  let seen = 0;
  let isCut = false;
  world.eim.onMessage = (when) => {
    if (when === 'before') seen++;
    if (isCut || when !== stage || seen !== n) return;
    isCut = true;
    world.powerCut();
  };
  world.ipad.poll();
  await world.until(() => isCut || (world.ipad.state === 'idle' && seen > 2), 'the cut');
  if (isCut) {
    await world.pass(1_000);
    world.powerOn();
  }
  expect(await world.wait(outcome)).toMatchObject({ ok: true });
  await world.until(
    () => world.euicc.results.length + world.euicc.notifications.length === 0 && world.ipad.state === 'idle',
    'everything delivered',
  );
  expect(world.enabled).toBe(BETA);
  expect(world.count('packageExecuted')).toBe(1);
  await world.stop();
  return isCut;
}

describe.each(['https', 'https-json'] as const)('a power cut over %s', (transport) => {
  it.each(['before', 'after'] as const)('%s each message: executed once, reported once', async (stage) => {
    let cuts = 0;
    for (let n = 1; await cutAt(transport, n, stage); n++) cuts++;
    expect(cuts).toBeGreaterThan(2);
  });
});
