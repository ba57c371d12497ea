import { beforeAll, describe, expect, it } from 'vitest';
import { hex } from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Eim, type Order } from '../../../host-sim/eim/index.js';
import { type ProfileSeed, VirtualEuicc } from '../../../host-sim/euicc/index.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { CardIpa } from './card-ipa.js';

const eid = '89049032123451234512345678901235';
const eims = [
  { eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' },
  { eimId: 'other.example.com', eimIdType: 2, eimFqdn: 'other.example.com' },
] as const;
const first = '89001023456789012341';
const second = '89001023456789012358';

const address = 'smdp.example.com';
const profiles: ProfileSeed[] = [
  { iccid: first, imsi: '001010000000001', enabled: true, profileName: 'one' },
  {
    iccid: second,
    imsi: '001010000000002',
    profileName: 'two',
    fallbackAllowed: true,
    notifications: [{ events: ['notificationEnable', 'notificationDisable'], address }],
  },
];

let pki: Pki;
beforeAll(async () => {
  pki = await makePki({ eid, eims, now: Date.UTC(2026, 0, 1), random: seeded(1) });
});

/** An eIM, and a device with the virtual eUICC that is associated with it. */
function setUp(token = true) {
  const clock = new VirtualClock();
  const random = seeded(5);
  const card = new VirtualEuicc({
    credentials: pki.euicc,
    store: new MemoryStore(),
    clock,
    random,
    profiles,
  });
  const makeEim = (index: number) =>
    new Eim({
      credentials: pki.eims[index],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock,
      random,
    });
  const eim = makeEim(0);
  const ipa = new CardIpa(card, pki.euicc.eid, (message) => eim.handle(message, { link: 'https' }));
  const associated = ipa.associate(eim.eimConfiguration({ eid, token, euiccCiPKId: pki.euicc.ciKeyId }));
  const run = async (order: Order) => {
    const outcome = eim.queue(eid, order);
    while (ipa.poll()) {}
    return outcome;
  };
  return { clock, card, eim, ipa, associated, run, other: () => makeEim(1) };
}

describe('eIM and virtual eUICC', () => {
  it.each([true, false])('agree on signatures both ways (association token: %s)', async (token) => {
    const { eim, associated, run } = setUp(token);
    expect(associated.addInitialEimOk).toHaveLength(1);
    const outcome = await run({ psmo: [{ op: 'listProfileInfo' }] });
    expect(outcome).toMatchObject({
      outcome: 'verified',
      ok: true,
      results: [
        {
          op: 'listProfileInfo',
          profiles: [
            { iccid: first, profileState: 'enabled', profileName: 'one' },
            { iccid: second, profileState: 'disabled', profileName: 'two' },
          ],
        },
      ],
    });
    expect(eim.devices()[0].associationToken !== undefined).toBe(token);
  });

  it('carry out every operation', async () => {
    const { card, eim, run, other } = setUp();
    const otherEim = hex(other().eimConfiguration({ token: true }));
    const orders: [Order, object[]][] = [
      [{ psmo: [{ op: 'enable', iccid: second, rollback: true }] }, [{ op: 'enable', name: 'ok' }]],
      [{ psmo: [{ op: 'disable', iccid: second }] }, [{ op: 'disable', name: 'ok' }]],
      [
        { psmo: [{ op: 'setFallbackAttribute', iccid: second }] },
        [{ op: 'setFallbackAttribute', name: 'ok' }],
      ],
      [
        { psmo: [{ op: 'unsetFallbackAttribute' }, { op: 'getRAT' }] },
        [{ name: 'ok' }, { op: 'getRAT', rules: [] }],
      ],
      [
        { psmo: [{ op: 'configureImmediateEnable', enable: true }] },
        [{ op: 'configureImmediateEnable', name: 'ok' }],
      ],
      [{ psmo: [{ op: 'setDefaultDpAddress', address }] }, [{ op: 'setDefaultDpAddress', name: 'ok' }]],
      [{ psmo: [{ op: 'delete', iccid: first }] }, [{ op: 'delete', name: 'ok' }]],
      [{ eco: [{ op: 'addEim', eim: otherEim }] }, [{ op: 'addEim', associationToken: expect.any(Number) }]],
      [
        { eco: [{ op: 'updateEim', eim: { eimId: 'other.example.com', eimFqdn: 'new.example.com' } }] },
        [{ op: 'updateEim', name: 'ok' }],
      ],
      [
        { eco: [{ op: 'listEim' }] },
        [{ op: 'listEim', eims: [{ eimId: 'eim.example.com' }, { eimId: 'other.example.com' }] }],
      ],
      [{ eco: [{ op: 'deleteEim', eimId: 'other.example.com' }] }, [{ op: 'deleteEim', name: 'ok' }]],
    ];
    for (const [order, results] of orders) {
      expect(await run(order), JSON.stringify(order)).toMatchObject({
        outcome: 'verified',
        ok: true,
        results,
      });
    }
    expect(await run({ psmo: [{ op: 'delete', iccid: first }] })).toMatchObject({
      ok: false,
      results: [{ op: 'delete', name: 'iccidOrAidNotFound' }],
    });
    expect(eim.devices()[0]).toMatchObject({ counterValue: 12, results: 12, notifications: 2 });
    expect(card.results).toHaveLength(0);
    expect(card.notifications).toHaveLength(0);
  });

  it('find a lost result again, without carrying the package out twice', async () => {
    const { card, eim, ipa } = setUp();
    const outcome = eim.queue(eid, { psmo: [{ op: 'enable', iccid: second }] });
    ipa.poll();
    ipa.poll(true);
    expect(card.results).toHaveLength(1);
    while (ipa.poll()) {}
    expect(await outcome).toMatchObject({ outcome: 'verified', ok: true, counterValue: 1 });
    expect(card.results).toHaveLength(0);
    expect(eim.devices()[0]).toMatchObject({ counterValue: 1, results: 1 });
  });

  it('refuse forged, stale and repeated packages', async () => {
    const { eim, ipa, run } = setUp();
    await run({ psmo: [{ op: 'getRAT' }] });
    const psmo = { psmo: [{ op: 'disable', iccid: first }] } as const;
    const attempt = async (request: Uint8Array) => {
      eim.onInjection = () => ipa.report(ipa.load(request));
      return eim.probe(eid, request);
    };
    expect(await attempt(eim.forge(eid, psmo))).toMatchObject({ by: 'euiccUnsigned', name: 'errorUnsigned' });
    expect(await attempt(eim.stale(eid, psmo))).toMatchObject({ by: 'euicc', name: 'replayError' });
    expect(await attempt(eim.lastPackage(eid))).toMatchObject({ by: 'euicc', name: 'replayError' });
  });

  it('go on after the state of the eIM was lost', async () => {
    const { eim, run, other } = setUp();
    await run({ psmo: [{ op: 'getRAT' }] });
    await run({ psmo: [{ op: 'getRAT' }] });
    eim.setCounter(eid, 0);
    expect(await run({ psmo: [{ op: 'getRAT' }] })).toMatchObject({
      outcome: 'refused',
      name: 'replayError',
    });
    eim.setCounter(eid, 2);
    expect(await run({ psmo: [{ op: 'getRAT' }] })).toMatchObject({ outcome: 'verified', counterValue: 3 });
    expect(other().devices()).toEqual([]);
  });
});
