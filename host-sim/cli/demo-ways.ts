import { type BrokerOptions, mqttConfiguration } from '../../hal/node/mqtt.js';
import { TlsSessionCache } from '../../hal/node/tls-sessions.js';
import type { Clock } from '../clock.js';
import { Broker, type ConfigurationOptions, type Eim, MqttEim } from '../eim/index.js';
import { type EimCredentials, makeEimTls, type Pki, pem, pkcs8 } from '../pki/index.js';
import type { Trace } from '../trace/index.js';
import type { XsWay } from '../xs/index.js';
import { type DemoTransport, linkOf } from './demo-transport.js';
import { startCoap } from './eim-coap.js';
import { startHttps } from './eim-https.js';
import { type EimTls, eimTls } from './eim-tls.js';
import type { HttpsOptions } from './https-link.js';
import { topicsOf } from './operands.js';
import { type DeviceLinks, streamTarget } from './world.js';

const HOST = '127.0.0.1';
const BROKER_NAME = 'broker.example.com';

/** How one eIM is reached. */
export interface EimWay {
  readonly eimId: string;
  readonly transport: DemoTransport;
  /** What belongs into its EimConfigurationData. */
  readonly configuration: Pick<ConfigurationOptions, 'protocols' | 'trustedTls'>;
  /** Where its bytes go; eIMs behind one broker have one place. */
  readonly place: { readonly kind: 'tcp' | 'udp'; readonly host: string; readonly port: number };
  /** DTLS sessions that were made so far. */
  readonly sessions?: () => number;
  /** For a device on the XS host. */
  readonly xs: XsWay;
}

/** The ways to all eIMs, and what a device on Node needs for them. */
export interface EimWays {
  readonly ways: readonly EimWay[];
  readonly links: DeviceLinks;
  close(): Promise<void>;
}

export interface EimWaysOptions {
  eims: readonly {
    eim: Eim;
    credentials: EimCredentials;
    transport: DemoTransport;
    /** Of the topics, where it has one of its own. */
    prefix?: string;
  }[];
  /** A broker of the user's; an embedded one when absent. */
  brokerUrl: string | undefined;
  pki: Pki;
  clock: Clock;
  trace: Trace;
}

type One = EimWaysOptions['eims'][number];

/** Starts what the eIMs are reached by, all on this computer. */
export async function startWays(options: EimWaysOptions): Promise<EimWays> {
  const starting = new Starting(options);
  try {
    for (const one of options.eims) {
      const link = linkOf[one.transport];
      if (link === 'mqtt') await starting.mqtt(one);
      else if (link === 'coaps') await starting.coap(one);
      else await starting.https(one);
    }
  } catch (error) {
    await starting.close();
    throw error;
  }
  return { ways: starting.ways, links: starting.links, close: () => starting.close() };
}

class Starting {
  readonly ways: EimWay[] = [];
  readonly #options: EimWaysOptions;
  readonly #closing: (() => Promise<unknown>)[] = [];
  readonly #https: Record<string, string> = {};
  readonly #coap: Record<string, string> = {};
  readonly #prefixes: Record<string, string> = {};
  #binding: HttpsOptions['binding'];
  #isSecure = false;
  #broker: BrokerOptions | undefined;

  constructor(options: EimWaysOptions) {
    this.#options = options;
  }

