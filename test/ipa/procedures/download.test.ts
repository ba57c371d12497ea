import { describe, expect, it } from 'vitest';
import { inEnvelope, NO_PACKAGE, script } from '../../support/scripted-eim.js';
import { SMDP, World, type WorldOptions } from '../../support/world.js';

const ICCID = '8988211000000123456';
const TXID = '000102030405060708090A0B0C0D0E0F';

/** Waits until nothing is under way on either side and the eUICC has nothing to deliver. */
async function settled(world: World, what: string): Promise<void> {
  await world.until(
    () =>
      world.euicc.results.length + world.euicc.notifications.length === 0 &&
      world.life.alive &&
      world.ipad.state === 'idle' &&
      world.storage.read('download') === undefined &&
      world.storage.read('directResults') === undefined,
    what,
  );
}

const downloaded = (world: World) =>
  world.euicc.profiles.filter(({ iccid }) => Buffer.from(iccid).toString('hex').startsWith('9888')).length;

async function download(options: WorldOptions, profileSize = 5_000) {
  const world = await World.idle(options);
  const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize });
  const outcome = await world.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
  await settled(world, 'everything delivered');
  return { world, outcome };
}

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s download', (way, options) => {
  it('installs a profile, tells the eIM and the SM-DP+, and forgets', async () => {
    const { world, outcome } = await download(options);
    expect(outcome).toMatchObject({ ok: true });
    expect(downloaded(world)).toBe(1);
    expect(world.of('failure')).toEqual([]);
    expect(world.http.requests.length > 0).toBe(way === 'direct');
    expect(world.smdp.orders()[0]).toMatchObject({ state: 'installed' });
    await world.stop();
  });

  it('a wrong matching id is refused, and everybody knows', async () => {
    const world = await World.idle(options);
    world.smdp.order({ iccid: ICCID, profileSize: 5_000 });
    const outcome = await world.order({ download: { activationCode: `1$${SMDP}$WRONG` } });
    expect(outcome).toMatchObject({ ok: false });
    await settled(world, 'everything delivered');
    expect(downloaded(world)).toBe(0);
    expect(world.of('failure').map(({ where }) => where)).toContain('download');
    await world.stop();
  });
});

describe('download triggers', () => {
  it('for the default SM-DP+', async () => {
    const world = await World.idle({ direct: true, card: { defaultDpAddress: SMDP } });
    world.smdp.order({
      iccid: ICCID,
      profileSize: 2_000,
      matchingId: '',
      eid: '89049032123451234512345678901235',
    });
    expect(await world.order({ download: { defaultSmdp: true } })).toMatchObject({ ok: true });
    await settled(world, 'everything delivered');
    expect(downloaded(world)).toBe(1);
    await world.stop();
  });

  it('without data are for indirect downloads only', async () => {
    const world = await World.idle({ direct: true });
    const taken = script(world.eim, {
      BF4F: [inEnvelope('BF4F', `BF5412 8210${TXID}`), NO_PACKAGE],
      BF50: ['BF50023000'],
    });
    world.ipad.poll();
    await world.until(() => taken.length === 3, 'poll, result, poll');
    await world.stop();
  });
});
