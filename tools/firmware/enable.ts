import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { factoryProfiles, operators, simulateModem } from '../../host-sim/cli/world.js';
import { RealClock } from '../../host-sim/clock.js';
import { Eim, type Outcome } from '../../host-sim/eim/index.js';
import type { TraceEvent } from '../../host-sim/events.js';
import { listenTcp } from '../../host-sim/modem/index.js';
import { makePki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import { type LinkUnderTest, openWay, type TrustUnderTest } from './way.js';

export interface EnableOptions {
  /** Path of the command-line program. */
  program: string;
  /** Path of socat, which makes the pty. */
  socat: string;
  /** Path of Mosquitto; the broker embedded in the simulator when absent. */
  mosquitto?: string;
  /** The way to the eIM; MQTT when absent. */
  link?: LinkUnderTest;
  /** With https: what the device is told to trust; the server's key when absent. */
  trust?: TrustUnderTest;
  /** More settings for the device (firmware/provisioning.ts). */
  settings?: Readonly<Record<string, unknown>>;
  /** Milliseconds that an order may take (20 s). */
  patience?: number;
  observe?: (event: TraceEvent) => void;
  /** A line that the program wrote. */
  onLine?: (line: string) => void;
}

/** What the machine has needed. Slots are `slotBytes` bytes on this computer, and 16 on a device. */
export interface MachineFigures {
  /** Version of the engine. */
  xs: string;
  slotBytes: number;
  /** Slots of the stack, and most that were taken of it. */
  stack: number;
  stackPeak: number;
  /** Most slots and bytes of chunks, garbage included. */
  slotsPeak: number;
  chunksPeak: number;
  /** After a collection at the end, when the IPA was idle. */
  slots: number;
  chunks: number;
}

export interface EnableResult {
  /** Every order ended as it must, and the profile is enabled. */
  ok: boolean;
  broker?: string;
  /** By what was ordered. */
  outcomes: Record<string, Outcome>;
  enabled: string | undefined;
  /** From the program's start to the last verified result. */
  milliseconds: number;
  /** Absent when the program did not live to say it. */
  machine: MachineFigures | undefined;
}

/** Of the device, and of the eIM that {@link runEnable} makes. */
export const EID = '89049032123451234512345678901235';
export const EIM = 'eim.example.com';
const PATIENCE = 20_000;

/**
 * Runs the firmware as a program against modem and eUICC on a pty and an eIM: it associates, lists the profiles,
 * enables one and reports that.
 *
 * @throws {Error} when the surroundings cannot be set up, or the program ends by itself
 */
export async function runEnable(options: EnableOptions): Promise<EnableResult> {
  const closing: (() => unknown)[] = [];
  try {
    const clock = new RealClock();
    const random = seeded(1);
    const trace = new Trace(clock);
    if (options.observe) trace.subscribe(options.observe);
    const eims = [{ eimId: EIM, eimIdType: 2 as const, eimFqdn: EIM }];
    const pki = await makePki({ eid: EID, eims, now: clock.now, random });
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock,
      random,
      observe: trace.observer('eim'),
    });
    closing.push(() => eim.close());
    const { link = 'mqtt', trust = 'key', mosquitto, patience = PATIENCE } = options;
    const [credentials] = pki.eims;
    const way = await openWay({ eim, credentials, pki, trace, link, trust, mosquitto, now: clock.now });
    closing.push(() => way.close());
    const network = operators();
    const { modem, euicc } = simulateModem({ pki, store: new MemoryStore(), clock, random, trace, network });
    closing.push(() => modem.powerOff());
    const line = await listenTcp(modem, { host: '127.0.0.1', port: 0 });
    closing.push(() => line.close());

    const folder = mkdtempSync(join(tmpdir(), 'xs-ipa-firmware-'));
    closing.push(() => rmSync(folder, { recursive: true, force: true }));
    const device = join(folder, 'tty');
    const socat = start(
      options.socat,
      [`PTY,link=${device},raw,echo=0`, `TCP:127.0.0.1:${line.port},nodelay`],
      folder,
    );
    closing.push(() => stop(socat));
    while (!existsSync(device)) {
      if (socat.exitCode !== null) throw new Error(`socat ended with ${socat.exitCode} and made no pty`);
      await sleep(10);
    }

    const configuration = eim.eimConfiguration({
      eid: EID,
      token: true,
      euiccCiPKId: pki.euicc.ciKeyId,
      ...way.configuration,
    });
    const settings = {
      ...way.settings,
      device,
      poll: 3,
      eim: Buffer.from(configuration).toString('hex'),
      ...options.settings,
    };
    const begun = performance.now();
    const program = start(options.program, [], folder, { XS_IPA_CONFIG: JSON.stringify(settings) });
    closing.push(() => stop(program));
    let machine: MachineFigures | undefined;
    const last: string[] = [];
    lines(program, (text) => {
      last.push(text);
      if (last.length > 10) last.shift();
      if (text.startsWith('{"xs":')) machine = JSON.parse(text) as MachineFigures;
      else options.onLine?.(text);
    });
    const died = new Promise<never>((_, reject) => {
      program.once('error', reject);
      program.once('close', (code, signal) =>
        reject(new Error(`the program ended by itself (${signal ?? code}):\n${last.join('\n')}`)),
      );
    });
    // It is stopped in the end, too.
    died.catch(() => {});

    const beta = factoryProfiles()[1];
    const order = (psmo: Record<string, unknown>) =>
      Promise.race([eim.queue(EID, { psmo: [psmo as never] }, { timeoutMilliseconds: patience }), died]);
    const outcomes = {
      listProfileInfo: await order({ op: 'listProfileInfo' }),
      enable: await order({ op: 'enable', iccid: beta.iccid }),
    };
    const milliseconds = Math.round(performance.now() - begun);
    // What is told of the machine is what an idle one has.
    const quiet = () => euicc.results.length === 0 && euicc.notifications.length === 0;
    for (let waited = 0; !quiet() && waited < patience; waited += 50) await sleep(50);
    await sleep(500);
    await stop(program);
    const enabled = euicc.profiles.find((profile) => profile.enabled)?.profileName;
    const ok = Object.values(outcomes).every((outcome) => outcome.ok) && enabled === beta.profileName;
    return { ok, broker: way.broker, outcomes, enabled, milliseconds, machine };
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

function start(file: string, args: string[], cwd: string, env: Record<string, string> = {}): ChildProcess {
  const child = spawn(file, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  // Whoever waits for it is told another way.
  child.on('error', () => {});
  child.stdout?.resume();
  child.stderr?.resume();
  return child;
}

function lines(child: ChildProcess, take: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const complete = (rest + text).split('\n');
      rest = complete.pop() ?? '';
      complete.forEach(take);
    });
  }
}

/** Ends a program and waits for its last words. */
function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill();
  });
}
