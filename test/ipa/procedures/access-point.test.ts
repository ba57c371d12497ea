import { describe, expect, it } from 'vitest';
import { writeElement } from '../../../host-sim/asn1/ber.js';
import { connectivityParameters } from '../../../host-sim/rsp/connectivity.js';
import { enableProfile } from '../../../ipa/procedures/index.js';
import { cardAnswering } from '../../support/card.js';
import { ALPHA, BETA, World, type WorldOptions } from '../../support/world.js';

const answer = (params: Uint8Array) => writeElement(0xbf5f, writeElement(0xa0, writeElement(0x81, params)));

/** The eUICC gives these parameters for every profile but the first one, which has none. */
async function world(params: Uint8Array, options: WorldOptions = {}): Promise<World> {
  const made = await World.idle(options);
  cardAnswering(made, (request) => {
    if (request[1] !== 0x5f) return undefined;
    return made.enabled === ALPHA ? 'BF5F03810101' : answer(params);
  });
  return made;
}

const apply = { settings: { applyConnectivityParameters: true } };
const asked = (one: World) =>
  one.of('apdu').filter(({ command }) => command[5] === 0xbf && command[6] === 0x5f).length;
const enable = (one: World, iccid: string) => one.order({ psmo: [{ op: 'enable', iccid }] });

describe("the modem's access point", () => {
  it('is the one of the profile after a change, and the network decides where it has none', async () => {
    const one = await world(
      connectivityParameters({ apn: 'iot.beta.example', login: 'me', password: 'pw' }),
      apply,
    );
    await enable(one, BETA);
    expect(one.modem.accessPoint).toEqual({ apn: 'iot.beta.example', user: 'me', password: 'pw' });
    await enable(one, ALPHA);
    expect(one.modem.accessPoint).toEqual({ apn: '', user: '', password: '' });
    expect(one.of('failure')).toEqual([]);
    await one.stop();
  });

  it('is left alone by default, without an APDU', async () => {
    const one = await world(connectivityParameters({ apn: 'iot.beta.example' }));
    await enable(one, BETA);
    expect(one.modem.accessPoint.apn).toBe('');
    expect(asked(one)).toBe(0);
    await one.stop();
  });

  it.each([
    ['ends the string', connectivityParameters({ apn: 'a.example', login: 'x";+CFUN=0;"', password: '' })],
    ['ends the line', connectivityParameters({ apn: 'a.example', login: 'x', password: 'y\rAT+CFUN=0\r' })],
  ])('is refused where it %s of a command; the change goes on', async (_what, params) => {
    const one = await world(params, apply);
    expect(await enable(one, BETA)).toMatchObject({ ok: true });
    expect(one.modem.accessPoint.apn).toBe('');
    expect(one.of('failure')).toMatchObject([{ where: 'GetConnectivityParameters', code: 'usage' }]);
    expect(one.modem.registered).toBe(true);
    await one.stop();
  });

  it('an eUICC that has no such function is no hindrance', async () => {
    const one = await World.idle(apply);
    cardAnswering(one, (request) => (request[1] === 0x5f ? 0x6a88 : undefined));
    expect(await enable(one, BETA)).toMatchObject({ ok: true });
    expect(one.of('failure')).toMatchObject([{ where: 'GetConnectivityParameters', code: 'statusWord' }]);
    await one.stop();
  });

  it('is not asked of a consumer eUICC', async () => {
    const one = await World.make({ card: { kind: 'consumer' }, settings: apply.settings });
    one.startIpa();
    await one.untilState('local');
    await one.wait(one.ipad.perform((context) => enableProfile(context, BETA)));
    expect(asked(one)).toBe(0);
    await one.stop();
  });
});
