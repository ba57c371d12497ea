import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Activity } from '../bench/wire-frames.js';
import type { Measured } from '../bench/wire-report.js';
import { Program } from '../program.js';
import { describeWith } from '../tools.js';

/** The bench as `npm test` has built it. */
const BENCH = 'dist/bench-wire.js';

/** What every capture of an order has to show, whatever the transport: the least number of each message. */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>> = {
  coap: {
    'empty poll': { POST: 1, '2.05': 1 },
    'five packages': { POST: 11, '2.05': 11 },
    'five packages, injected': { POST: 5 },
    download: { POST: 10, '2.05': 9 },
  },
  mqtt: {
    'bring-up': { CONNECT: 1, CONNACK: 1, SUBSCRIBE: 1, SUBACK: 1, PUBLISH: 4, PUBACK: 2 },
    'empty poll': { PUBLISH: 2 },
    'five packages': { PUBLISH: 22, PUBACK: 10 },
    'enable and report': { CONNECT: 1, PUBLISH: 4, PUBACK: 2 },
  },
  https: {
    'empty poll': { POST: 1, '200': 1 },
    'five packages': { POST: 11, '200': 11 },
    'enable and report': { POST: 3, '200': 3 },
    download: { POST: 5, '200': 4, '204': 1 },
  },
};

/** Security and binding change no messages. */
const FAMILY: Readonly<Record<string, string>> = {
  coap: 'coap',
  coaps: 'coap',
  mqtt: 'mqtt',
  mqtts: 'mqtt',
  https: 'https',
  'https-json': 'https',
};

/** Most bytes with IP headers, where there is a goal. */
const MOST: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  coap: { 'empty poll': 140 },
  coaps: { 'empty poll': 200 },
  mqtts: { 'empty poll': 470 },
  https: { 'wake-up, resumed': 2_000, 'wake-up, resumed, five packages': 9_000 },
};

describeWith(['tshark', 'dumpcap', 'unshare', 'ip'], 'tshark reads the captures of', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'xs-ipa-wireshark-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.keys(FAMILY))(
    '%s, nothing malformed, every message seen',
    async (transport) => {
      if (!existsSync(BENCH)) throw new Error(`${BENCH} is not there: run "npm run build" first`);
      const bench = new Program(process.execPath, [
        BENCH,
        '--json',
        '--transport',
        transport,
        '--captures',
        folder,
      ]);
      const code = await bench.ended();
      const line = bench.lines.find((one) => one.startsWith('{"transport"'));
      if (line === undefined) throw new Error(bench.lines.join('\n'));
      const { activities, faults } = JSON.parse(line) as Measured;
      expect(faults).toEqual([]);
      expect(code).toBe(0);
      const named = (name: string): Activity => {
        const found = activities.find((activity) => activity.name === name);
        if (!found) throw new Error(`no ${name} among ${activities.map((one) => one.name).join(', ')}`);
        return found;
      };
      for (const [name, least] of Object.entries(EXPECTED[FAMILY[transport]])) {
        const { seen } = named(name);
        for (const [message, count] of Object.entries(least))
          expect(seen[message] ?? 0, `${message} of ${name}`).toBeGreaterThanOrEqual(count);
      }
      for (const [name, most] of Object.entries(MOST[transport] ?? {}))
        expect(named(name).bytes, name).toBeLessThanOrEqual(most);
      if (transport !== 'coap' && transport !== 'mqtt') {
        expect(named('wake-up, full handshake')).toMatchObject({ connections: 1, full: 1, resumed: 0 });
        // Nothing can be read without the keys. Behind the eIM's DTLS is a CoAP server of its own on the same loopback.
        const capture = readFileSync(join(folder, `${transport}.pcapng`));
        expect(capture.includes('gsma')).toBe(transport === 'coaps');
      }
      if (activities.some(({ name }) => name === 'wake-up, resumed'))
        expect(named('wake-up, resumed')).toMatchObject({ connections: 1, full: 0, resumed: 1 });
    },
    120_000,
  );
});
