import { describe, expect, it } from 'vitest';
import { hex, unhex } from '../../../host-sim/asn1/index.js';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { World } from '../../support/world.js';

describe('association', () => {
  it('associates once, with a token, and not again', async () => {
    const world = await World.idle();
    expect(world.count('eimAssociated')).toBe(1);
    expect(world.euicc.eims[0].associationToken).toBe(1);
    world.killIpa();
    world.startIpa();
    await world.untilState('idle');
    expect(world.count('eimAssociated')).toBe(1);
    await world.stop();
  });

  it.each([1, 2, 3, 5, 6, 7, 127])('reports refusal %i and tries again later', async (code) => {
    const world = await World.make();
    const restore = cardAnswering(world, (request) =>
      request[1] === ES10_TAGS.addInitialEim
        ? `BF57 03 8101 ${code.toString(16).padStart(2, '0')}`
        : undefined,
    );
    world.startIpa();
    await world.untilState('recovering');
    expect(world.of('failure')[0]).toMatchObject({ where: 'device', code: 'associationRefused' });
    expect(world.of('failure')[0].detail).toContain(String(code));
    restore();
    await world.untilState('idle');
    await world.stop();
  });

  it('reports a configuration that the eUICC cannot read', async () => {
    const world = await World.make();
    cardAnswering(world, ([, tag]) => (tag === ES10_TAGS.addInitialEim ? 0x6a80 : undefined));
    world.startIpa();
    await world.untilState('recovering');
    expect(world.of('failure')[0]).toMatchObject({ where: 'device', code: 'associationRefused' });
    expect(world.of('failure')[0].detail).toContain('cannot read the eIM configuration');
    await world.stop();
  });

  it('has the real card refuse an unknown CI', async () => {
    const probe = await World.make();
    const configuration = unhex(
      hex(probe.eim.configuration()).replace(hex(probe.pki.euicc.ciKeyId), '00'.repeat(20)),
    );
    const world = await World.make({ initialEim: configuration });
    world.startIpa();
    await world.untilState('recovering');
    expect(world.of('failure')[0].detail).toContain('3');
    expect(world.euicc.eims).toEqual([]);
    await world.stop();
  });

  it('does not associate twice when the answer to AddInitialEim was lost', async () => {
    const world = await World.make({
      faults: [
        {
          apdu: (_n, apdu) => apdu[1] === 0xe2 && apdu[5] === 0xbf && apdu[6] === 0x57,
          action: { kind: 'noAnswer' },
        },
      ],
    });
    world.startIpa();
    await world.untilState('idle');
    expect(world.euicc.eims).toHaveLength(1);
    expect(world.count('eimAssociated')).toBe(1);
    await world.stop();
  });

  it('serves the eIMs it has a link for and names the others', async () => {
    const world = await World.idle({ eims: 2 });
    world.eims[1].stop();
    const stranger = world.eims[1].eim.eimConfiguration({
      token: false,
      protocols: ['eimRetrieveHttps'],
      euiccCiPKId: world.pki.euicc.ciKeyId,
    });
    await world.order({ eco: [{ op: 'addEim', eim: hex(stranger) }] });
    const failure = world.of('failure').find(({ where }) => where === 'association');
    expect(failure?.detail).toContain(world.eims[1].name);
    await world.poll();
    await world.stop();
  });
});
