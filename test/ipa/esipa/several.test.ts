import { parse } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { hex } from '../../../host-sim/asn1/index.js';
import type { EimConfiguration, Order } from '../../../host-sim/eim/index.js';
import type { LinkKind } from '../../../ipa/esipa/index.js';
import { ALPHA, BETA, EID, type Snapshot, World, type WorldOptions } from '../../support/world.js';

/** CoAP with DTLS under it. */
const THREE: WorldOptions = { transports: ['mqtt', 'coap', 'https'], dtls: true };
const [MQTT, COAP, HTTPS] = [0, 1, 2];
/** Longer than any back-off. */
const HOURS = 3 * 3_600_000;

/** One for each eIM; the first one changes the network under all links. */
const ORDERS: readonly Order[] = [
  { psmo: [{ op: 'enable', iccid: BETA }] },
  { psmo: [{ op: 'listProfileInfo' }] },
  { psmo: [{ op: 'getRAT' }] },
];

/** `eIM tag way` for each message that comes to an eIM, as whoever carries it sees it; the tag in hex. */
function listen(world: World): string[] {
  const heard: string[] = [];
  world.eims.forEach((host, index) => {
    host.onMessage = (stage, bytes, way) => {
      const tag = tagOf(bytes, way);
      if (stage === 'before' && tag !== '') heard.push(`${index} ${tag} ${way}`);
    };
  });
  return heard;
}

/** Of what is in a request, in the first block of one, or in JSON; empty where there is nothing. */
function tagOf(bytes: Uint8Array, way: LinkKind): string {
  const message = way === 'coaps' ? parse(Buffer.from(bytes)).payload : Buffer.from(bytes);
  if (message[0] !== 0x7b) return message.toString('hex', 0, 2);
  return 'eimPackageResult' in JSON.parse(message.toString()) ? 'bf50' : 'json';
}

const results = (heard: readonly string[]) => heard.filter((one) => one.includes(' bf50 '));

/** Nobody can reach the eIM, nor it the device. @returns lets it be reached again */
function cutOff(world: World, index: number): () => void {
  const { http, udp } = world;
  const host = world.eims[index];
  if (host.transport === 'mqtt') {
    host.instead = () => undefined;
    return () => {
      host.instead = undefined;
    };
  }
  const way = host.transport === 'coap' ? udp : http;
  const before = way.reachable;
  way.reachable = (name = host.name) => name !== host.name && before(name);
  return () => {
    way.reachable = before;
  };
}

async function settled(world: World, limit?: number): Promise<void> {
  const { euicc } = world;
  const isDone = () => euicc.results.length + euicc.notifications.length === 0;
  await world.until(() => isDone() && world.ipad.state === 'idle', 'everything delivered', limit);
}

