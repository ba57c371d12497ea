import { describe, expect, it } from 'vitest';
import { decode, HandleNotification } from '../../../host-sim/asn1/index.js';
import { hexOf } from '../../support/scripted-eim.js';
import { ALPHA, BETA, EID, GAMMA, World } from '../../support/world.js';

const handle = (world: World, payload: Uint8Array) =>
  world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });

/** The result is acknowledged, the notifications that came with it are not. */
function onlyResults(world: World): void {
  world.eim.instead = (payload) => {
    const answer = handle(world, payload);
    return payload[1] === 0x50 ? Uint8Array.from(Buffer.from('BF5006BF5303800101', 'hex')) : answer;
  };
}

describe('notifications', () => {
  it('travel with the result', async () => {
    const world = await World.idle();
    await world.order({
      psmo: [
        { op: 'delete', iccid: GAMMA },
        { op: 'enable', iccid: BETA },
      ],
    });
    expect(world.sent()).not.toContain('bf3d');
    expect(world.count('notification')).toBe(3);
    expect(world.euicc.notifications).toEqual([]);
    await world.stop();
  });

  it('go one by one, oldest first, when they were not acknowledged with the result', async () => {
    const world = await World.idle();
    onlyResults(world);
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.count('verified') === 1, 'the result');
    await world.until(() => world.euicc.notifications.length === 0, 'the notifications');
    const sent = world.of('esipa').filter(({ tag, direction }) => tag === 0xbf3d && direction === 'up');
    const seqs = sent.map(({ message }) => {
      const { otherSignedNotification } = decode(HandleNotification, message).pendingNotification!;
      return otherSignedNotification!.tbsOtherNotification.value.seqNumber;
    });
    expect(seqs).toEqual([2, 3]);
    await world.stop();
  });

  it('go one by one when there are too many for one message', async () => {
    const world = await World.idle({ settings: { messageLimit: 1_500 } });
    await world.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    await world.until(() => world.euicc.notifications.length === 0, 'the notifications');
    expect(world.sent().filter((tag) => tag === 'bf3d')).toHaveLength(2);
    expect(world.count('notification')).toBe(2);
    await world.stop();
  });

  it('one that is refused stays and does not hold up the next', async () => {
    const world = await World.idle();
    onlyResults(world);
    const instead = world.eim.instead!;
    let refused: string | undefined;
    world.eim.instead = (payload) => {
      if (payload[1] !== 0x3d) return instead(payload);
      refused ??= hexOf(payload);
      return refused === hexOf(payload)
        ? Uint8Array.from(Buffer.from('BF4E03BF5300', 'hex'))
        : handle(world, payload);
    };
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(
      () => world.euicc.notifications.length === 1 && world.ipad.state === 'idle',
      'one to go',
    );
    expect(world.euicc.notifications[0].seqNumber).toBe(2);
    // Not again and again, but with the next poll.
    const tries = world.sent().filter((tag) => tag === 'bf3d').length;
    await world.pass(600_000);
    expect(world.sent().filter((tag) => tag === 'bf3d')).toHaveLength(tries);
    world.eim.instead = undefined;
    await world.poll();
    await world.until(() => world.euicc.notifications.length === 0, 'the last one');
    await world.stop();
  });

  it('are found at the start', async () => {
    const world = await World.idle();
    onlyResults(world);
    const instead = world.eim.instead!;
    world.eim.instead = (payload) => (payload[1] === 0x3d ? undefined : instead(payload));
    void world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    world.ipad.poll();
    await world.until(() => world.sent().includes('bf3d'), 'the first notification');
    world.powerCut();
    world.eim.instead = undefined;
    world.powerOn();
    await world.until(
      () => world.euicc.notifications.length === 0 && world.ipad.state === 'idle',
      'the rest',
    );
    expect(world.count('notification')).toBe(2);
    await world.stop();
  });

  it('an eUICC that does not know ListNotification is no obstacle', async () => {
    const world = await World.make();
    const transmit = world.euicc.transmit.bind(world.euicc);
    world.euicc.transmit = (command) =>
      command[1] === 0xe2 && command[6] === 0x28 ? Uint8Array.of(0x6a, 0x88) : transmit(command);
    world.startIpa();
    await world.untilState('idle');
    expect(world.of('failure')).toEqual([]);
    expect(world.enabled).toBe(ALPHA);
    await world.stop();
  });
});
