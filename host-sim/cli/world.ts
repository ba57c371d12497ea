import { type KeyValue, type SerialConfiguration, XsIpaError } from '../../hal/contracts/index.js';
import { AtModem } from '../../hal/modem/index.js';
import { sha256 } from '../../hal/node/digest.js';
import { type BrokerOptions, mqttConfiguration } from '../../hal/node/mqtt.js';
import { TlsSessionCache, type TlsSessions } from '../../hal/node/tls-sessions.js';
import { chooseLink, type LinkKind, type LinkTimes, protocolsOf } from '../../ipa/esipa/index.js';
import { MqttLink } from '../../ipa/esipa/mqtt/link.js';
import { Ipad, type IpadOptions } from '../../ipa/ipad.js';
import type { IpaSettings } from '../../ipa/procedures/index.js';
import { NotificationEventNames } from '../asn1/index.js';
import type { Clock } from '../clock.js';
import { type CardKind, VirtualEuicc } from '../euicc/index.js';
import type { ProfileSeed } from '../euicc/state.js';
import { Bearer, type StreamTarget } from '../modem/bearer.js';
import { Network, SimulatedModem } from '../modem/index.js';
import type { Pki } from '../pki/index.js';
import type { Store } from '../store.js';
import type { Trace } from '../trace/index.js';
import { type CoapOptions, coapLink } from './coap-link.js';
import { type HttpsOptions, httpsLink } from './https-link.js';

/** Operators of the simulated network; PLMNs of test networks (ITU E.212: 001 and 999). */
export function operators(): Network {
  return new Network([
    { imsi: '00101', operator: 'Alpha Mobile' },
    { imsi: '99970', operator: 'Beta Cellular' },
    { imsi: '00102', operator: 'Gamma Roam', plmn: '00101' },
  ]);
}

/**
 * What a virtual eUICC leaves the factory with: two operators and a fallback profile.
 * @param notified SM-DP+ that is told of all of them; each has one of its own when absent
 */
export function factoryProfiles(notified?: string): ProfileSeed[] {
  const seed = (name: string, iccid: string, imsi: string, rest: Partial<ProfileSeed>): ProfileSeed => ({
    iccid,
    imsi,
    serviceProviderName: name,
    profileName: `${name} IoT`,
    fallbackAllowed: true,
    notifications: [
      {
        events: NotificationEventNames,
        address: notified ?? `smdp.${name.split(' ')[0].toLowerCase()}.example`,
      },
    ],
    ...rest,
  });
  return [
    seed('Alpha Mobile', '89000101000000000018', '001010000000001', { enabled: true }),
    seed('Beta Cellular', '89099970000000000025', '999700000000002', {}),
    seed('Gamma Roam', '89000102000000000032', '001020000000003', { profileClass: 'provisioning' }),
  ];
}

interface SimulatedCardAndModem {
  pki: Pki;
  store: Store;
  clock: Clock;
  random: () => number;
  trace: Trace;
  network?: Network;
  personality?: string;
  baud?: number;
  es10c?: boolean;
  kind?: CardKind;
  profiles?: ProfileSeed[];
  imei?: string;
  ecallSupported?: boolean;
  memoryBytes?: number;
}

/** A virtual eUICC in a simulated modem, and the data connection that comes with it. */
export function simulateModem(options: SimulatedCardAndModem): {
  euicc: VirtualEuicc;
  modem: SimulatedModem;
  bearer: Bearer;
} {
  const { clock, random, trace } = options;
  const euicc = new VirtualEuicc({
    credentials: options.pki.euicc,
    ciCertificates: options.pki.ciCertificates,
    store: options.store,
    clock,
    random,
    observe: trace.observer('euicc'),
    profiles: options.profiles ?? factoryProfiles(),
    es10c: options.es10c,
    kind: options.kind,
    ecallSupported: options.ecallSupported,
    memoryBytes: options.memoryBytes,
    defaultDpAddress: 'smdp.alpha.example',
    rootDsAddress: 'lpa.ds.example',
  });
  const modem = new SimulatedModem({
    card: euicc,
    clock,
    random,
    network: options.network ?? operators(),
    personality: options.personality,
    baud: options.baud,
    imei: options.imei,
    observe: trace.observer('modem'),
  });
  return { euicc, modem, bearer: new Bearer(modem) };
}