  get links(): DeviceLinks {
    return {
      links: [...new Set(this.ways.map(({ transport }) => linkOf[transport]))],
      broker: this.#broker,
      https: { binding: this.#binding, routes: this.#https },
      coap: { routes: this.#coap, isSecure: this.#isSecure },
      prefixes: this.#prefixes,
    };
  }

  /** What was started last goes first. */
  async close(): Promise<void> {
    while (this.#closing.length > 0) await this.#closing.pop()?.();
  }

  async mqtt({ eim, transport, prefix }: One): Promise<void> {
    const broker = await this.#brokerFor(transport === 'mqtts');
    const ca = broker.ca && Buffer.from(broker.ca).toString('latin1');
    const link = new MqttEim({
      eim,
      url: broker.url,
      ...(ca !== undefined && { tls: { ca, servername: broker.serverName } }),
      ...(prefix !== undefined && { topics: topicsOf(prefix) }),
    });
    await link.open();
    this.#closing.push(() => link.close());
    const { eimId } = eim;
    if (prefix !== undefined) this.#prefixes[eimId] = prefix;
    const mqtt = mqttConfiguration(broker);
    const { user, password } = mqtt;
    const target = streamTarget(mqtt);
    this.ways.push({
      eimId,
      transport,
      configuration: { protocols: ['eimProprietary'] },
      place: { kind: 'tcp', host: target.host, port: target.port },
      xs: { kind: 'mqtt', target, user, password, prefix },
    });
  }

  async coap({ eim, credentials, transport }: One): Promise<void> {
    const { clock } = this.#options;
    const secure = transport === 'coaps';
    const { coaps: tls, trustedTls } = this.#tlsOf(credentials, { coaps: secure ? 0 : undefined });
    let sessions = 0;
    const options = { host: HOST, [transport]: 0, psk: [], clock, onSession: () => sessions++ };
    const running = await startCoap(options, eim, tls, this.#problemOf('coap'));
    if (!running) throw new TypeError('no port for CoAP was asked for');
    this.#closing.push(() => running.close());
    const url = String(running.shown.coapsUrl ?? running.shown.coapUrl);
    this.#coap[credentials.eimFqdn.toLowerCase()] = url;
    this.#isSecure ||= secure;
    const port = Number(new URL(url).port);
    this.ways.push({
      eimId: eim.eimId,
      transport,
      configuration: { trustedTls, protocols: ['eimRetrieveCoaps', 'eimInjectCoaps'] },
      place: { kind: 'udp', host: HOST, port },
      ...(secure && { sessions: () => sessions }),
      xs: { kind: 'coap', host: HOST, port, secure },
    });
  }

  async https({ eim, credentials, transport }: One): Promise<void> {
    const { https: tls, trustedTls } = this.#tlsOf(credentials, { https: 0 });
    const running = await startHttps({ host: HOST, https: 0 }, eim, tls, this.#problemOf('https'));
    if (!running) throw new TypeError('no port for HTTPS was asked for');
    this.#closing.push(() => running.close());
    const { httpsUrl } = running.shown;
    this.#https[credentials.eimFqdn.toLowerCase()] = httpsUrl;
    this.#binding = transport === 'https-json' ? 'json' : 'asn1';
    const port = Number(new URL(httpsUrl).port);
    this.ways.push({
      eimId: eim.eimId,
      transport,
      configuration: { trustedTls, protocols: ['eimRetrieveHttps'] },
      place: { kind: 'tcp', host: HOST, port },
      xs: { kind: transport === 'https-json' ? 'https-json' : 'https', host: HOST, port, secure: true },
    });
  }

  /** Devices are told to trust its key (A6). */
  #tlsOf(credentials: EimCredentials, ports: { https?: number; coaps?: number }): EimTls {
    const { pki, clock } = this.#options;
    return eimTls(ports, { credentials, pki, now: clock.now });
  }

  /** One for all eIMs. Its certificate is one of the CI of the tests. */
  async #brokerFor(isSecure: boolean): Promise<BrokerOptions> {
    const { brokerUrl, pki, clock, trace } = this.#options;
    if (this.#broker) return this.#broker;
    if (brokerUrl !== undefined) {
      this.#broker = { url: brokerUrl, sessions: new TlsSessionCache() };
      return this.#broker;
    }
    let tls: { cert: string; key: string } | undefined;
    if (isSecure) {
      const { certificate, privateKey } = makeEimTls(pki.ci!, BROKER_NAME, clock.now);
      tls = { cert: pem('CERTIFICATE', certificate), key: pem('PRIVATE KEY', pkcs8(privateKey)) };
    }
    const broker = await new Broker({ tls, observe: trace.observer('broker') }).listen();
    this.#closing.push(() => broker.close());
    const [ca] = pki.ciCertificates.map((one) => Buffer.from(pem('CERTIFICATE', one)));
    const secure = { ca, serverName: BROKER_NAME, sessions: new TlsSessionCache() };
    this.#broker = { url: broker.url, ...(isSecure && secure) };
    return this.#broker;
  }

  #problemOf(where: string): (problem: { message: string; code?: string }) => void {
    return ({ code, message }) =>
      this.#options.trace.emit('eim', { event: 'failure', where, code: code ?? 'network', detail: message });
  }
}
