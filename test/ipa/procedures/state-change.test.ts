import { describe, expect, it } from 'vitest';
import { MemoryKeyValue } from '../../../hal/node/storage.js';
import { decode, GetEimPackageRequest, hex } from '../../../host-sim/asn1/index.js';
import { StateChanges } from '../../../ipa/procedures/index.js';
import { ALPHA, BETA, GAMMA, World } from '../../support/world.js';

/** Decoded polls of eIM `index`. */
function polls(world: World, index = 0) {
  const prefix = world.eims[index].prefix;
  return world.broker.published
    .filter(({ topic, payload }) => topic.startsWith(`${prefix}/`) && payload[1] === 0x4f)
    .map(({ payload }) => decode(GetEimPackageRequest, payload));
}

async function withTwo(): Promise<World> {
  const world = await World.idle({ eims: 2 });
  const added = await world.order({ eco: [{ op: 'addEim', eim: hex(world.eims[1].configuration()) }] });
  if (added.outcome === 'verified')
    world.eims[1].eim.setToken(hex(world.ipad.eid), added.results[0].associationToken);
  await world.until(
    () => polls(world, 1).length > 0 && world.ipad.state === 'idle',
    'the first poll of the second eIM',
  );
  return world;
}

describe('state change', () => {
  it.each([
    ['enable', BETA],
    ['delete', GAMMA],
  ] as const)('%s by one eIM: the other hears of it once', async (op, iccid) => {
    const world = await withTwo();
    await world.order({ psmo: [{ op, iccid }] });
    await world.poll();
    await world.poll();
    const causes = polls(world, 1).map(({ stateChangeCause }) => stateChangeCause);
    expect(causes.filter((cause) => cause !== undefined)).toEqual([0]);
    expect(polls(world).every(({ stateChangeCause }) => stateChangeCause === undefined)).toBe(true);
    await world.stop();
  });

  it('is not forgotten by a power cut', async () => {
    const world = await withTwo();
    world.eims[1].stop();
    void world.eims[0].order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.count('verified') >= 2 && world.euicc.results.length === 0, 'the result');
    expect(world.storage.read('stateChange')).toBe(`0 ${world.eims[1].name}`);
    world.powerCut();
    const before = polls(world, 1).length;
    world.eims[1].start();
    world.powerOn();
    await world.until(() => polls(world, 1).length > before && world.ipad.state === 'idle', 'its poll');
    expect(polls(world, 1)[before]).toMatchObject({ stateChangeCause: 0, notifyStateChange: true });
    expect(world.storage.read('stateChange')).toBeUndefined();
    await world.stop();
  });

  it('is repeated until a poll is answered without an error', async () => {
    const world = await withTwo();
    await world.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    // The poll that followed has told it already; a second change, and an eIM that refuses polls.
    world.eims[1].instead = () => Uint8Array.of(0xbf, 0x4f, 3, 2, 1, 127);
    await world.poll();
    const before = polls(world, 1).length;
    await world.order({ psmo: [{ op: 'enable', iccid: ALPHA }] });
    await world.poll();
    await world.poll();
    world.eims[1].instead = undefined;
    await world.poll();
    await world.poll();
    const causes = polls(world, 1)
      .slice(before)
      .map(({ stateChangeCause }) => stateChangeCause);
    const told = causes.lastIndexOf(0);
    expect(told).toBeGreaterThan(1);
    expect(causes.slice(1, told + 1).every((cause) => cause === 0)).toBe(true);
    expect(causes[told + 1]).toBeUndefined();
    await world.stop();
  });

  it('what is stored cannot be forged by the id of an eIM, and is bounded', () => {
    const storage = new MemoryKeyValue();
    const changes = new StateChanges(storage);
    changes.set('good', 0);
    changes.set('bad\n3 other', 0);
    changes.set('worse\r', 2);
    expect(changes.get('bad\n3 other')).toBe(0);
    expect(storage.read('stateChange')).toBe('0 good');
    expect(new StateChanges(storage).get('other')).toBeUndefined();
    changes.clear('good');
    expect(storage.read('stateChange')).toBeUndefined();
    for (let n = 0; n < 100; n++) changes.set(`eim ${n}`, 0);
    expect(storage.read('stateChange')?.split('\n')).toHaveLength(16);
    const again = new StateChanges(storage);
    expect([again.get('eim 83'), again.get('eim 84'), again.get('eim 99')]).toEqual([undefined, 0, 0]);
    storage.write('stateChange', Array.from({ length: 100 }, (_nothing, n) => `1 eim ${n}`).join('\n'));
    expect(new StateChanges(storage).get('eim 0')).toBeUndefined();
  });

  it('rPLMN is told once, and again when it changes', async () => {
    const world = await World.idle();
    await world.poll();
    expect(polls(world).map(({ rPLMN }) => rPLMN && hex(rPLMN))).toEqual(['00F110', undefined, undefined]);
    await world.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    expect(
      polls(world)
        .map(({ rPLMN }) => rPLMN && hex(rPLMN))
        .filter(Boolean),
    ).toEqual(['00F110', '99F907']);
    // The same subscription, in another country.
    world.network.blackOut('99970');
    await world.until(() => !world.modem.registered, 'the loss');
    world.network.set({ imsi: '99970', plmn: '00102', service: 'granted' });
    await world.until(() => world.modem.registered, 'the new network');
    await world.pass(30_000);
    await world.poll();
    expect(hex(polls(world).at(-1)!.rPLMN!)).toBe('00F120');
    await world.stop();
  });
});
