import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { hex } from '../../host-sim/asn1/index.js';
import { factoryProfiles } from '../../host-sim/cli/world.js';
import { describeOnRv32 } from './available.js';
import { type Figures, type HostOptions, type HostResult, runOnXs } from './run.js';
import { EID, type XsWorld, xsWorld } from './world.js';

const [, BETA] = factoryProfiles();
/** Highest difference of a peak between the two, of the 32-bit process's. */
const TOLERANCE = 0.01;

const worlds: XsWorld[] = [];
afterEach(async () => {
  // Also when a test has run out of time: its boards would go on.
  for (const world of worlds.splice(0)) await world.close();
});

/** Connects, enables a profile, reports, and polls twice in vain. */
async function life(board?: 'rv32'): Promise<HostResult> {
  const world = await xsWorld({ speed: 10 });
  worlds.push(world);
  const outcome = world.eim.queue(
    EID,
    { psmo: [{ op: 'enable', iccid: BETA.iccid }] },
    { timeoutMilliseconds: 600_000 },
  );
  const host = await world.boot({ initialEim: hex(world.initialEim), polls: 2 }, { board, livePeaks: true });
  const result = await host.ended;
  expect(result).toMatchObject({ code: 0, complaints: '' });
  expect(await outcome).toMatchObject({ ok: true });
  return result;
}

function probe(script: string, options: Partial<HostOptions>, config: object = {}): Promise<HostResult> {
  return runOnXs({ entry: 'test/xs/device/probe.ts', config: { script, ...config }, ...options });
}

await describeOnRv32('the IPA on a bare RV32IMC board', () => {
  it('needs the heap and the stack that it needs on the 32-bit host', async () => {
    const [process, board] = await Promise.all([life(), life('rv32')]);
    expect(board.figures?.serial.lost).toBe(0);
    for (const label of ['Ipad', 'first idle', 'poll 1', 'poll 2']) {
      for (const key of [
        'slotsPeak',
        'chunksPeak',
        'bytesPeak',
        'stackPeak',
        'bytes',
      ] satisfies (keyof Figures)[]) {
        const expected = process.marks[label][key];
        const difference = Math.abs(board.marks[label][key] - expected) / expected;
        expect(difference, `${label}: ${key} ${board.marks[label][key]} for ${expected}`).toBeLessThanOrEqual(
          TOLERANCE,
        );
      }
    }
  }, 240_000);

  it.each(['log', 'exit', 'memoryFull', 'stackOverflow', 'unhandled', 'frozen', 'timers'])(
    'ends as the 32-bit host does: %s',
    async (script) => {
      const outcome = async (board?: 'rv32') => {
        const { code, lines, complaints, figures } = await probe(script, { board, virtualTime: true });
        return { code, lines, complaints, bytes: figures?.bytes, stackPeak: figures?.stackPeak };
      };
      const [process, board] = [await outcome(), await outcome('rv32')];
      expect(board).toEqual(process);
    },
  );

  it('has storage that lasts', async () => {
    const storage = mkdtempSync(join(tmpdir(), 'xs-ipa-kv-'));
    try {
      const first = await probe('storage', { storage });
      expect(first.lines[0]).toBe('count undefined other undefined');
      const { lines } = await probe('storage', { storage, board: 'rv32' });
      expect(lines).toEqual(['count 1 other undefined', ...first.lines.slice(1)]);
    } finally {
      rmSync(storage, { recursive: true });
    }
  });

  it('has TCP: every byte, the end, nobody there', async () => {
    let left = 256;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        socket.write(data);
        left -= data.length;
        if (left === 0) socket.end();
      });
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
    try {
      expect((await probe('bytes', { board: 'rv32' }, { port })).lines).toEqual(['256 true']);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect((await probe('refused', { board: 'rv32' }, { port })).lines).toEqual(['refused']);
  });
});
