import { describe, expect, it } from 'vitest';
import { decode, ProvideEimPackageResult } from '../../../host-sim/asn1/index.js';
import { inEnvelope, NO_PACKAGE, script } from '../../support/scripted-eim.js';
import { ALPHA, EID, World } from '../../support/world.js';

const TXID = '0102030405060708090A0B0C0D0E0F10';

describe('poll', () => {
  it('finds nothing without one APDU', async () => {
    const world = await World.idle();
    const { apdus } = world;
    for (let i = 0; i < 5; i++) await world.poll();
    expect(world.apdus).toBe(apdus);
    expect(world.count('poll')).toBeGreaterThanOrEqual(6);
    await world.stop();
  });

  it.each([2, 3, 4, 127])('reports error %i and asks again at the next poll', async (code) => {
    const world = await World.idle();
    const since = world.events.length;
    script(world.eim, { BF4F: [`BF4F030201${code.toString(16).padStart(2, '0')}`] });
    world.ipad.poll();
    await world.until(() => world.of('failure', since).length > 0, 'the failure');
    expect(world.of('failure', since)[0]).toMatchObject({ where: 'GetEimPackage', code: 'refusedByEim' });
    await world.untilState('idle');
    expect(world.sent(since)).toEqual(['bf4f']);
    world.eim.instead = undefined;
    const polls = world.count('poll');
    await world.until(() => world.count('poll') > polls, 'the next regular poll', 2 * 3_600_000);
    await world.stop();
  });

  it('ends after 16 rounds with an eIM that always has one more', async () => {
    const world = await World.idle();
    const since = world.events.length;
    let n = 0;
    world.eim.instead = (payload) => {
      if (payload[1] === 0x50) return Uint8Array.of(0xbf, 0x50, 2, 0x30, 0);
      const id = TXID.slice(2) + (++n).toString(16).padStart(2, '0');
      return inEnvelope('BF4F', `BF5215 5C01A8 8310${id}`);
    };
    world.ipad.poll();
    await world.untilState('polling');
    await world.untilState('idle');
    expect(world.sent(since).filter((tag) => tag === 'bf4f')).toHaveLength(16);
    expect(world.sent(since).filter((tag) => tag === 'bf50')).toHaveLength(16);
    await world.stop();
  });

  it.each([
    ['a package without signature', `BF5116 3014 8203010203 ${''}`, 1, undefined],
    ['a package with transaction but no list', `BF511C 301A 8003616263 8210${TXID} 810101 `, 1, TXID],
    ['an empty answer', '', 1, undefined],
    ['acknowledgements in retrieval', 'BF5303800105', 2, undefined],
    ['an unknown element', 'BF6000', 2, undefined],
    ['a download trigger with an unknown alternative', `BF5416 A002 8300 8210${TXID}`, 1, TXID],
    ['a download trigger with a bad activation code', `BF5419 A005 8003322431 8210${TXID}`, 1, TXID],
    ['a data request without tag list', `BF5212 8310${TXID}`, 1, TXID],
  ])('answers %s', async (_what, body, code, transaction) => {
    const world = await World.idle();
    const { apdus } = world;
    const taken = script(world.eim, { BF4F: [inEnvelope('BF4F', body), NO_PACKAGE], BF50: ['BF50023000'] });
    world.ipad.poll();
    await world.until(() => taken.length === 3, 'poll, result, poll');
    await world.untilState('idle');
    const { eidValue, eimPackageResult } = decode(ProvideEimPackageResult, taken[1]);
    expect(eidValue).toEqual(world.ipad.eid);
    const error = eimPackageResult.eimPackageResultResponseError;
    expect(error?.eimPackageResultErrorCode).toBe(code);
    expect(error?.eimTransactionId && Buffer.from(error.eimTransactionId).toString('hex').toUpperCase()).toBe(
      transaction,
    );
    expect(world.apdus).toBe(apdus);
    await world.stop();
  });

  it('an old answer that comes late is dropped, and the next package is fetched at once', async () => {
    const world = await World.idle();
    const first = world.eim.order({ psmo: [{ op: 'listProfileInfo' }] });
    const second = world.eim.order({ psmo: [{ op: 'getRAT' }] });
    const polls: Uint8Array[] = [];
    world.eim.instead = (payload) => {
      const answer = world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
      if (payload[1] !== 0x4f || !answer) return answer;
      polls.push(answer.slice());
      return polls.length === 2 ? polls[0] : answer;
    };
    const start = world.clock.ticks;
    world.ipad.poll();
    expect(await world.wait(first)).toMatchObject({ ok: true });
    expect(await world.wait(second)).toMatchObject({ ok: true });
    await world.untilState('idle');
    expect(world.clock.ticks - start).toBeLessThan(20_000);
    expect(world.of('dropped')).toMatchObject([{ tag: 0xbf51, reason: 'alreadyHandled' }]);
    expect(world.count('packageExecuted')).toBe(2);
    await world.stop();
  });

  it('an eIM that was restored from a backup gets an answer, without a long wait', async () => {
    const world = await World.idle();
    const order = { psmo: [{ op: 'listProfileInfo' as const }] };
    let packet: Uint8Array | undefined;
    world.eim.instead = (payload) => {
      const answer = world.eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
      if (payload[1] === 0x4f && answer && answer.length > 10) packet ??= answer.slice();
      return answer;
    };
    expect(await world.order(order)).toMatchObject({ ok: true });
    const since = world.events.length;
    const taken = script(world.eim, { BF4F: [packet, packet, NO_PACKAGE], BF50: ['BF50023000'] });
    const start = world.clock.ticks;
    world.ipad.poll();
    await world.until(() => taken.length === 4 && world.ipad.state === 'idle', 'the answer');
    expect(world.clock.ticks - start).toBeLessThan(20_000);
    expect(world.sent(since)).toEqual(['bf4f', 'bf4f', 'bf50', 'bf4f']);
    // replayError, signed by the eUICC.
    expect(decode(ProvideEimPackageResult, taken[2]).eimPackageResult.euiccPackageResult).toHaveProperty(
      'euiccPackageErrorSigned',
    );
    expect(world.of('failure', since)).toEqual([]);
    expect(world.count('packageExecuted')).toBe(1);
    await world.stop();
  });

  it('a package whose injected result is on its way is not carried out again', async () => {
    const world = await World.idle();
    world.eim.eim.setCounter(EID, 1);
    const body = world.eim.eim.stale(EID, { psmo: [{ op: 'listProfileInfo' }] });
    const taken = script(world.eim, { BF4E: [undefined], BF4F: [inEnvelope('BF4F', body)] });
    world.eim.publish(inEnvelope('BF4E', body));
    await world.until(() => taken.length === 1, 'the result');
    world.ipad.poll();
    await world.until(() => taken.length === 3 && world.ipad.state === 'idle', 'two polls');
    expect(world.of('dropped').map(({ reason }) => reason)).toEqual(Array(2).fill('alreadyHandled'));
    expect(world.count('packageExecuted') + world.count('packageRefused')).toBe(1);
    await world.stop();
  });

  it('carries out all that waits, in one go', async () => {
    const world = await World.idle();
    const since = world.events.length;
    const outcomes = [
      world.eim.order({ psmo: [{ op: 'listProfileInfo' }] }),
      world.eim.order({ data: { tags: ['euiccInfo1'] } }),
      world.eim.order({ psmo: [{ op: 'setFallbackAttribute', iccid: ALPHA }] }),
    ];
    world.ipad.poll();
    for (const outcome of outcomes) expect((await world.wait(outcome)).ok).toBe(true);
    await world.untilState('idle');
    expect(world.sent(since)).toEqual(['bf4f', 'bf50', 'bf4f', 'bf50', 'bf4f', 'bf50', 'bf4f']);
    await world.stop();
  });

  it('polls by itself, never twice at the same distance', async () => {
    const world = await World.idle();
    const since = world.events.length;
    await world.until(
      () => world.of('eim', since).filter(({ what }) => what === 'poll').length === 4,
      'polls',
      6 * 3_600_000,
    );
    const times = world
      .of('eim', since)
      .filter(({ what }) => what === 'poll')
      .map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - times[i]);
    for (const gap of gaps) expect(Math.abs(gap - 3_600_000)).toBeLessThan(361_000);
    expect(new Set(gaps.map(Math.round)).size).toBe(gaps.length);
    await world.stop();
  });
});
