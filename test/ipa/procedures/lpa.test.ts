import { describe, expect, it } from 'vitest';
import {
  addProfile,
  deleteProfile,
  disableProfile,
  enableProfile,
  nameProfile,
  notifications,
  type Operation,
  profiles,
  removeNotification,
  sendNotifications,
  setDefaultSmdp,
} from '../../../ipa/procedures/index.js';
import { iccidDigits } from '../../../ipa/text.js';
import { cardAnswering } from '../../support/card.js';
import { ALPHA, BETA, SMDP, World, type WorldOptions } from '../../support/world.js';

const ICCID = '8988211000000123456';

/** A device with a consumer eUICC, brought up; nothing waits on the card. */
async function consumer(options: WorldOptions = {}): Promise<World> {
  const world = await World.make({
    direct: true,
    ...options,
    card: { kind: 'consumer', ...options.card },
    settings: { localNotifications: false, ...options.settings },
  });
  // Alpha's and Beta's own servers.
  for (const host of ['smdp.alpha.example', 'smdp.beta.example'])
    world.http.serve(host, () => ({ status: 204 }));
  world.startIpa();
  await world.untilState('local');
  await world.until(() => world.modem.registered, 'a network');
  return world;
}

async function done<T>(world: World, operation: Operation<T>): Promise<T> {
  const result = await world.wait(world.ipad.perform(operation));
  await world.untilState('local');
  return result;
}

const refusal = (world: World, operation: Operation<unknown>) =>
  world.wait(world.ipad.perform(operation)).then(
    () => {
      throw new Error('it was not refused');
    },
    (error: unknown) => error,
  );

const enabled = (world: World) => world.euicc.profiles.find((one) => one.enabled);

describe('a consumer eUICC', () => {
  it('lists its profiles', async () => {
    const world = await consumer();
    const found = await done(world, profiles);
    expect(found.map(({ iccid, enabled }) => [iccidDigits(iccid), enabled])).toEqual(
      world.euicc.profiles.map(({ iccid, enabled }) => [iccidDigits(iccid), enabled]),
    );
    expect(found[0]).toMatchObject({
      serviceProviderName: 'Alpha Mobile',
      profileName: 'Alpha Mobile IoT',
      nickname: '',
      profileClass: 2,
    });
    expect(found[2].profileClass).toBe(1);
    expect(world.of('failure')).toEqual([]);
    await world.stop();
  });

  it.each(['generic', 'ignores-refresh'])('enables and disables a profile, modem %s', async (personality) => {
    const world = await consumer({ personality });
    await done(world, (context) => enableProfile(context, BETA));
    expect(iccidDigits(enabled(world)!.iccid)).toBe(BETA);
    expect(world.euicc.notifications).toHaveLength(2);
    await world.until(() => world.modem.registered, 'the network of Beta');
    await done(world, (context) => disableProfile(context, BETA));
    expect(enabled(world)).toBeUndefined();
    expect(world.modem.registered).toBe(false);
    // The way back.
    await done(world, (context) => enableProfile(context, ALPHA));
    await world.until(() => world.modem.registered, 'the network of Alpha');
    expect(world.of('failure')).toEqual([]);
    await world.stop();
  });

  it.each([0x6d00, 0x6881])('knows that a switch was done whose answer was lost (%i)', async (sw) => {
    const world = await consumer();
    let asked = 0;
    const restore = cardAnswering(
      world,
      (request) => (request[1] === 0x31 && asked++ === 0 ? sw : undefined),
      true,
    );
    await done(world, (context) => enableProfile(context, BETA));
    restore();
    expect(asked).toBeGreaterThan(0);
    expect(iccidDigits(enabled(world)!.iccid)).toBe(BETA);
    await world.stop();
  });

  it('names a profile and deletes it', async () => {
    const world = await consumer();
    await done(world, (context) => nameProfile(context, BETA, 'Zähler €'));
    expect((await done(world, profiles))[1].nickname).toBe('Zähler €');
    await done(world, (context) => nameProfile(context, BETA, ''));
    expect((await done(world, profiles))[1].nickname).toBe('');
    await done(world, (context) => deleteProfile(context, BETA));
    expect((await done(world, profiles)).map(({ iccid }) => iccidDigits(iccid))).not.toContain(BETA);
    await world.stop();
  });

  it.each<[string, Operation<unknown>, object]>([
    ['an enabled profile', (c) => deleteProfile(c, ALPHA), { code: 'refusedByEuicc', result: 2 }],
    ['what is enabled', (c) => enableProfile(c, ALPHA), { code: 'refusedByEuicc', result: 2 }],
    ['what is disabled', (c) => disableProfile(c, BETA), { code: 'refusedByEuicc', result: 2 }],
    ['an unknown profile', (c) => enableProfile(c, ICCID), { code: 'refusedByEuicc', result: 1 }],
    ['a name for an unknown one', (c) => nameProfile(c, ICCID, 'x'), { code: 'refusedByEuicc', result: 1 }],
    ['a long name', (c) => nameProfile(c, BETA, 'é'.repeat(33)), { code: 'usage' }],
    ['a short ICCID', (c) => enableProfile(c, '8900'), { code: 'usage' }],
    ['an ICCID with letters', (c) => deleteProfile(c, '8900000000000000ABC'), { code: 'usage' }],
    ['a notification that is not there', (c) => removeNotification(c, 99), { code: 'usage' }],
    ['to send what is not there', (c) => sendNotifications(c, [99]), { code: 'usage' }],
    ['no activation code', (c) => addProfile(c, '2$x'), { code: 'badActivationCode' }],
    ['a code that needs another one', (c) => addProfile(c, `1$${SMDP}$A$$1`), { code: 'usage' }],
    ['a wrong matching id', (c) => addProfile(c, `1$${SMDP}$WRONG`), { code: 'refusedByServer' }],
  ])('refuses %s', async (_what, operation, expected) => {
    const world = await consumer();
    const before = world.euicc.profiles;
    expect(await refusal(world, operation)).toMatchObject(expected);
    await world.untilState('local');
    expect(world.euicc.profiles).toEqual(before);
    await world.stop();
  });

  it('takes a default SM-DP+', async () => {
    const world = await consumer();
    expect(await done(world, (context) => setDefaultSmdp(context, 'new.example'))).toBe(0);
    expect(world.euicc.state.defaultDpAddress).toBe('new.example');
    await world.stop();
  });
});

