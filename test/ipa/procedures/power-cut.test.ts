import { afterAll, describe, expect, it } from 'vitest';
import { ALPHA, BETA, PowerCut, type Snapshot, World } from '../../support/world.js';

// "enable + report" is begun again and again from the same associated device, and something dies at another place each
// time. Whatever it is: the package is executed once, its result and its two notifications reach the eIM, nothing is left
// on the eUICC, and the device ends on the new profile.

const ENABLE = { psmo: [{ op: 'enable', iccid: BETA }] } as const;

/** An associated device that the eIM knows, switched off. */
async function associated(): Promise<{ snapshot: Snapshot; nextSeqNumber: number }> {
  const world = await World.idle();
  const snapshot = world.snapshot();
  const { nextSeqNumber } = world.euicc.state;
  await world.stop();
  return { snapshot, nextSeqNumber };
}

const base = associated();

type Mode = 'retrieval' | 'injection';

/** Idle; go() lets it begin. */
async function begin(): Promise<World> {
  const { snapshot } = await base;
  const world = await World.idle({ from: snapshot });
  expect(world.enabled).toBe(ALPHA);
  return world;
}

function go(world: World, mode: Mode): void {
  void world.eim.order(ENABLE, { mode });
  if (mode === 'retrieval') world.ipad.poll();
}

function finished(world: World): boolean {
  const [device] = world.eim.up ? world.eim.eim.devices() : [];
  return (
    device !== undefined &&
    device.waiting === 0 &&
    !device.outstanding &&
    world.life.alive &&
    world.ipad.state === 'idle' &&
    world.euicc.results.length + world.euicc.notifications.length === 0 &&
    world.enabled === BETA
  );
}

/** Longest virtual time that any of the lives took, milliseconds. */
const longest = { retrieval: 0, injection: 0 };

async function verdict(world: World, mode: Mode): Promise<void> {
  const start = world.clock.ticks;
  await world.until(() => finished(world), 'enable + report', 3 * 3_600_000);
  disarm(world);
  longest[mode] = Math.max(longest[mode], world.clock.ticks - start);
  const { nextSeqNumber } = await base;
  // One result and two notifications: a second execution would have taken more numbers.
  expect(world.euicc.state.nextSeqNumber).toBe(nextSeqNumber + 3);
  expect(world.euicc.eims[0].counterValue).toBe(1);
  const told = world.of('eim');
  const verified = told.filter(({ what }) => what === 'verified');
  expect(verified.length).toBeGreaterThanOrEqual(1);
  for (const { detail } of verified)
    expect(detail).toMatchObject({ kind: 'result', counterValue: 1, seqNumber: nextSeqNumber });
  const notified = new Set(
    told.filter(({ what }) => what === 'notification').map(({ detail }) => detail?.seqNumber),
  );
  expect([...notified].sort()).toEqual([nextSeqNumber + 1, nextSeqNumber + 2]);
  expect(told.filter(({ what }) => what === 'rejected')).toEqual([]);
  expect(world.eim.eim.devices()[0]).toMatchObject({ results: 1, notifications: 2, counterValue: 1 });
  expect(world.modem.imsi).toMatch(/^99970/);
  await world.stop();
}

/** Undisturbed: how many points there are to try. */
interface Extent {
  apdus: number;
  saves: number;
  crossings: number;
  eimMessages: number;
}

async function measure(mode: Mode): Promise<Extent> {
  const world = await begin();
  const extent = { apdus: 0, saves: 0, crossings: 0, eimMessages: 0 };
  const ipaApdus = world.apdus;
  const teApdus = world.modem.teApdus;
  const { nextSeqNumber } = await base;
  world.beforeApdu = () => {
    extent.apdus++;
    return 'ok';
  };
  world.cardStore.onSave = (_n, stage) => {
    if (stage === 'after') extent.saves++;
  };
  world.broker.onCrossing = () => extent.crossings++;
  world.eim.onMessage = () => extent.eimMessages++;
  go(world, mode);
  await verdict(world, mode);
  say(
    `enable + report by ${mode}: ${world.apdus - ipaApdus} APDUs of the IPA in ${world.modem.teApdus - teApdus} exchanges, ` +
      `${extent.apdus} with those of the modem itself; result ${nextSeqNumber}`,
  );
  return extent;
}

