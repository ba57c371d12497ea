import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { XsIpaError } from '../../hal/contracts/index.js';
import { hex } from '../asn1/index.js';
import type { ConfigurationOptions } from './configuration.js';
import type { Eim, QueueOptions } from './eim.js';
import { EimError } from './error.js';
import type { Order } from './orders.js';
import type { Outcome } from './outcome.js';
import type { DeviceView } from './state.js';

export const defaultControlPort = 8032;
const largestBody = 1_000_000;

export interface OrderRequest {
  /** 32 digits. */
  eid: string;
  order: Order;
  mode?: QueueOptions['mode'];
  timeoutMilliseconds?: number;
}

export interface EimStatus {
  eimId: string;
  eimFqdn: string;
  devices: number;
  /** What the process that runs the eIM adds, such as the broker's URL. */
  [key: string]: unknown;
}

export interface ControlOptions {
  eim: Eim;
  eimFqdn: string;
  /** In the configurations that are asked for. */
  indirectProfileDownload?: boolean;
  /** Of the configurations too: how the eIM can be reached, and whom to trust there. */
  configuration?: Pick<ConfigurationOptions, 'protocols' | 'trustedTls'>;
  /** 0: any free port. */
  port?: number;
  /** Added to GET /status. */
  status?: () => Record<string, unknown>;
}

export interface RunningControl {
  readonly url: string;
  readonly port: number;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * HTTP and JSON interface of a running eIM, for people and programs on the same machine: it listens on 127.0.0.1 only and
 * refuses Host headers of other names, so that no web page can reach it through a name of its own.
 *
 *     POST /orders {eid, order, mode?, timeoutMilliseconds?}   the Outcome, once it is there
 *     GET  /devices                                            DeviceView[]
 *     GET  /eim-configuration?token=1&eid=…&key=certificate    {"eimConfiguration": hex of the DER}
 *     GET  /status
 *
 * @throws EimError 'network' when the port is taken
 */
export async function serveControl(options: ControlOptions): Promise<RunningControl> {
  const server = createServer((incoming, answer) => {
    respond(options, incoming).then(
      (body) => send(answer, 200, body),
      (error: unknown) => {
        const known = error instanceof XsIpaError;
        const status = error instanceof HttpError ? error.status : known ? 400 : 500;
        const message = error instanceof Error ? error.message : String(error);
        send(answer, status, { error: { code: known ? error.code : 'internal', message } });
      },
    );
  });
  // An outcome may take as long as the device sleeps.
  server.requestTimeout = 0;
  const port = await new Promise<number>((resolve, reject) => {
    const wanted = options.port ?? defaultControlPort;
    server.once('error', (cause) => {
      const hint =
        (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'the port is in use' : cause.message;
      reject(new EimError('network', `no control interface on 127.0.0.1:${wanted}: ${hint}`, { cause }));
    });
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : wanted);
    });
  });
  let closing: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

class HttpError extends EimError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('control', message);
    this.status = status;
  }
}

