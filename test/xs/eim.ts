import { X509Certificate } from 'node:crypto';
import { dtlsCertificate } from '../../hal/node/dtls/index.js';
import type { ProtocolName } from '../../host-sim/asn1/index.js';
import {
  Broker,
  CoapEim,
  CoapsDoor,
  type ConfigurationOptions,
  type Eim,
  MqttEim,
  serveHttp,
} from '../../host-sim/eim/index.js';
import type { Trace } from '../../host-sim/trace/index.js';
import type { DeviceWay, XsWay } from '../../host-sim/xs/index.js';

/** How a device speaks to its eIM: MQTT and CoAP without security, the others with TLS or DTLS. */
export type Transport = 'mqtt' | 'coap' | 'coaps' | 'https' | 'https-json';

export const TRANSPORTS: readonly Transport[] = ['mqtt', 'coap', 'coaps', 'https', 'https-json'];

/** An eIM's door for one transport. */
export interface EimDoor {
  way: XsWay;
  /** Past the modem. */
  direct?: DeviceWay;
  /** Of the EimConfigurationData for it. */
  configuration: Pick<ConfigurationOptions, 'protocols' | 'trustedTls'>;
  close(): Promise<void>;
}

interface DoorOptions {
  eim: Eim;
  transport: Transport;
  trace: Trace;
  /** PEM, for TLS and DTLS. */
  tls: { cert: string; key: string };
}

const host = '127.0.0.1';

/** Opens an eIM for one transport, on 127.0.0.1. */
export function openEim(options: DoorOptions): Promise<EimDoor> {
  if (options.transport === 'mqtt') return openMqtt(options);
  return options.transport.startsWith('https') ? openHttps(options) : openCoap(options);
}

async function openMqtt({ eim, trace }: DoorOptions): Promise<EimDoor> {
  const broker = await new Broker({ observe: trace.observer('broker') }).listen();
  const link = new MqttEim({ eim, url: broker.url });
  await link.open();
  const port = Number(new URL(broker.url).port);
  return {
    way: { kind: 'mqtt', target: { host, port } },
    direct: { kind: 'mqtt', address: host, port },
    configuration: { protocols: ['eimProprietary'] },
    async close() {
      await link.close();
      await broker.close();
    },
  };
}

async function openHttps({ eim, tls, transport }: DoorOptions): Promise<EimDoor> {
  const server = await serveHttp({ eim, tls });
  const kind = transport === 'https' ? 'https' : 'https-json';
  return {
    way: { kind, host, port: server.port, secure: true },
    configuration: secured('eimRetrieveHttps', tls.cert),
    close: () => server.close(),
  };
}

async function openCoap({ eim, tls, transport }: DoorOptions): Promise<EimDoor> {
  const server = new CoapEim({ eim, port: 0 });
  await server.open();
  if (transport === 'coap') {
    return {
      way: { kind: 'coap', host, port: server.port },
      configuration: { protocols: ['eimRetrieveCoaps'] },
      close: () => server.close(),
    };
  }
  const certificate = dtlsCertificate(tls.cert, tls.key);
  const door = new CoapsDoor({ port: 0, certificate, coapPort: server.port });
  await door.open();
  return {
    way: { kind: 'coap', host, port: door.port, secure: true },
    configuration: secured('eimRetrieveCoaps', tls.cert),
    async close() {
      await door.close();
      await server.close();
    },
  };
}

/** The certificate's key is pinned. */
function secured(protocol: ProtocolName, certificate: string): EimDoor['configuration'] {
  const { publicKey } = new X509Certificate(certificate);
  const spki = Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }));
  return { protocols: [protocol], trustedTls: { publicKey: spki } };
}
