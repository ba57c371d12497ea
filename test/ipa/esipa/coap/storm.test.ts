import { describe, expect, it } from 'vitest';
import { ALPHA, BETA, SMDP, World } from '../../../support/world.js';

/** What a network at its worst does: 30 % lost, some twice, anything up to 3 s late and so out of order. */
const storm = { loss: 0.3, duplicates: 0.1, delay: [50, 3_000] } as const;
/** A day: what fails is begun again after pauses that grow. */
const DAY = 86_400_000;
const PER_WORLD = 50;

const ICCID = '8900000000000000052';

describe('the whole IPA over CoAP, through a storm', () => {
  it.each([
    ['CoAP', 500, false, false],
    ['CoAP over DTLS', 100, true, false],
    ['CoAP, injected', 100, false, true],
    ['CoAP over DTLS, injected', 50, true, true],
  ])(
    '%s: enables and reports, %d times: each once, and every result arrives',
    async (name, runs, dtls, isInjected) => {
      let [executed, verified, datagrams, bytes, retried, time, injected] = [0, 0, 0, 0, 0, 0, 0];
      for (let seed = 1; seed <= runs / PER_WORLD; seed++) {
        const world = await World.make({ transport: 'coap', weather: storm, seed, dtls });
        world.startIpa();
        await world.until(() => world.ipad.state === 'idle', 'the first poll', DAY);
        for (let run = 0; run < PER_WORLD; run++) {
          world.events.length = 0;
          const iccid = world.enabled === BETA ? ALPHA : BETA;
          const before = { ...world.udp.sent, ticks: world.clock.ticks };
          const mode = isInjected ? 'injection' : 'retrieval';
          const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid }] }, { mode });
          if (!isInjected) world.ipad.poll();
          const what = `seed ${seed}, run ${run}`;
          expect([what, await world.wait(outcome, what, DAY)]).toMatchObject([
            what,
            { outcome: 'verified', ok: true },
          ]);
          await world.until(() => world.ipad.state === 'idle', `${what}: rest`, DAY);
          expect([what, world.enabled]).toEqual([what, iccid]);
          expect([what, world.count('packageExecuted'), world.count('packageRefused')]).toEqual([what, 1, 0]);
          executed += world.count('packageExecuted');
          verified += world.count('verified');
          retried += world.of('failure').length;
          const packages = world.of('esipa').filter(({ direction }) => direction === 'down');
          if (packages[0]?.tag === 0xbf4e) injected++;
          const { up, down, bytes: sent } = world.udp.sent;
          datagrams += up + down - before.up - before.down;
          bytes += sent - before.bytes;
          time += world.clock.ticks - before.ticks;
        }
        // Results and notifications that were acknowledged are gone from the card.
        const { euicc } = world;
        await world.until(() => euicc.results.length + euicc.notifications.length === 0, 'the last one', DAY);
        await world.stop();
      }
      expect([executed, verified]).toEqual([runs, runs]);
      // Where the eIM did not get through, the next poll fetches it.
      expect(injected).toBeGreaterThanOrEqual(isInjected ? runs / 2 : 0);
      const each = (value: number) => Math.round(value / runs);
      process.stdout.write(
        `${name} in a storm: ${runs} enable and report, ${executed} executed, ${verified} verified, ${retried} failures on the way; ` +
          `${each(datagrams)} datagrams, ${each(bytes)} bytes, ${each(time / 1_000)} s each\n`,
      );
    },
    300_000,
  );

  it.each([
    ['CoAP', 20, false],
    ['CoAP over DTLS', 20, true],
  ])(
    '%s: downloads %d profiles through the eIM',
    async (name, count, dtls) => {
      let [datagrams, failures] = [0, 0];
      for (let seed = 1; seed <= count; seed++) {
        const world = await World.make({ transport: 'coap', weather: storm, seed, dtls });
        world.startIpa();
        await world.until(() => world.ipad.state === 'idle', 'the first poll', DAY);
        const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 20_000 });
        const outcome = world.eim.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
        const before = { ...world.udp.sent };
        world.ipad.poll();
        const what = `seed ${seed}`;
        expect([what, await world.wait(outcome, what, DAY)]).toMatchObject([what, { ok: true }]);
        await world.until(() => world.ipad.state === 'idle', `${what}: rest`, DAY);
        expect([what, world.count('profileInstalled'), world.count('installationFailed')]).toEqual([
          what,
          1,
          0,
        ]);
        datagrams += world.udp.sent.up + world.udp.sent.down - before.up - before.down;
        failures += world.of('failure').length;
        await world.stop();
      }
      process.stdout.write(
        `${name} in a storm: ${count} downloads of 20,000 bytes, ${Math.round(datagrams / count)} datagrams each, ${failures} failures on the way\n`,
      );
    },
    300_000,
  );
});