async function respond(
  { eim, eimFqdn, status, indirectProfileDownload, configuration }: ControlOptions,
  incoming: IncomingMessage,
): Promise<unknown> {
  const host = (incoming.headers.host ?? '').replace(/:\d+$/, '');
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(host)) {
    throw new HttpError(403, 'this interface answers on 127.0.0.1 and localhost only');
  }
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  const route = `${incoming.method} ${url.pathname}`;
  switch (route) {
    case 'POST /orders': {
      const type = (incoming.headers['content-type'] ?? '').split(';')[0].trim();
      // A browser sends this type to another origin only after asking, and it is never told yes.
      if (type !== 'application/json') throw new HttpError(415, 'the body has to be application/json');
      const { eid, order, mode, timeoutMilliseconds } = (await readJson(incoming)) as Partial<OrderRequest>;
      if (typeof eid !== 'string') throw new HttpError(400, 'the order needs "eid", 32 digits');
      if (mode !== undefined && mode !== 'retrieval' && mode !== 'injection') {
        throw new HttpError(400, '"mode" is "retrieval" or "injection"');
      }
      if (timeoutMilliseconds !== undefined && !(Number(timeoutMilliseconds) > 0)) {
        throw new HttpError(400, '"timeoutMilliseconds" is a number above 0');
      }
      return eim.queue(eid, order as Order, { mode, timeoutMilliseconds });
    }
    case 'GET /devices':
      return eim.devices();
    case 'GET /eim-configuration': {
      const query = url.searchParams;
      const der = eim.eimConfiguration({
        eid: query.get('eid') ?? undefined,
        token: query.get('token') === '1',
        key: query.get('key') === 'certificate' ? 'certificate' : 'publicKey',
        indirectProfileDownload,
        ...configuration,
      });
      return { eimConfiguration: hex(der) };
    }
    case 'GET /status':
      return { eimId: eim.eimId, eimFqdn, devices: eim.devices().length, ...status?.() } satisfies EimStatus;
    default:
      throw new HttpError(404, `there is no ${route}`);
  }
}

async function readJson(incoming: IncomingMessage): Promise<object> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length;
    if (length > largestBody) throw new HttpError(413, `the body is larger than ${largestBody} bytes`);
    chunks.push(chunk as Buffer);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new HttpError(400, 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new HttpError(400, 'the body is not a JSON object');
  return value;
}

function send(answer: ServerResponse, status: number, body: unknown): void {
  answer.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  answer.end(JSON.stringify(body));
}

/** Talks to the control interface of a running eIM. */
export class EimControlClient {
  readonly #url: string;

  constructor(url = `http://127.0.0.1:${defaultControlPort}`) {
    this.#url = url.replace(/\/$/, '');
  }

  /** Resolves when the outcome is there. @throws EimError 'control' */
  order(body: OrderRequest): Promise<Outcome> {
    return this.#call('POST', '/orders', body) as Promise<Outcome>;
  }

  devices(): Promise<DeviceView[]> {
    return this.#call('GET', '/devices') as Promise<DeviceView[]>;
  }

  status(): Promise<EimStatus> {
    return this.#call('GET', '/status') as Promise<EimStatus>;
  }

  /** EimConfigurationData, whole DER. */
  async eimConfiguration(
    options: { eid?: string; token?: boolean; key?: 'publicKey' | 'certificate' } = {},
  ): Promise<Uint8Array> {
    const query = new URLSearchParams();
    if (options.eid) query.set('eid', options.eid);
    if (options.token) query.set('token', '1');
    if (options.key) query.set('key', options.key);
    const answer = (await this.#call('GET', `/eim-configuration?${query}`)) as { eimConfiguration: string };
    return Uint8Array.from(Buffer.from(answer.eimConfiguration, 'hex'));
  }

  // Not fetch(): it gives up when an answer takes longer than five minutes.
  #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const url = this.#url;
    return new Promise((resolve, reject) => {
      let target: URL;
      try {
        target = new URL(url + path);
      } catch (cause) {
        reject(new EimError('argument', `"${url}" is not the address of an eIM`, { cause }));
        return;
      }
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const outgoing = request(target, { method, headers, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () => {
          let value: unknown;
          try {
            value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
          } catch {
            reject(new EimError('control', `what answers at ${url} is not an eIM of xs-ipa`));
            return;
          }
          if (answer.statusCode === 200) resolve(value);
          else {
            const { error } = value as { error?: { message?: string } };
            reject(new EimError('control', error?.message ?? `the eIM answered ${answer.statusCode}`));
          }
        });
      });
      const fail = (cause: Error) => {
        const refused = (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        const message = refused
          ? `no eIM is running at ${url}: start one with \`npx xs-ipa eim serve\``
          : `the eIM at ${url} did not answer: ${cause.message}`;
        reject(new EimError('control', message, { cause }));
      };
      outgoing.on('error', fail);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
