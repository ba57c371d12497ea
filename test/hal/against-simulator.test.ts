import { describe, expect, it } from 'vitest';
import type { HalEvent, ModemNotice } from '../../hal/contracts/index.js';
import { AtModem, type AtModemOptions } from '../../hal/modem/modem.js';
import { VirtualClock } from '../../host-sim/clock.js';
import {
  Network,
  type Personality,
  personalities,
  SimulatedModem,
  type SimulatedModemOptions,
  strayReports,
} from '../../host-sim/modem/index.js';
import { FakeCard, hex, ISD_R, seeded } from '../host-sim/modem/fakes.js';

const AID = Uint8Array.from(Buffer.from(ISD_R, 'hex'));

function storeData(data: string): Uint8Array {
  const bytes = Buffer.from(data, 'hex');
  return Uint8Array.of(0x80, 0xe2, 0x91, 0x00, bytes.length, ...bytes);
}

const SWITCH_TO_SECOND = storeData('BF770101');
const LONG_ANSWER = storeData('BF78020640');

class World {
  readonly clock = new VirtualClock();
  readonly card = new FakeCard();
  readonly events: HalEvent[] = [];
  readonly notices: ModemNotice[] = [];
  readonly sim: SimulatedModem;
  readonly modem: AtModem;

  constructor(
    personality: string | Personality,
    options: Partial<SimulatedModemOptions> = {},
    modemOptions: Partial<AtModemOptions> = {},
  ) {
    this.sim = new SimulatedModem({
      card: this.card,
      clock: this.clock,
      random: seeded(7),
      network: new Network(),
      personality,
      ...options,
    });
    this.modem = new AtModem({
      serial: { io: this.sim.Serial },
      timer: this.clock,
      time: this.clock,
      observe: (event) => {
        if (event.event === 'at') this.events.push({ ...event, line: event.line.slice() });
        else this.events.push(event);
      },
      ...modemOptions,
    });
    this.modem.onNotice = (notice) => this.notices.push(notice);
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  async transmit(command: Uint8Array, deadline?: number): Promise<{ sw: number; data: string }> {
    let data = '';
    const sink = {
      write: (bytes: Uint8Array) => {
        data += hex(bytes);
      },
    };
    const sw = await this.run(this.modem.uicc.transmit(command, sink, deadline));
    return { sw, data };
  }

  sent(): string[] {
    return this.events.flatMap((event) =>
      event.event === 'at' && event.direction === 'tx' ? [Buffer.from(event.line).toString('latin1')] : [],
    );
  }
}

/** What AtModem ought to make of each. */
const EXPECTED: Record<string, { access: 'csim' | 'cgla'; quirks: string }> = {
  generic: { access: 'csim', quirks: 'generic' },
  'csim-only': { access: 'csim', quirks: 'generic' },
  'cgla-bare': { access: 'cgla', quirks: 'fibocom-fm350' },
  'long-handles': { access: 'cgla', quirks: 'sierra-em7590' },
  'auto-get-response': { access: 'csim', quirks: 'generic' },
  mt5700: { access: 'cgla', quirks: 'mt5700' },
  quectel: { access: 'cgla', quirks: 'quectel-eg25' },
  'ignores-refresh': { access: 'csim', quirks: 'simcom-sim7600' },
  'lower-hex': { access: 'csim', quirks: 'generic' },
  unquoted: { access: 'csim', quirks: 'generic' },
  'upper-hex-only': { access: 'csim', quirks: 'generic' },
};

describe.each(Object.keys(personalities))('against the simulated modem %s', (name) => {
  const expected = EXPECTED[name];

  it('starts, reads a long answer, switches the profile and comes back', async () => {
    const w = new World(name, { faults: strayReports(3) });
    const identity = await w.run(w.modem.start());
    expect(identity).toMatchObject({ ...expected, model: w.sim.personality.model });
    expect(identity.imei).toMatch(/^\d{15}$/);
    expect(await w.run(w.modem.waitSimReady(30_000))).toBe(true);
    expect(await w.run(w.modem.waitRegistered(60_000))).toBe(true);
    expect(hex((await w.run(w.modem.rPlmn()))!)).toBe('62F210');
    expect(hex((await w.run(w.modem.iccid()))!)).toBe('98103200000000000081');

    const fci = await w.run(w.modem.uicc.open(AID));
    if (w.modem.uicc && expected.access === 'csim') expect(hex(fci)).toBe(`6F128410${ISD_R}`);
    const long = await w.transmit(LONG_ANSWER);
    expect(long.sw).toBe(0x9000);
    expect(long.data).toBe(hex(Uint8Array.from({ length: 0x640 }, (_, i) => i & 255)));

    const resets = w.modem.simResets;
    const enable = await w.transmit(SWITCH_TO_SECOND);
    expect([0x9000, 0x910b]).toContain(enable.sw);
    expect(enable.data).toBe('BF7703800100');
    const noticed = await w.run(w.modem.waitSimReset(resets, 20_000));
    expect(noticed).toBe(!w.sim.personality.ignoresRefresh);
    if (!noticed) await w.run(w.modem.resetSim());
    expect(w.modem.simResets).toBe(resets + 1);
    expect(await w.run(w.modem.waitSimReady(30_000))).toBe(true);
    await expect(w.transmit(LONG_ANSWER)).rejects.toMatchObject({ name: 'UiccError', code: 'channelLost' });
    expect(await w.run(w.modem.waitRegistered(60_000))).toBe(true);
    expect(hex((await w.run(w.modem.rPlmn()))!)).toBe('130062');
    expect(hex((await w.run(w.modem.iccid()))!)).toBe('98103200000000000062');
    await w.run(w.modem.uicc.open(AID));
    expect((await w.transmit(storeData('BF78020003'))).data).toBe('000102');
    expect(w.modem.simResets).toBe(resets + 1);
    await w.run(w.modem.uicc.close());
    w.modem.close();
    expect(w.clock.pending).toBeLessThanOrEqual(1);
  });

  it('closes what an earlier life left open', async () => {
    const w = new World(name);
    await w.run(w.modem.start());
    await w.run(w.modem.waitSimReady(30_000));
    for (let life = 0; life < 25; life++) {
      await w.run(w.modem.uicc.open(AID));
      w.modem.close();
      await w.run(w.modem.start());
    }
    await w.run(w.modem.uicc.open(AID));
    expect((await w.transmit(storeData('BF78020002'))).data).toBe('0001');
  });
});

describe('faults of the simulated modem', () => {
  const isStore = (_: number, apdu: Uint8Array) => apdu[1] === 0xe2;

  async function opened(
    personality: string | Personality,
    options: Partial<SimulatedModemOptions> = {},
  ): Promise<World> {
    const w = new World(personality, options);
    await w.run(w.modem.start());
    await w.run(w.modem.waitSimReady(30_000));
    await w.run(w.modem.uicc.open(AID));
    return w;
  }

  it.each<[string, NonNullable<SimulatedModemOptions['faults']>[number]['action'], string]>([
    ['no answer', { kind: 'noAnswer' }, 'timeout'],
    ['an answer after 25 s', { kind: 'delay', milliseconds: 25_000 }, 'timeout'],
    ['an answer after 10.1 s', { kind: 'delay', milliseconds: 10_100 }, 'timeout'],
    ['an answer cut short', { kind: 'truncate', keep: 12 }, 'timeout'],
    ['lost characters in the hex', { kind: 'loseBytes', at: 12, count: 2 }, 'malformed'],
    ['a lost answer line', { kind: 'loseBytes', at: 2, count: 16 }, 'malformed'],
    ['ERROR', { kind: 'error' }, 'refused'],
    ['CME 50', { kind: 'cme', code: 50 }, 'refused'],
    ['CME 13', { kind: 'cme', code: 13 }, 'channelLost'],
    ['6999', { kind: 'statusWord', sw: 0x6999 }, 'channelLost'],
  ])('%s fails one command, and the way to the card comes back', async (_, action, code) => {
    for (const name of ['generic', 'cgla-bare']) {
      const w = await opened(name, { faults: [{ apdu: isStore, action }] });
      await expect(w.transmit(storeData('BF78020003'))).rejects.toMatchObject({ name: 'UiccError', code });
      if (code === 'channelLost') await w.run(w.modem.uicc.open(AID));
      // A modem that is still busy with the late command is no reason to mix up answers.
      for (let attempt = 0; ; attempt++) {
        try {
          const { sw, data } = await w.transmit(storeData('BF78020005'));
          expect([sw, data]).toEqual([0x9000, '0001020304']);
          break;
        } catch (error) {
          expect(error).toMatchObject({ code: 'timeout' });
          expect(attempt).toBeLessThan(10);
        }
      }
      w.modem.close();
    }
  });

  it('bears with a card that is busy for a while', async () => {
    const w = await opened('generic', {
      faults: [{ apdu: isStore, times: 3, action: { kind: 'cme', code: 14 } }],
    });
    expect((await w.transmit(storeData('BF78020003'))).data).toBe('000102');
  });

  it('finds a card that dropped out, and brings it back by resetting it', async () => {
    const w = await opened('generic', { faults: [{ apdu: isStore, action: { kind: 'simDropped' } }] });
    await expect(w.transmit(storeData('BF78020003'))).rejects.toMatchObject({ code: 'channelLost' });
    await w.run(w.modem.resetSim());
    expect(await w.run(w.modem.waitSimReady(30_000))).toBe(true);
    await w.run(w.modem.uicc.open(AID));
    expect((await w.transmit(storeData('BF78020003'))).data).toBe('000102');
  });

  it('learns of a reset from a modem that reports nothing at all', async () => {
    const mute: Personality = { ...personalities.generic, simLost: [], simReady: [] };
    for (const simResetMilliseconds of [200, 1_500, 9_000]) {
      const w = await opened(mute, { simResetMilliseconds });
      const resets = w.modem.simResets;
      await w.transmit(SWITCH_TO_SECOND);
      expect(await w.run(w.modem.waitSimReset(resets, 30_000))).toBe(true);
      expect(await w.run(w.modem.waitSimReady(30_000))).toBe(true);
      expect(await w.run(w.modem.waitRegistered(60_000))).toBe(true);
      expect(w.modem.simResets).toBe(resets + 1);
      expect(hex((await w.run(w.modem.iccid()))!)).toBe('98103200000000000062');
      w.modem.close();
    }
  });

  it.each(['generic', 'csim-only', 'quectel'])(
    'sees the first profile of a card without any come up (%s)',
    async (name) => {
      const w = new World(name);
      w.card.enabled = undefined;
      await w.run(w.modem.start());
      await w.run(w.modem.waitSimReady(5_000));
      await w.run(w.modem.uicc.open(AID));
      const resets = w.modem.simResets;
      await w.transmit(SWITCH_TO_SECOND);
      expect(await w.run(w.modem.waitSimReset(resets, 30_000))).toBe(true);
      expect(await w.run(w.modem.waitSimReady(30_000))).toBe(true);
      expect(await w.run(w.modem.waitRegistered(60_000))).toBe(true);
      await w.run(w.modem.uicc.open(AID));
      expect((await w.transmit(storeData('BF78020003'))).data).toBe('000102');
    },
  );

  it('survives the modem losing power in the middle, after start()', async () => {
    const w = await opened('generic');
    const pending = w.transmit(LONG_ANSWER);
    pending.catch(() => {});
    await w.clock.advance(30);
    w.sim.powerOff();
    await w.clock.advance(1_000);
    w.sim.powerOn();
    await expect(pending).rejects.toMatchObject({ name: 'UiccError' });
    await w.run(w.modem.start());
    expect(await w.run(w.modem.waitSimReady(30_000))).toBe(true);
    await w.run(w.modem.uicc.open(AID));
    expect((await w.transmit(storeData('BF78020003'))).data).toBe('000102');
  });
});
