import { operators, simulateModem } from '../../host-sim/cli/world.js';
import { RealClock } from '../../host-sim/clock.js';
import { Broker, Eim, MqttEim } from '../../host-sim/eim/index.js';
import type { VirtualEuicc } from '../../host-sim/euicc/index.js';
import type { TraceEvent } from '../../host-sim/events.js';
import { listenTcp, type Network, type SimulatedModem } from '../../host-sim/modem/index.js';
import { makePki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import type { IpaConfig } from './device/ipa.js';
import { type HostOptions, XsHost } from './run.js';

export const EID = '89049032123451234512345678901235';
const EIM = 'eim.example.com';

/** Everything around a device that runs on the XS host: modem and eUICC behind TCP, a broker, an eIM. */
export interface XsWorld {
  eim: Eim;
  euicc: VirtualEuicc;
  modem: SimulatedModem;
  network: Network;
  /** EimConfigurationData for the device. */
  initialEim: Uint8Array;
  events: TraceEvent[];
  /** Boots a device in this world. The line is paced by the host alone, so that only it can lose bytes. */
  boot(config?: Partial<IpaConfig>, options?: Partial<HostOptions>): Promise<XsHost>;
  close(): Promise<void>;
}

export async function xsWorld(
  options: { personality?: string; observe?: (event: TraceEvent) => void } = {},
): Promise<XsWorld> {
  const clock = new RealClock();
  const random = seeded(5);
  const trace = new Trace(clock);
  const events: TraceEvent[] = [];
  trace.subscribe((event) => {
    events.push(event);
    options.observe?.(event);
  });
  const pki = await makePki({
    eid: EID,
    eims: [{ eimId: EIM, eimIdType: 2, eimFqdn: EIM }],
    now: clock.now,
    random,
  });
  const broker = await new Broker({ observe: trace.observer('broker') }).listen();
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock,
    random,
    observe: trace.observer('eim'),
  });
  const link = new MqttEim({ eim, url: broker.url });
  await link.open();
  const network = operators();
  const store = new MemoryStore();
  const personality = options.personality ?? 'generic';
  const { euicc, modem } = simulateModem({ pki, store, clock, random, trace, network, personality, baud: 0 });
  const port = await listenTcp(modem, { host: '127.0.0.1', port: 0 });
  const hosts: XsHost[] = [];
  return {
    eim,
    euicc,
    modem,
    network,
    initialEim: eim.eimConfiguration({ eid: EID, token: false }),
    events,
    async boot(config = {}, hostOptions = {}) {
      const { hostname, port: brokerPort } = new URL(broker.url);
      const host = await XsHost.start({
        entry: 'test/xs/device/ipa.ts',
        ports: { 1: `tcp:127.0.0.1:${port.port}` },
        config: { baud: 115_200, broker: { address: hostname, port: Number(brokerPort) }, ...config },
        ...hostOptions,
      });
      hosts.push(host);
      return host;
    },
    async close() {
      for (const host of hosts) host.kill();
      await port.close();
      modem.powerOff();
      await link.close();
      eim.close();
      await broker.close();
    },
  };
}
