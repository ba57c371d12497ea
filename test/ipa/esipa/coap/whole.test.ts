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

  describe('what is lost of an injection', () => {
    /** The nth acknowledgement with a response that a device sends is lost where `isLost` says so. */
    function lose(world: World, isLost: (n: number) => boolean): () => number {
      const { server } = world.udp;
      let lost = 0;
      let n = 0;
      world.udp.server = (datagram) => {
        if ((datagram[0] & 0x30) === 0x20 && datagram[1] !== 0 && isLost(n++)) lost++;
        else server?.(datagram);
      };
      return () => lost;
    }
    const injection = { mode: 'injection' } as const;
    const isSettled = (world: World) => () => world.ipad.state === 'idle' && world.euicc.results.length === 0;

    it.each([
      ['one response', (n: number) => n === 0, 1, 10_000],
      ['four responses', (n: number) => n < 4, 4, 40_000],
      ['every response', () => true, 5, 4_000_000],
    ])('%s: executed once, and the result arrives', async (_what, isLost, count, most) => {
      const world = await World.idle({ transport: 'coap' });
      const lost = lose(world, isLost);
      const { ticks } = world.clock;
      const outcome = await world.order({ psmo: [{ op: 'getRAT' }] }, injection);
      expect(outcome).toMatchObject({ outcome: 'verified', ok: true });
      await world.until(isSettled(world), 'everything acknowledged');
      expect(lost()).toBeGreaterThanOrEqual(count);
      expect(world.clock.ticks - ticks).toBeLessThan(most);
      expect([world.count('packageExecuted'), world.count('packageRefused')]).toEqual([1, 0]);
      await world.stop();
    });

    it('every response to a data request: the next poll asks again', async () => {
      const world = await World.idle({ transport: 'coap' });
      lose(world, () => true);
      const answered = world.eim.order({ data: { tags: ['euiccInfo1'] } }, injection);
      const outcome = await world.wait(answered, 'the answer', 5_000_000);
      expect(outcome).toMatchObject({ outcome: 'data', ok: true });
      await world.stop();
    });

    it('the device, after some results: all arrive, and all are acknowledged in the end', async () => {
      const world = await World.idle({ transport: 'coap' });
      const orders = [1, 2, 3, 4].map(() => world.eim.order({ psmo: [{ op: 'getRAT' }] }, injection));
      // Two results are there, and owed an acknowledgement.
      await world.until(() => world.count('verified') === 2, 'two results');
      expect(world.euicc.results.length).toBeGreaterThanOrEqual(2);
      world.killIpa();
      await world.pass(200_000);
      world.startIpa();
      for (const outcome of await world.wait(Promise.all(orders)))
        expect(outcome).toMatchObject({ ok: true });
      await world.until(isSettled(world), 'everything acknowledged');
      expect([world.count('packageExecuted'), world.count('packageRefused')]).toEqual([4, 0]);
      await world.stop();
    });
  });

  it('acknowledges eight results at a time where more packages follow', async () => {
    const world = await World.idle({ transport: 'coap' });
    const orders = Array.from({ length: 10 }, () =>
      world.eim.order({ psmo: [{ op: 'getRAT' }] }, { mode: 'injection' }),
    );
    for (const outcome of await world.wait(Promise.all(orders))) expect(outcome).toMatchObject({ ok: true });
    const isDone = () => world.ipad.state === 'idle' && world.euicc.results.length === 0;
    await world.until(isDone, 'everything acknowledged');
    const own = world.of('acknowledged').filter(({ who }) => who === 'ipa');
    expect(own.map(({ seqNumbers }) => seqNumbers.length).slice(-2)).toEqual([8, 2]);
    await world.stop();
  });
});
