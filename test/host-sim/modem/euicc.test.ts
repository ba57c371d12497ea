import { beforeAll, describe, expect, it } from 'vitest';
import { AtModem } from '../../../hal/modem/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { VirtualEuicc } from '../../../host-sim/euicc/index.js';
import { Network, personalities, SimulatedModem } from '../../../host-sim/modem/index.js';
import { makePki } from '../../../host-sim/pki/index.js';
import type { Pki } from '../../../host-sim/pki/types.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { ISD_R, seeded } from './fakes.js';

const AID = [...Buffer.from(ISD_R, 'hex')];
const SECOND = '98103200000000000062';

let pki: Pki;
beforeAll(async () => {
  const options = {
    eid: '89044045930000000000001492294428',
    eims: [],
    now: Date.UTC(2026, 0, 1),
    random: seeded(),
  };
  pki = await makePki(options);
});

function bench(personality: string) {
  const clock = new VirtualClock();
  const random = seeded();
  const card = new VirtualEuicc({
    credentials: pki.euicc,
    store: new MemoryStore(),
    clock,
    random,
    es10c: true,
    profiles: [
      { iccid: '89012300000000000018', imsi: '262011234567890', enabled: true },
      { iccid: '89012300000000000026', imsi: '310260123456789' },
    ],
  });
  const sim = new SimulatedModem({ card, clock, random, network: new Network(), personality });
  const modem = new AtModem({ serial: { io: sim.Serial }, timer: clock, time: clock });
  const run = <T>(promise: Promise<T>) => clock.run(promise);
  const transmit = async (apdu: string) => {
    let data = '';
    const sink = {
      write: (bytes: Uint8Array) => {
        data += Buffer.from(bytes).toString('hex');
      },
    };
    const sw = await run(modem.uicc.transmit(Buffer.from(apdu, 'hex'), sink));
    return data + sw.toString(16);
  };
  return { card, sim, modem, run, transmit };
}

/** ES10c.EnableProfile and DisableProfile with refreshFlag; the ICCID as in EF_ICCID. */
const change = (tag: string, iccid: string) => `80E2910014BF${tag}11A00C5A0A${iccid}8101FF`;

describe.each(Object.keys(personalities))('the virtual eUICC behind %s', (personality) => {
  it('enables another profile, then none: the network follows', async () => {
    const { card, sim, modem, run, transmit } = bench(personality);
    await run(modem.start());
    expect(await run(modem.waitSimReady(60_000))).toBe(true);
    expect(await run(modem.waitRegistered(60_000))).toBe(true);
    expect(sim.plmn).toBe('26201');
    await run(modem.uicc.open(AID));
    let before = modem.simResets;
    expect(await transmit(change('31', SECOND))).toMatch(/^bf31038001009[01]/);
    if (sim.personality.ignoresRefresh) {
      expect(sim.plmn).toBe('26201');
      await run(modem.resetSim());
    }
    expect(await run(modem.waitSimReset(before, 60_000))).toBe(true);
    expect(await run(modem.waitSimReady(60_000))).toBe(true);
    expect(await run(modem.waitRegistered(60_000))).toBe(true);
    expect(sim.plmn).toBe('310260');
    expect(card.profiles.map((profile) => profile.enabled)).toEqual([false, true]);
    const iccid = await run(modem.iccid());
    expect(iccid && Buffer.from(iccid).toString('hex')).toBe(SECOND);

    await run(modem.uicc.open(AID));
    before = modem.simResets;
    expect(await transmit(change('32', SECOND))).toMatch(/^bf32038001009[01]/);
    if (sim.personality.ignoresRefresh) await run(modem.resetSim());
    expect(await run(modem.waitSimReset(before, 60_000))).toBe(true);
    expect(await run(modem.waitRegistered(60_000))).toBe(false);
    expect(sim.simReady).toBe(true);
    expect(sim.imsi).toBeUndefined();
    expect(sim.registration).toBe(0);
    await run(modem.uicc.open(AID));
    modem.close();
  });
});
