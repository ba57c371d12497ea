import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Activity, activitiesOf, faultsOf } from './wire-frames.js';
import { bringUp, Capture, enterNamespace, isInside, WireError } from './wire-net.js';
import { type Measured, markdown, plot } from './wire-report.js';
import { tlsWays } from './wire-tls.js';
import { decodings, eimTls, PSK, ports, type Transport, transports, WireWorld } from './wire-world.js';

const HELP = `Usage: npm run bench:wire [-- options]

Counts bytes on the wire: captures of a device and its eIM on a network of their own, read by tshark. Writes docs/bench/wire.md
and docs/bench/wire.svg.

  --json             one JSON object per transport on stdout (npm run --silent bench:wire -- --json)
  --transport NAME   only this one of ${transports.join(', ')}; may be repeated; docs/bench stays as it is
  --captures DIR     keeps the captures and the keys to them
  --out DIR          instead of docs/bench
  --help             this text

Needs Linux with tshark, dumpcap, ip and unshare, and root or the right to unprivileged user namespaces.
`;

/** Polls before the first that is counted. */
const WARM = 20;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean' },
        transport: { type: 'string', multiple: true },
        captures: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    const wanted = values.transport ?? transports;
    for (const name of wanted)
      if (!(transports as readonly string[]).includes(name))
        throw new UsageError(`there is no transport ${name}; there are ${transports.join(', ')}`);
    return { ...values, wanted: wanted as readonly Transport[] };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Everything that is measured of a transport, from mark to mark. */
async function live(transport: Transport, capture: Capture): Promise<void> {
  const world = await WireWorld.open(transport);
  const isHttps = transport.startsWith('https');
  const hasTls = isHttps || transport === 'mqtts';
  try {
    await capture.mark('bring-up');
    await world.wakeUp(false);
    // TCP acknowledges at once at the beginning of a connection; this one has stood for a while.
    for (let i = 0; i < WARM; i++) await world.poll();
    await capture.mark('empty poll');
    await world.poll();
    await capture.mark('five packages');
    await world.five();
    if (!isHttps) {
      await capture.mark('five packages, injected');
      await world.five('injection');
    }
    await capture.mark('enable and report');
    await world.enable();
    await capture.mark('download');
    await world.download();
    await capture.mark('');
    await world.sleep();
    if (hasTls || transport === 'coaps') {
      await capture.mark('wake-up, full handshake');
      await world.wakeUp(false);
      await world.sleep();
    }
    if (hasTls) {
      await capture.mark('wake-up, resumed');
      await world.wakeUp(true);
      await world.sleep();
      await capture.mark('wake-up, resumed, five packages');
      const done = world.queueFive();
      await world.wakeUp(true);
      await done;
      await world.sleep();
    }
    await capture.mark('');
  } finally {
    await world.close();
  }
}

async function measure(transport: Transport, folder: string, keyLog: string): Promise<Measured> {
  const capture = await Capture.start(join(folder, `${transport}.pcapng`));
  try {
    await live(transport, capture);
  } finally {
    await capture.stop();
  }
  const decoding = { keyLog, psk: PSK.key, ports: decodings };
  const activities: Activity[] = await activitiesOf(capture.file, ports[transport], decoding);
  return { transport, activities, faults: await faultsOf(capture.file, decoding) };
}

async function inside(values: ReturnType<typeof options>): Promise<number> {
  const { keyLog } = bringUp();
  const folder = values.captures ?? mkdtempSync(join(tmpdir(), 'xs-ipa-captures-'));
  mkdirSync(folder, { recursive: true });
  const measured: Measured[] = [];
  try {
    for (const [index, transport] of values.wanted.entries()) {
      process.stderr.write(`bench: ${index + 1}/${values.wanted.length} ${transport} …`);
      const start = Date.now();
      const one = await measure(transport, folder, keyLog);
      process.stderr.write(` ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
      measured.push(one);
      if (values.json) process.stdout.write(`${JSON.stringify(one)}\n`);
    }
  } finally {
    if (!values.captures) rmSync(folder, { recursive: true });
  }
  const ways = await tlsWays(await eimTls());
  if (values.json) process.stdout.write(`${JSON.stringify({ tls: ways })}\n`);
  const page = markdown(measured, ways);
  if (!values.json) process.stdout.write(page);
  if (!values.transport) {
    const out = values.out ?? 'docs/bench';
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'wire.md'), page);
    writeFileSync(join(out, 'wire.svg'), plot(measured));
  }
  const faults = measured.flatMap(({ transport, faults }) => faults.map((fault) => `${transport}: ${fault}`));
  for (const fault of faults) process.stderr.write(`bench: ${fault}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function bench(): Promise<number> {
  const values = options();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (isInside()) return inside(values);
  const folder = values.captures ?? mkdtempSync(join(tmpdir(), 'xs-ipa-keys-'));
  mkdirSync(folder, { recursive: true });
  try {
    return await enterNamespace(join(folder, 'keys.log'));
  } finally {
    if (!values.captures) rmSync(folder, { recursive: true });
  }
}

bench().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const known = error instanceof WireError || error instanceof UsageError;
    process.stderr.write(`bench: ${known ? error.message : (error as Error).stack}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
