import { X509Certificate } from 'node:crypto';
import { ownTls } from '../../host-sim/cli/eim-tls.js';
import {
  Broker,
  CoapEim,
  type ConfigurationOptions,
  type Eim,
  MqttEim,
  serveHttp,
} from '../../host-sim/eim/index.js';
import type { EimCredentials, Pki } from '../../host-sim/pki/index.js';
import type { Trace } from '../../host-sim/trace/index.js';
import { Mosquitto } from '../../test/interop/mosquitto.js';

/** Ways from the program to the eIM. `http` and `coap` have no security. */
export const LINKS = ['mqtt', 'https', 'https-json', 'http', 'coap'] as const;

export type LinkUnderTest = (typeof LINKS)[number];

/** What stands in trustedPublicKeyDataTls: the server's key, its certificate, its CA, the key of somebody else. */
export const TRUSTS = ['key', 'certificate', 'ca', 'other'] as const;

export type TrustUnderTest = (typeof TRUSTS)[number];

export interface WayOptions {
  eim: Eim;
  credentials: EimCredentials;
  pki: Pki;
  trace: Trace;
  link: LinkUnderTest;
  trust: TrustUnderTest;
  /** Path of Mosquitto; the broker embedded in the simulator when absent. */
  mosquitto?: string;
  now: number;
}

/** What the device has to be told to come this way. */
export interface Way {
  broker?: string;
  settings: Readonly<Record<string, unknown>>;
  configuration: Pick<ConfigurationOptions, 'protocols' | 'trustedTls'>;
  close(): Promise<unknown>;
}

/** Opens the eIM's end of a link. */
export function openWay(options: WayOptions): Promise<Way> {
  switch (options.link) {
    case 'mqtt':
      return overMqtt(options);
    case 'coap':
      return overCoap(options);
    default:
      return overHttp(options);
  }
}

async function overMqtt({ eim, mosquitto, trace }: WayOptions): Promise<Way> {
  const broker = await startBroker(mosquitto, trace);
  const link = new MqttEim({ eim, url: `mqtt://127.0.0.1:${broker.port}` });
  await link.open();
  return {
    broker: broker.name,
    settings: { host: '127.0.0.1', port: broker.port },
    configuration: {},
    close: async () => {
      await link.close();
      await broker.close();
    },
  };
}

async function overCoap({ eim, credentials }: WayOptions): Promise<Way> {
  const server = new CoapEim({ eim, port: 0 });
  await server.open();
  return {
    settings: {
      links: 'coap',
      insecure: true,
      route: `${credentials.eimFqdn}=coap://127.0.0.1:${server.port}`,
    },
    configuration: { protocols: ['eimRetrieveCoaps'] },
    close: () => server.close(),
  };
}

async function overHttp({ eim, credentials, pki, link, trust, now }: WayOptions): Promise<Way> {
  const isPlain = link === 'http';
  const tls = isPlain ? undefined : ownTls({ credentials, pki, now });
  const server = await serveHttp({ eim, tls });
  return {
    settings: {
      links: link === 'https-json' ? link : 'https',
      insecure: isPlain,
      route: `${credentials.eimFqdn}=${server.url}`,
    },
    configuration: {
      protocols: ['eimRetrieveHttps'],
      ...(tls && { trustedTls: trustedTls(tls.cert, trust, credentials, pki) }),
    },
    close: () => server.close(),
  };
}

function trustedTls(
  pem: string,
  trust: TrustUnderTest,
  credentials: EimCredentials,
  { ciCertificates: [ca] }: Pki,
): ConfigurationOptions['trustedTls'] {
  const certificate = new X509Certificate(pem);
  switch (trust) {
    case 'key':
      return { publicKey: Uint8Array.from(certificate.publicKey.export({ type: 'spki', format: 'der' })) };
    case 'certificate':
      return { certificate: Uint8Array.from(certificate.raw) };
    case 'ca':
      return { certificate: ca };
    case 'other':
      return { publicKey: credentials.publicKey };
  }
}

async function startBroker(
  mosquitto: string | undefined,
  trace: Trace,
): Promise<{ name: string; port: number; close: () => unknown }> {
  if (mosquitto) {
    const broker = await Mosquitto.start(mosquitto, ['allow_anonymous true', 'persistence false']);
    return { name: 'mosquitto', port: broker.port, close: () => broker.stop() };
  }
  const broker = await new Broker({ observe: trace.observer('broker') }).listen();
  return { name: 'embedded', port: Number(new URL(broker.url).port), close: () => broker.close() };
}
