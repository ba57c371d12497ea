import { afterEach, beforeEach, expect, it } from 'vitest';
import { hex } from '../../host-sim/asn1/index.js';
import { factoryProfiles } from '../../host-sim/cli/world.js';
import { describeOnXs } from './available.js';
import { EID, type XsWorld, xsWorld } from './world.js';

/** The stack of Moddable's ESP32-C3; the heap is the one of it, too. */
const STACK = 384;
const [, BETA] = factoryProfiles();
/** Bytes that are alive at most: with modem, AT client, MQTT and all buffers. The budget is 20 KB idle and 32 KB at the peak. */
const IDLE = 16_384;
const EMPTY_POLL = 20_480;
const PEAK = 26_624;
/** Slots of the stack that may be in use. */
const DEEPEST = 300;

let world: XsWorld;
beforeEach(async () => {
  world = await xsWorld();
});
afterEach(() => world.close());

await describeOnXs('the IPA on XS', () => {
  it('associates, executes a package and polls on with the heap it had', async () => {
    const outcome = world.eim.queue(
      EID,
      { psmo: [{ op: 'listProfileInfo' }] },
      { timeoutMilliseconds: 20_000 },
    );
    const host = await world.boot({ initialEim: hex(world.initialEim), polls: 4 }, { stack: STACK });
    expect(await outcome).toMatchObject({ ok: true });
    const { code, complaints, figures, marks } = await host.ended;
    expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
    expect(figures?.serial.lost).toBe(0);
    // A timer or a promise more or less may be under way at a mark.
    expect(marks['poll 4'].bytes).toBeLessThan(marks['poll 1'].bytes + 512);
  });

  it('switches profiles and reports', async () => {
    const outcome = world.eim.queue(
      EID,
      { psmo: [{ op: 'enable', iccid: BETA.iccid }] },
      { timeoutMilliseconds: 20_000 },
    );
    const host = await world.boot({ initialEim: hex(world.initialEim), polls: 1 }, { stack: STACK });
    expect(await outcome).toMatchObject({ ok: true });
    const { code, complaints, figures } = await host.ended;
    expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
    expect(figures?.serial.lost).toBe(0);
    const enabled = world.euicc.profiles
      .filter(({ enabled }) => enabled)
      .map(({ profileName }) => profileName);
    expect(enabled).toEqual([BETA.profileName]);
  });

  it('stays within its budget, idle and at work', { timeout: 120_000 }, async () => {
    const outcomes: Promise<unknown>[] = [];
    const order = (psmo: Parameters<typeof world.eim.queue>[1] & object) =>
      outcomes.push(world.eim.queue(EID, psmo, { timeoutMilliseconds: 100_000 }));
    const host = await world.boot(
      { initialEim: hex(world.initialEim), polls: 4, baud: 921_600 },
      {
        livePeaks: true,
        onFigures({ label }) {
          if (label === 'poll 1') order({ psmo: [{ op: 'enable', iccid: BETA.iccid }] });
          if (label === 'poll 2') for (let i = 0; i < 5; i++) order({ psmo: [{ op: 'listProfileInfo' }] });
        },
      },
    );
    const { code, marks } = await host.ended;
    expect(code).toBe(0);
    expect(await Promise.all(outcomes)).toMatchObject(Array(6).fill({ ok: true }));
    // The figures of another word size say nothing about a device.
    if (marks.boot.slotBytes !== 16) return;
    for (const label of ['first idle', 'poll 1', 'poll 2', 'poll 3', 'poll 4']) {
      const { bytes, bytesPeak, stackPeak } = marks[label];
      const peak = label === 'poll 1' || label === 'poll 4' ? EMPTY_POLL : PEAK;
      expect([label, bytes <= IDLE, bytesPeak <= peak, stackPeak <= DEEPEST, bytes, bytesPeak]).toEqual([
        label,
        true,
        true,
        true,
        bytes,
        bytesPeak,
      ]);
    }
  });

  it('loses nothing on a slow device that asks for short answers', async () => {
    const outcome = world.eim.queue(
      EID,
      { psmo: [{ op: 'listProfileInfo' }] },
      { timeoutMilliseconds: 25_000 },
    );
    const config = { initialEim: hex(world.initialEim), polls: 0, maxResponse: 48 };
    const host = await world.boot(config, { stack: STACK, slowness: 30 });
    expect(await outcome).toMatchObject({ ok: true });
    const { code, figures } = await host.ended;
    expect({ code, lost: figures?.serial.lost }).toEqual({ code: 0, lost: 0 });
  });
});
