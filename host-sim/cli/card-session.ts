import type { Command } from 'commander';
import { XsIpaError } from '../../hal/contracts/index.js';
import { AtModem } from '../../hal/modem/index.js';
import { sha256 } from '../../hal/node/digest.js';
import { serialConfiguration } from '../../hal/node/serial.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { Ipad } from '../../ipa/ipad.js';
import type { Operation } from '../../ipa/procedures/index.js';
import { RealClock } from '../clock.js';
import type { CardKind } from '../euicc/index.js';
import { Trace } from '../trace/index.js';
import { defaultState, StateFolder } from './folder.js';
import { accessOption, cardOption, quirksOption, seconds, UsageError, whole } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { noModem } from './reach.js';
import { simulateCard } from './simulation.js';
import { smdpConnector, smdpOption, trustOption } from './smdp-connector.js';

export interface SessionOptions extends OutputOptions {
  state: string;
  pki?: string;
  modem?: string;
  card: CardKind;
  access: 'auto' | 'csim' | 'cgla';
  quirks?: string;
  baud?: number;
  timeout: number;
  smdp: string[];
  trust: string[];
}

/** How much faster than real time a modem in this process runs. */
const SPEED = 10;
/** `83 01 07`, an LPA in the device, for consumer eUICCs, and `84 01 01`, an IPA, for those of SGP.32 (es10.md §1.3). */
const TERMINAL_CAPABILITY = [
  0x80, 0xaa, 0x00, 0x00, 0x08, 0xa9, 0x06, 0x83, 0x01, 0x07, 0x84, 0x01, 0x01,
] as const;

/** Options of every command that works on a card by an IPA of its own. */
export function sessionOptions(command: Command): Command {
  return command
    .option('--modem <where>', 'tcp://host:port, or a tty such as /dev/ttyUSB2')
    .option('--state <dir>', 'without --modem: folder of the virtual eUICC', defaultState)
    .option('--pki <dir>', "certificates of the virtual eUICC (default: pki in --state's folder)")
    .addOption(cardOption())
    .addOption(accessOption())
    .addOption(quirksOption())
    .option('--baud <rate>', 'speed of the tty', whole(1, 10_000_000))
    .option('--timeout <seconds>', 'how long the card may take to be ready', seconds, 30)
    .addOption(smdpOption())
    .addOption(trustOption())
    .option('--json', 'as one JSON object')
    .option('-v, --verbose', 'every event before, as `device` shows them');
}

/** Does operations of ipa/procedures, one after the other; each is a promise of its result. */
export type Perform = <T>(operation: Operation<T>) => Promise<T>;

/**
 * Runs an IPA on the card, with no eIM, for as long as `work` takes.
 * @throws XsIpaError when the card cannot be reached, or is no eUICC, and whatever `work` throws
 */
export async function onCard<T>(
  options: SessionOptions,
  output: Output,
  work: (perform: Perform) => Promise<T>,
): Promise<T> {
  const simulated = options.modem === undefined;
  const connectSmdp = smdpConnector(options);
  const clock = new RealClock(simulated ? SPEED : 1);
  const trace = new Trace(clock);
  if (options.verbose) trace.subscribe((event) => output.event(event));
  const world = simulated ? await simulation(options, output, clock, trace) : undefined;
  const serial = world
    ? { io: world.modem.Serial, baud: 0 }
    : { ...serialConfiguration(options.modem!), ...(options.baud !== undefined && { baud: options.baud }) };
  const observe = trace.observer('ipa');
  const modem = new AtModem({
    serial,
    timer: clock,
    time: clock,
    access: options.access,
    quirks: options.quirks,
    terminalCapability: TERMINAL_CAPABILITY,
    observe,
  });
  const ipad = new Ipad({
    modem,
    // What `device` has noted down of its eIMs is none of our business.
    platform: { timer: clock, time: clock, random: Math.random, storage: new MemoryKeyValue(), sha256 },
    connectSmdp,
    createLink: () => undefined,
    settings: {
      networkThroughModem: false,
      localNotifications: false,
      simReadyDeadline: options.timeout * 1_000,
      pollInterval: 86_400_000,
    },
    observe,
  });
  let lost = '';
  /** What there is instead of an eUICC. */
  let instead = '';
  const unreachable = new Promise<never>((_resolve, reject) => {
    trace.subscribe((event) => {
      if (event.event === 'modem' && event.notice === 'portLost') lost = String(event.detail);
      if (event.event === 'euicc') instead = event.kind === 'none' ? event.detail : '';
      if (event.event !== 'failure' || event.where !== 'device') return;
      const { code, detail } = event;
      if (instead !== '') reject(new XsIpaError('noEuicc', `the card is ${instead}`));
      const isPort = code === 'closed' && options.modem !== undefined;
      reject(isPort ? noModem(options.modem!, lost || detail) : new XsIpaError(code, detail));
    });
  });
  unreachable.catch(() => {});
  const running = ipad.run();
  try {
    return await Promise.race([work((operation) => ipad.perform(operation)), unreachable]);
  } finally {
    ipad.stop();
    await running;
    world?.modem.powerOff();
  }
}

async function simulation(options: SessionOptions, output: Output, clock: RealClock, trace: Trace) {
  if (options.baud !== undefined) throw new UsageError('--baud belongs to --modem');
  const folder = new StateFolder(options.state);
  folder.lock('card', 'the virtual eUICC');
  return simulateCard(folder, output, { clock, trace, pkiDir: options.pki, kind: options.card, baud: 0 });
}
