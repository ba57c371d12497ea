import { httpConfiguration } from '../../hal/node/http.js';
import type { IpadOptions } from '../../ipa/ipad.js';
import { SmdpServer } from '../../ipa/procedures/index.js';
import type { Clock } from '../clock.js';
import { type RspConnection, rspClient } from '../eim/index.js';
import type { Bearer } from '../modem/bearer.js';
import type { Pki } from '../pki/index.js';
import { Smdp, serveRsp } from '../smdp/index.js';
import { MemoryStore } from '../store.js';
import type { Trace } from '../trace/index.js';
import { type Relay, relay, type XsDeviceOptions } from '../xs/index.js';

/** The demo's SM-DP+, and the two ways to it. */
export interface DemoSmdp {
  smdp: Smdp;
  /** The device's: a port on 127.0.0.1 that is reached through the modem. */
  relay: Relay;
  /** The same for a device on the XS host. */
  xs: NonNullable<XsDeviceOptions['smdp']>;
  /** For the IPA on Node. */
  connectSmdp: NonNullable<IpadOptions['connectSmdp']>;
  /** For the eIMs. */
  connect: RspConnection;
  /** How the device reaches it, a sentence for people. */
  way: string;
  close(): Promise<void>;
}

interface DemoSmdpOptions {
  pki: Pki;
  clock: Clock;
  random: () => number;
  trace: Trace;
  bearer: Bearer;
}

/** An SM-DP+ on 127.0.0.1, over HTTPS. */
export async function startSmdp(options: DemoSmdpOptions): Promise<DemoSmdp> {
  const { pki, clock, random, trace, bearer } = options;
  const { ciCertificates } = pki;
  const [credentials] = pki.smdps;
  const observe = trace.observer('smdp');
  const smdp = new Smdp({ credentials, ciCertificates, store: new MemoryStore(), clock, random, observe });
  const onProblem = ({ message }: Error) =>
    trace.emit('smdp', { event: 'failure', where: 'es9+', code: 'network', detail: message });
  const server = await serveRsp({ server: smdp, tls: credentials.tls, onProblem });
  const ways = await relay(bearer, { host: '127.0.0.1', port: server.port });
  const http = httpConfiguration({
    url: `https://127.0.0.1:${ways.port}`,
    serverName: credentials.address,
    trust: { roots: ciCertificates },
  });
  return {
    smdp,
    relay: ways,
    xs: { host: '127.0.0.1', port: server.port, roots: ciCertificates },
    connectSmdp: (address, isSmds) => new SmdpServer(address, http, isSmds),
    connect: rspClient({ routes: { [credentials.address]: server.url }, ciCertificates }),
    way: 'HTTPS; the certificate has to come from the CI.',
    async close() {
      ways.close();
      await server.close();
    },
  };
}
