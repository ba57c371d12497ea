import { Broker } from '../eim/index.js';
import type { SimEvent } from '../events.js';
import { withHint } from './eim-coap.js';
import { readPem, UsageError } from './operands.js';
import type { Output } from './output.js';
import { brokerAnswers, embeddedInstead } from './reach.js';

/** What the options of `eim serve` say of its broker: one of its own, or with `broker` somebody else's. */
export interface BrokerOptions {
  host: string;
  broker?: string;
  brokerPort: number;
  /** PEM files of the embedded broker. */
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  /** PEM files of the eIM as a client of `broker`. */
  ca?: string;
  cert?: string;
  key?: string;
  user?: string;
  password?: string;
}

/** @throws UsageError for options that do not go together */
export function checkBroker({ broker, tlsCert, tlsKey, tlsCa, cert, key }: BrokerOptions): void {
  if (broker !== undefined && (tlsCert ?? tlsKey ?? tlsCa) !== undefined) {
    throw new UsageError(
      '--tls-cert, --tls-key and --tls-ca are for the embedded broker; for --broker there are --ca, --cert, --key',
    );
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined) || (tlsCa !== undefined && tlsCert === undefined)) {
    throw new UsageError('TLS on the embedded broker needs --tls-cert and --tls-key');
  }
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key belong together');
}

/** Whether somebody else's broker is there and lets the eIM in. @throws XsIpaError saying what to do */
export async function reachBroker(options: BrokerOptions, output: Output): Promise<void> {
  const { broker: url, user, password, ca: caFile, cert: certificateFile, key: keyFile } = options;
  if (url === undefined) return;
  await brokerAnswers({ url, user, password, caFile, certificateFile, keyFile }, output, embeddedInstead);
}

/** The broker to be used; the embedded one runs until close(). @throws EimError for a port that cannot be had */
export async function startBroker(
  options: BrokerOptions,
  output: Output,
  observe: (event: SimEvent) => void,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { host, broker: url, brokerPort: port, tlsCert, tlsKey, tlsCa, user, password } = options;
  if (url !== undefined) return { url, close: async () => {} };
  const broker = new Broker({
    host,
    port,
    tls: tlsCert === undefined ? undefined : { cert: pem(tlsCert)!, key: pem(tlsKey)!, ca: pem(tlsCa) },
    users: user === undefined ? undefined : { [user]: password ?? '' },
    observe,
  });
  const running = await broker.listen().catch((error: unknown) => {
    throw withHint(error, 'choose another with --broker-port, or use the broker that runs with --broker');
  });
  if (!isLoopback(host) && (user ?? tlsCa) === undefined)
    output.note(
      `whoever reaches ${host} may use the broker: --user and --password, or --tls-ca, keep others out`,
    );
  return running;
}

/** What the eIM shows to the broker, and whom it trusts as that; PEM. */
export function clientTls({ broker, ca, cert, key, tlsCert, tlsKey }: BrokerOptions) {
  if (broker !== undefined) return { ca: pem(ca), cert: pem(cert), key: pem(key) };
  if (tlsCert === undefined) return undefined;
  // To the broker in this very process: who it is needs no check, and its own certificate is as good as a client's.
  return { cert: pem(cert ?? tlsCert), key: pem(key ?? tlsKey), rejectUnauthorized: false };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function pem(path: string): string;
function pem(path: string | undefined): string | undefined;
function pem(path: string | undefined): string | undefined {
  return path === undefined ? undefined : readPem(path);
}