describe('several eIMs over several links', () => {
  it.each([
    [
      ['mqtt', 'coap', 'https'],
      ['mqtt', 'coaps', 'https'],
    ],
    [
      ['https-json', 'coap', 'mqtt'],
      ['https', 'coaps', 'mqtt'],
    ],
    [
      ['coap', 'https-json', 'https'],
      ['coaps', 'https', 'https'],
    ],
  ] as const)('%j: all are served in one wake-up, each over its own link', async (transports, ways) => {
    const world = await World.associated({ ...THREE, transports });
    const heard = listen(world);
    const since = world.events.length;
    const outcomes = ORDERS.map((order, index) => world.eims[index].order(order));
    world.ipad.poll();
    for (const outcome of outcomes)
      expect(await world.wait(outcome)).toMatchObject({ outcome: 'verified', ok: true });
    await settled(world);
    const sleeps = world.of('state', since).filter(({ state }) => state === 'idle');
    expect(sleeps).toHaveLength(1);
    expect(results(heard)).toEqual(ways.map((way, index) => `${index} bf50 ${way}`));
    expect(new Set(heard.map((one) => `${one[0]} ${one.split(' ')[2]}`))).toEqual(
      new Set(ways.map((way, index) => `${index} ${way}`)),
    );
    expect(world.count('packageExecuted', since)).toBe(3);
    expect([world.of('failure'), world.count('rejected')]).toEqual([[], 0]);
    expect(world.enabled).toBe(BETA);
    await world.stop();
  });

  describe.each([MQTT, COAP, HTTPS])('number %i cannot be reached', (dead) => {
    it.each(['from the start', 'when its result is due'])(
      '%s: the others are served, and it is once it can be reached',
      async (moment) => {
        const world = await World.associated(THREE);
        const since = world.events.length;
        const outcomes = ORDERS.map((order, index) => world.eims[index].order(order));
        let restore: (() => void) | undefined;
        if (moment === 'from the start') restore = cutOff(world, dead);
        else
          world.eims[dead].onMessage = (stage, bytes, way) => {
            if (stage !== 'before' || tagOf(bytes, way) !== 'bf50') return;
            restore ??= cutOff(world, dead);
          };
        world.ipad.poll();
        for (const index of [MQTT, COAP, HTTPS])
          if (index !== dead) expect(await world.wait(outcomes[index])).toMatchObject({ ok: true });
        await world.until(() => world.of('failure', since).length > 2, 'it is tried, and tried again');
        expect(world.of('failure', since).every(({ where }) => where === 'link')).toBe(true);
        expect(
          world.euicc.results.every(({ bytes }) => Buffer.from(bytes).includes(world.eims[dead].name)),
        ).toBe(true);
        expect(world.euicc.results).toHaveLength(moment === 'from the start' ? 0 : 1);
        expect(restore).toBeDefined();
        restore?.();
        expect(await world.wait(outcomes[dead], 'what waited', HOURS)).toMatchObject({ ok: true });
        await settled(world, HOURS);
        expect(world.count('packageExecuted', since)).toBe(3);
        expect(world.count('verified', since)).toBe(3);
        expect(world.enabled).toBe(BETA);
        await world.stop();
      },
    );
  });

  it('says which links the device has, over each of them', async () => {
    const names = { mqtt: 'ipaProprietary', coap: 'ipaRetrieveCoaps', https: 'ipaRetrieveHttps' } as const;
    for (const transports of [
      ['mqtt'],
      ['coap'],
      ['https'],
      ['https', 'mqtt'],
      ['mqtt', 'coap', 'https'],
    ] as const) {
      const world = await World.associated({ transports });
      for (const by of transports.keys()) {
        const outcome = await world.order({ data: { tags: ['ipaCapabilities'] } }, { by });
        const { data } = outcome as { data: { ipaCapabilities: { ipaSupportedProtocols: string[] } } };
        const said = data.ipaCapabilities.ipaSupportedProtocols;
        expect([...said].sort()).toEqual(transports.map((transport) => names[transport]).sort());
      }
      await world.stop();
    }
  });

  it('one that this device has no link for is named, and served when it has another protocol', async () => {
    const world = await World.idle({ transports: ['mqtt', 'mqtt'] });
    const [main, other] = world.eims;
    const configuration = other.eim.eimConfiguration({
      eid: EID,
      token: false,
      protocols: ['eimRetrieveCoaps', 'eimRetrieveHttps'],
    });
    await world.order({ eco: [{ op: 'addEim', eim: hex(configuration) }] });
    expect(world.of('failure')).toMatchObject([
      {
        where: 'association',
        code: 'noEim',
        detail: expect.stringMatching(`^${other.name} cannot be served`),
      },
    ]);
    const outcome = other.order({ psmo: [{ op: 'getRAT' }] });
    expect(await world.order({ psmo: [{ op: 'listProfileInfo' }] })).toMatchObject({ ok: true });
    const update: EimConfiguration = { eimId: other.name, protocols: ['eimProprietary'] };
    expect(await world.order({ eco: [{ op: 'updateEim', eim: update }] })).toMatchObject({ ok: true });
    expect(await world.wait(outcome)).toMatchObject({ ok: true });
    expect(main.eim.devices()[0]).toMatchObject({ waiting: 0 });
    await world.stop();
  });
});

