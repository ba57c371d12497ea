import { afterEach, expect, it } from 'vitest';
import { factoryProfiles } from '../../host-sim/cli/world.js';
import type { TraceEvent } from '../../host-sim/events.js';
import { type StartHost, XsDevice, type XsWay } from '../../host-sim/xs/index.js';
import { describeOnXs } from './available.js';
import { TRANSPORTS, type Transport } from './eim.js';
import { XsHost } from './run.js';
import { EID, EIM, type XsWorld, xsWorld } from './world.js';

const [, BETA] = factoryProfiles();

let world: XsWorld;
let device: XsDevice;
let told: TraceEvent[];
/** Called for every event of the world and of the device. */
let watch: () => void;

afterEach(async () => {
  device.stop();
  await device.run();
  await world.close();
});

function take(event: TraceEvent): void {
  told.push(event);
  watch();
}

/** A device that is switched on in a world whose eIM it reaches over one transport. */
async function boot(transport: Transport, change: (way: XsWay) => XsWay = (way) => way): Promise<void> {
  told = [];
  watch = () => {};
  world = await xsWorld({ transport, speed: 10, observe: take });
  const { modem, bearer, way } = world;
  device = await XsDevice.boot({
    start: XsHost.start as unknown as StartHost,
    modem,
    bearer,
    ways: { [EIM]: change(way) },
    observe: (event) => take({ at: 0, who: 'ipa', ...event } as TraceEvent),
    baud: 115_200,
    seed: 1,
    maxResponse: 48,
    slowness: 0,
  });
  await until(() => device.state === 'unassociated');
  device.associate(world.initialEim);
}

function until(fits: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    watch = () => fits() && resolve();
    watch();
  });
}

const kinds = (kind: string) => told.filter(({ event }) => event === kind);

await describeOnXs('the ways of a device on XS to its eIM', () => {
  it.each(TRANSPORTS)(
    'lists, switches profiles and reports over %s',
    { timeout: 60_000 },
    async (transport) => {
      await boot(transport);
      await until(() => device.state === 'idle');
      const { eim, euicc } = world;
      const order = (psmo: NonNullable<Parameters<typeof eim.queue>[1]>) =>
        eim.queue(EID, psmo, { timeoutMilliseconds: 300_000 });
      const outcomes = [
        order({ psmo: [{ op: 'listProfileInfo' }] }),
        order({ psmo: [{ op: 'enable', iccid: BETA.iccid }] }),
      ];
      device.poll();
      expect(await Promise.all(outcomes)).toMatchObject([{ ok: true }, { ok: true }]);
      await until(
        () => device.state === 'idle' && euicc.results.length === 0 && euicc.notifications.length === 0,
      );
      expect(euicc.profiles.find(({ enabled }) => enabled)?.profileName).toBe(BETA.profileName);
      expect(kinds('eim').filter((event) => (event as { what?: string }).what === 'verified')).toHaveLength(
        2,
      );
      expect(kinds('dropped')).toEqual([]);
      expect(device.troubles).toEqual([]);
      const { up, down } = world.networkBytes;
      expect(Math.min(up, down)).toBeGreaterThan(300);
      device.stop();
      await device.run();
      expect(device.figures).toMatchObject({ serialLost: 0, restarts: 0 });
      expect(device.figures?.peakStack).toBeLessThanOrEqual(320);
    },
  );

  it.each(['https', 'coaps'] as const)(
    'says nothing to a server that is not its eIM: %s',
    async (transport) => {
      const other = await xsWorld({ transport, speed: 10, seed: 6 });
      try {
        await boot(transport, () => other.way);
        await until(() =>
          kinds('failure').some((event) => (event as { code?: string }).code === 'untrusted'),
        );
        expect(told).toContainEqual(
          expect.objectContaining({
            event: 'failure',
            where: 'link',
            detail: expect.stringMatching(/expected D?TLS/),
          }),
        );
        expect(told.filter((event) => event.event === 'esipa' && event.direction === 'down')).toEqual([]);
        expect(other.events.filter(({ who }) => who === 'eim')).toEqual([]);
      } finally {
        await other.close();
      }
    },
    60_000,
  );
});
