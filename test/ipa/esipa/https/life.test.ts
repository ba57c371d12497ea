import { describe, expect, it } from 'vitest';
import { BETA, SMDP, World } from '../../../support/world.js';

const transports = ['https', 'https-json'] as const;

async function settled(world: World): Promise<void> {
  await world.until(
    () =>
      world.euicc.results.length + world.euicc.notifications.length === 0 &&
      world.ipad.state === 'idle' &&
      world.storage.read('download') === undefined,
    'everything delivered',
  );
}

describe.each(transports)('a life over %s', (transport) => {
  it('onboards, enables and reports, delivers notifications, answers a data request', async () => {
    const world = await World.idle({ transport });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(world.enabled).toBe(BETA);
    await settled(world);
    expect(world.count('notification')).toBe(2);
    const { data } = (await world.order({ data: { tags: ['ipaCapabilities', 'euiccInfo1'] } })) as {
      data: { ipaCapabilities: { ipaSupportedProtocols: string[] } };
    };
    expect(data.ipaCapabilities.ipaSupportedProtocols).toEqual(['ipaRetrieveHttps']);
    expect(world.of('failure')).toEqual([]);
    expect(world.count('rejected')).toBe(0);
    const paths = new Set(world.http.requests.map(({ path }) => path));
    if (transport === 'https') expect([...paths]).toEqual(['/gsma/rsp2/asn1']);
    else expect([...paths].every((path) => path.startsWith('/gsma/rsp2/esipa/'))).toBe(true);
    await world.stop();
  });

  it('makes one connection in a wake-up, and gives it up', async () => {
    const world = await World.idle({ transport });
    await world.pass(60_000);
    expect(world.http.opened).toBe(0);
    const before = world.http.connections;
    const outcomes = [1, 2, 3, 4, 5].map(() => world.eim.order({ psmo: [{ op: 'listProfileInfo' }] }));
    world.ipad.poll();
    for (const outcome of outcomes) expect(await world.wait(outcome)).toMatchObject({ ok: true });
    await world.untilState('idle');
    expect(world.http.connections).toBe(before + 1);
    await world.pass(60_000);
    expect(world.http.opened).toBe(0);
    expect(world.http.requests.length).toBeGreaterThan(10);
    await world.stop();
  });

  it.each([2_000, 20_000])('downloads a profile of %i bytes as it comes', async (profileSize) => {
    const world = await World.idle({ transport });
    const { matchingId } = world.smdp.order({ iccid: '8988211000000123456', profileSize });
    const outcome = await world.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
    expect(outcome).toMatchObject({ ok: true });
    await settled(world);
    expect(world.of('failure')).toEqual([]);
    expect(world.smdp.orders()[0]).toMatchObject({ state: 'installed' });
    await world.stop();
  });

  it('a refusal by the SM-DP+ reaches everybody', async () => {
    const world = await World.idle({ transport });
    const outcome = await world.order({ download: { activationCode: `1$${SMDP}$WRONG` } });
    expect(outcome).toMatchObject({ ok: false });
    await settled(world);
    await world.stop();
  });
});
