import { operators, simulateModem } from '../../host-sim/cli/world.js';
import { RealClock } from '../../host-sim/clock.js';
import { Broker, Eim, MqttEim } from '../../host-sim/eim/index.js';
import type { VirtualEuicc } from '../../host-sim/euicc/index.js';
import type { ProfileSeed } from '../../host-sim/euicc/state.js';
import type { TraceEvent } from '../../host-sim/events.js';
import type { Bearer, StreamTarget } from '../../host-sim/modem/bearer.js';
import { listenTcp, type Network, type SimulatedModem } from '../../host-sim/modem/index.js';
import type { TePort } from '../../host-sim/modem/serial.js';
import { makePki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { answerTo, Smdp, serveRsp } from '../../host-sim/smdp/index.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import { relay } from '../../host-sim/xs/relay.js';
import type { IpaConfig } from './device/ipa.js';
import { type HostOptions, XsHost } from './run.js';

export const EID = '89049032123451234512345678901235';
/** FQDN of the SM-DP+. */
export const SMDP = 'smdp.example.com';
const EIM = 'eim.example.com';

/** Everything around a device that runs on the XS host: modem and eUICC behind TCP, a broker, an eIM, an SM-DP+. */
export interface XsWorld {
  eim: Eim;
  euicc: VirtualEuicc;
  smdp: Smdp;
  modem: SimulatedModem;
  network: Network;
  /** The modem's data connection, and where the broker is. */
  bearer: Bearer;
  broker: StreamTarget;
  /** EimConfigurationData for the device. */
  initialEim: Uint8Array;
  events: TraceEvent[];
  /** What went over the modem's data connection. */
  readonly networkBytes: { readonly up: number; readonly down: number };
  /** Boots a device in this world; `direct`: it reaches the SM-DP+ itself, over plain HTTP. The line is paced by the host alone, so that only it can lose bytes. */
  boot(config?: Partial<IpaConfig> & { direct?: boolean }, options?: Partial<HostOptions>): Promise<XsHost>;
  close(): Promise<void>;
}

export async function xsWorld(
  options: {
    personality?: string;
    observe?: (event: TraceEvent) => void;
    /** `events` stays empty: for long runs. */
    forgetful?: boolean;
    profiles?: ProfileSeed[];
    /** How much faster than real time modem and network are. */
    speed?: number;
    /** Between the serial port and the modem. */
    tap?: (modem: TePort) => TePort;
  } = {},
): Promise<XsWorld> {
  const clock = new RealClock(options.speed);
  const random = seeded(5);
  const trace = new Trace(clock);
  const events: TraceEvent[] = [];
  trace.subscribe((event) => {
    if (!options.forgetful) events.push(event);
    options.observe?.(event);
  });
  const pki = await makePki({
    eid: EID,
    eims: [{ eimId: EIM, eimIdType: 2, eimFqdn: EIM }],
    smdps: [{ address: SMDP, oid: '2.999.10' }],
    now: clock.now,
    random,
  });
  const broker = await new Broker({ observe: trace.observer('broker') }).listen();
  const smdp = new Smdp({
    credentials: pki.smdps[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock,
    random,
    observe: trace.observer('smdp'),
  });
  const http = await serveRsp({ server: smdp });
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock,
    random,
    observe: trace.observer('eim'),
    connect: (_address, request) => answerTo(smdp, request),
  });
  const link = new MqttEim({ eim, url: broker.url });
  await link.open();
  const network = operators();
  const store = new MemoryStore();
  const personality = options.personality ?? 'generic';
  const { profiles, tap } = options;
  const { euicc, modem, bearer } = simulateModem({
    pki,
    store,
    clock,
    random,
    trace,
    network,
    personality,
    profiles,
    baud: 0,
  });
  const port = await listenTcp(tap ? tap(modem) : modem, { host: '127.0.0.1', port: 0 });
  const { hostname: host, port: brokerPort } = new URL(broker.url);
  const direct = { address: host, port: Number(brokerPort) };
  const gated = await relay(bearer, { host, port: direct.port });
  const toSmdp = await relay(bearer, { host, port: http.port });
  const hosts: XsHost[] = [];
  return {
    eim,
    euicc,
    smdp,
    modem,
    network,
    bearer,
    broker: { host, port: direct.port },
    initialEim: eim.eimConfiguration({ eid: EID, token: false }),
    events,
    get networkBytes() {
      return { up: gated.bytes.up + toSmdp.bytes.up, down: gated.bytes.down + toSmdp.bytes.down };
    },
    async boot({ direct: isDirect, ...config } = {}, hostOptions = {}) {
      const smdpPort = config.networkThroughModem ? toSmdp.port : http.port;
      const throughModem = { address: '127.0.0.1', port: gated.port };
      const host = await XsHost.start({
        entry: 'test/xs/device/ipa.ts',
        ports: { 1: `tcp:127.0.0.1:${port.port}` },
        config: {
          baud: 115_200,
          broker: config.networkThroughModem ? throughModem : direct,
          ...(isDirect && { smdp: { address: throughModem.address, port: smdpPort } }),
          ...config,
        },
        ...hostOptions,
      });
      hosts.push(host);
      return host;
    },
    async close() {
      for (const host of hosts) host.kill();
      gated.close();
      toSmdp.close();
      await port.close();
      modem.powerOff();
      await link.close();
      eim.close();
      await http.close();
      await broker.close();
    },
  };
}
