import { describe, expect, it } from 'vitest';
import type { IpaSettings } from '../../../ipa/procedures/index.js';
import { BETA, SMDP, World } from '../../support/world.js';

const ICCID = '8988211000000123456';
const KNOWN = {
  data: { tags: ['euiccInfo2', 'eumCertificate', 'euiccCertificate', 'ipaCapabilities', 'deviceInfo'] },
};

/** Bytes of the messages with this tag that the device has sent. */
function sent(world: World, tag: number, since = 0): number[] {
  return world
    .of('esipa', since)
    .filter((event) => event.direction === 'up' && event.tag === tag)
    .map(({ message }) => message.length);
}

async function settled(world: World): Promise<void> {
  await world.until(
    () =>
      world.euicc.results.length + world.euicc.notifications.length === 0 &&
      world.ipad.state === 'idle' &&
      world.storage.read('download') === undefined,
    'everything delivered',
  );
}

/** @returns bytes of authenticateClient, getBoundProfilePackage, the installation's notification, and of enable's report */
async function run(settings: Partial<IpaSettings>, ask: boolean) {
  const world = await World.idle({ settings });
  if (ask) expect(await world.order(KNOWN)).toMatchObject({ ok: true });
  const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000 });
  const since = world.events.length;
  const order = { download: { activationCode: `1$${SMDP}$${matchingId}` } };
  expect(await world.order(order)).toMatchObject({ ok: true });
  await settled(world);
  const [authenticate] = sent(world, 0xbf3b, since);
  const [get] = sent(world, 0xbf3a, since);
  const [installed] = sent(world, 0xbf3d, since);
  const then = world.events.length;
  expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
  await settled(world);
  const [report] = sent(world, 0xbf50, then);
  expect(world.of('failure')).toEqual([]);
  expect(world.of('smdp').filter(({ what }) => what === 'notification').length).toBeGreaterThan(0);
  await world.stop();
  return { authenticate, get, installed, report };
}

describe('compact forms (esipa.md §4)', () => {
  it('are not used unless they are asked for', async () => {
    const whole = await run({}, true);
    expect(whole.authenticate).toBeGreaterThan(1_000);
    expect(whole.report).toBeGreaterThan(1_000);
  });

  it('leave out what the eIM has been given, and it can still do everything', async () => {
    const whole = await run({}, true);
    const compact = await run({ minimizeEsipaBytes: true }, true);
    expect(compact.authenticate).toBeLessThan(whole.authenticate / 3);
    expect(compact.get).toBeLessThan(whole.get);
    expect(compact.installed).toBeLessThan(whole.installed);
    expect(compact.report).toBeLessThan(whole.report / 3);
    process.stdout.write(`whole ${JSON.stringify(whole)}, compact ${JSON.stringify(compact)}\n`);
  });

  it('keep what this life of the device has not given the eIM', async () => {
    const world = await World.idle({ settings: { minimizeEsipaBytes: true } });
    world.powerCut();
    world.powerOn();
    await world.untilState('idle');
    const since = world.events.length;
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(sent(world, 0xbf50, since)[0]).toBeGreaterThan(1_000);
    await world.stop();
  });

  it('work where the eIM keeps the download data and makes ctxParams1', async () => {
    const settings = {
      minimizeEsipaBytes: true,
      eimDownloadDataHandling: true,
      eimProfileMetadataVerification: true,
    };
    const compact = await run(settings, true);
    const without = await run({ minimizeEsipaBytes: true, eimCtxParams1Generation: false }, true);
    expect(compact.authenticate).toBeLessThan(without.authenticate);
  });

  it('end a session, too', async () => {
    const world = await World.idle({ settings: { minimizeEsipaBytes: true } });
    expect(await world.order(KNOWN)).toMatchObject({ ok: true });
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000, confirmationCode: '1234' });
    const order = { download: { activationCode: `1$${SMDP}$${matchingId}` } };
    expect(await world.order(order)).toMatchObject({ ok: false });
    expect(sent(world, 0xbf41)).toHaveLength(1);
    expect(world.of('failure').map(({ where }) => where)).not.toContain('CancelSession');
    await world.stop();
  });
});