describe('a download by activation code', () => {
  it('installs the profile, and its notification reaches the SM-DP+', async () => {
    const world = await consumer();
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 5_000 });
    const iccid = await done(world, (context) => addProfile(context, `LPA:1$${SMDP}$${matchingId}`));
    expect(iccid).toBe(ICCID);
    expect((await done(world, profiles)).map((one) => iccidDigits(one.iccid))).toContain(ICCID);
    const pending = await done(world, notifications);
    expect(pending).toMatchObject([{ event: 0, address: SMDP }]);
    expect(iccidDigits(pending[0].iccid!)).toBe(ICCID);
    expect(await done(world, (context) => sendNotifications(context))).toEqual({
      sent: [pending[0].seqNumber],
      kept: [],
    });
    expect(world.euicc.notifications).toEqual([]);
    expect(world.smdp.orders()[0]).toMatchObject({ state: 'installed' });
    await world.stop();
  });

  it.each([
    ['given with it', '1234', {}],
    ['of the settings', undefined, { confirmationCode: '1234' }],
  ])('takes a confirmation code %s', async (_what, given, settings) => {
    const world = await consumer({ settings });
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000, confirmationCode: '1234' });
    const code = `1$${SMDP}$${matchingId}$$1`;
    expect(await done(world, (context) => addProfile(context, code, given))).toBe(ICCID);
    await world.stop();
  });

  it('is refused by the SM-DP+ with a wrong confirmation code', async () => {
    const world = await consumer();
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000, confirmationCode: '1234' });
    const code = `1$${SMDP}$${matchingId}`;
    expect(await refusal(world, (context) => addProfile(context, code, '4321'))).toMatchObject({
      code: 'refusedByServer',
    });
    expect(world.euicc.profiles).toHaveLength(3);
    await world.stop();
  });

  it('without the confirmation code that only the SM-DP+ knows to be needed is refused here', async () => {
    const world = await consumer();
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000, confirmationCode: '1234' });
    const code = `1$${SMDP}$${matchingId}`;
    expect(await refusal(world, (context) => addProfile(context, code))).toMatchObject({
      code: 'refusedByServer',
      message: expect.stringContaining('needs a confirmation code'),
    });
    expect(world.euicc.profiles).toHaveLength(3);
    await world.stop();
  });

  it('that the eUICC refuses to install says where it failed', async () => {
    const world = await consumer();
    // It is there already.
    const { matchingId } = world.smdp.order({ iccid: ALPHA, profileSize: 2_000 });
    const error = await refusal(world, (context) => addProfile(context, `1$${SMDP}$${matchingId}`));
    expect(error).toMatchObject({ code: 'refusedByEuicc' });
    await world.untilState('local');
    expect(await done(world, notifications)).toMatchObject([{ event: 0 }]);
    await world.stop();
  });

  it('without a way to an SM-DP+ says so', async () => {
    const world = await consumer({ direct: false });
    const codes = [`1$${SMDP}$A`].map((code) => refusal(world, (context) => addProfile(context, code)));
    expect(await Promise.all(codes)).toMatchObject([{ code: 'noSmdp' }]);
    expect(await refusal(world, sendNotifications)).toMatchObject({ code: 'noSmdp' });
    await world.stop();
  });
});

