import { describe, expect, it } from 'vitest';
import { SMDP, type Snapshot, World } from '../../support/world.js';

// A download is begun again and again from the same associated device, and power fails at another place each time: before
// and after each exchange with the card, and around each message of eIM and SM-DP+. Whatever it is, the device ends in one
// of two states, and everybody knows which: installed once, or not installed.

const ICCID = '8988211000000123456';
const CODE = `1$${SMDP}$MATCH-1`;
const SIZE = 1_500;

type Way = 'direct' | 'indirect';

const bases = new Map<Way, Promise<Snapshot>>();

/** An associated device that the eIM knows, switched off. */
function base(way: Way): Promise<Snapshot> {
  let found = bases.get(way);
  if (!found) {
    found = World.idle({ direct: way === 'direct' }).then(async (world) => {
      const snapshot = world.snapshot();
      await world.stop();
      return snapshot;
    });
    bases.set(way, found);
  }
  return found;
}

async function begin(way: Way): Promise<World> {
  const world = await World.idle({ from: await base(way), direct: way === 'direct' });
  world.smdp.order({ iccid: ICCID, matchingId: 'MATCH-1', profileSize: SIZE });
  return world;
}

function finished(world: World): boolean {
  const [device] = world.eim.eim.devices();
  return (
    device.waiting === 0 &&
    !device.outstanding &&
    world.life.alive &&
    world.ipad.state === 'idle' &&
    world.euicc.results.length + world.euicc.notifications.length === 0 &&
    world.storage.read('download') === undefined &&
    world.storage.read('directResults') === undefined
  );
}

const profiles = (world: World) =>
  world.euicc.profiles.filter(({ iccid }) => Buffer.from(iccid).toString('hex').startsWith('9888')).length;

interface Verdict {
  installed: boolean;
}

/** Lets it end, and compares what card, eIM and SM-DP+ think of it. */
async function verdict(world: World, what: string): Promise<Verdict> {
  let settled: { ok: boolean } | undefined;
  void world.eim.order({ download: { activationCode: CODE } }).then((outcome) => {
    settled = outcome;
  });
  world.ipad.poll();
  await world.until(() => finished(world) && settled !== undefined, what, 3 * 3_600_000);
  world.beforeApdu = world.eim.onMessage = world.http.onMessage = undefined;
  const installed = profiles(world) === 1;
  const [order] = world.smdp.orders();
  expect([what, settled?.ok, profiles(world)]).toEqual([what, installed, installed ? 1 : 0]);
  if (installed) expect([what, order.state]).toEqual([what, 'installed']);
  else expect([what, order.state]).not.toEqual([what, 'installed']);
  // Told once: what arrives again is known already.
  expect([what, world.of('eim').filter((event) => event.what === 'download').length]).toEqual([what, 1]);
  await world.stop();
  return { installed };
}

// Some hundred lives of a device.
describe.each(['direct', 'indirect'] as const)(
  'power fails in a %s download',
  { timeout: 600_000 },
  (way) => {
    it.each(['cutBefore', 'cutAfter'] as const)('at an exchange with the card: %s', async (kind) => {
      let cuts = 0;
      let installed = 0;
      for (let at = 1; at < 300; at++) {
        const world = await begin(way);
        let n = 0;
        let cut = false;
        world.beforeApdu = () => {
          if (++n !== at) return 'ok';
          cut = true;
          if (kind === 'cutBefore') world.powerCut();
          else queueMicrotask(() => world.powerCut());
          world.clock.set(() => world.powerOn(), 1_000);
          return kind;
        };
        if ((await verdict(world, `${way} ${kind} ${at}`)).installed) installed++;
        if (!cut) break;
        cuts++;
      }
      process.stdout.write(`${way} download, ${kind}: ${cuts} power cuts, installed after ${installed}\n`);
      expect(cuts).toBeGreaterThan(15);
    });

    it.each(['before', 'after'] as const)('%s a message of eIM or SM-DP+', async (stage) => {
      let cuts = 0;
      let installed = 0;
      for (let at = 1; at < 100; at++) {
        const world = await begin(way);
        let n = 0;
        let cut = false;
        const count = (now: 'before' | 'after') => {
          if (now !== stage || ++n !== at) return;
          cut = true;
          world.powerCut();
          world.clock.set(() => world.powerOn(), 1_000);
        };
        world.eim.onMessage = count;
        world.http.onMessage = count;
        if ((await verdict(world, `${way} ${stage} ${at}`)).installed) installed++;
        if (!cut) break;
        cuts++;
      }
      process.stdout.write(
        `${way} download, ${stage} a message: ${cuts} power cuts, installed after ${installed}\n`,
      );
      expect(cuts).toBeGreaterThan(4);
    });
  },
);
