import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalSwitch } from '../../../ipa/es10/index.js';
import { switchLocally } from '../../../ipa/procedures/fallback.js';
import { configureImmediate, resetMemory, setDefaultSmdp } from '../../../ipa/procedures/local.js';
import { cardAnswering } from '../../support/card.js';
import { ALPHA, BETA, World } from '../../support/world.js';

// What the eUICC may answer when the device itself changes something (es10.md §4.6), each once: the caller and the log get
// the code, the profile stays, no eIM is told of a change, and the next poll works.

const byteOf = (code: number) => code.toString(16).padStart(2, '0').toUpperCase();

let world: World;
beforeAll(async () => {
  world = await World.idle();
});
afterAll(() => world.stop());

/** Carries out an operation with this answer of the eUICC. @returns its result and the failure events */
async function answered<T>(
  tag: number,
  answer: string,
  operation: (context: Parameters<Parameters<World['ipad']['perform']>[0]>[0]) => Promise<T>,
) {
  const since = world.events.length;
  const restore = cardAnswering(world, (request) =>
    request[0] === 0xbf && request[1] === tag ? answer : undefined,
  );
  const result = await world.wait(world.ipad.perform(operation));
  restore();
  await world.untilState('idle');
  await world.poll();
  expect(world.enabled).toBe(ALPHA);
  expect(world.of('switched', since)).toEqual([]);
  expect(world.storage.read('stateChange')).toBeUndefined();
  expect(world.storage.read('fallback')).toBeUndefined();
  return { result, failures: world.of('failure', since).map(({ where, detail }) => `${where}: ${detail}`) };
}

const switches: readonly (readonly [LocalSwitch, number, readonly number[]])[] = [
  ['immediateEnable', 0x5a, [1, 4, 5, 127]],
  ['enableEmergencyProfile', 0x5b, [2, 5, 8, 127]],
  ['disableEmergencyProfile', 0x5c, [2, 5, 8, 127]],
  ['executeFallbackMechanism', 0x5d, [2, 5, 6, 7, 104, 127]],
  ['returnFromFallback', 0x5e, [5, 6, 7, 127]],
];

describe.each(switches)('%s', (what, tag, codes) => {
  it.each(codes)('%i', async (code) => {
    const { result, failures } = await answered(tag, `BF${byteOf(tag)}038001${byteOf(code)}`, (context) =>
      switchLocally(context, what),
    );
    expect(result).toBe(code);
    // Whether profiles are enabled at once is not known beforehand: that they are not is no failure.
    const expected =
      what === 'immediateEnable' && code === 1 ? [] : [`${what}: the eUICC refused ${what} with ${code}`];
    expect(failures).toEqual(expected);
  });
});

describe('eUICCMemoryReset', () => {
  it.each([
    ['8001 01', 1],
    ['8001 05', 5],
    ['8001 68', 104],
    ['8001 7F', 127],
  ])('%s', async (fields, profiles) => {
    const { result } = await answered(0x64, `BF6403${fields}`, (context) => resetMemory(context, 1));
    expect(result).toMatchObject({ profiles });
  });

  it.each([
    ['800101 810101', { profiles: 1, eimConfiguration: 1 }],
    ['800101 810102', { profiles: 1, eimConfiguration: 2 }],
    ['800101 81017F', { profiles: 1, eimConfiguration: 127 }],
    ['800101 820101', { profiles: 1, immediateEnable: 1 }],
    ['800101 82017F', { profiles: 1, immediateEnable: 127 }],
  ])('%s', async (fields, expected) => {
    const { result } = await answered(0x64, `BF6406${fields}`, (context) => resetMemory(context, 0x60));
    expect(result).toMatchObject(expected);
  });
});

it.each([1, 2, 127])('ConfigureImmediateProfileEnabling %i', async (code) => {
  const { result } = await answered(0x59, `BF59038001${byteOf(code)}`, (context) =>
    configureImmediate(context),
  );
  expect(result).toBe(code);
});

it('SetDefaultDpAddress 127', async () => {
  const { result } = await answered(0x65, 'BF650380017F', (context) =>
    setDefaultSmdp(context, 'smdp.example.com'),
  );
  expect(result).toBe(127);
});

describe('ProfileRollback', () => {
  /** Enables a profile that finds no network, with the permission to roll back. */
  async function stranded(code: number, times: number): Promise<{ world: World; asked: () => number }> {
    const own = await World.idle({
      settings: { rollbackDeadline: 60_000, fallbackAfter: 0 },
    });
    let asked = 0;
    cardAnswering(own, (request) =>
      request[0] === 0xbf && request[1] === 0x58 && ++asked <= times
        ? `BF58030201${byteOf(code)}`
        : undefined,
    );
    own.broker.reachable = () => own.enabled === ALPHA;
    return { world: own, asked: () => asked };
  }

  it.each([
    [1, 'none is authorised'],
    [7, 'result 7'],
    [127, 'result 127'],
  ])('%i: the device stays where it is, and tries no more', async (code, why) => {
    const { world: own, asked } = await stranded(code, 9);
    const since = own.events.length;
    void own.eim.order({ psmo: [{ op: 'enable', iccid: BETA, rollback: true }] });
    own.ipad.poll();
    await own.until(() => asked() > 0, 'the attempt to roll back');
    await own.pass(600_000);
    expect(asked()).toBe(1);
    expect(own.enabled).toBe(BETA);
    expect(own.of('failure', since).filter(({ where }) => where === 'ProfileRollback')).toMatchObject([
      { detail: `no rollback: ${why}` },
    ]);
    expect(own.storage.read('rollback')).toBeUndefined();
    await own.stop();
  });

  it('5 catBusy is tried again until it works', async () => {
    const { world: own, asked } = await stranded(5, 3);
    const outcome = own.eim.order({ psmo: [{ op: 'enable', iccid: BETA, rollback: true }] });
    own.ipad.poll();
    expect(await own.wait(outcome)).toMatchObject({ outcome: 'verified' });
    expect(asked()).toBe(4);
    expect(own.enabled).toBe(ALPHA);
    expect(own.of('rollback')).toHaveLength(1);
    await own.stop();
  });
});
