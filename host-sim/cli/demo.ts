import { type Command, Option } from 'commander';
import { mqttConfiguration } from '../../hal/node/mqtt.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { RealClock } from '../clock.js';
import { Broker, Eim, MqttEim } from '../eim/index.js';
import { makePki } from '../pki/index.js';
import { seeded } from '../random.js';
import { MemoryStore } from '../store.js';
import { Figures, Trace } from '../trace/index.js';
import { DeviceFailed, loadHost, type StartHost, XsDevice, type XsFigures } from '../xs/index.js';
import { defaultEid as EID, defaultEimId as MAIN } from './folder.js';
import type { Ipa } from './ipa.js';
import { personality, UsageError, whole } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { brokerAnswers, embeddedInstead } from './reach.js';
import { type Cast, Stage, StepFailed } from './stage.js';
import { life } from './story.js';
import { createIpad, operators, simulateModem, streamTarget } from './world.js';

interface DemoOptions extends OutputOptions {
  broker?: string;
  personality: string;
  baud: number;
  seed: number;
  speed: number;
  engine: 'node' | 'xs';
  maxResponse?: number;
  slowness: number;
}

/** Bytes of a response that an ESP32's FIFO can hold while a script runs: two characters each, and the line around them. */
const XS_MAX_RESPONSE = 48;

/** The most there is. */
const NO_CAP = 256;

const BACKUP = 'backup-eim.example.com';
const BACKUP_PREFIX = 'esipa-backup';

export function registerDemo(program: Command, output: (options: OutputOptions) => Output): void {
  program
    .command('demo')
    .description(
      "one device's life: association, profile switch, eIM packages, attacks; real signatures at every joint",
    )
    .option(
      '--broker <url>',
      'use this MQTT broker instead of an embedded one, for example mqtt://127.0.0.1:1883',
    )
    .option(
      '--personality <name>',
      'kind of simulated modem (see `npx xs-ipa modem --help`)',
      personality,
      'generic',
    )
    .option(
      '--baud <rate>',
      'speed of the serial line between IPA and modem; 0 = no pacing',
      whole(0, 10_000_000),
      115200,
    )
    .option('--seed <number>', 'same seed, same keys and transactions', whole(0, 0xffffffff), 1)
    .option('--speed <factor>', 'how much faster than real time the simulation runs', whole(1, 100), 1)
    .addOption(
      new Option(
        '--engine <name>',
        "what the IPA runs on; xs: a device's engine and memory, serial port with losses, from a clone with a C compiler",
      )
        .choices(['node', 'xs'])
        .default('node'),
    )
    .option(
      '--max-response <bytes>',
      `most that is asked of the card at once (Le); none or 256 = no cap (default: none, with --engine xs ${XS_MAX_RESPONSE})`,
      (text) => (text === 'none' ? NO_CAP : whole(1, NO_CAP)(text)),
    )
    .option(
      '--slowness <factor>',
      'with --engine xs: how much slower than this computer the device is; 0 = scripts take no time',
      whole(0, 1000),
      30,
    )
    .option('--json', 'one JSON object per event (docs/events.md)')
    .option('-v, --verbose', 'AT lines and all bytes, too')
    .option('-q, --quiet', 'steps and the summary only')
    .action(async (options: DemoOptions) => {
      process.exitCode = (await demo(options, output(options))) ? 0 : 1;
    });
}

