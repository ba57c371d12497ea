import { type Command, Option } from 'commander';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { RealClock } from '../clock.js';
import { Eim } from '../eim/index.js';
import { makePki } from '../pki/index.js';
import { seeded } from '../random.js';
import { MemoryStore } from '../store.js';
import { Figures, Trace } from '../trace/index.js';
import { DeviceFailed, loadHost, type StartHost, XsDevice } from '../xs/index.js';
import { Costs } from './costs.js';
import { Meter } from './demo-meter.js';
import { startSmdp } from './demo-smdp.js';
import { chosenTransports, type DemoTransport, demoTransports } from './demo-transport.js';
import { startWays } from './demo-ways.js';
import { defaultEid as EID, defaultEimId as MAIN } from './folder.js';
import { type Ipa, NodeIpa } from './ipa.js';
import { personality, UsageError, whole } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { brokerAnswers, embeddedInstead } from './reach.js';
import { type Scenario, type ScenarioName, scenarios } from './scenarios/index.js';
import { Stage, StepFailed } from './stage.js';
import { leftOvers, summarise } from './summary.js';
import { createIpad, factoryProfiles, operators, simulateModem } from './world.js';

interface DemoOptions extends OutputOptions {
  scenario: ScenarioName;
  profileSize: number;
  transport?: DemoTransport;
  backupTransport?: DemoTransport;
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

/** Least memory of the eUICC for profiles, bytes. */
const MEMORY = 1_048_576;

const BACKUP = 'backup-eim.example.com';
const BACKUP_PREFIX = 'esipa-backup';

export function registerDemo(program: Command, output: (options: OutputOptions) => Output): void {
  program
    .command('demo')
    .description(
      "one device's life: association, profile switch, eIM packages, attacks; real signatures at every joint",
    )
    .addOption(
      new Option('--scenario <name>', 'which story is told')
        .choices(Object.keys(scenarios))
        .default('psmo' satisfies ScenarioName),
    )
    .option('--profile-size <bytes>', 'of the profiles that are downloaded', whole(500, 4_000_000), 12_000)
    .addOption(
      new Option('--transport <name>', 'what the eIM is reached by')
        .choices(demoTransports)
        .default(undefined, 'mqtt'),
    )
    .addOption(
      new Option('--backup-transport <name>', 'the same for the second eIM')
        .choices(demoTransports)
        .default(undefined, "the first one's"),
    )
    .option(
      '--broker <url>',
      'with mqtt or mqtts: this broker instead of an embedded one, for example mqtt://127.0.0.1:1883',
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
  const transports = chosenTransports(options);
  const start =
    options.engine === 'xs'
      ? await output.during('building the XS host, the first time', xsHost(options))
      : undefined;
  const clock = new RealClock(options.speed);
  const random = seeded(options.seed);
  const trace = new Trace(clock);
  const figures = new Figures();
  const scenario: Scenario = scenarios[options.scenario];
  const meter = new Meter();
  trace.subscribe((event) => figures.take(event));
  trace.subscribe((event) => meter.take(event));
  trace.subscribe((event) => output.event(event));
  const closing: (() => unknown)[] = [];
  const failures: string[] = [];

  try {
    const { broker: brokerUrl } = options;
    if (brokerUrl !== undefined) await brokerAnswers({ url: brokerUrl }, output, embeddedInstead);
    const eims = [MAIN, BACKUP].map((name) => ({ eimId: name, eimIdType: 2 as const, eimFqdn: name }));
    const pki = await makePki({ eid: EID, eims, now: clock.now, random });
    const network = operators();
    const { personality, baud, seed, maxResponse, slowness, profileSize } = options;
    const [{ address: smdpAddress }] = pki.smdps;
    const store = new MemoryStore();
    const { euicc, modem, bearer } = simulateModem({
      pki,
      store,
      clock,
      random,
      trace,
      network,
      personality,
      profiles: factoryProfiles(scenario.downloads ? smdpAddress : undefined),
      ecallSupported: scenario.ecallSupported,
      memoryBytes: Math.max(MEMORY, 4 * profileSize),
      // The XS host paces the line itself, so that only its serial port can lose bytes.
      baud: start ? 0 : baud,
    });
    closing.push(() => modem.powerOff());
    const smdp = scenario.downloads ? await startSmdp({ pki, clock, random, trace, bearer }) : undefined;
    closing.push(() => smdp?.close());
    const [eim, backup] = pki.eims.map((credentials, index) => {
      const observe = trace.observer(index === 0 ? 'eim' : 'eim 2');
      const { ciCertificates } = pki;
      const { connect } = smdp ?? {};
      return new Eim({
        credentials,
        ciCertificates,
        store: new MemoryStore(),
        clock,
        random,
        observe,
        connect,
      });
    });
    const [credentials, backupCredentials] = pki.eims;
    const { ways, links, close } = await startWays({
      eims: [
        { eim, credentials, transport: transports[0] },
        { eim: backup, credentials: backupCredentials, transport: transports[1], prefix: BACKUP_PREFIX },
      ],
      brokerUrl,
      pki,
      clock,
      trace,
    });
    closing.push(close);
    closing.push(() => eim.close());
    closing.push(() => backup.close());

    let ipad: Ipa;
    let device: XsDevice | undefined;
    if (start) {
      ipad = device = await XsDevice.boot({
        start,
        modem,
        bearer,
        ways: Object.fromEntries(ways.map(({ eimId, xs }) => [eimId, xs])),
        observe: trace.observer('ipa'),
        baud,
        seed,
        maxResponse: maxResponse ?? XS_MAX_RESPONSE,
        slowness,
        settings: scenario.settings as Readonly<Record<string, number | boolean>> | undefined,
        smdp: smdp?.xs,
      });
    } else {
      const own = createIpad({
        serial: { io: modem.Serial, baud },
        clock,
        random,
        trace,
        storage: new MemoryKeyValue(),
        ...links,
        bearer,
        maxResponse,
        connectSmdp: smdp?.connectSmdp,
        settings: scenario.settings,
      });
      ipad = new NodeIpa(own);
    }
    const costs = new Costs(() => ({
      ticks: clock.ticks,
      apdus: figures.apdus,
      uart: { ...modem.uartBytes },
      esipa: { up: figures.bytesUp, down: figures.bytesDown },
      http: { up: 0, down: 0, ...smdp?.relay.bytes },
    }));
    const stage = new Stage({
      eid: EID,
      ipad,
      euicc,
      network,
      eim,
      backup,
      ways,
      clock,
      trace,
      costs,
      ciKeyId: pki.euicc.ciKeyId,
      smdp: smdp?.smdp,
      smdpWay: smdp?.way,
      profileSize,
      baud,
    });
    const running = ipad.run();
    closing.push(async () => {
      ipad.stop();
      await running;
    });

    try {
      const told = scenario.tell(stage).then(() => stage.finish());
      const ended = device ? Promise.race([told, device.failed]) : told;
      // Otherwise the events themselves are the progress.
      await (options.quiet ? output.during(() => costs.progress, ended) : ended);
    } catch (error) {
      if (!(error instanceof StepFailed || error instanceof DeviceFailed)) throw error;
      stage.abandon();
      failures.push(error.message);
    }
    failures.push(...leftOvers(stage.cast));
    while (closing.length > 0) await closing.pop()?.();
    failures.push(...(device?.troubles ?? []));
    return summarise(
      {
        scenario: options.scenario,
        trace,
        figures,
        costs,
        failures,
        refusedAsExpected: stage.refusedAsExpected,
        uart: modem.uartBytes,
        http: smdp?.relay.bytes ?? { up: 0, down: 0 },
        transports: meter.costs(ways, bearer),
        xs: device?.figures,
      },
      output,
    );
  } finally {
    // Only after a failure is there anything left to close.
    while (closing.length > 0) await closing.pop()?.();
  }
}

/** @throws UsageError, NoXsHost */
async function xsHost({ baud, speed }: DemoOptions): Promise<StartHost> {
  if (speed !== 1) throw new UsageError('--engine xs runs in real time: leave out --speed');
  if (baud === 0)
    throw new UsageError("a device's serial port has a speed: --engine xs needs a --baud above 0");
  return loadHost(import.meta.url);
}
