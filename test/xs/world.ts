import type { XsIpaError } from '../../hal/contracts/index.js';
import { ownTls } from '../../host-sim/cli/eim-tls.js';
import { operators, simulateModem } from '../../host-sim/cli/world.js';
import { RealClock } from '../../host-sim/clock.js';
import { Eim } from '../../host-sim/eim/index.js';
import type { VirtualEuicc } from '../../host-sim/euicc/index.js';
import type { ProfileSeed } from '../../host-sim/euicc/state.js';
import type { TraceEvent } from '../../host-sim/events.js';
import type { Bearer } from '../../host-sim/modem/bearer.js';
import { listenTcp, type Network, type SimulatedModem } from '../../host-sim/modem/index.js';
import type { TePort } from '../../host-sim/modem/serial.js';
import { makePki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { answerTo, Smdp, serveRsp } from '../../host-sim/smdp/index.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import { openWay, relay, type XsWay } from '../../host-sim/xs/index.js';
import type { IpaConfig } from './device/ipa.js';
import { openEim, type Transport } from './eim.js';
import { type HostOptions, XsHost } from './run.js';

export const EID = '89049032123451234512345678901235';
/** FQDN of the SM-DP+. */
export const SMDP = 'smdp.example.com';
/** eimId and FQDN of the eIM. */
export const EIM = 'eim.example.com';

/** Everything around a device that runs on the XS host: modem and eUICC behind TCP, an eIM that is reached in one way, an SM-DP+. */
export interface XsWorld {
  eim: Eim;
  euicc: VirtualEuicc;
  smdp: Smdp;
  modem: SimulatedModem;
  network: Network;
  /** The modem's data connection, and how the eIM is reached. */
  bearer: Bearer;
  way: XsWay;
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
    /** MQTT when absent. */
    transport?: Transport;
    /** Another one gives other keys. */
    seed?: number;
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
  const random = seeded(options.seed ?? 5);
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
  const { transport = 'mqtt' } = options;
  const material = { credentials: pki.eims[0], pki, now: clock.now };
  const door = await openEim({ eim, transport, trace, tls: ownTls(material) });
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
  const host = '127.0.0.1';
  const onRefused = ({ code, message }: XsIpaError) =>
    trace.emit('ipa', { event: 'failure', where: 'link', code, detail: message });
  const gated = await openWay(bearer, door.way, onRefused);
  const toSmdp = await relay(bearer, { host, port: http.port });
  const hosts: XsHost[] = [];
  return {
    eim,
    euicc,
    smdp,
    modem,
    network,
    bearer,
    way: door.way,
    initialEim: eim.eimConfiguration({ eid: EID, token: false, ...door.configuration }),
    events,
    get networkBytes() {
      const { bytes } = gated.relay;
      return { up: bytes.up + toSmdp.bytes.up, down: bytes.down + toSmdp.bytes.down };
    },
    async boot({ direct: isDirect, ...config } = {}, hostOptions = {}) {
      const smdpPort = config.networkThroughModem ? toSmdp.port : http.port;
      const device = await XsHost.start({
        entry: 'test/xs/device/ipa.ts',
        ports: { 1: `tcp:127.0.0.1:${port.port}` },
        config: {
          baud: 115_200,
          way: (config.networkThroughModem ? undefined : door.direct) ?? gated.way,
          ...(isDirect && { smdp: { address: host, port: smdpPort } }),
          ...config,
        },
        ...hostOptions,
      });
      hosts.push(device);
      return device;
    },
    async close() {
      for (const host of hosts) host.kill();
      gated.relay.close();
      toSmdp.close();
      await port.close();
      modem.powerOff();
      await door.close();
      eim.close();
      await http.close();
    },
  };
}
