import { afterEach, beforeEach, expect, it } from 'vitest';
import { factoryProfiles } from '../../host-sim/cli/world.js';
import type { TraceEvent } from '../../host-sim/events.js';
import { type StartHost, XsDevice } from '../../host-sim/xs/index.js';
import { describeOnXs } from './available.js';
import { XsHost } from './run.js';
import { EID, EIM, type XsWorld, xsWorld } from './world.js';

const [, BETA] = factoryProfiles();

let world: XsWorld;
let device: XsDevice | undefined;
let told: TraceEvent[];
/** Called for every event of the world and of the device, in the order they happen. */
let watch: (event: TraceEvent) => void;

beforeEach(async () => {
  told = [];
  watch = () => {};
  world = await xsWorld({ speed: 10, observe: (event) => take(event) });
});
afterEach(async () => {
  device?.stop();
  await device?.run();
  device = undefined;
  await world.close();
});

function take(event: TraceEvent): void {
  told.push(event);
  watch(event);
}

async function boot(): Promise<XsDevice> {
  const { modem, bearer, way } = world;
  device = await XsDevice.boot({
    start: XsHost.start as unknown as StartHost,
    modem,
    bearer,
    ways: { [EIM]: way },
    observe: (event) => take({ at: 0, who: 'ipa', ...event } as TraceEvent),
    baud: 115_200,
    seed: 1,
    maxResponse: 48,
    slowness: 0,
  });
  return device;
}

function until(fits: (event: TraceEvent) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const before = watch;
    watch = (event) => {
      before(event);
      if (fits(event)) resolve();
    };
  });
}

const isState = (state: string) => (event: TraceEvent) => event.event === 'state' && event.state === state;
const happened = (kind: string, what: string) => (event: TraceEvent) =>
  event.event === kind && (event as { what?: string }).what === what;

await describeOnXs('a device whose memory is full', () => {
  it('starts again and delivers what the eUICC has executed, once', async () => {
    const unassociated = until(isState('unassociated'));
    const running = await boot();
    await unassociated;
    const associated = until(isState('idle'));
    running.associate(world.initialEim);
    await associated;

    // The eUICC has executed the package; its result is not even read.
    const executed = until(happened('card', 'packageExecuted'));
    void executed.then(() => running.exhaust());
    const outcome = world.eim.queue(
      EID,
      { psmo: [{ op: 'enable', iccid: BETA.iccid }] },
      { timeoutMilliseconds: 400_000 },
    );
    running.poll();
    expect(await outcome).toMatchObject({ ok: true });
    const { euicc } = world;
    const settled = () =>
      running.state === 'idle' && euicc.results.length === 0 && euicc.notifications.length === 0;
    if (!settled()) await until(settled);

    const order = told.findIndex(happened('card', 'packageExecuted'));
    const restart = told.findIndex((event, index) => index > order && isState('starting')(event));
    const verified = told.findIndex(happened('eim', 'verified'));
    expect(order).toBeGreaterThan(0);
    expect(restart).toBeGreaterThan(order);
    expect(verified).toBeGreaterThan(restart);
    expect(told.filter(happened('card', 'packageExecuted'))).toHaveLength(1);
    expect(told.filter(happened('eim', 'verified'))).toHaveLength(1);
    expect(told.filter(happened('eim', 'rejected'))).toEqual([]);
    expect(euicc.profiles.find(({ enabled }) => enabled)?.profileName).toBe(BETA.profileName);

    running.stop();
    await running.run();
    expect(running.troubles).toEqual([expect.stringContaining('its memory was full')]);
    expect(running.figures).toMatchObject({ restarts: 1, serialLost: 0 });
  }, 60_000);

  it('is given up when it does not come up any more', async () => {
    const unassociated = until(isState('unassociated'));
    const running = await boot();
    await unassociated;
    // Every time it is up again, its memory is used up again.
    watch = (event) => {
      if (isState('unassociated')(event)) running.exhaust();
    };
    running.exhaust();
    await expect(running.failed).rejects.toMatchObject({ name: 'DeviceFailed' });
    expect(running.figures?.restarts).toBe(3);
  }, 60_000);
});
