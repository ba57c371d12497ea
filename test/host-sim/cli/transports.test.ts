import { describe, expect, it } from 'vitest';
import { type DemoTransport, demoTransports } from '../../../host-sim/cli/demo-transport.js';
import { demo, type Summary } from '../../xs/demo.js';
import type { Line } from './run.js';

/** What every transport has to end with: who did what for whom, without times, numbers and keys. */
interface Outcome {
  packages: Summary['packages'];
  downloads: number;
  notifications: number;
  results: unknown[];
  refusals: unknown[];
  switches: unknown[];
}

/** Tells a story on Node, five times as fast as it happens. */
async function told(scenario: string, ...more: string[]) {
  const { code, summary, lines } = await demo(
    ...['--scenario', scenario, '--baud', '0', '--speed', '5', '--profile-size', '2000'],
    ...more,
  );
  expect({ code, ok: summary.ok, failures: summary.failures }).toEqual({ code: 0, ok: true, failures: [] });
  const events = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
  const details = (event: string, what: string) =>
    events
      .filter((one) => one.event === event && one.what === what)
      .map(({ who, detail }) => ({ who, ...(detail as object) }) as Record<string, unknown>);
  const { packages, downloads, notifications } = summary;
  const outcome: Outcome = {
    packages,
    downloads,
    notifications,
    results: details('eim', 'verified').map(({ who, counterValue, results }) => ({
      who,
      counterValue,
      operations: (results as { op: string; name: string }[]).map(({ op, name }) => [op, name]),
    })),
    refusals: details('eim', 'refused').map(({ who, name, by }) => ({ who, name, by })),
    switches: details('card', 'profileSwitched').map(({ enabled, disabled }) => ({ enabled, disabled })),
  };
  return { summary, outcome, events };
}

const offline: Readonly<Record<string, [title: string, text: RegExp]>> = {
  mqtt: ['Injection while the device is offline', /the broker keeps it/],
  coap: ['Injection while the device is offline', /the poll of the device that is back brings it/],
  http: ['An order while the device is offline', /Over HTTPS nobody can push/],
};

/** What the story says must be what this transport does. */
function expectTruth(transport: DemoTransport, events: readonly Line[]): void {
  const steps = events.filter(({ event }) => event === 'step');
  const textOf = (title: string) => steps.find((step) => step.title === title)?.detail;
  const [title, text] = offline[transport.slice(0, 4)];
  expect(textOf(title)).toMatch(text);
  const isPolled = transport.startsWith('http');
  const comes = isPolled ? /as the answer to a poll/ : /pushed to the device/;
  expect(textOf('A recorded package is played back')).toMatch(comes);
  const modes = events.filter(({ event, what }) => event === 'eim' && what === 'queued');
  expect(modes.some(({ detail }) => (detail as { mode: string }).mode === 'injection')).toBe(!isPolled);
}

describe.each(['psmo', 'download'])('the story %s', { timeout: 240_000 }, (scenario) => {
  it('ends the same over every transport', async () => {
    const runs: (Awaited<ReturnType<typeof told>> & { transport: DemoTransport })[] = [];
    // Two at a time: more of them would wait for each other longer than a story waits.
    for (let at = 0; at < demoTransports.length; at += 2) {
      const pair = demoTransports.slice(at, at + 2).map(async (transport) => {
        return { transport, ...(await told(scenario, '--transport', transport)) };
      });
      runs.push(...(await Promise.all(pair)));
    }
    const [first] = runs;
    expect(first.outcome.results.length).toBeGreaterThan(1);
    expect(first.outcome.switches.length).toBe(scenario === 'psmo' ? 2 : 1);
    for (const { outcome } of runs) expect(outcome).toEqual(first.outcome);

    for (const { transport, summary } of runs) {
      const [cost, ...others] = summary.transports;
      expect(others).toEqual([]);
      expect(cost).toMatchObject({
        transport,
        eimIds: ['eim.example.com', 'backup-eim.example.com'],
        messages: summary.esipa.messages,
      });
      // No layer below is shorter than what it carries; compact messages are not compressed ones.
      expect(cost.wire.up).toBeGreaterThan(cost.payload.up);
      expect(cost.wire.down).toBeGreaterThan(cost.payload.down);
      const isUdp = transport.startsWith('coap');
      expect(cost.datagrams === undefined).toBe(!isUdp);
      expect(cost.connections === undefined).toBe(isUdp);
      // One session for each eIM outlives every change of the network.
      expect(cost.sessions).toBe(transport === 'coaps' ? 2 : undefined);
      if (cost.datagrams) expect(cost.datagrams.up).toBeGreaterThanOrEqual(cost.messages / 2);
      else expect(cost.connections).toBeGreaterThanOrEqual(2);
    }
    if (scenario === 'psmo') for (const { transport, events } of runs) expectTruth(transport, events);
    const up = (name: string) =>
      runs.find(({ transport }) => transport === name)!.summary.transports[0].wire.up;
    expect(up('coap')).toBeLessThan(up('coaps'));
    expect(up('coaps')).toBeLessThan(up('https'));
    expect(up('https')).toBeLessThan(up('https-json'));
    expect(up('mqtt')).toBeLessThan(up('mqtts'));
  });
});

describe('two eIMs over different links', { timeout: 120_000 }, () => {
  it.each([
    ['mqtts', 'coaps'],
    ['coap', 'https-json'],
    ['https', 'mqtt'],
  ])('%s and %s are served in one wake-up', async (transport, backup) => {
    const { summary, events } = await told('psmo', '--transport', transport, '--backup-transport', backup);
    expect(summary.transports.map(({ transport, eimIds }) => [transport, eimIds])).toEqual([
      [transport, ['eim.example.com']],
      [backup, ['backup-eim.example.com']],
    ]);
    for (const { messages, wire } of summary.transports) {
      expect(messages).toBeGreaterThan(4);
      expect(wire.down).toBeGreaterThan(100);
    }
    // Both answer between two sleeps of the device.
    const wakeUps: Set<unknown>[] = [new Set()];
    for (const { event, state, direction, eimId } of events) {
      if (event === 'state' && state === 'idle') wakeUps.push(new Set());
      if (event === 'esipa' && direction === 'down') wakeUps.at(-1)!.add(eimId);
    }
    expect(wakeUps.some(({ size }) => size === 2)).toBe(true);
  });
});
