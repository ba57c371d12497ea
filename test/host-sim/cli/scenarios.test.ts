import { describe, expect, it } from 'vitest';
import { demo } from '../../xs/demo.js';
import type { Line } from './run.js';

const GAMMA = '89000102000000000032';

/** Tells one story on Node, five times as fast as it happens. */
async function told(scenario: string, ...more: string[]) {
  const { code, summary, lines } = await demo('--scenario', scenario, '--baud', '0', '--speed', '5', ...more);
  expect({ code, ok: summary.ok, failures: summary.failures }).toEqual({ code: 0, ok: true, failures: [] });
  const events = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
  return {
    summary,
    /** Details of what the card, the eIM or the SM-DP+ did. */
    of: (event: string, what: string) =>
      events
        .filter((one) => one.event === event && one.what === what)
        .map(({ detail }) => detail as Record<string, unknown>),
    switched: events.filter(({ event }) => event === 'switched').map(({ what }) => what),
    rolledBack: events.filter(({ event }) => event === 'rollback').length,
  };
}

describe.concurrent('the stories of the demo', { timeout: 120_000 }, () => {
  it('download: one profile straight from the SM-DP+, one through an eIM', async () => {
    const { summary, of } = await told('download', '--profile-size', '3000');
    expect(summary.downloads).toBe(2);
    expect(of('card', 'profileInstalled').map(({ bytes }) => Number(bytes) > 2_000)).toEqual([true, true]);
    const results = of('smdp', 'notification').filter(({ event }) => event === 'notificationInstall');
    expect(results.map(({ verified, result }) => [verified, result])).toEqual([
      [true, 'installed'],
      [true, 'installed'],
    ]);
    const direct = summary.steps.find(({ title }) => title === 'Direct download')!;
    const indirect = summary.steps.find(({ title }) => title === 'Indirect download')!;
    // What the device did not fetch itself came from its eIM.
    expect(direct.http.down).toBeGreaterThan(4 * 1_000);
    expect(direct.esipa.down).toBeLessThan(1_000);
    expect(indirect.http).toEqual({ up: 0, down: 0 });
    expect(indirect.esipa.down).toBeGreaterThan(3_000);
    for (const { apdus, uart } of [direct, indirect]) {
      expect(apdus).toBeGreaterThan(20);
      // Hex of the profile, and what else there is to say.
      expect(uart.up).toBeGreaterThan(2 * 3_000);
    }
  });

  it('rollback: back on the profile before, and the eIM learns only that', async () => {
    const { summary, of, rolledBack } = await told('rollback');
    expect(rolledBack).toBe(1);
    const results = of('eim', 'verified').map(({ results }) => (results as { op: string }[])[0].op);
    expect(results).toEqual(['rollback', 'enable']);
    expect(summary.profileSwitches).toBe(3);
  });

  it('fallback: to the Fallback Profile and back', async () => {
    const { switched, of } = await told('fallback');
    expect(switched).toEqual(['executeFallbackMechanism', 'returnFromFallback']);
    expect(of('card', 'profileSwitched').map(({ enabled }) => enabled === GAMMA)).toEqual([true, false]);
  });

  it('emergency: the device enables and disables the profile, and nobody else may meanwhile', async () => {
    const { switched, of, summary } = await told('emergency', '--profile-size', '2000');
    expect(switched).toEqual(['enableEmergencyProfile', 'disableEmergencyProfile']);
    expect(of('eim', 'refused').map(({ name }) => name)).toEqual(['ecallActive']);
    expect(summary.packages).toMatchObject({ refused: 1, refusedAsExpected: 1 });
  });

  it('lifecycle: everything, with what each step cost', async () => {
    const { summary, switched, of, rolledBack } = await told('lifecycle', '--profile-size', '2000');
    expect(rolledBack).toBe(1);
    expect(switched).toEqual(['executeFallbackMechanism', 'returnFromFallback', 'immediateEnable']);
    expect(summary.downloads).toBe(3);
    expect(of('card', 'profileInstalled')).toHaveLength(3);
    expect(summary.steps.map(({ title }) => title)).toEqual([
      'From the factory',
      'Association',
      'Direct download',
      'A second eIM',
      'Indirect download',
      'Enable',
      'Rollback',
      'Fallback attribute',
      'Loss of coverage',
      'Return',
      'Immediate enable',
      'Delete',
      'Reset of the profiles',
      'Reset of the eIMs',
    ]);
    let apdus = 0;
    for (const step of summary.steps) {
      expect(step.apdus).toBeGreaterThan(0);
      apdus += step.apdus;
    }
    // What is left over: the channel is given back when the IPA stops.
    expect(summary.apdus - apdus).toBeLessThan(5);
    expect(of('eim', 'poll').map(({ stateChangeCause }) => stateChangeCause)).toEqual(
      expect.arrayContaining(['fallback', 'immediateEnableProfile', 'reset']),
    );
  });
});

it('a story that does not exist is a mistake', async () => {
  await expect(demo('--scenario', 'nonsense')).rejects.toThrow(/psmo, download, rollback/);
});