describe('notifications of a consumer eUICC', () => {
  /** Two profiles were switched. */
  async function switched(options: WorldOptions = {}): Promise<World> {
    const world = await consumer(options);
    await done(world, (context) => enableProfile(context, BETA));
    await world.until(() => world.modem.registered, 'a network');
    return world;
  }

  it('go to the SM-DP+ of their profiles by themselves', async () => {
    const world = await switched({ settings: { localNotifications: true } });
    await world.until(() => world.euicc.notifications.length === 0, 'delivered');
    expect(world.http.requests.map(({ host }) => host).sort()).toEqual([
      'smdp.alpha.example',
      'smdp.beta.example',
    ]);
    expect(world.of('failure')).toEqual([]);
    await world.stop();
  });

  it('of a server that cannot be reached hold up no others, and are tried again', async () => {
    const world = await consumer({ settings: { localNotifications: true } });
    let answers = 500;
    world.http.serve('smdp.alpha.example', () => ({ status: answers }));
    await done(world, (context) => enableProfile(context, BETA));
    await world.until(() => world.euicc.notifications.length === 1, "Beta's is delivered");
    await world.until(() => world.of('failure').length > 0, 'it is said');
    expect(world.of('failure')[0]).toMatchObject({ where: 'HandleNotification', code: 'notSent' });
    answers = 204;
    await world.until(() => world.euicc.notifications.length === 0, "Alpha's, too");
    await world.stop();
  });

  it('that are refused stay, without being tried over and over', async () => {
    const world = await consumer({ settings: { localNotifications: true } });
    const body = Buffer.from(
      '{"header":{"functionExecutionStatus":{"status":"Failed","statusCodeData":{"subjectCode":"8.1","reasonCode":"6.1"}}}}',
    );
    world.http.serve('smdp.alpha.example', () => ({ status: 200, body }));
    await done(world, (context) => enableProfile(context, BETA));
    await world.until(() => world.euicc.notifications.length === 1, "Beta's is delivered");
    await world.until(() => world.of('failure').length > 0, 'it is said');
    const asked = world.http.requests.length;
    await world.pass(300_000);
    expect(world.http.requests).toHaveLength(asked);
    await world.stop();
  });

  it('are sent one by one, or removed', async () => {
    const world = await switched();
    const [first, second] = (await done(world, notifications)).map(({ seqNumber }) => seqNumber);
    expect(await done(world, (context) => sendNotifications(context, [second]))).toEqual({
      sent: [second],
      kept: [],
    });
    await done(world, (context) => removeNotification(context, first));
    expect(world.euicc.notifications).toEqual([]);
    await world.stop();
  });
});

describe('an IoT eUICC', () => {
  it.each<[string, Operation<unknown>]>([
    ['enable', (c) => enableProfile(c, BETA)],
    ['disable', (c) => disableProfile(c, ALPHA)],
    ['delete', (c) => deleteProfile(c, BETA)],
    ['name', (c) => nameProfile(c, BETA, 'x')],
  ])('does not let a device %s a profile, and goes on', async (_what, operation) => {
    const world = await World.idle({ direct: true });
    expect(await refusal(world, operation)).toMatchObject({
      code: 'noEs10c',
      message: expect.stringContaining('eIM'),
    });
    await world.untilState('idle');
    expect(await world.wait(world.ipad.perform(profiles))).toHaveLength(3);
    await world.poll();
    expect(world.of('failure')).toEqual([]);
    await world.stop();
  });

  it('that lets it do so tells its eIM, which learns of it at the next poll', async () => {
    const world = await World.idle({ card: { es10c: true } });
    await world.wait(world.ipad.perform((context) => enableProfile(context, BETA)));
    await world.until(() => world.ipad.state === 'idle' && world.euicc.notifications.length === 0, 'told');
    const polls = world.of('eim').filter(({ what }) => what === 'poll');
    expect(polls.at(-1)?.detail).toMatchObject({ stateChangeCause: expect.anything() });
    await world.stop();
  });

  it('takes a download without its eIM, and the result goes to the SM-DP+', async () => {
    const world = await World.idle({ direct: true });
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000 });
    const code = `1$${SMDP}$${matchingId}`;
    expect(await world.wait(world.ipad.perform((context) => addProfile(context, code)))).toBe(ICCID);
    await world.until(() => world.storage.read('directResults') === undefined, 'delivered');
    expect(world.smdp.orders()[0]).toMatchObject({ state: 'installed' });
    await world.stop();
  });
});
