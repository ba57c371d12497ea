import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type LinkedPart, linkedParts } from '../xs/link-map.js';
import { BuildError, buildHost } from '../xs/run.js';
import { BenchFailed } from './device.js';
import { type MemoryLine, measureAlive } from './measure.js';
import { type Scenario, scenarios } from './scenarios.js';

const HELP = `Usage: npm run bench:rv32 [-- options]

Peaks of the IPA on XS on a bare RV32IMC board in qemu, the instruction set of an ESP32-C3, beside those of the 32-bit process
that \`npm run bench\` measures. Exit code 1 when they differ by more than 1 %.

  --json   one JSON object per line on stdout instead of tables (npm run --silent bench:rv32 -- --json)
  --help   this text

Needs gcc-multilib, gcc-riscv64-unknown-elf, picolibc-riscv64-unknown-elf, qemu-system-misc; without them it measures nothing.
`;

const SCENARIOS = ['empty-poll', 'enable-report'];
/** Of what the process measures. */
const TOLERANCE = 0.01;

type Peaks = Pick<MemoryLine, 'peakHeapBytes' | 'peakStackSlots' | 'idleHeapBytes'>;

/** A scenario on both. What is alive, garbage not counted; bytes and slots are above the freshly booted machine. */
export interface Rv32Line extends Peaks {
  bench: 'rv32';
  scenario: string;
  /** The same of the 32-bit process. */
  m32: Peaks;
  /** The largest of the three, signed. */
  differencePercent: number;
}

/** What the linker made of a part of the program. */
export interface Rv32FlashLine extends LinkedPart {
  bench: 'rv32-flash';
}

/** Figures of the way from power-up, and of each scenario. */
export async function compare(scenario: Scenario, bringUp: boolean): Promise<Rv32Line[]> {
  const m32 = await measureAlive(scenario, bringUp);
  const rv32 = await measureAlive(scenario, bringUp, 'rv32');
  return [...(bringUp ? ['bringUp' as const] : []), 'line' as const].map((which) =>
    beside(rv32[which], m32[which]),
  );
}

function beside(rv32: MemoryLine, m32: MemoryLine): Rv32Line {
  const [own, other] = [rv32, m32].map(
    ({ peakHeapBytes, peakStackSlots, idleHeapBytes }): Peaks => ({
      peakHeapBytes,
      peakStackSlots,
      idleHeapBytes,
    }),
  );
  const differences = (Object.keys(own) as (keyof Peaks)[]).map((key) => own[key] / other[key] - 1);
  const largest = differences.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most));
  const differencePercent = Math.round(largest * 10_000) / 100;
  return { bench: 'rv32', scenario: rv32.scenario, ...own, m32: other, differencePercent };
}

export function flash(map: string): Rv32FlashLine[] {
  return linkedParts(map).map((part) => ({ bench: 'rv32-flash', ...part }));
}

function tables(lines: readonly Rv32Line[], parts: readonly Rv32FlashLine[]): string {
  const n = (value: number) => value.toLocaleString('en-US');
  return [
    '| Scenario | Peak B, RV32 | -m32 | Idle B, RV32 | -m32 | Stack slots, RV32 | -m32 | Difference |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...lines.map(({ scenario, m32, differencePercent, ...rv32 }) =>
      [
        `| \`${scenario}\``,
        n(rv32.peakHeapBytes),
        n(m32.peakHeapBytes),
        n(rv32.idleHeapBytes),
        n(m32.idleHeapBytes),
        rv32.peakStackSlots,
        m32.peakStackSlots,
        `${differencePercent} % |`,
      ].join(' | '),
    ),
    '',
    '| Part of the RV32 program | Flash B | RAM B |',
    '|---|---:|---:|',
    ...parts.map(({ part, flashBytes, ramBytes }) => `| ${part} | ${n(flashBytes)} | ${n(ramBytes)} |`),
    '',
  ].join('\n');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function bench(json: boolean): Promise<number> {
  const print = (line: object) => {
    if (json) process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  let map: string;
  try {
    const { bits } = await buildHost();
    if (bits !== 32) throw new BuildError('no 32-bit C compiler (Debian: apt install gcc-multilib)', 3);
    ({ map } = await buildHost({ board: 'rv32' }));
  } catch (error) {
    if (!(error instanceof BuildError) || error.exitCode === 5) throw error;
    say(`bench:rv32: skipped: ${error.message}`);
    print({ bench: 'rv32', skipped: error.message });
    return 0;
  }
  const lines: Rv32Line[] = [];
  const chosen = scenarios(1).filter(({ name }) => SCENARIOS.includes(name));
  for (const [index, scenario] of chosen.entries()) {
    say(`bench:rv32: ${scenario.name}: ${scenario.title}`);
    for (const line of await compare(scenario, index === 0)) {
      print(line);
      lines.push(line);
    }
  }
  const parts = flash(readFileSync(map, 'utf8'));
  for (const part of parts) print(part);
  if (!json) process.stdout.write(tables(lines, parts));
  const apart = lines.filter(({ differencePercent }) => Math.abs(differencePercent) > 100 * TOLERANCE);
  for (const { scenario, differencePercent } of apart)
    say(`bench:rv32: ${scenario} differs by ${differencePercent} %, more than ${100 * TOLERANCE} %`);
  return apart.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  let values: { json?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({ options: { json: { type: 'boolean' }, help: { type: 'boolean' } } }));
  } catch (error) {
    say(`bench:rv32: ${(error as Error).message}`);
    return 1;
  }
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  return bench(values.json ?? false);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof BuildError || error instanceof BenchFailed)) throw error;
  say(`bench:rv32: ${error.message}`);
  process.exitCode = 1;
}
