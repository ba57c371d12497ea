import { describe, expect, it } from 'vitest';
import { Lifecycle } from '../../firmware/lifecycle.js';
import { type PowerControl, powerUp } from '../../firmware/power.js';
import { VirtualClock } from '../../host-sim/clock.js';
import type { IpaState } from '../../ipa/events.js';

function setUp(options: { watchdog?: number; sleep?: number; hooks?: boolean } = {}) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const hooks = {
    watchdog: (time: number) => log.push(`watchdog ${time}`),
    feed: () => log.push(`feed ${clock.ticks}`),
    deepSleep: (time: number) => log.push(`sleep ${time}`),
  };
  const lifecycle = new Lifecycle({
    hooks: options.hooks === false ? {} : hooks,
    timer: clock,
    watchdog: options.watchdog ?? 0,
    sleep: options.sleep ?? 0,
    grace: 10_000,
    stop: async () => {
      log.push(`stop ${clock.ticks}`);
    },
  });
  lifecycle.start();
  const enter = (state: IpaState) => lifecycle.observe({ event: 'state', state, from: 'starting' });
  return { clock, log, enter };
}

describe('Lifecycle', () => {
  it('feeds the watchdog three times as often as needed', async () => {
    const { clock, log } = setUp({ watchdog: 30_000 });
    await clock.advance(20_000);
    expect(log).toEqual(['watchdog 30000', 'feed 0', 'feed 10000', 'feed 20000']);
  });

  it('sleeps when the IPA stays idle, the IPA stopped before', async () => {
    const { clock, log, enter } = setUp({ sleep: 3_600_000 });
    enter('idle');
    await clock.advance(9_000);
    enter('executing');
    await clock.advance(60_000);
    expect(log).toEqual([]);
    enter('idle');
    await clock.advance(10_000);
    expect(log).toEqual(['stop 79000', 'sleep 3600000']);
  });

  it('does neither where it is not asked for or the board cannot', async () => {
    const { clock, log, enter } = setUp();
    enter('idle');
    const without = setUp({ watchdog: 1_000, sleep: 1_000, hooks: false });
    without.enter('idle');
    await clock.advance(60_000);
    await without.clock.advance(60_000);
    expect([...log, ...without.log]).toEqual([]);
  });
});

describe('powerUp', () => {
  it('takes the steps of a board in order', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const registers: Record<number, number> = { 0x84: 0x80 };
    const control: PowerControl = {
      output: (pin, level) => log.push(`${clock.ticks}: pin ${pin} = ${level}`),
      read: (register) => registers[register] ?? 0,
      write: (register, value) => {
        registers[register] = value;
        log.push(`${clock.ticks}: register ${register} = ${value}`);
      },
    };
    const steps = [
      { register: 0x84, clear: 0x7f, set: 0x66, wait: 5 },
      { register: 0x84, set: 0x01 },
      { pin: 4, level: 0, wait: 100 },
      { wait: 1_000 },
      { pin: 4, level: 1 },
    ] as const;
    await clock.run(powerUp(steps, control, clock));
    expect(log).toEqual([
      '0: register 132 = 230',
      '5: register 132 = 231',
      '5: pin 4 = 0',
      '1105: pin 4 = 1',
    ]);
    await expect(powerUp([{ pin: 4 }], control, clock)).rejects.toThrow('a power step has');
  });
});
