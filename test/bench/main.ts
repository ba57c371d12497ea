import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../xs/bundle.js';
import { BuildError, buildHost } from '../xs/run.js';
import { BenchFailed } from './device.js';
import { type Measured, measure } from './measure.js';
import { type FlashLine, flashLines, type PartsLine, partsLines } from './parts.js';
import { downloadPlot, plot, transportPlot } from './plot.js';
import { markdown } from './report.js';
import { scenarios } from './scenarios.js';
import { firstOf } from './transports.js';

const HELP = `Usage: npm run bench [-- options]

Measures the IPA on the XS engine: heap, stack, APDUs, characters on the serial line. Writes docs/bench.

  --json            one JSON object per line on stdout instead of tables (npm run --silent bench -- --json)
  --scenario NAME   only this one, may be repeated; docs/bench stays as it is
  --polls N         of the long scenario (10000)
  --out DIR         instead of docs/bench
  --help            this text

Needs a C compiler; gcc-multilib for figures of a device (without it they are marked as those of a 64-bit host).
`;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

function options() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean' },
        scenario: { type: 'string', multiple: true },
        polls: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function bench(): Promise<number> {
  const values = options();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const polls = Number(values.polls ?? 10_000);
  if (!Number.isInteger(polls) || polls < 1) throw new UsageError('--polls takes a number from 1');
  const all = scenarios(polls);
  const wanted = values.scenario;
  for (const name of wanted ?? []) {
    if (!all.some((scenario) => scenario.name === name))
      throw new UsageError(
        `there is no scenario ${name}; there are ${all.map((scenario) => scenario.name).join(', ')}`,
      );
  }
  const chosen = wanted ? all.filter(({ name }) => wanted.includes(name)) : all;
  const print = (line: object) => {
    if (values.json) process.stdout.write(`${JSON.stringify(line)}\n`);
  };

  say('bench: the XS host');
  const { bits } = await buildHost();
  if (bits === 64)
    say('bench: no 32-bit C compiler (Debian: apt install gcc-multilib): figures are of a 64-bit host');
  const measured: Measured[] = [];
  for (const [index, scenario] of chosen.entries()) {
    const start = Date.now();
    process.stderr.write(`bench: ${index + 1}/${chosen.length} ${scenario.name}: ${scenario.title} …`);
    const one = await measure(scenario, index === 0);
    say(` ${((Date.now() - start) / 1000).toFixed(1)} s`);
    if (one.bringUp) print(one.bringUp);
    print(one.line);
    measured.push(one);
  }
  if (measured.length === 0) return 0;
  const [first] = measured;
  const parts: PartsLine[] = partsLines(first.start);
  const flash: FlashLine[] = await flashLines();
  for (const line of [...parts, ...flash]) print(line);

  const memory = measured.flatMap(({ bringUp, line }) => (bringUp ? [bringUp, line] : [line]));
  const page = markdown({ version: first.start.idle.version, memory, parts, flash }, all);
  if (!values.json) process.stdout.write(`${page.slice(page.indexOf('## '))}\n`);
  if (wanted && !values.out) return 0;
  const folder = values.out ?? join(root, 'docs', 'bench');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'README.md'), page);
  const own = firstOf(memory);
  writeFileSync(join(folder, 'heap.svg'), plot(own.filter(({ profileBytes }) => !profileBytes)));
  if (own.some(({ profileBytes }) => profileBytes))
    writeFileSync(join(folder, 'download.svg'), downloadPlot(own));
  writeFileSync(join(folder, 'transport.svg'), transportPlot(memory));
  say(`bench: wrote ${folder}`);
  return 0;
}

try {
  process.exitCode = await bench();
} catch (error) {
  const known = [BuildError, BenchFailed, UsageError].some((kind) => error instanceof kind);
  if (!known) throw error;
  say(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