describe('an eIM that changes its own way', () => {
  const protocols = { mqtt: 'eimProprietary', coaps: 'eimRetrieveCoaps', https: 'eimRetrieveHttps' } as const;

  function closed(world: World, index: number, since: number): number {
    const { name } = world.eims[index];
    return world.of('link', since).filter(({ eimId, state }) => eimId === name && state === 'closed').length;
  }

  it.each([
    [MQTT, 'mqtt', 'https'],
    [COAP, 'coaps', 'mqtt'],
    [COAP, 'coaps', 'https'],
    [HTTPS, 'https', 'mqtt'],
  ] as const)(
    'number %i, from %s to %s: the result comes the old way, all that follows the new one',
    async (by, from, to) => {
      const world = await World.associated(THREE);
      const heard = listen(world);
      const since = world.events.length;
      const host = world.eims[by];
      const eim: EimConfiguration = { eimId: host.name, protocols: [protocols[to]] };
      expect(await world.order({ eco: [{ op: 'updateEim', eim }] }, { by })).toMatchObject({ ok: true });
      expect(results(heard)).toEqual([`${by} bf50 ${from}`]);
      expect(closed(world, by, since)).toBe(1);
      heard.length = 0;
      expect(await world.order({ psmo: [{ op: 'listProfileInfo' }] }, { by })).toMatchObject({ ok: true });
      await settled(world);
      const own = heard.filter((one) => one.startsWith(`${by} `));
      expect(own).toEqual(own.map((one) => one.replace(/\w+$/, to)));
      expect(results(heard)).toEqual([`${by} bf50 ${to}`]);
      await world.pass(60_000);
      expect(world.http.opened).toBe(0);
      // Each of the other links stays what it was.
      for (const other of [MQTT, COAP, HTTPS]) if (other !== by) expect(closed(world, other, since)).toBe(0);
      expect(world.of('failure', since)).toEqual([]);
      await world.stop();
    },
  );

  it.each([MQTT, HTTPS])(
    'its FQDN, ordered by number %i: the next message goes to the new one',
    async (by) => {
      const world = await World.associated(THREE);
      const host = world.eims[HTTPS];
      const moved = 'moved.example.com';
      host.serveAt(moved);
      const since = world.events.length;
      const before = world.http.requests.length;
      const order: Order = { eco: [{ op: 'updateEim', eim: { eimId: host.name, eimFqdn: moved } }] };
      expect(await world.order(order, { by })).toMatchObject({ ok: true });
      await settled(world);
      const hosts = world.http.requests.slice(before).map((request) => request.host);
      const turn = hosts.indexOf(moved);
      expect(turn).toBeGreaterThan(0);
      expect(hosts).toEqual(hosts.map((_host, at) => (at < turn ? host.name : moved)));
      expect(closed(world, HTTPS, since)).toBe(1);
      expect(await world.order({ psmo: [{ op: 'getRAT' }] }, { by: HTTPS })).toMatchObject({ ok: true });
      await world.stop();
    },
  );

  it.each([
    ['the old way ends', (world: World) => void cutOff(world, HTTPS)],
    [
      'the power is cut',
      (world: World) => {
        cutOff(world, HTTPS);
        world.powerCut();
        world.powerOn();
      },
    ],
  ])('and %s before its result is there: it comes the new way', async (_what, strike) => {
    const world = await World.associated(THREE);
    const heard = listen(world);
    const host = world.eims[HTTPS];
    const since = world.events.length;
    const eim: EimConfiguration = { eimId: host.name, protocols: ['eimProprietary'] };
    const outcome = host.order({ eco: [{ op: 'updateEim', eim }] });
    world.ipad.poll();
    await world.until(() => world.count('packageExecuted', since) === 1, 'the update');
    strike(world);
    expect(await world.wait(outcome, 'its result', HOURS)).toMatchObject({ ok: true });
    await settled(world, HOURS);
    expect(results(heard)).toEqual([`${HTTPS} bf50 mqtt`]);
    expect(world.count('packageExecuted', since)).toBe(1);
    await world.stop();
  });
});

describe('a power cut with several links', () => {
  let base: Promise<Snapshot> | undefined;

  /** Three associated eIMs, and a device that is off. */
  async function associated(): Promise<Snapshot> {
    const world = await World.associated(THREE);
    const snapshot = world.snapshot();
    await world.stop();
    return snapshot;
  }

  /** Cuts the power around the n-th message of a wake-up. @returns whether there was one */
  async function cutAt(n: number, stage: 'before' | 'after'): Promise<boolean> {
    base ??= associated();
    const world = await World.idle({ ...THREE, from: await base });
    expect(world.enabled).toBe(ALPHA);
    const outcomes = ORDERS.map((order, index) => world.eims[index].order(order));
    let seen = 0;
    let isCut = false;
    for (const host of world.eims) {
      host.onMessage = (when) => {
        if (when !== stage || ++seen !== n) return;
        isCut = true;
        world.powerCut();
      };
    }
    const since = world.events.length;
    world.ipad.poll();
    const isOver = () => world.ipad.state === 'idle' && world.count('packageExecuted', since) === 3;
    await world.until(() => isCut || isOver(), 'the cut');
    if (isCut) {
      await world.pass(1_000);
      world.powerOn();
    }
    const at = `${stage} ${n}`;
    for (const outcome of outcomes)
      expect([at, await world.wait(outcome, at)]).toMatchObject([at, { ok: true }]);
    await settled(world);
    const counts = ['packageExecuted', 'verified', 'rejected'].map((what) => world.count(what, since));
    expect([at, ...counts]).toEqual([at, 3, 3, 0]);
    expect(world.eims.map(({ eim }) => eim.devices()[0].eid)).toEqual([EID, EID, EID]);
    expect(world.enabled).toBe(BETA);
    await world.stop();
    return isCut;
  }

  it.each(['before', 'after'] as const)(
    '%s each message: each package executed once, each result there once',
    async (stage) => {
      let cuts = 0;
      for (let n = 1; await cutAt(n, stage); n++) cuts++;
      expect(cuts).toBeGreaterThan(8);
    },
  );
});
