import type { Command } from 'commander';
import { type SerialConfiguration, XsIpaError } from '../../hal/contracts/index.js';
import { mqttConfiguration } from '../../hal/node/mqtt.js';
import { serialConfiguration } from '../../hal/node/serial.js';
import { FileKeyValue } from '../../hal/node/storage.js';
import type { LinkKind } from '../../ipa/esipa/index.js';
import type { Ipad } from '../../ipa/ipad.js';
import { hex } from '../asn1/index.js';
import { RealClock } from '../clock.js';
import { EimControlClient } from '../eim/index.js';
import type { TraceEvent } from '../events.js';
import { Trace } from '../trace/index.js';
import { coapOptions } from './coap-link.js';
import { defaultState, StateFolder } from './folder.js';
import {
  accessOption,
  collect,
  configurationBytes,
  personality,
  quirksOption,
  seconds,
  serverRoute,
  speed,
  type Transport,
  topicPrefixes,
  transports,
  UsageError,
  whole,
} from './operands.js';
import { interrupted, type Output, type OutputOptions } from './output.js';
import { brokerAnswers, defaultBroker, noModem } from './reach.js';
import { simulateCard } from './simulation.js';
import { type SmdpOptions, smdpConnector, smdpOption, trustOption } from './smdp-connector.js';
import { createIpad } from './world.js';

interface DeviceOptions extends OutputOptions, SmdpOptions {
  broker?: string;
  modem: string;
  eimConfiguration?: string;
  ca?: string;
  cert?: string;
  key?: string;
  user?: string;
  password?: string;
  access: 'auto' | 'csim' | 'cgla';
  quirks?: string;
  personality?: string;
  baud?: number;
  pollInterval: number;
  speed?: number;
  once?: boolean;
  maxResponse?: number;
  blockSize?: number;
  topics: string[];
  transport: readonly Transport[];
  route: string[];
  psk?: string;
}

/** coap and coaps are one link; what is under it differs. */
function linkOf(transport: Transport): LinkKind {
  if (transport === 'mqtt') return 'mqtt';
  return transport === 'coap' || transport === 'coaps' ? 'coaps' : 'https';
}

/** A run with --once gives up after so many failures in a row. */
const mostFailures = 3;

export function registerDevice(program: Command, output: (options: OutputOptions) => Output): void {
  program
    .command('device')
    .summary('one IPA with its modem and eUICC')
    .description(
      'One IoT Profile Assistant: reaches the eUICC through a modem, polls its eIMs over MQTT, CoAP or HTTPS, carries out what they send.\nRuns until Ctrl-C. With --modem sim (default) modem and eUICC are simulated; the eUICC lives on in --state.',
    )
    .option('--broker <url>', `mqtt://host:port or mqtts://host:port (default: ${defaultBroker})`)
    .option('--modem <where>', 'sim, tcp://host:port, or a tty such as /dev/ttyUSB2', 'sim')
    .option('--state <dir>', 'folder for everything that survives a restart', defaultState)
    .option('--pki <dir>', "certificates and keys of the virtual eUICC (default: pki in --state's folder)")
    .option(
      '--eim-configuration <what>',
      'EimConfigurationData for an eUICC without an eIM: a file, hex, or the http:// address of a running eIM',
    )
    .option('--ca <file>', "PEM of the broker's CA")
    .option('--cert <file>', 'PEM of the client certificate')
    .option('--key <file>', "PEM of the client certificate's key")
    .option('--user <name>', 'user at the broker')
    .option('--password <text>', 'password at the broker')
    .addOption(smdpOption())
    .addOption(trustOption())
    .addOption(accessOption())
    .addOption(quirksOption())
    .option('--personality <name>', 'kind of simulated modem (see `npx xs-ipa modem --help`)', personality)
    .option('--baud <rate>', 'speed of the serial line', whole(0, 10_000_000))
    .option('--speed <factor>', 'with --modem sim: how much faster than real time everything runs', speed)
    .option('--poll-interval <seconds>', 'between two polls of an eIM', seconds, 10)
    .option('--once', 'end when there is nothing left to do, with status 0')
    .option('--max-response <bytes>', 'most bytes to ask of the card at once', whole(1, 256))
    .option('--block-size <bytes>', 'bytes of a STORE DATA block', whole(1, 255))
    .option(
      '--transport <links>',
      'links this device has, best first: mqtt, coap, coaps, https or https-json, with commas between',
      transports,
      ['mqtt'],
    )
    .option(
      '--route <name=url>',
      'where an eIM really is, for example eim.example.com=https://127.0.0.1:8443; several times',
      collect,
      [],
    )
    .option(
      '--psk <identity:hex>',
      "pre-shared key of this device for coaps, instead of the eIM's key or certificate",
    )
    .option(
      '--topics <[eimId=]prefix>',
      'prefix of the topics, instead of esipa; once per eIM that has one of its own',
      collect,
      [],
    )
    .option('--json', 'one JSON object per event (docs/events.md)')
    .option('-v, --verbose', 'AT lines and all bytes, too')
    .option('-q, --quiet', 'failures only')
    .action(async (options: DeviceOptions) => {
      await new Device(options, output(options)).run();
    });
}

class Device {
  readonly #options: DeviceOptions;
  readonly #output: Output;
  readonly #clock: RealClock;
  readonly #trace: Trace;
  #ipad!: Ipad;
  #eid = '';
  /** Why the run ends with an error. */
  #fault: XsIpaError | undefined;
  #failures = 0;
  /** What the serial port said last. */
  #lost = '';

