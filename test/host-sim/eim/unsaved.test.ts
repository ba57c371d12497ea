import { beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Eim, type EimOptions, type Order } from '../../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { answerTo } from '../../../host-sim/smdp/index.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { SMDP, World } from '../../support/world.js';
import { FakeDevice, readPoll } from './fake-device.js';

const eid = '89049032123451234512345678901235';
const enable: Order = { psmo: [{ op: 'enable', iccid: '89001023456789012341' }] };
const link = { link: 'https' };

/** Full whenever it is said to be. */
class SmallStore extends MemoryStore {
  isFull = false;

  override save(bytes: Uint8Array): void {
    if (this.isFull) throw new Error('disk full');
    super.save(bytes);
  }
}

let pki: Pki;
beforeAll(async () => {
  const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;
  pki = await makePki({ eid, eims, now: Date.UTC(2026, 0, 1), random: seeded(1) });
});

/** An eIM that knows its device. */
function onboarded(options: Partial<EimOptions> = {}) {
  const clock = new VirtualClock();
  const store = new SmallStore();
  const unsaved: unknown[] = [];
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store,
    clock,
    random: seeded(3),
    observe: (event) => {
      if (event.event === 'eim' && event.what === 'unsaved') unsaved.push(event.detail);
    },
    ...options,
  });
  const device = new FakeDevice(pki, 9);
  const question = readPoll(eim.handle(device.poll(), link)).ipaEuiccDataRequest!;
  eim.handle(device.deliver({ ipaEuiccDataResponse: device.data(question) }), link);
  return { clock, store, eim, device, unsaved };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const why = { why: 'the state of the eIM cannot be saved: disk full' };

describe('what an eIM does by itself survives a store that is full', () => {
  it('an order whose time is over stands until that is saved', async () => {
    const { clock, store, eim, device, unsaved } = onboarded();
    const outcome = eim.queue(eid, enable, { timeoutMilliseconds: 1_000 });
    store.isFull = true;
    await clock.advance(1_000);
    expect(unsaved).toEqual([why]);
    expect(eim.devices()).toMatchObject([{ waiting: 1 }]);
    store.isFull = false;
    await clock.advance(1_000);
    expect(await outcome).toEqual({ outcome: 'timeout', ok: false, sent: false });
    expect(readPoll(eim.handle(device.poll(), link)).eimPackageError).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('an injection waits, and the device fetches the package', async () => {
    const pushed: Uint8Array[] = [];
    const { store, eim, device, unsaved, clock } = onboarded({ resendAfter: 5_000 });
    eim.onInjection = (_eid, message) => {
      pushed.push(message);
      store.isFull = true;
    };
    const first = eim.queue(eid, enable, { mode: 'injection' });
    const second = eim.queue(eid, enable, { mode: 'injection' });
    expect(await Promise.race([second.catch((error: unknown) => error), turn()])).toMatchObject({
      code: 'store',
    });
    expect(pushed).toHaveLength(1);
    store.isFull = false;
    await clock.advance(5_000);
    const request = readPoll(eim.handle(device.poll(), link)).euiccPackageRequest!;
    const third = eim.queue(eid, enable, { mode: 'injection' });
    eim.handle(device.deliver({ euiccPackageResult: device.execute(request, [{ enableResult: 0 }]) }), link);
    // Between the answer and the next package.
    store.isFull = true;
    await turn();
    expect(await first).toMatchObject({ ok: true });
    expect(unsaved).toEqual([why]);
    expect(pushed).toHaveLength(1);
    store.isFull = false;
    await clock.advance(5_000);
    const next = readPoll(eim.handle(device.poll(), link)).euiccPackageRequest!;
    eim.handle(device.deliver({ euiccPackageResult: device.execute(next, [{ enableResult: 0 }]) }), link);
    expect(await third).toMatchObject({ ok: true });
  });

  it('a notification that was brought is not lost', async () => {
    let bring: () => void = () => {};
    const brought = new Promise<void>((resolve) => {
      bring = resolve;
    });
    const { store, eim, device, unsaved } = onboarded({ connect: () => brought.then(() => undefined) });
    const notification = device.notification();
    expect(eim.handle(device.handleNotification(notification), { ...link, eid })).toBeUndefined();
    expect(eim.devices()).toMatchObject([{ notifications: 1 }]);
    store.isFull = true;
    bring();
    await turn();
    expect(unsaved).toEqual([why]);
    store.isFull = false;
    eim.handle(device.poll(), link);
    expect(unsaved).toHaveLength(1);
  });
});

it.each(['https', 'https-json', 'coap'] as const)(
  'an eIM that cannot save what a distant SM-DP+ answered is asked again, over %s',
  async (transport) => {
    let world: World | undefined;
    let isFull = false;
    const connect: EimOptions['connect'] = async (_address, request) => {
      isFull = request.initiateAuthenticationRequest !== undefined;
      return answerTo(world!.smdp, request);
    };
    world = await World.idle({ transport, eim: { connect } });
    const before = world.euicc.profiles.length;
    const { matchingId } = world.smdp.order({ iccid: '8988211000000123456', profileSize: 2_000 });
    const { store } = world.eim;
    store.onSave = () => {
      if (isFull) throw new Error('disk full');
    };
    const outcome = world.eim.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
    const since = world.events.length;
    world.ipad.poll();
    await world.until(() => world!.of('failure', since).length > 0, 'a failure');
    expect(world.of('failure', since)).toMatchObject([{ detail: expect.stringMatching(/again in 60 s/) }]);
    store.onSave = undefined;
    expect(await world.wait(outcome)).toMatchObject({ outcome: 'downloaded', ok: true });
    expect(world.euicc.profiles).toHaveLength(before + 1);
    await world.stop();
  },
);
