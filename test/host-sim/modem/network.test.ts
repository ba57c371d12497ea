import { describe, expect, it } from 'vitest';
import { isRegistered } from '../../../hal/contracts/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Network } from '../../../host-sim/modem/index.js';
import { Radio } from '../../../host-sim/modem/radio.js';

const home = '262011234567890';
const abroad = '001010000000052';

function bench(network: Network) {
  const clock = new VirtualClock();
  const changes: [number, boolean][] = [];
  const radio = new Radio(clock, network, 3000, (stat) => changes.push([clock.ticks, isRegistered(stat)]));
  return { clock, radio, changes };
}

describe('coverage', () => {
  it('ends and comes back at its time, for one operator only', async () => {
    const network = new Network();
    const one = bench(network);
    const other = bench(network);
    one.radio.update(home, true);
    other.radio.update(abroad, true);
    network.loseCoverage(one.clock, '26201', 60_000, 30_000);
    await other.clock.advance(200_000);
    await one.clock.advance(59_999);
    expect(one.radio.registered).toBe(true);
    await one.clock.advance(1);
    expect(one.radio.registered).toBe(false);
    await one.clock.advance(30_000 + 3000);
    expect(one.radio.registered).toBe(true);
    expect(one.changes).toEqual([
      [0, false],
      [3000, true],
      [60_000, false],
      [93_000, true],
    ]);
    expect(other.radio.registered).toBe(true);
    expect(other.changes).toHaveLength(2);
  });

  it('stays away when no end is given, and may be called off', async () => {
    const network = new Network();
    const { clock, radio } = bench(network);
    radio.update(home, true);
    const callOff = network.loseCoverage(clock, '', 10_000);
    callOff();
    await clock.advance(20_000);
    expect(radio.registered).toBe(true);
    network.loseCoverage(clock, '', 10_000);
    await clock.advance(24 * 3_600_000);
    expect(radio.registered).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('is not there at all for an operator of this rule', async () => {
    const network = new Network([{ imsi: '00101', service: 'none' }]);
    const { clock, radio } = bench(network);
    radio.update(abroad, true);
    await clock.advance(600_000);
    expect(radio.registered).toBe(false);
    radio.update(home, true);
    await clock.advance(3000);
    expect(radio.registered).toBe(true);
  });
});