  constructor(options: DeviceOptions, output: Output) {
    this.#options = options;
    this.#output = output;
    this.#clock = new RealClock(options.speed);
    this.#trace = new Trace(this.#clock);
    this.#trace.subscribe((event) => output.event(event));
    this.#trace.subscribe((event) => this.#take(event));
  }

  /** Until Ctrl-C, or the end of the work with --once. @throws XsIpaError for what the user has to change */
  async run(): Promise<void> {
    const options = this.#options;
    const { state, access, quirks, maxResponse, blockSize, pollInterval } = options;
    const simulated = options.modem === 'sim';
    const { personality, baud } = options;
    if (!simulated && (personality ?? options.pki ?? options.speed) !== undefined) {
      throw new UsageError('--personality, --pki and --speed belong to the simulated modem and its eUICC');
    }
    const prefixes = topicPrefixes(options.topics);
    const fromEim = /^https?:/.test(options.eimConfiguration ?? '');
    const given = options.eimConfiguration;
    const initialEim = given !== undefined && !fromEim ? configurationBytes(given) : undefined;
    const serial = simulated ? undefined : this.#serial();
    const links = options.transport.map(linkOf);
    const isCoap = (route: string) => /=coaps?:/.test(route);
    const routes = Object.fromEntries(
      options.route.filter((one) => !isCoap(one)).map((one) => serverRoute(one)),
    );
    if (Object.keys(routes).length > 0 && !links.includes('https'))
      throw new UsageError('--route NAME=https://… belongs to --transport https or https-json');
    const coap = coapOptions(options.transport, options.route.filter(isCoap), options.psk);
    const broker = links.includes('mqtt') ? this.#broker() : undefined;
    if (broker) {
      await brokerAnswers(
        broker,
        this.#output,
        'start `npx xs-ipa eim serve`, which brings a broker, or name yours with --broker',
      );
    }

    const folder = new StateFolder(state);
    folder.lock(simulated ? 'card' : 'ipa', simulated ? 'the virtual eUICC' : "the IPA's state");
    const random = Math.random;
    const world = simulated
      ? await simulateCard(folder, this.#output, {
          pkiDir: options.pki,
          personality,
          baud,
          clock: this.#clock,
          trace: this.#trace,
        })
      : undefined;
    this.#ipad = createIpad({
      serial: serial ?? { io: world!.modem.Serial, baud: options.baud },
      clock: this.#clock,
      random,
      trace: this.#trace,
      storage: new FileKeyValue(folder.file('ipa.json')),
      broker,
      links,
      https: { binding: options.transport.includes('https-json') ? 'json' : 'asn1', routes },
      coap,
      prefixes: prefixes.byEim,
      prefix: prefixes.all,
      bearer: world?.bearer,
      initialEim,
      settings: { pollInterval: pollInterval * 1000 },
      connectSmdp: smdpConnector(options),
      access,
      quirks,
      maxResponse,
      blockSize,
    });
    if (fromEim) {
      // Only a card without an eIM needs it, and its counter has to fit the card: so it is fetched when that is known.
      this.#trace.subscribe((event) => {
        if (event.event === 'associated' && event.eimIds.length === 0) void this.#provide(given!);
      });
    }
    const ways = options.transport.map((one) => (one === 'mqtt' ? `broker ${broker?.url}` : one)).join(', ');
    this.#output.line(`IPA on ${options.modem}, ${ways}, state in ${state}; Ctrl-C ends it`);
    const running = this.#ipad.run();
    void interrupted().then(() => this.#ipad.stop());
    await running;
    world?.modem.powerOff();
    if (this.#fault) throw this.#fault;
  }

  #serial(): SerialConfiguration {
    const { modem, baud } = this.#options;
    const serial = serialConfiguration(modem);
    return baud === undefined ? serial : { ...serial, baud };
  }

  #broker() {
    const { broker = defaultBroker, user, password, ca, cert, key } = this.#options;
    const options = {
      url: broker,
      user,
      password,
      caFile: ca,
      certificateFile: cert,
      keyFile: key,
    };
    // Address and files are looked at now: later it would be an error of a link, to be tried again.
    mqttConfiguration(options);
    return options;
  }

  async #provide(url: string): Promise<void> {
    try {
      const client = new EimControlClient(url);
      this.#ipad.associate(await client.eimConfiguration({ eid: this.#eid, token: true }));
    } catch (error) {
      if (!(error instanceof XsIpaError)) throw error;
      this.#end(error);
    }
  }

  #end(fault?: XsIpaError): void {
    this.#fault ??= fault;
    this.#ipad.stop();
  }

  #take(event: TraceEvent): void {
    const { once, eimConfiguration, modem } = this.#options;
    switch (event.event) {
      case 'eid':
        this.#eid = hex(event.eid);
        break;
      case 'modem':
        if (event.notice === 'portLost') this.#lost = String(event.detail);
        break;
      case 'failure': {
        this.#failures++;
        const fault = new XsIpaError(event.code, event.detail);
        // The very first step: a wrong path or port, or somebody else's port.
        if (event.where === 'device' && this.#eid === '' && event.code === 'closed') {
          this.#end(noModem(modem, this.#lost || event.detail));
        } else if (event.code === 'associationRefused') this.#end(fault);
        else if (once && this.#failures >= mostFailures) this.#end(fault);
        break;
      }
      case 'state':
        if (event.state === 'idle' || event.state === 'local') {
          this.#failures = 0;
          if (once) this.#end();
        } else if (event.state === 'unassociated' && eimConfiguration === undefined) {
          const hint =
            'the eUICC has no eIM: start again with --eim-configuration, for example http://127.0.0.1:8032 of a running `npx xs-ipa eim serve`';
          if (once) this.#end(new XsIpaError('noEim', hint));
          else this.#output.note(hint);
        }
        break;
    }
  }
}