/** @returns whether everything that was queued is verified and acknowledged, and every attack was refused */
async function demo(options: DemoOptions, output: Output): Promise<boolean> {
  const start = options.engine === 'xs' ? await xsHost(options) : undefined;
  const clock = new RealClock(options.speed);
  const random = seeded(options.seed);
  const trace = new Trace(clock);
  const figures = new Figures();
  trace.subscribe((event) => figures.take(event));
  trace.subscribe((event) => output.event(event));
  const closing: (() => unknown)[] = [];
  const failures: string[] = [];

  try {
    let url = options.broker;
    if (url !== undefined) await brokerAnswers({ url }, output, embeddedInstead);
    else {
      const broker = await new Broker({ observe: trace.observer('broker') }).listen();
      closing.push(() => broker.close());
      url = broker.url;
    }
    const eims = [MAIN, BACKUP].map((name) => ({ eimId: name, eimIdType: 2 as const, eimFqdn: name }));
    const pki = await makePki({ eid: EID, eims, now: clock.now, random });
    const [eim, backup] = pki.eims.map((credentials, index) => {
      const observe = trace.observer(index === 0 ? 'eim' : 'eim 2');
      const { ciCertificates } = pki;
      return new Eim({ credentials, ciCertificates, store: new MemoryStore(), clock, random, observe });
    });
    const backupTopics = { toEim: `${BACKUP_PREFIX}/{eid}/eim`, toIpa: `${BACKUP_PREFIX}/{eid}/ipa` };
    for (const link of [new MqttEim({ eim, url }), new MqttEim({ eim: backup, url, topics: backupTopics })]) {
      await link.open();
      closing.push(() => link.close());
    }
    closing.push(() => eim.close());
    closing.push(() => backup.close());

    const network = operators();
    const { personality, baud, seed, maxResponse, slowness } = options;
    const store = new MemoryStore();
    const { euicc, modem, bearer } = simulateModem({
      pki,
      store,
      clock,
      random,
      trace,
      network,
      personality,
      // The XS host paces the line itself, so that only its serial port can lose bytes.
      baud: start ? 0 : baud,
    });
    closing.push(() => modem.powerOff());
    const prefixes = { [BACKUP]: BACKUP_PREFIX };
    let ipad: Ipa;
    let device: XsDevice | undefined;
    if (start) {
      const mqtt = mqttConfiguration({ url });
      ipad = device = await XsDevice.boot({
        start,
        modem,
        bearer,
        broker: { ...streamTarget(mqtt), user: mqtt.user, password: mqtt.password },
        observe: trace.observer('ipa'),
        prefixes,
        baud,
        seed,
        maxResponse: maxResponse ?? XS_MAX_RESPONSE,
        slowness,
      });
    } else {
      ipad = createIpad({
        serial: { io: modem.Serial, baud },
        clock,
        random,
        trace,
        storage: new MemoryKeyValue(),
        broker: { url },
        prefixes,
        bearer,
        maxResponse,
      });
    }
    const stage = new Stage({ eid: EID, ipad, euicc, network, eim, backup, clock, trace });
    const running = ipad.run();
    closing.push(async () => {
      ipad.stop();
      await running;
    });

    try {
      const told = life(stage, pki.euicc.ciKeyId);
      await (device ? Promise.race([told, device.failed]) : told);
    } catch (error) {
      if (!(error instanceof StepFailed || error instanceof DeviceFailed)) throw error;
      stage.abandon();
      failures.push(error.message);
    }
    failures.push(...leftOvers(stage.cast));
    while (closing.length > 0) await closing.pop()?.();
    failures.push(...(device?.troubles ?? []));
    const { refusedAsExpected } = stage;
    return summarise(trace, figures, failures, refusedAsExpected, modem.uartBytes, device?.figures, output);
  } finally {
    // Only after a failure is there anything left to close.
    while (closing.length > 0) await closing.pop()?.();
  }
}

/** @throws UsageError, NoXsHost */
function xsHost({ baud, speed }: DemoOptions): Promise<StartHost> {
  if (speed !== 1) throw new UsageError('--engine xs runs in real time: leave out --speed');
  if (baud === 0)
    throw new UsageError("a device's serial port has a speed: --engine xs needs a --baud above 0");
  return loadHost(import.meta.url);
}

/** What must not be there at the end. */
function leftOvers({ euicc, eim, backup }: Cast): string[] {
  const found: string[] = [];
  const kept = euicc.results.length + euicc.notifications.length;
  if (kept > 0) found.push(`${kept} results or notifications are still on the eUICC`);
  for (const { waiting, outstanding } of [...eim.devices(), ...backup.devices()]) {
    if (waiting > 0 || outstanding) found.push('orders are still open at an eIM');
  }
  return found;
}

function summarise(
  trace: Trace,
  figures: Figures,
  failures: readonly string[],
  refusedAsExpected: number,
  uart: { readonly up: number; readonly down: number },
  xs: XsFigures | undefined,
  output: Output,
): boolean {
  const { queued, verified, answered, refused, rejected, notifications, profileSwitches, apdus } = figures;
  const { messages, bytesUp, bytesDown, dropped } = figures;
  const ok =
    failures.length === 0 &&
    queued === verified + answered &&
    refused === refusedAsExpected &&
    rejected === 0;
  trace.emit('demo', {
    event: 'summary',
    ok,
    failures,
    packages: { queued, verified, answered, refused, refusedAsExpected, rejected },
    notifications,
    profileSwitches,
    apdus,
    uartBytes: { up: uart.up, down: uart.down },
    esipa: { messages, bytesUp, bytesDown, dropped },
    milliseconds: Math.round(figures.last),
    ...(xs && { xs }),
  });
  output.line();
  output.line(ok ? '■ Everything that was queued is verified and acknowledged.' : '■ The demo failed:');
  for (const failure of failures) output.line(`  ${failure}`);
  output.line();
  output.line(`  orders          ${queued} queued, ${verified} verified, ${answered} answered`);
  const more = refused === refusedAsExpected ? '' : `; refused beside them: ${refused - refusedAsExpected}`;
  output.line(`  attacks         ${refusedAsExpected} refused${more}`);
  output.line(`  notifications   ${notifications} delivered, ${profileSwitches} profile switches`);
  output.line(
    `  eUICC           ${apdus} APDUs, ${uart.up} characters up and ${uart.down} down the serial line`,
  );
  output.line(
    `  ESipa           ${messages} messages, ${bytesUp} B up and ${bytesDown} B down, ${dropped} dropped`,
  );
  if (xs) {
    output.line(
      `  XS ${xs.version.padEnd(13)}${xs.peakHeap} B of heap (${xs.peakSlots} slots of ${xs.slotBytes} B, ${xs.peakChunks} B in chunks), ${xs.peakStack} slots of stack`,
    );
    output.line(`  serial port     ${xs.serialLost} characters lost, ${xs.retries} new attempts`);
  }
  output.line(`  time            ${(figures.last / 1000).toFixed(1)} s`);
  return ok;
}