/** The world goes on after `seconds`. */
function revive(world: World, act: () => void, milliseconds: number): void {
  world.clock.set(act, milliseconds);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function disarm(world: World): void {
  world.beforeApdu = world.onCardFailed = world.cardStore.onSave = undefined;
  world.broker.onCrossing = world.eim.onMessage = undefined;
}

/** Everything in the device dies, and has its power back after three seconds. */
function cutPower(world: World): void {
  disarm(world);
  world.powerCut();
  revive(world, () => world.powerOn(), 3_000);
}

function cutIpa(world: World): void {
  disarm(world);
  world.killIpa();
  revive(world, () => world.startIpa(), 200);
}

describe.each(['retrieval', 'injection'] as const)('enable + report by %s', (mode) => {
  const extent = measure(mode);

  it('with a power cut before and after every exchange with the card', async () => {
    const { apdus } = await extent;
    expect(apdus).toBeGreaterThan(20);
    for (let at = 1; at <= apdus; at++) {
      for (const cut of ['cutBefore', 'cutAfter'] as const) {
        const world = await begin();
        let n = 0;
        world.beforeApdu = () => {
          if (++n < at) return 'ok';
          cutPower(world);
          return cut;
        };
        go(world, mode);
        await verdict(world, mode).catch((error: unknown) =>
          explain(error, `power, ${cut} of exchange ${at}`, world),
        );
      }
    }
    say(`${mode}, power cuts at exchanges with the card: ${2 * apdus}`);
  });

  it('with a power cut before and after every save of the card', async () => {
    const { saves } = await extent;
    expect(saves).toBeGreaterThanOrEqual(5);
    for (let at = 1; at <= saves; at++) {
      for (const when of ['before', 'after'] as const) {
        const world = await begin();
        let n = 0;
        world.cardStore.onSave = (_n, stage) => {
          if (stage === 'before') n++;
          if (n !== at || stage !== when) return;
          world.cardStore.onSave = undefined;
          throw new PowerCut();
        };
        world.onCardFailed = () => cutPower(world);
        go(world, mode);
        await verdict(world, mode).catch((error: unknown) =>
          explain(error, `power, ${when} save ${at}`, world),
        );
      }
    }
    say(`${mode}, power cuts at saves of the card: ${2 * saves}`);
  });

  it('with the IPA alone killed at every exchange with the card', async () => {
    const { apdus } = await extent;
    for (let at = 1; at <= apdus; at++) {
      const world = await begin();
      let n = 0;
      world.beforeApdu = () => {
        if (++n === at) cutIpa(world);
        return 'ok';
      };
      go(world, mode);
      await verdict(world, mode).catch((error: unknown) => explain(error, `IPA at exchange ${at}`, world));
    }
    say(`${mode}, kills of the IPA alone at exchanges with the card: ${apdus}`);
  });

  it('with the IPA alone killed before and after every ESipa message', async () => {
    const { crossings } = await extent;
    expect(crossings).toBeGreaterThanOrEqual(8);
    for (let at = 1; at <= crossings; at++) {
      const world = await begin();
      let n = 0;
      world.broker.onCrossing = () => {
        if (++n === at) cutIpa(world);
      };
      go(world, mode);
      await verdict(world, mode).catch((error: unknown) => explain(error, `IPA at crossing ${at}`, world));
    }
    say(`${mode}, kills of the IPA alone at ESipa messages: ${crossings}`);
  });

  it('with the eIM killed before and after every message', async () => {
    const { eimMessages } = await extent;
    expect(eimMessages).toBeGreaterThanOrEqual(4);
    for (let at = 1; at <= eimMessages; at++) {
      const world = await begin();
      let n = 0;
      world.eim.onMessage = () => {
        if (++n !== at) return;
        world.eim.onMessage = undefined;
        world.eim.stop();
        revive(world, () => world.eim.start(), 5_000);
      };
      go(world, mode);
      await verdict(world, mode).catch((error: unknown) => explain(error, `eIM at message ${at}`, world));
    }
    say(`${mode}, kills of the eIM at messages: ${eimMessages}`);
  });

  it('with a second power cut before and after every exchange of the life after', async () => {
    let points = 0;
    for (let at = 1; ; at++) {
      let reached = true;
      for (const cut of ['cutBefore', 'cutAfter'] as const) {
        const world = await begin();
        let n = 0;
        const second = (): 'ok' | 'cutBefore' | 'cutAfter' => {
          if (++n < at) return 'ok';
          cutPower(world);
          return cut;
        };
        world.beforeApdu = (_n, apdu) => {
          // The package: it is executed, and its answer is lost with the power.
          if (apdu[1] !== 0xe2 || apdu[6] !== 0x51) return 'ok';
          cutPower(world);
          world.beforeApdu = second;
          return 'cutAfter';
        };
        go(world, mode);
        await verdict(world, mode).catch((error: unknown) =>
          explain(error, `second cut, ${cut} ${at}`, world),
        );
        reached = n >= at;
        if (reached) points++;
      }
      if (!reached) break;
    }
    expect(points).toBeGreaterThan(40);
    say(`${mode}, second power cuts in the life after: ${points}`);
  });
});

afterAll(() => {
  say(`longest: ${Math.round(longest.retrieval / 1000)} s, ${Math.round(longest.injection / 1000)} s`);
  // Retrieval never waits for the next regular poll. An injected package that the broker has handed over and that was not
  // carried out is sent again with one.
  expect(longest.retrieval).toBeLessThan(300_000);
  expect(longest.injection).toBeLessThan(2 * 3_600_000);
});

function explain(error: unknown, where: string, world: World): never {
  throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}\n${world.last()}`, {
    cause: error,
  });
}
