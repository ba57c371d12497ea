import { describe, expect, it } from 'vitest';
import { AtModem } from '../../../hal/modem/index.js';
import { personalities, strayReports } from '../../../host-sim/modem/index.js';
import { Bench, ISD_R } from './fakes.js';

const AID = [...Buffer.from(ISD_R, 'hex')];

class Bytes {
  data: number[] = [];
  write(bytes: Uint8Array): void {
    this.data.push(...bytes);
  }
}

describe.each(Object.keys(personalities))('the AT client and %s', (personality) => {
  it('come to the card, switch, and find the other subscription', async () => {
    const bench = new Bench({ personality, baud: 115_200, apduMilliseconds: 10, faults: strayReports(5) });
    bench.leave();
    const { clock } = bench;
    const modem = new AtModem({ serial: { io: bench.modem.Serial }, timer: clock, time: clock });
    const identity = await clock.run(modem.start());
    expect(identity.model).toBe(bench.modem.personality.model);
    expect(await clock.run(modem.waitSimReady(60_000))).toBe(true);
    expect(await clock.run(modem.waitRegistered(60_000))).toBe(true);
    await clock.run(modem.uicc.open(AID));
    const answer = new Bytes();
    const long = Buffer.from('80E2910005BF78020200', 'hex');
    if (personality !== 'mt5700' || identity.access === 'cgla') {
      expect(await clock.run(modem.uicc.transmit(long, answer))).toBe(0x9000);
      expect(answer.data).toEqual(Array.from({ length: 512 }, (_, i) => i & 255));
    }
    const before = modem.simResets;
    const sw = await clock.run(modem.uicc.transmit(Buffer.from('80E2910004BF770101', 'hex'), new Bytes()));
    expect(sw >> 8).toBe(0x91);
    if (bench.modem.personality.ignoresRefresh) await clock.run(modem.resetSim());
    expect(await clock.run(modem.waitSimReset(before, 60_000))).toBe(true);
    expect(await clock.run(modem.waitSimReady(60_000))).toBe(true);
    expect(await clock.run(modem.waitRegistered(60_000))).toBe(true);
    const iccid = await clock.run(modem.iccid());
    expect(iccid && Buffer.from(iccid).toString('hex')).toBe('98103200000000000062');
    const plmn = await clock.run(modem.rPlmn());
    expect(plmn && Buffer.from(plmn).toString('hex')).toBe('130062');
    await clock.run(modem.uicc.open(AID));
    modem.close();
  });
});
