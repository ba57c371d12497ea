import { deepSleep, feed, restart, watchdog } from 'board-native';
import config from 'mc/config';
import {
  type HalEvent,
  type HttpClientConstructor,
  type MqttClientConstructor,
  type SerialConfiguration,
  XsIpaError,
} from '../hal/contracts/index.js';
import { setClock } from '../hal/xs/moddable/clock.js';
import { sha256 } from '../hal/xs/moddable/digest.js';
import { XsResolver } from '../hal/xs/moddable/dns.js';
import { HttpClass } from '../hal/xs/moddable/http.js';
import { MqttClass } from '../hal/xs/moddable/mqtt.js';
import { random } from '../hal/xs/moddable/random.js';
import { secureUdp } from '../hal/xs/moddable/secure-udp.js';
import { XsSerial } from '../hal/xs/moddable/serial.js';
import { XsKeyValue } from '../hal/xs/moddable/storage.js';
import { XsTcp } from '../hal/xs/moddable/tcp.js';
import { XsTime } from '../hal/xs/moddable/time.js';
import { XsTimer } from '../hal/xs/moddable/timer.js';
import { tlsSocket } from '../hal/xs/moddable/tls.js';
import { XsUdp } from '../hal/xs/moddable/udp.js';
import type { IpaEvent } from '../ipa/events.js';
import type { IpadOptions } from '../ipa/ipad.js';
import { SmdpServer } from '../ipa/procedures/index.js';
import { BoardPower } from './board.js';
import { type Perform, runCardCommand } from './card-commands.js';
import { SettingsConsole } from './console.js';
import { createDevice } from './device.js';
import { Lifecycle } from './lifecycle.js';
import { DeviceLinks } from './links.js';
import { startNetwork } from './network.js';
import { type PowerStep, powerUp } from './power.js';
import { Provisioning } from './provisioning.js';

/** What the manifest says under `config.xsIpa` beside the settings of provisioning.ts. */
interface BoardConfiguration {
  power?: PowerStep[];
  pmu?: { data: number; clock: number; address: number };
  /** UART of the console; none when absent. */
  console?: { port: number; receive: number; transmit: number; baud: number };
  [setting: string]: unknown;
}

/** How long an eIM has to inject something before the device sleeps. */
const GRACE = 10_000;

function start(): void {
  const built = (config.xsIpa ?? {}) as BoardConfiguration;
  const timer = new XsTimer();
  const storage = new XsKeyValue('xs-ipa');
  const provisioning = new Provisioning(storage, built);
  let poll = () => {};
  let perform: Perform | undefined;
  if (built.console) {
    const serial: SerialConfiguration = { io: XsSerial, ...built.console };
    new SettingsConsole({
      serial,
      provisioning,
      onPoll: () => poll(),
      onRestart: restart,
      onCard: (command, name, value) => perform && runCardCommand(perform, command, name, value),
    });
  }

  const run = async () => {
    await powerUp(built.power ?? [], new BoardPower(built.pmu), timer);
    const interval = provisioning.number('poll') * 1_000;
    const observe = (event: IpaEvent | HalEvent) => {
      report(event);
      if (event.event === 'state') lifecycle.observe(event);
    };
    const lifecycle: Lifecycle = new Lifecycle({
      hooks: { watchdog, feed, deepSleep },
      timer,
      watchdog: provisioning.number('watchdog') * 1_000,
      sleep: provisioning.flag('sleep') ? interval : 0,
      grace: GRACE,
      stop: () => {
        ipad.stop();
        return running;
      },
    });
    const links = new DeviceLinks(provisioning, {
      timer,
      random,
      dns: { io: XsResolver },
      tcp: { io: XsTcp },
      udp: { io: XsUdp },
      mqtt: MqttClass as unknown as MqttClientConstructor,
      http: HttpClass as unknown as HttpClientConstructor,
      tls: tlsSocket,
      secureUdp,
      observe,
    });
    for (const missing of links.missing) trace(`xs-ipa: ${missing}\n`);
    const ipad = createDevice({
      provisioning,
      serial: serialOf(provisioning),
      links,
      storage,
      timer,
      time: new XsTime(),
      random,
      sha256,
      connectSmdp: provisioning.flag('smdp') ? connectSmdp(timer) : undefined,
      observe,
    });
    poll = () => ipad.poll();
    perform = (operation) => ipad.perform(operation);
    lifecycle.start();
    const running = ipad.run();
    await running;
  };

  const begin = () => {
    run().catch((error: unknown) => {
      trace(`xs-ipa: ${error instanceof Error ? error.message : String(error)}\n`);
      // What is missing in the settings does not get better by starting again.
      if (!(error instanceof XsIpaError && error.code === 'usage')) restart();
    });
  };
  startNetwork(provisioning.text('ssid'), provisioning.optional('wifiKey'), timer, () => {
    const server = provisioning.optional('sntp');
    if (server === undefined) begin();
    else setClock(server, begin);
  });
}

/** HTTPS to an SM-DP+ or SM-DS, whose certificate is to be for its name. @throws {XsIpaError} `usage` without TLS */
function connectSmdp(timer: XsTimer): IpadOptions['connectSmdp'] {
  const tls = tlsSocket;
  if (!tls)
    throw new XsIpaError('usage', 'smdp needs a firmware with TLS: include firmware/manifest_tls.json');
  return (address, isSmds) => {
    const colon = address.indexOf(':');
    const socket = tls({ serverName: colon < 0 ? address : address.slice(0, colon) });
    const http = {
      io: HttpClass as unknown as HttpClientConstructor,
      port: 443,
      timer,
      dns: { io: XsResolver },
      socket,
    };
    return new SmdpServer(address, http, isSmds);
  };
}

function serialOf(provisioning: Provisioning): SerialConfiguration {
  const device = provisioning.optional('device');
  const baud = provisioning.number('baud');
  if (device !== undefined) return { io: XsSerial, device, baud };
  const [port, receive, transmit] = ['uart', 'receive', 'transmit'].map((name) => provisioning.number(name));
  if (receive < 0 || transmit < 0)
    throw new XsIpaError('usage', "the modem's pins are not set: set receive, transmit");
  return { io: XsSerial, baud, port, receive, transmit };
}

/** What a developer wants to see; stripped of everything where the SDK strips trace. */
function report(event: IpaEvent | HalEvent): void {
  if (event.event === 'state') trace(`xs-ipa: ${event.state}\n`);
  else if (event.event === 'failure') trace(`xs-ipa: ${event.where}: ${event.detail}\n`);
  else if (event.event === 'link') trace(`xs-ipa: link ${event.state} ${event.detail ?? ''}\n`);
}

start();
