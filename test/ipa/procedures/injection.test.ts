import { describe, expect, it } from 'vitest';
import { decode, hex, TransferEimPackageResponse } from '../../../host-sim/asn1/index.js';
import { inEnvelope } from '../../support/scripted-eim.js';
import { ALPHA, BETA, EID, World, type WorldOptions } from '../../support/world.js';

const injection = { mode: 'injection' } as const;
const TXID = '0102030405060708090A0B0C0D0E0F10';

/** What the device has sent in BF4E. */
const replies = (world: World) =>
  world.broker.published.filter(({ payload }) => payload[1] === 0x4e).map(({ payload }) => payload);

async function settled(world: World): Promise<void> {
  await world.until(
    () => world.ipad.state === 'idle' && world.euicc.results.length + world.euicc.notifications.length === 0,
    'everything acknowledged',
  );
}

describe('injection', () => {
  it('a package, its result, its acknowledgement', async () => {
    const world = await World.idle();
    const since = world.events.length;
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] }, injection)).toMatchObject({
      ok: true,
    });
    await settled(world);
    // The result, and eimPackageReceived for the acknowledgement.
    expect(world.sent(since)).toEqual(['bf4e', 'bf4e']);
    expect(hex(replies(world)[1])).toBe('BF4E020500');
    expect(world.enabled).toBe(BETA);
    // Nothing is offered again afterwards.
    await world.pass(300_000);
    expect(world.sent(since)).toHaveLength(2);
    await world.stop();
  });

  it('a data request', async () => {
    const world = await World.idle();
    const since = world.events.length;
    expect(await world.order({ data: { tags: ['euiccInfo1'] } }, injection)).toMatchObject({
      outcome: 'data',
    });
    expect(world.sent(since)).toEqual(['bf4e']);
    await world.stop();
  });

  it.each([
    ['an unknown kind', 'BF6000', 2],
    ['a download trigger with a bad activation code', `BF5419 A005 8003322431 8210${TXID}`, 1],
    ['a package that cannot be read', 'BF510130', 1],
    ['nothing', '', 1],
    ['a poll answer', '020101', 2],
  ])('%s is answered with an error', async (_what, body, code) => {
    const world = await World.idle();
    world.eim.publish(inEnvelope('BF4E', body));
    await world.until(() => replies(world).length === 1 && world.ipad.state === 'idle', 'the answer');
    expect(decode(TransferEimPackageResponse, replies(world)[0])).toMatchObject({ eimPackageError: code });
    await world.stop();
  });

  it('while a poll is under way', async () => {
    const world = await World.idle();
    const fetched = world.eim.order({ psmo: [{ op: 'listProfileInfo' }] });
    let pushed: Promise<unknown> | undefined;
    world.eim.onMessage = (stage, payload) => {
      if (stage === 'before' && payload[1] === 0x4f && !pushed)
        pushed = world.eim.order({ psmo: [{ op: 'getRAT' }] }, injection);
    };
    world.ipad.poll();
    expect(await world.wait(fetched)).toMatchObject({ ok: true });
    expect(await world.wait(pushed!)).toMatchObject({ ok: true });
    await settled(world);
    await world.stop();
  });

  it('while a profile is being switched', async () => {
    const world = await World.idle();
    const packages = [1, 2].map((counter) => {
      world.eim.eim.setCounter(EID, counter);
      const op =
        counter === 1 ? ({ op: 'enable', iccid: BETA } as const) : ({ op: 'listProfileInfo' } as const);
      return inEnvelope('BF4E', world.eim.eim.stale(EID, { psmo: [op] }));
    });
    world.eim.publish(packages[0]);
    await world.untilState('switching');
    world.eim.publish(packages[1]);
    await world.until(() => world.count('verified') === 2, 'both results');
    await settled(world);
    expect(world.count('packageExecuted')).toBe(2);
    await world.stop();
  });

  it.each(['twice at once', 'again after the result', 'again after the acknowledgement'])(
    'the same package %s is executed once and answered once',
    async (when) => {
      const world = await World.idle();
      world.eim.eim.setCounter(EID, 1);
      const message = inEnvelope('BF4E', world.eim.eim.stale(EID, { psmo: [{ op: 'enable', iccid: BETA }] }));
      world.eim.publish(message);
      if (when === 'twice at once') world.eim.publish(message);
      if (when === 'again after the result') {
        await world.until(() => replies(world).length === 1, 'the result');
        world.eim.publish(message);
      }
      await world.until(() => world.count('verified') === 1, 'the result');
      await settled(world);
      if (when === 'again after the acknowledgement') world.eim.publish(message);
      await world.pass(5_000);
      expect(world.count('packageExecuted')).toBe(1);
      expect(world.count('refused')).toBe(0);
      expect(replies(world)).toHaveLength(2);
      expect(world.of('dropped').map(({ reason }) => reason)).toEqual(['alreadyHandled']);
      await world.stop();
    },
  );

  it('QoS 1 may deliver every message twice', async () => {
    const world = await World.idle();
    world.broker.duplicate = () => true;
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] }, injection)).toMatchObject({
      ok: true,
    });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: ALPHA }] })).toMatchObject({ ok: true });
    expect(await world.order({ data: { tags: ['euiccInfo1'] } }, injection)).toMatchObject({
      outcome: 'data',
    });
    await settled(world);
    expect(world.count('packageExecuted')).toBe(2);
    expect(world.enabled).toBe(ALPHA);
    await world.stop();
  });

  it('the acknowledgement never comes: the result is delivered by BF50 soon, not with the next poll', async () => {
    const world = await World.idle();
    world.eim.instead = (payload) => {
      const answer = world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
      return payload[1] === 0x4e ? undefined : answer;
    };
    const start = world.clock.ticks;
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] }, injection)).toMatchObject({
      ok: true,
    });
    await settled(world);
    expect(world.sent()).toContain('bf50');
    expect(world.clock.ticks - start).toBeLessThan(120_000);
    await world.stop();
  });

  it('an acknowledgement on its own is carried out and confirmed', async () => {
    const world = await World.idle();
    const { apdus } = world;
    world.eim.publish(inEnvelope('BF4E', 'BF5306800163800164'));
    await world.until(() => replies(world).length === 1 && world.ipad.state === 'idle', 'the answer');
    expect(hex(replies(world)[0])).toBe('BF4E020500');
    expect(world.apdus - apdus).toBe(2);
    await world.stop();
  });

  it('an acknowledgement of a result of the life before is carried out', async () => {
    const world = await World.idle();
    const { instead } = world.eim;
    world.eim.instead = (payload) => {
      const answer = world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
      // It keeps the result to itself, and is not there when the IPA comes back.
      return payload[1] === 0x4e || payload[1] === 0x50 ? undefined : answer;
    };
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] }, injection);
    await world.until(() => replies(world).length === 1 && world.ipad.state === 'idle', 'the result');
    expect(world.euicc.results.length + world.euicc.notifications.length).toBe(3);
    world.killIpa();
    const since = world.events.length;
    world.startIpa();
    await world.until(() => world.sent(since).includes('bf50'), 'the offer');
    world.eim.publish(inEnvelope('BF4E', 'BF530C800101800102800103800163'));
    await world.until(() => replies(world).length === 2, 'the confirmation');
    expect(world.of('acknowledged', since).map(({ seqNumbers }) => seqNumbers)).toEqual([[1, 2, 3]]);
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    world.eim.instead = instead;
    await world.untilState('idle');
    await world.stop();
  });

  it('the power fails while an injected package is carried out: the result comes as BF50', async () => {
    const world = await World.idle();
    const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] }, injection);
    await world.untilState('switching');
    world.powerCut();
    world.powerOn();
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    await settled(world);
    expect(replies(world)).toEqual([]);
    expect(world.enabled).toBe(BETA);
    await world.stop();
  });

  const offline: [string, WorldOptions][] = [
    ['without coverage', {}],
    ['switched off', {}],
  ];
  it.each(offline)('while the device is %s', async (what, options) => {
    const world = await World.idle(options);
    if (what === 'switched off') world.powerCut();
    else world.network.blackOut('00101');
    await world.pass(60_000);
    const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] }, injection);
    await world.pass(60_000);
    expect(world.count('packageExecuted')).toBe(0);
    if (what === 'switched off') world.powerOn();
    else world.network.allow('00101');
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    await settled(world);
    await world.stop();
  });

  it('a flood is bounded, and what is in time is answered', async () => {
    const world = await World.idle({ injectionLimit: 3 });
    for (let i = 0; i < 20; i++)
      world.eim.publish(inEnvelope('BF4E', `BF5215 5C01A8 8310${TXID.slice(2)}${(i + 16).toString(16)}`));
    await world.pass(60_000);
    const dropped = world.of('dropped').filter(({ reason }) => reason === 'injectionQueueFull');
    expect(replies(world).length + dropped.length).toBe(20);
    expect(replies(world).length).toBeGreaterThanOrEqual(3);
    await world.untilState('idle');
    await world.stop();
  });
});