interface IpaOnNode {
  serial: SerialConfiguration;
  clock: Clock;
  random: () => number;
  trace: Trace;
  storage: KeyValue;
  /** Needed where `links` has MQTT. */
  broker?: BrokerOptions;
  /** What this device has, best first; MQTT alone when absent. */
  links?: readonly LinkKind[];
  https?: HttpsOptions;
  coap?: CoapOptions;
  /** TLS sessions of eIMs and brokers; kept while this IPA lives when absent. */
  sessions?: TlsSessions;
  /** Topic prefix by eimId; {@link prefix} where none is given. */
  prefixes?: Readonly<Record<string, string>>;
  /** `esipa` when absent. */
  prefix?: string;
  /** The modem's data connection; this computer's network where not given. */
  bearer?: Bearer;
  initialEim?: Uint8Array;
  connectSmdp?: IpadOptions['connectSmdp'];
  settings?: Partial<IpaSettings>;
  times?: LinkTimes;
  access?: 'auto' | 'csim' | 'cgla';
  quirks?: string;
  maxResponse?: number;
  blockSize?: number;
}

/** How a device on Node reaches its eIMs. */
export type DeviceLinks = Pick<IpaOnNode, 'links' | 'broker' | 'https' | 'coap' | 'prefixes'>;

/** The IPA on Node: the device's own code on Node's serial ports, sockets and timers. */
export function createIpad(options: IpaOnNode): Ipad {
  const { clock, random, trace, bearer } = options;
  const observe = trace.observer('ipa');
  const modem = new AtModem({
    serial: options.serial,
    timer: clock,
    time: clock,
    access: options.access,
    quirks: options.quirks,
    maxResponse: options.maxResponse,
    observe,
  });
  const { links = ['mqtt'], broker } = options;
  if (!broker && links.includes('mqtt')) throw new XsIpaError('usage', 'the MQTT link needs a broker');
  const { sessions = new TlsSessionCache() } = options;
  const mqtt = broker && mqttConfiguration({ sessions, ...broker });
  if (mqtt && bearer) mqtt.openStream = () => bearer.open({ ...streamTarget(mqtt), tls: undefined });
  return new Ipad({
    modem,
    platform: { timer: clock, time: clock, random, storage: options.storage, sha256 },
    initialEim: options.initialEim,
    connectSmdp: options.connectSmdp,
    blockSize: options.blockSize,
    observe,
    settings: {
      networkThroughModem: bearer !== undefined,
      supportedProtocols: protocolsOf(links),
      ...options.settings,
    },
    createLink: (eim, eid) => {
      const kind = chooseLink(eim, links);
      if (kind === 'https') {
        const { https, times } = options;
        return httpsLink(eim, { https, sessions, bearer, timer: clock, random, times, observe });
      }
      if (kind === 'coaps') {
        const { coap, times } = options;
        return coapLink(eim, { coap, bearer, timer: clock, random, times, observe });
      }
      if (kind !== 'mqtt' || !mqtt) return undefined;
      const own = options.prefixes?.[eim.eimId];
      const prefix = own ?? options.prefix ?? 'esipa';
      return new MqttLink({
        eimId: eim.eimId,
        eid,
        mqtt,
        timer: clock,
        random,
        times: options.times,
        clientId: own ? `{eid}-${own}` : undefined,
        topics: { toEim: `${prefix}/{eid}/eim`, toIpa: `${prefix}/{eid}/ipa` },
        observe,
      });
    },
  });
}

/** Where the broker's byte stream leads. */
export function streamTarget(mqtt: { host: string; port?: number; [option: string]: unknown }): StreamTarget {
  const { host, port, secure, serverName, ca, cert, key, sessions } = mqtt as {
    secure?: boolean;
    serverName?: string;
    ca?: Uint8Array;
    cert?: Buffer;
    key?: Buffer;
    sessions?: TlsSessions;
  } & typeof mqtt;
  const tls = { serverName, trust: ca && { roots: [ca] }, certificate: cert, key, sessions };
  return { host, port: port ?? 1883, ...(secure && { tls }) };
}
