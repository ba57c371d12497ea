import { describe, expect, it } from 'vitest';
import { XsHttpClient } from '../../../../hal/xs/http-client.js';
import { forever, honest, scenes } from '../../../support/hostile-http.js';
import type { MemoryRequest, MemoryResponse } from '../../../support/memory-http.js';
import { RawHttp, type Scene } from '../../../support/raw-http.js';
import { BETA, SMDP, World } from '../../../support/world.js';

const ADDRESS = '10.0.0.9';
const hour = 3_600_000;

/** What the exchange is about, in either binding. */
function kindOf({ path, body }: MemoryRequest): string {
  const called = /esipa\/(\w+)$/.exec(path)?.[1];
  if (called) return called;
  return (
    { bf4f: 'getEimPackage', bf50: 'provideEimPackageResult', bf3a: 'getBoundProfilePackage' }[
      Buffer.from(body.subarray(0, 2)).toString('hex')
    ] ?? 'other'
  );
}

/** A device with its own HTTP client, whose eIM stands behind a server that says whatever it likes. */
async function device(transport: 'https' | 'https-json') {
  const stage = { kind: '', times: 0, scene: scenes[0], played: 0 };
  let server: RawHttp | undefined;
  const world = await World.make({
    transport,
    http: (world, life) => {
      server ??= new RawHttp(
        world.clock,
        (request) => world.http.ask(request),
        (request, response) => {
          if (kindOf(request) !== stage.kind || stage.played >= stage.times) return [honest(response)];
          stage.played++;
          return stage.scene.play(response);
        },
      );
      const dns = {
        io: class {
          resolve({
            host,
            onResolved,
          }: {
            host: string;
            onResolved?: (host: string, address: string) => void;
          }) {
            onResolved?.(host, ADDRESS);
          }
        },
      };
      return { io: XsHttpClient, timer: life.timer, socket: { io: server.io }, dns };
    },
  });
  world.startIpa();
  await world.untilState('idle');
  return { world, stage, server: server! };
}

describe.each(['https', 'https-json'] as const)('a device against a hostile server, %s', (transport) => {
  it.each(scenes)('answers with $title: nothing is lost, nothing done twice', async (scene) => {
    const { world, stage, server } = await device(transport);
    for (const kind of ['getEimPackage', 'provideEimPackageResult']) {
      Object.assign(stage, { kind, scene, times: 4, played: 0 });
      const since = world.events.length;
      const bytes = server.bytes;
      const target = kind === 'getEimPackage' ? BETA : '89000101000000000018';
      const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: target }] });
      world.ipad.poll();
      // It may have to wait for the next poll.
      expect(await world.wait(outcome, scene.title, 3 * 3_600_000)).toMatchObject({
        outcome: 'verified',
        ok: true,
      });
      expect(world.enabled).toBe(target);
      await world.until(
        () =>
          world.euicc.results.length + world.euicc.notifications.length === 0 && world.ipad.state === 'idle',
        'everything delivered',
      );
      expect(world.count('packageExecuted', since)).toBe(1);
      expect(world.count('packageRefused', since)).toBe(0);
      expect(stage.played).toBeGreaterThan(0);
      const failures = world.of('failure', since);
      if (scene.ends === 'good') expect(failures).toEqual([]);
      if (scene.ends === 'bad') expect(failures.length).toBeGreaterThan(0);
      // What has no end was not listened to for ever.
      expect(server.bytes - bytes).toBeLessThan(1_000_000);
    }
    await world.pass(60_000);
    expect(server.opened).toBe(0);
    expect(new Set(server.connections)).toEqual(new Set([`${ADDRESS}:80`]));
    await world.stop();
  });

  it.each<[string, (whole: Buffer) => Scene]>([
    ['breaks off', (whole) => [whole.subarray(0, 1_500), 'end']],
    ['is reset', (whole) => [whole.subarray(0, 1_500), 100, 'reset']],
    ['stops', (whole) => [whole.subarray(0, 1_500)]],
    ['goes on with a byte now and then', (whole) => forever(whole.subarray(0, 1_500), Buffer.of(0), 20_000)],
    ['goes on without end', (whole) => forever(whole, Buffer.alloc(500, 0x20), 100)],
    ['is none', () => [honest({ status: 200, body: Buffer.alloc(3_000, 0x20) })]],
  ])('a package that %s: the download begins anew', async (_title, play) => {
    const { world, stage, server } = await device(transport);
    const before = world.euicc.profiles.length;
    const scene = { title: '', ends: 'bad' as const, play: (one: MemoryResponse) => play(honest(one)) };
    Object.assign(stage, { kind: 'getBoundProfilePackage', scene, times: 1, played: 0 });
    const { matchingId } = world.smdp.order({ iccid: '8988211000000123456', profileSize: 3_000 });
    const outcome = world.eim.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
    world.ipad.poll();
    expect(await world.wait(outcome)).toMatchObject({ outcome: 'downloaded', ok: true });
    expect(stage.played).toBe(1);
    expect(world.euicc.profiles).toHaveLength(before + 1);
    await world.untilState('idle');
    await world.pass(60_000);
    expect(server.opened).toBe(0);
    await world.stop();
  });

  it('is left in peace for a day at the most, whatever it asks for', async () => {
    for (const retryAfter of ['1000000000', '1e300', '99999999999999999999999']) {
      const { world, stage } = await device(transport);
      const play = () => [honest({ status: 503, headers: { 'Retry-After': retryAfter } })];
      Object.assign(stage, {
        kind: 'getEimPackage',
        scene: { title: '', ends: 'bad', play },
        times: 1,
        played: 0,
      });
      const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
      const start = world.clock.ticks;
      world.ipad.poll();
      expect(await world.wait(outcome, 'the next day', 30 * hour)).toMatchObject({ ok: true });
      expect(world.clock.ticks - start).toBeGreaterThan(23 * hour);
      await world.stop();
    }
  });
});
