import type { ProtocolName } from '../../host-sim/asn1/index.js';
import { Broker, CoapEim, type Eim, MqttEim, serveHttp } from '../../host-sim/eim/index.js';
import type { Trace } from '../../host-sim/trace/index.js';
import type { DeviceWay, XsWay } from '../../host-sim/xs/index.js';

/** How a device speaks to its eIM; all of it without TLS. */
export type Transport = 'mqtt' | 'coap' | 'https' | 'https-json';

export const TRANSPORTS: readonly Transport[] = ['mqtt', 'coap', 'https', 'https-json'];

/** An eIM's door for one transport. */
export interface EimDoor {
  way: XsWay;
  /** Past the modem. */
  direct: DeviceWay;
  /** eimSupportedProtocol. */
  protocols: readonly ProtocolName[];
  close(): Promise<void>;
}

/** Opens an eIM for one transport, on 127.0.0.1. */
export async function openEim(eim: Eim, kind: Transport, trace: Trace): Promise<EimDoor> {
  const host = '127.0.0.1';
  if (kind === 'mqtt') {
    const broker = await new Broker({ observe: trace.observer('broker') }).listen();
    const link = new MqttEim({ eim, url: broker.url });
    await link.open();
    const port = Number(new URL(broker.url).port);
    return {
      way: { kind, target: { host, port } },
      direct: { kind, address: host, port },
      protocols: ['eimProprietary'],
      async close() {
        await link.close();
        await broker.close();
      },
    };
  }
  const isCoap = kind === 'coap';
  const server = isCoap ? new CoapEim({ eim, port: 0 }) : await serveHttp({ eim });
  if (server instanceof CoapEim) await server.open();
  const { port } = server;
  return {
    way: { kind, host, port },
    direct: { kind, address: host, port, secure: false },
    protocols: [isCoap ? 'eimRetrieveCoaps' : 'eimRetrieveHttps'],
    close: () => server.close(),
  };
}
