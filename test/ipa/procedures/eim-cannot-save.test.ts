import { describe, expect, it } from 'vitest';
import { BETA, World, type WorldOptions } from '../../support/world.js';

const transports: [title: string, options: WorldOptions][] = [
  ['HTTPS, ASN.1', { transport: 'https' }],
  ['HTTPS, JSON', { transport: 'https-json' }],
  ['CoAP', { transport: 'coap' }],
  ['CoAP over DTLS', { transport: 'coap', dtls: true }],
];

/** What an eIM that cannot save asks for, milliseconds. */
const pause = 60_000;

describe.each(transports)('an eIM that cannot save, over %s', (_title, options) => {
  /** From its `from`th save on the disk is full. */
  async function full(from: number) {
    const world = await World.idle(options);
    const { store } = world.eim;
    const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    const first = store.saves + from;
    let isFull = true;
    store.onSave = (n) => {
      if (isFull && n >= first) throw new Error('disk full');
    };
    const makeRoom = () => {
      isFull = false;
    };
    return { world, store, outcome, makeRoom };
  }

  it.each([
    ['the package before it leaves', 1, 0],
    ['the result', 2, 1],
  ])(
    '%s: is left in peace for as long as it asks, and gets everything then',
    async (_what, from, executed) => {
      const { world, outcome, makeRoom } = await full(from);
      const since = world.events.length;
      world.ipad.poll();
      await world.until(() => world.of('failure', since).length > 0, 'a failure');
      const [failure] = world.of('failure', since);
      expect(failure).toMatchObject({
        code: 'refused',
        detail: expect.stringMatching(/asked again in 60 s/),
      });
      expect(world.count('packageExecuted', since)).toBe(executed);
      const sent = world.sent().length;
      await world.pass(pause - 5_000);
      expect(world.sent()).toHaveLength(sent);
      makeRoom();
      expect(await world.wait(outcome)).toMatchObject({ outcome: 'verified', ok: true });
      expect(world.of('failure', since)).toHaveLength(1);
      expect(world.count('packageExecuted', since)).toBe(1);
      await world.until(
        () => world.euicc.results.length + world.euicc.notifications.length === 0,
        'everything delivered',
      );
      await world.stop();
    },
  );

  it('for hours: asks no oftener, executes once, and delivers in the end', async () => {
    const { world, outcome, makeRoom, store } = await full(2);
    const since = world.events.length;
    world.ipad.poll();
    await world.pass(3 * 3_600_000);
    const times = world.of('failure', since).map(({ at }) => at);
    expect(times.length).toBeGreaterThan(3);
    const pauses = times.slice(1).map((at, i) => at - times[i]);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(pause - 1);
    expect(Math.max(...pauses.slice(-3))).toBeGreaterThan(pauses[0]);
    const stored = store.copy();
    expect(world.count('acknowledged', since)).toBe(0);
    makeRoom();
    expect(await world.wait(outcome)).toMatchObject({ outcome: 'verified', ok: true });
    expect(store.copy()).not.toEqual(stored);
    expect(world.count('packageExecuted', since)).toBe(1);
    await world.stop();
  });
});
