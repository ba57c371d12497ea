import { describe, expect, it } from 'vitest';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { EID, World } from '../../support/world.js';

describe('bring-up', () => {
  it('reads EID and capabilities and finds no eIM', async () => {
    const world = await World.make({ associated: false });
    world.startIpa();
    await world.untilState('unassociated');
    expect(Buffer.from(world.ipad.eid).toString('hex')).toBe(EID);
    expect(world.of('state').map(({ state }) => state)).toEqual(['starting', 'unassociated']);
    expect(world.of('failure')).toEqual([]);
    await world.stop();
    expect(world.ipad.state).toBe('stopped');
  });

  it('takes an eIM that is provided later', async () => {
    const world = await World.make({ associated: false });
    world.startIpa();
    await world.untilState('unassociated');
    world.ipad.associate(world.eim.configuration());
    await world.untilState('idle');
    expect(world.euicc.eims.map(({ configuration }) => configuration.eimId)).toEqual([world.eim.name]);
    await world.stop();
  });

  it('resets the card while the IPA inside of it is active', async () => {
    const world = await World.make({ associated: false });
    let asked = 0;
    // EUICCInfo2 with ipaMode 1 at first.
    cardAnswering(world, (request) => {
      if (request[1] !== ES10_TAGS.euiccInfo2 || ++asked > 1) return undefined;
      return 'BF22 05 900101 B400';
    });
    world.startIpa();
    await world.untilState('unassociated');
    expect(asked).toBe(2);
    expect(world.of('modem').filter(({ notice }) => notice === 'simLost').length).toBe(1);
    await world.stop();
  });

  it('takes no card for a consumer eUICC because of one misread answer', async () => {
    const world = await World.make();
    let asked = 0;
    cardAnswering(world, (request) => {
      if (request[1] !== ES10_TAGS.euiccInfo2 || ++asked > 1) return undefined;
      return 'BF22 03 810102';
    });
    world.startIpa();
    await world.untilState('idle');
    expect(asked).toBe(2);
    expect(world.of('euicc').map(({ kind }) => kind)).toEqual(['iot']);
    await world.stop();
  });

  it.each([['an IPA in the card that stays active', 'BF22 05 900101 B400', 'stays active']])(
    'refuses %s',
    async (_what, answer, why) => {
      const world = await World.make({ associated: false });
      cardAnswering(world, (request) => (request[1] === ES10_TAGS.euiccInfo2 ? answer : undefined));
      world.startIpa();
      await world.untilState('recovering');
      const [failure] = world.of('failure');
      expect(failure).toMatchObject({ where: 'device', code: 'notIotEuicc' });
      expect(failure.detail).toContain(why);
      expect(failure.retryIn).toBeGreaterThan(0);
      await world.stop();
    },
  );

  it('says that there is no card, and starts when one is inserted', async () => {
    const world = await World.make({ modem: { simResetMilliseconds: 200_000 } });
    world.startIpa();
    await world.untilState('recovering');
    expect(world.of('failure')[0]).toMatchObject({ where: 'device', code: 'notIotEuicc' });
    expect(world.of('failure')[0].detail).toContain('no usable card');
    await world.untilState('idle');
    await world.stop();
  });

  it.each([
    ['iot', 'unassociated', 'SGP.32'],
    ['consumer', 'local', 'SGP.22'],
    ['m2m', 'recovering', 'SGP.02'],
    ['none', 'recovering', 'no ISD-R'],
  ] as const)('says what the card is: %s', async (kind, state, why) => {
    const world = await World.make({ associated: false, card: { kind } });
    world.startIpa();
    await world.untilState(state);
    const [told, ...more] = world.of('euicc');
    expect(told).toMatchObject({ kind });
    expect(told.detail).toContain(why);
    expect(more).toEqual([]);
    const code = kind === 'none' ? 'noApplication' : 'notIotEuicc';
    expect(world.of('failure').map((failure) => failure.code)).toEqual(state === 'recovering' ? [code] : []);
    await world.stop();
  });

  it('takes a card for one of SGP.32 by its answer to SELECT, though EUICCInfo2 does not say so', async () => {
    const world = await World.make({ associated: false });
    cardAnswering(world, (request) =>
      request[1] === ES10_TAGS.euiccInfo2 ? 'BF22 05 8103020500' : undefined,
    );
    world.startIpa();
    await world.untilState('unassociated');
    expect(world.of('euicc')).toMatchObject([{ kind: 'iot' }]);
    await world.stop();
  });

  it('says that a card has no ISD-R', async () => {
    const world = await World.make({ associated: false });
    const transmit = world.euicc.transmit.bind(world.euicc);
    world.euicc.transmit = (command) =>
      command[1] === 0xa4 && command[2] === 0x04 ? Uint8Array.of(0x6a, 0x82) : transmit(command);
    world.startIpa();
    await world.untilState('recovering');
    expect(world.of('failure')[0]).toMatchObject({ where: 'device', code: 'noApplication' });
    await world.stop();
  });
});
