import { describe, expect, it } from 'vitest';
import { unhex, writeElement } from '../../../host-sim/asn1/index.js';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { hexOf, inEnvelope, NO_PACKAGE, script } from '../../support/scripted-eim.js';
import { BETA, EID, World } from '../../support/world.js';

/** The package of an enable, as the eIM would send it, with the answers of a stranger to its result. */
async function enabled(...answers: string[]): Promise<{ world: World; taken: Uint8Array[] }> {
  const world = await World.idle();
  void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
  const packet = world.eim.eim.handle(Uint8Array.from(Buffer.from(`BF4F125A10${EID}`, 'hex')), {
    eid: EID,
    link: 'mqtt',
  });
  const taken = script(world.eim, {
    BF4F: [packet, NO_PACKAGE],
    BF50: answers,
    BF3D: ['BF4E03BF5300'],
    BF4E: [undefined],
  });
  world.ipad.poll();
  await world.until(() => taken.filter(([, tag]) => tag === 0x4f).length > 1, 'the second poll');
  await world.untilState('idle');
  return { world, taken };
}

const left = (world: World) =>
  [...world.euicc.results, ...world.euicc.notifications].map(({ seqNumber }) => seqNumber);

describe('acknowledgements', () => {
  it('removes what is acknowledged and nothing else', async () => {
    const { world } = await enabled('BF50 06 BF5303800101');
    expect(left(world)).toEqual([2, 3]);
    expect(world.of('acknowledged').map(({ seqNumbers }) => seqNumbers)).toEqual([[1]]);
    // Delivered one by one then, and kept because the eIM did not store them.
    expect(world.sent()).toContain('bf3d');
    await world.stop();
  });

  it('removes everything that is acknowledged, at once', async () => {
    const { world } = await enabled('BF50 0C BF5309800101800102800103');
    expect(left(world)).toEqual([]);
    expect(world.sent()).not.toContain('bf3d');
    await world.stop();
  });

  it('takes a number that the eUICC does not know for done', async () => {
    const { world } = await enabled('BF50 0F BF530C800101800102800103800163');
    expect(left(world)).toEqual([]);
    expect(world.of('failure')).toEqual([]);
    await world.stop();
  });

  it.each([
    ['error 2', 'BF50 03 020102'],
    ['error 127', 'BF50 03 02017F'],
    ['an empty response', 'BF50 02 3000'],
    ['nothing, as in v1.0', 'BF50 00'],
  ])('%s removes nothing; the result is offered again', async (_what, answer) => {
    const { world, taken } = await enabled(answer);
    expect(left(world)).toEqual([1, 2, 3]);
    world.eim.instead = undefined;
    await world.poll();
    expect(left(world)).toEqual([]);
    expect(world.count('verified')).toBe(1);
    expect(taken.filter(([, tag]) => tag === 0x50).length).toBeGreaterThan(0);
    await world.stop();
  });

  it('a stale answer is dropped and counted', async () => {
    const world = await World.idle();
    void world.eim.order({ psmo: [{ op: 'listProfileInfo' }] });
    let results = 0;
    world.eim.instead = (payload) => {
      if (payload[1] === 0x50 && results++ === 0) world.eim.publish(inEnvelope('BF50', 'BF5303800163'));
      return world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
    };
    world.ipad.poll();
    await world.until(() => world.count('verified') === 1 && world.ipad.state === 'idle', 'the result');
    expect(world.of('dropped')).toMatchObject([{ tag: 0xbf50, reason: 'notMatching' }]);
    expect(left(world)).toEqual([]);
    await world.stop();
  });

  it.each(['BF50 07 BF530480050101', 'BF50 07 BF5304800901FF', 'BF50 08 BF530580000000FF'])(
    'one that cannot be read (%s) removes nothing',
    async (answer) => {
      const world = await World.idle();
      void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
      world.eim.instead = (payload) => {
        const own = world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
        return payload[1] === 0x50 ? Uint8Array.from(Buffer.from(answer.replaceAll(' ', ''), 'hex')) : own;
      };
      world.ipad.poll();
      await world.until(() => world.of('failure').length > 0, 'the failure');
      expect(world.of('failure')[0]).toMatchObject({ where: 'link', code: 'noAnswer' });
      expect(left(world)).toEqual([1, 2, 3]);
      world.eim.instead = undefined;
      await world.until(() => left(world).length === 0, 'another try');
      await world.stop();
    },
  );

  it('results found at the start are delivered, oldest first, before the poll', async () => {
    const world = await World.idle();
    await leaveResults(world, 3);
    expect(left(world)).toEqual([1, 2, 3]);
    world.powerCut();
    const since = world.events.length;
    world.powerOn();
    await world.untilState('idle');
    expect(left(world)).toEqual([]);
    expect(world.sent(since)).toEqual(['bf50', 'bf50', 'bf50', 'bf4f']);
    expect(world.of('acknowledged', since).flatMap(({ seqNumbers }) => seqNumbers)).toEqual([1, 2, 3]);
    await world.stop();
  });

  it('results that are together longer than any buffer are delivered one by one', async () => {
    const world = await World.idle({ settings: { messageLimit: 1_500 } });
    await leaveResults(world, 8);
    const since = world.events.length;
    world.powerCut();
    world.powerOn();
    await world.until(() => left(world).length === 0 && world.ipad.state === 'idle', 'the delivery');
    expect(world.sent(since).filter((tag) => tag === 'bf50')).toHaveLength(8);
    await world.stop();
  });

  it('a result that is too long or unreadable stays, is reported, and does not hold up the others', async () => {
    const world = await World.idle();
    await leaveResults(world, 2);
    world.powerCut();
    const long = `BF51820800${'00'.repeat(2048)}`;
    world.powerOn();
    const [first, second] = world.euicc.results.map(({ bytes }) => hexOf(bytes));
    const restore = cardAnswering(world, (request) => {
      if (request[1] !== ES10_TAGS.retrieveNotifications || request[5] !== 0x82) return undefined;
      const list = unhex(`BF5103300180${first}${long}BF5100${second}`);
      return writeElement(0xbf2b, writeElement(0xa2, list));
    });
    const since = world.events.length;
    await world.until(() => world.of('acknowledged', since).length === 2, 'both');
    restore();
    await world.untilState('idle');
    expect(world.count('verified', since)).toBeLessThanOrEqual(2);
    await world.stop();
  });

  it('names more numbers than are read: the rest stays and is delivered again', async () => {
    const many = Array.from({ length: 40 }, (_nothing, n) => `80017${n % 10}`).join('');
    const { world } = await enabled(`BF50 8185 BF538181 800101 800102 ${many} 800103`);
    expect(left(world)).toEqual([3]);
    expect(world.sent()).toContain('bf3d');
    await world.stop();
  });

  it.each(['BF3003 80017F', 0x6f00, 'BF3000'])(
    'the eUICC does not remove it (%s): offered once, and again with the next poll',
    async (answer) => {
      const world = await World.idle();
      await leaveResults(world, 2);
      world.killIpa();
      const restore = cardAnswering(world, ([, tag]) =>
        tag === ES10_TAGS.removeNotification ? answer : undefined,
      );
      let since = world.events.length;
      world.startIpa();
      await world.untilState('idle');
      await world.pass(600_000);
      expect(world.sent(since)).toEqual(['bf50', 'bf50', 'bf4f']);
      expect(world.of('acknowledged', since)).toEqual([]);
      expect(world.of('failure', since).map(({ where }) => where)).toEqual(
        Array(2).fill('RemoveNotificationFromList'),
      );
      since = world.events.length;
      await world.poll();
      expect(world.sent(since)).toEqual(['bf50', 'bf50', 'bf4f']);
      restore();
      await world.poll();
      expect(left(world)).toEqual([]);
      await world.stop();
    },
  );

  it('the eUICC keeps what it says it has removed: offered once', async () => {
    const world = await World.idle();
    await leaveResults(world, 2);
    world.killIpa();
    cardAnswering(world, ([, tag]) => (tag === ES10_TAGS.removeNotification ? 'BF3003 800100' : undefined));
    const since = world.events.length;
    world.startIpa();
    await world.untilState('idle');
    await world.pass(600_000);
    expect(world.sent(since)).toEqual(['bf50', 'bf50', 'bf4f']);
    expect(world.of('failure', since)[0].detail).toContain('still holds result 1');
    await world.stop();
  });

  it('a notification that the eUICC does not remove waits for the next turn', async () => {
    const world = await World.idle();
    cardAnswering(world, ([, tag]) => (tag === ES10_TAGS.removeNotification ? 'BF3003 80017F' : undefined));
    const since = world.events.length;
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.sent(since).includes('bf3d') && world.ipad.state === 'idle', 'BF3D');
    await world.pass(600_000);
    expect(world.sent(since).filter((tag) => tag === 'bf3d')).toHaveLength(2);
    expect(left(world)).toEqual([1, 2, 3]);
    await world.stop();
  });
});

/** Lets `count` packages be executed whose results the eIM does not take. */
async function leaveResults(world: World, count: number): Promise<void> {
  const packages: Uint8Array[] = [];
  for (let counter = 1; counter <= count; counter++) {
    world.eim.eim.setCounter(EID, counter);
    packages.push(inEnvelope('BF4F', world.eim.eim.stale(EID, { psmo: [{ op: 'listProfileInfo' }] })));
  }
  script(world.eim, { BF4F: [...packages, NO_PACKAGE], BF50: ['BF5003020 17F'] });
  world.ipad.poll();
  await world.until(() => left(world).length === count, 'the executions');
  await world.untilState('idle');
  world.eim.instead = undefined;
}
