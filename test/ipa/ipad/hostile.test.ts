import { describe, expect, it } from 'vitest';
import { seeded } from '../../../host-sim/random.js';
import { ALPHA, BETA, EID, World } from '../../support/world.js';

/** Changes a few bytes, cuts off the end, or adds one. */
function damaged(bytes: Uint8Array, random: () => number): Uint8Array {
  const any = (below: number) => Math.floor(random() * below);
  const copy = bytes.slice();
  const kind = any(4);
  if (kind === 0) return copy.subarray(0, any(copy.length + 1));
  if (kind === 1) return Uint8Array.from([...copy, any(256), any(256)]);
  for (let n = 1 + any(3); n > 0; n--)
    copy[kind === 2 ? any(Math.min(12, copy.length)) : any(copy.length)] = any(256);
  return copy;
}

describe('hostile', () => {
  it.each([1, 2, 3])(
    'eIM and broker, seed %i: whatever they say, the IPA lives and nothing is lost',
    async (seed) => {
      const random = seeded(seed);
      const world = await World.idle({ times: { answer: 500 }, settings: { backOffLimit: 5_000 } });
      let rounds = 0;
      world.eim.instead = (payload) => {
        rounds++;
        const answer = world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
        if (random() < 0.2) world.eim.publish(damaged(payload, random));
        if (!answer || random() < 0.4) return answer;
        return damaged(answer, random);
      };
      for (let n = 0; n < 40; n++) {
        const iccid = world.enabled === ALPHA ? BETA : ALPHA;
        void world.eim.order(
          { psmo: [n % 2 ? { op: 'enable', iccid } : { op: 'listProfileInfo' }] },
          { mode: random() < 0.3 ? 'injection' : 'retrieval' },
        );
        world.ipad.poll();
        await world.pass(20_000);
      }
      expect(rounds).toBeGreaterThan(100);
      expect(world.failure).toBeUndefined();
      world.eim.instead = undefined;
      world.ipad.poll();
      await world.until(
        () =>
          world.ipad.state === 'idle' && world.euicc.results.length + world.euicc.notifications.length === 0,
        'everything delivered',
        24 * 3_600_000,
      );
      await world.stop();
    },
  );

  it.each([1, 2, 3])('card, seed %i: whatever it answers, the IPA lives and recovers', async (seed) => {
    const random = seeded(seed);
    const world = await World.idle({ times: { answer: 5_000 }, settings: { backOffLimit: 5_000 } });
    const transmit = world.euicc.transmit.bind(world.euicc);
    let damages = 0;
    world.euicc.transmit = (command) => {
      const answer = transmit(command);
      if (command[1] !== 0xc0 || random() < 0.5) return answer;
      damages++;
      const data = damaged(answer.subarray(0, -2), random).subarray(0, 256);
      return Uint8Array.from([...data, ...answer.subarray(-2)]);
    };
    for (let n = 0; n < 25; n++) {
      const iccid = world.enabled === ALPHA ? BETA : ALPHA;
      const order =
        n % 3 === 0
          ? { data: { tags: ['euiccInfo1', 'notifications', 'packageResults'] } }
          : { psmo: [{ op: 'enable' as const, iccid }] };
      void world.eim.order(order);
      world.ipad.poll();
      await world.pass(60_000);
    }
    expect(damages).toBeGreaterThan(30);
    expect(world.failure).toBeUndefined();
    world.euicc.transmit = transmit;
    world.ipad.poll();
    await world.until(() => world.ipad.state === 'idle', 'recovery', 24 * 3_600_000);
    expect(await world.order({ psmo: [{ op: 'listProfileInfo' }] })).toMatchObject({ outcome: 'verified' });
    await world.stop();
  });
});
