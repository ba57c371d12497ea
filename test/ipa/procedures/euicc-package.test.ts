import { describe, expect, it } from 'vitest';
import { decode, EuiccPackageRequest, hex, ProvideEimPackageResult } from '../../../host-sim/asn1/index.js';
import type { Order, PsmoOrder } from '../../../host-sim/eim/index.js';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { ALPHA, BETA, EID, GAMMA, World } from '../../support/world.js';

const isPackage = (apdu: Uint8Array) =>
  apdu[1] === 0xe2 && apdu[3] === 0 && apdu[5] === 0xbf && apdu[6] === 0x51;

/** What came in the last BF50 of a device. */
function lastProvided(world: World): ProvideEimPackageResult['eimPackageResult'] {
  const all = world.broker.published.filter(({ payload }) => payload[0] === 0xbf && payload[1] === 0x50);
  return decode(ProvideEimPackageResult, all[all.length - 1].payload).eimPackageResult;
}

describe('eUICC package', () => {
  const psmos: [string, PsmoOrder[], string | undefined][] = [
    ['enable', [{ op: 'enable', iccid: BETA }], BETA],
    ['enable with rollback', [{ op: 'enable', iccid: BETA, rollback: true }], BETA],
    ['delete', [{ op: 'delete', iccid: GAMMA }], ALPHA],
    ['listProfileInfo', [{ op: 'listProfileInfo' }], ALPHA],
    ['getRAT', [{ op: 'getRAT' }], ALPHA],
    [
      'configureImmediateEnable',
      [{ op: 'configureImmediateEnable', enable: true, smdpAddress: 'a.example' }],
      ALPHA,
    ],
    ['setFallbackAttribute', [{ op: 'setFallbackAttribute', iccid: GAMMA }], ALPHA],
    [
      'set and unset of the Fallback Attribute',
      [{ op: 'setFallbackAttribute', iccid: GAMMA }, { op: 'unsetFallbackAttribute' }],
      ALPHA,
    ],
    ['setDefaultDpAddress', [{ op: 'setDefaultDpAddress', address: 'b.example' }], ALPHA],
    [
      'delete and enable',
      [
        { op: 'delete', iccid: GAMMA },
        { op: 'enable', iccid: BETA },
      ],
      BETA,
    ],
  ];

  it.each(psmos)('%s', async (_name, psmo, enabled) => {
    const world = await World.idle();
    const outcome = await world.order({ psmo });
    expect(outcome).toMatchObject({ outcome: 'verified', ok: true });
    expect(world.enabled).toBe(enabled);
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    expect(world.count('notification')).toBe(world.count('notificationCreated'));
    expect(world.of('failure')).toEqual([]);
    await world.stop();
  });

  it('disable leaves no subscription; the result goes out over another network', async () => {
    const world = await World.idle({ settings: { networkThroughModem: false } });
    const start = world.clock.ticks;
    expect(await world.order({ psmo: [{ op: 'disable', iccid: ALPHA }] })).toMatchObject({ ok: true });
    expect(world.enabled).toBeUndefined();
    // It does not wait for a registration that nobody needs.
    expect(world.clock.ticks - start).toBeLessThan(60_000);
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    await world.stop();
  });

  it('every eCO', async () => {
    const world = await World.idle({ eims: 2 });
    const [main, other] = world.eims;
    const configuration = hex(other.configuration());
    const orders: Order[] = [
      { eco: [{ op: 'addEim', eim: configuration }] },
      { eco: [{ op: 'listEim' }] },
      { eco: [{ op: 'updateEim', eim: { eimId: other.name, eimFqdn: 'new.example' } }] },
      { eco: [{ op: 'deleteEim', eimId: other.name }] },
    ];
    for (const order of orders)
      expect(await world.order(order)).toMatchObject({ outcome: 'verified', ok: true });
    expect(world.of('associated').map(({ eimIds }) => eimIds.length)).toEqual([1, 2, 2, 2, 1]);
    // Another FQDN may be another place: its link is made anew, and closed for good in the end.
    expect(
      world.of('link').filter(({ eimId, state }) => eimId === other.name && state === 'closed'),
    ).toHaveLength(2);
    // The last one removes the eIM that asks; it hears of it all the same.
    const outcome = main.order({ eco: [{ op: 'deleteEim', eimId: main.name }] });
    world.ipad.poll();
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    await world.untilState('unassociated');
    expect(world.euicc.results).toEqual([]);
    await world.stop();
  });

  it('an operation that fails is reported and changes nothing', async () => {
    const world = await World.idle();
    const outcome = await world.order({ psmo: [{ op: 'enable', iccid: ALPHA }] });
    expect(outcome).toMatchObject({ outcome: 'verified', ok: false });
    expect(world.of('modem').filter(({ notice }) => notice === 'simLost')).toEqual([]);
    await world.stop();
  });

  it('errorSigned and errorUnsigned are relayed', async () => {
    const world = await World.idle();
    await world.order({ psmo: [{ op: 'listProfileInfo' }] });
    const stale = world.eim.eim.stale(EID, { psmo: [{ op: 'listProfileInfo' }] });
    expect(await world.wait(world.eim.eim.probe(EID, stale))).toMatchObject({
      by: 'euicc',
      name: 'replayError',
    });
    const forged = world.eim.eim.forge(EID, { psmo: [{ op: 'disable', iccid: ALPHA }] });
    expect(await world.wait(world.eim.eim.probe(EID, forged))).toMatchObject({ by: 'euiccUnsigned' });
    await world.untilState('idle');
    expect(world.euicc.results).toEqual([]);
    expect(world.enabled).toBe(ALPHA);
    await world.stop();
  });

  it.each([
    [0x6a80, 1],
    [0x6a88, 2],
    [0x6f00, 127],
    [0x6985, 127],
    [0x6700, 127],
  ])('status word %i is answered with error %i', async (sw, code) => {
    const world = await World.idle();
    cardAnswering(world, (request) => (request[1] === ES10_TAGS.package ? sw : undefined));
    const outcome = await world.order({ psmo: [{ op: 'listProfileInfo' }] });
    expect(outcome).toMatchObject({ outcome: 'refused', by: 'ipa', code });
    const error = lastProvided(world).eimPackageResultResponseError;
    expect(error?.eimPackageResultErrorCode).toBe(code);
    const { euiccPackageSigned } = decode(EuiccPackageRequest, world.eim.eim.lastPackage(EID));
    expect(error?.eimTransactionId).toEqual(euiccPackageSigned.value.eimTransactionId);
    await world.stop();
  });

  it('an answer that is no result is answered with error 127', async () => {
    const world = await World.idle();
    cardAnswering(world, (request) => (request[1] === ES10_TAGS.package ? 'BF5100' : undefined));
    world.eim.order({ psmo: [{ op: 'listProfileInfo' }] });
    world.ipad.poll();
    await world.until(() => world.count('refused') > 0, 'the refusal');
    expect(lastProvided(world).eimPackageResultResponseError?.eimPackageResultErrorCode).toBe(127);
    await world.stop();
  });

  it('a result that was damaged on the way is read again from the eUICC', async () => {
    const world = await World.idle();
    let once = true;
    cardAnswering(
      world,
      (request) => {
        if (request[1] !== ES10_TAGS.package || !once) return undefined;
        once = false;
        return 'BF5105A003300180';
      },
      true,
    );
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(world.count('packageExecuted')).toBe(1);
    expect(world.enabled).toBe(BETA);
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    await world.stop();
  });

  it.each([0x6f00, 0x6985, 0x6700])(
    'status word %i after the execution: the result is on the eUICC',
    async (sw) => {
      const world = await World.idle();
      let once = true;
      cardAnswering(
        world,
        ([, tag]) => {
          if (tag !== ES10_TAGS.package || !once) return undefined;
          once = false;
          return sw;
        },
        true,
      );
      expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
      expect(world.modem.imsi).toMatch(/^99970/);
      expect(world.count('packageExecuted')).toBe(1);
      expect(world.of('failure')).toMatchObject([{ where: 'LoadEuiccPackage', code: 'statusWord' }]);
      expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
      await world.stop();
    },
  );

  it.each([0x6f00, 'BF5105A003300180'])(
    'what could not be found out (%s) is looked for before the next poll, and the switch is followed',
    async (answer) => {
      const world = await World.idle({ personality: 'ignores-refresh' });
      const restore = cardAnswering(
        world,
        (request) => {
          if (request[1] === ES10_TAGS.package) return answer;
          return request[1] === ES10_TAGS.retrieveNotifications && request[5] === 0x82 ? 'BF2B00' : undefined;
        },
        true,
      );
      void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
      world.ipad.poll();
      await world.until(() => world.count('refused') > 0 && world.ipad.state === 'idle', 'the refusal');
      expect(lastProvided(world).eimPackageResultResponseError?.eimPackageResultErrorCode).toBe(127);
      expect(world.euicc.results).toHaveLength(1);
      expect(world.modem.imsi).toMatch(/^00101/);
      restore();
      await world.poll();
      expect(world.modem.imsi).toMatch(/^99970/);
      expect(world.count('packageExecuted')).toBe(1);
      expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
      await world.stop();
    },
  );

  it.each([
    ['before it was executed', false],
    ['after it was executed', true],
  ])('the channel is lost %s', async (_when, executed) => {
    const world = await World.idle({
      faults: [{ apdu: (_n, apdu) => isPackage(apdu), action: { kind: 'statusWord', sw: 0x6881, executed } }],
    });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(world.count('packageExecuted')).toBe(1);
    expect(world.enabled).toBe(BETA);
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    await world.stop();
  });

  it.each([true, false])('the modem never answers (executed: %s)', async (executed) => {
    const world = await World.idle({
      faults: [{ apdu: (_n, apdu) => isPackage(apdu), action: { kind: 'noAnswer', executed } }],
    });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    expect(world.count('packageExecuted')).toBe(1);
    expect(world.enabled).toBe(BETA);
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    await world.stop();
  });

  it('goes through in small blocks', async () => {
    const world = await World.idle({ blockSize: 20 });
    expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
    await world.stop();
  });
});
