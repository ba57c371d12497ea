import { describe, expect, it } from 'vitest';
import { FailingDownloads } from '../../support/failing.js';
import type { MemoryResponse } from '../../support/memory-http.js';
import { SMDP } from '../../support/world.js';

// The way to the SM-DP+ fails in a direct download: what is over after a moment is tried again and ends well, what stays is
// reported.

const functions = [
  'initiateAuthentication',
  'authenticateClient',
  'getBoundProfilePackage',
  'handleNotification',
] as const;

describe('the connection is lost once', () => {
  it.each(
    functions.flatMap((called) => (['before', 'after'] as const).map((stage) => [stage, called] as const)),
  )('%s %s', async (stage, called) => {
    const downloads = await FailingDownloads.make({ direct: true });
    const { world } = downloads;
    const reachable = world.http.reachable;
    let cuts = 0;
    world.http.onMessage = (at, { path }) => {
      if (cuts > 0 || at !== stage || !path.endsWith(called)) return;
      cuts++;
      world.http.reachable = () => false;
      world.clock.set(() => {
        world.http.reachable = reachable;
      }, 50);
    };
    const { matchingId } = world.smdp.order({ iccid: downloads.nextIccid(), profileSize: 1_500 });
    const since = world.events.length;
    const outcome = await world.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
    await downloads.settled();
    expect(cuts).toBe(1);
    expect(outcome).toMatchObject({ outcome: 'downloaded', ok: true });
    expect(world.of('failure', since)).toMatchObject([
      {
        where: called === 'handleNotification' ? 'HandleNotification' : 'device',
        code: 'lost',
        detail: 'the connection to smdp.example.com failed',
      },
    ]);
    // To the SM-DP+ nothing was cancelled: the order is still good.
    expect(downloads.details('smdp', 'cancelled', since)).toEqual([]);
    expect(world.smdp.orders()[0].state).toBe('installed');
    await downloads.succeed();
    await world.stop();
  });

  it('in the middle of the package', async () => {
    const downloads = await FailingDownloads.make({ direct: true });
    const { world } = downloads;
    const reachable = world.http.reachable;
    let cuts = 0;
    world.http.onMessage = (at, { path }) => {
      if (cuts > 0 || at !== 'after' || !path.endsWith('getBoundProfilePackage')) return;
      cuts++;
      world.clock.set(() => {
        world.http.reachable = () => false;
      }, 300);
      world.clock.set(() => {
        world.http.reachable = reachable;
      }, 3_000);
    };
    const { matchingId } = world.smdp.order({ iccid: downloads.nextIccid(), profileSize: 40_000 });
    const since = world.events.length;
    const outcome = await world.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
    await downloads.settled();
    expect(outcome).toMatchObject({ outcome: 'downloaded', ok: true });
    expect(downloads.details('card', 'sessionCancelled', since)).toMatchObject([{ reason: 1 }]);
    expect(downloads.details('smdp', 'cancelled', since)).toEqual([]);
    expect(world.smdp.orders()[0]).toMatchObject({ state: 'installed', attempts: 2 });
    await downloads.succeed();
    await world.stop();
  });
});

describe('the SM-DP+ answers, but not as one', () => {
  const answers: readonly (readonly [string, MemoryResponse, RegExp])[] = [
    ['HTTP 500', { status: 500 }, /HTTP status 500/],
    ['HTTP 404', { status: 404 }, /HTTP status 404/],
    ['no JSON', { status: 200, body: Buffer.from('<html>') }, /JSON/i],
    ['no status', { status: 200, body: Buffer.from('{}') }, /no functionExecutionStatus/],
    [
      'no members',
      {
        status: 200,
        body: Buffer.from('{"header":{"functionExecutionStatus":{"status":"Executed-Success"}}}'),
      },
      /lacks member/,
    ],
    ['204', { status: 204 }, /lacks member/],
  ];

  it.each(answers)(
    '%s: reported after three attempts, and the next one works',
    async (_case, answer, why) => {
      const downloads = await FailingDownloads.make({ direct: true });
      const { world } = downloads;
      const serve = world.serveSmdp;
      const failed = await downloads.fail(
        {},
        {
          before: () => world.http.serve(SMDP, () => answer),
          after: () => world.http.serve(SMDP, serve),
        },
      );
      expect(failed.outcome).toEqual({
        outcome: 'downloadFailed',
        ok: false,
        by: 'ipa',
        code: 127,
        name: 'undefinedError',
      });
      expect(failed.failures).toHaveLength(3);
      for (const failure of failed.failures) expect(failure).toMatch(why);
      expect(failed.cancelled).toEqual([]);
      await downloads.succeed();
      await world.stop();
    },
  );
});

it('an SM-DP+ that refuses one result does not keep the others back', async () => {
  const downloads = await FailingDownloads.make({ direct: true });
  const { world } = downloads;
  const serve = world.serveSmdp;
  const failed = {
    header: {
      functionExecutionStatus: {
        status: 'Failed',
        statusCodeData: { subjectCode: '8.10.1', reasonCode: '3.9' },
      },
    },
  };
  let down = true;
  let refused: string | undefined;
  world.http.serve(SMDP, (request) => {
    if (!request.path.endsWith('handleNotification')) return serve(request);
    if (down) return { status: 503 };
    refused ??= Buffer.from(request.body).toString();
    if (refused === Buffer.from(request.body).toString())
      return { status: 200, body: Buffer.from(JSON.stringify(failed)) };
    return serve(request);
  });
  for (let i = 0; i < 2; i++) {
    const { matchingId } = world.smdp.order({ iccid: downloads.nextIccid(), profileSize: 1_500 });
    const order = { download: { activationCode: `1$${SMDP}$${matchingId}` } };
    expect(await world.order(order)).toMatchObject({ outcome: 'downloaded' });
  }
  expect(world.euicc.notifications).toHaveLength(2);
  down = false;
  await world.until(() => world.euicc.notifications.length === 1, 'the second one');
  expect(world.smdp.orders().map(({ state }) => state)).toEqual(['downloaded', 'installed']);
  world.http.serve(SMDP, serve);
  await downloads.settled();
  expect(world.smdp.orders().map(({ state }) => state)).toEqual(['installed', 'installed']);
  await world.stop();
});
