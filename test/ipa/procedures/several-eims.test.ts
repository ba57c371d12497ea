import { describe, expect, it } from 'vitest';
import { hex, unhex } from '../../../host-sim/asn1/index.js';
import { ALPHA, BETA, EID, World } from '../../support/world.js';

describe('several eIMs', () => {
  it('each gets its own results', async () => {
    const world = await World.associated({ eims: 2 });
    expect(await world.order({ psmo: [{ op: 'listProfileInfo' }] }, { by: 1 })).toMatchObject({ ok: true });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] }, { by: 1 })).toMatchObject({
      ok: true,
    });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: ALPHA }] }, { by: 0 })).toMatchObject({
      ok: true,
    });
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    expect(world.count('rejected')).toBe(0);
    await world.stop();
  });

  it('none can make the IPA forget the result of another one', async () => {
    const world = await World.associated({ eims: 2 });
    const [main, other] = world.eims;
    // The one has a result on the eUICC and does not take it now.
    main.instead = (payload) => {
      const answer = main.eim.handle(payload, { eid: EID, link: 'mqtt' });
      return payload[1] === 0x50 ? unhex('BF500302017F') : answer;
    };
    void main.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.euicc.results.length === 1 && world.ipad.state === 'idle', 'its result');
    const [{ seqNumber }] = world.euicc.results;
    const since = world.events.length;
    const number = seqNumber.toString(16).padStart(2, '0');
    other.publish(unhex(`BF4E06BF53038001${number}`));
    await world.until(() => world.of('dropped', since).length > 0 && world.ipad.state === 'idle', 'the drop');
    expect(world.of('dropped', since)).toMatchObject([{ eimId: other.name, reason: 'foreignResult' }]);
    // Nor with the answer to a result of its own.
    other.instead = (payload) => {
      const answer = other.eim.handle(payload, { eid: EID, link: 'mqtt' });
      if (payload[1] !== 0x50 || !answer) return answer;
      const own = answer.subarray(6);
      const list = [...own, 0x80, 1, seqNumber];
      return Uint8Array.from([0xbf, 0x50, list.length + 3, 0xbf, 0x53, list.length, ...list]);
    };
    expect(await world.order({ psmo: [{ op: 'listProfileInfo' }] }, { by: 1 })).toMatchObject({ ok: true });
    expect(world.of('dropped', since).map(({ reason }) => reason)).toEqual(Array(2).fill('foreignResult'));
    expect(world.euicc.results.map((one) => one.seqNumber)).toEqual([seqNumber]);
    main.instead = undefined;
    await world.poll();
    expect(world.euicc.results).toEqual([]);
    await world.stop();
  });

  it('one that cannot be reached gets another address from the other one, and is tried there at once', async () => {
    const world = await World.associated({ eims: 2 });
    const [, other] = world.eims;
    other.stop();
    world.ipad.poll();
    await world.until(() => world.of('failure').length > 3, 'it is given up');
    const since = world.events.length;
    const links = () =>
      world.of('link', since).flatMap(({ eimId, state }) => (eimId === other.name ? [state] : []));
    const moved = { eimId: other.name, eimFqdn: 'new.example.com' };
    const updated = world.eim.order({ eco: [{ op: 'updateEim', eim: moved }] });
    world.ipad.poll();
    expect(await world.wait(updated)).toMatchObject({ ok: true });
    await world.until(() => links().includes('closed'), 'its old link is closed', 900_000);
    other.start();
    const outcome = other.order({ psmo: [{ op: 'getRAT' }] });
    const { ticks } = world.clock;
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    expect(world.clock.ticks - ticks).toBeLessThan(60_000);
    await world.stop();
  });

  it('one that was removed has its result all the same, however long that takes', async () => {
    const world = await World.associated({ eims: 2 });
    const [main, other] = world.eims;
    void other.order({ eco: [{ op: 'deleteEim', eimId: other.name }] });
    other.onMessage = (stage, payload) => {
      if (stage === 'before' && payload[1] === 0x50) other.stop();
    };
    world.ipad.poll();
    await world.until(() => !other.up && world.euicc.eims.length === 1, 'the deletion');
    other.onMessage = undefined;
    await world.until(() => world.of('failure').length > 5, 'it is given up');
    // Meanwhile the other one does what it likes.
    const listed = main.order({ eco: [{ op: 'listEim' }] });
    world.ipad.poll();
    expect(await world.wait(listed)).toMatchObject({ ok: true });
    expect(world.euicc.results.length).toBeGreaterThan(0);
    other.start();
    await world.until(
      () => world.of('link').some(({ eimId, state }) => eimId === other.name && state === 'closed'),
      'its link is closed',
    );
    await world.until(() => world.euicc.results.length === 0, 'all results are delivered');
    await world.stop();
  });

  it.each([0, 1])('number %i is unreachable, the other one works', async (dead) => {
    const world = await World.associated({ eims: 2 });
    const other = 1 - dead;
    world.eims[dead].stop();
    const since = world.clock.ticks;
    const outcome = world.eims[other].order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    expect(world.clock.ticks - since).toBeLessThan(200_000);
    await world.until(
      () => world.euicc.results.length + world.euicc.notifications.length === 0,
      'everything delivered',
    );
    // Its back-off does not make the other one be polled more often.
    const prefix = `${world.eims[other].prefix}/`;
    const polls = () =>
      world.broker.published.filter(({ topic, payload }) => topic.startsWith(prefix) && payload[1] === 0x4f)
        .length;
    const before = polls();
    await world.pass(1_800_000);
    expect(polls() - before).toBeLessThanOrEqual(1);
    expect(world.of('failure').every(({ where }) => where === 'link')).toBe(true);
    // And it is served again when it is back, with what was queued meanwhile.
    world.eims[dead].start();
    expect(await world.wait(world.eims[dead].order({ psmo: [{ op: 'listProfileInfo' }] }))).toMatchObject({
      ok: true,
    });
    await world.until(() => world.ipad.state === 'idle', 'idle');
    await world.stop();
  });

  it('an eIM that is added while its result cannot be delivered is served afterwards', async () => {
    const world = await World.idle({ eims: 2 });
    const added = world.eim.order({ eco: [{ op: 'addEim', eim: hex(world.eims[1].configuration()) }] });
    world.eim.onMessage = (stage, payload) => {
      if (stage === 'before' && payload[1] === 0x50) world.eim.stop();
    };
    world.ipad.poll();
    await world.until(() => world.euicc.eims.length === 2, 'addEim');
    await world.pass(200_000);
    world.eim.onMessage = undefined;
    world.eim.start();
    void added;
    await world.until(
      () => world.eims[1].eim.devices()[0].lastPoll !== undefined,
      'the second eIM is polled',
    );
    expect(world.euicc.results).toEqual([]);
    await world.stop();
  });
});
