import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { XsIpaError } from '../../hal/contracts/index.js';
import { unhex } from '../asn1/index.js';
import type { Smds } from '../smds/index.js';
import { SmdpError } from './error.js';
import type { OrderView } from './orders.js';
import type { OrderOptions, Smdp } from './smdp.js';

export const defaultSmdpControlPort = 8034;
export const defaultSmdsControlPort = 8035;
/** A profile comes in hex. */
const largestBody = 16_000_000;

type Routes = Readonly<Record<string, (body: Record<string, unknown>) => unknown>>;

export interface RunningServerControl {
  readonly url: string;
  /** Idempotent. */
  close(): Promise<void>;
}

/** An order in JSON: as {@link OrderOptions}, the profile in hex. */
export type OrderRequest = Omit<OrderOptions, 'profile'> & { profile?: string };

/**
 * HTTP and JSON interface of a running SM-DP+ on 127.0.0.1, for people and programs on the same machine:
 *
 *     GET  /orders   OrderView[]           POST /orders   OrderRequest → OrderView
 *     POST /release  {order} → OrderView   POST /withdraw {order}        POST /provoke {status, times?}
 *     GET  /notifications                  GET  /status
 */
export function serveSmdpControl(
  smdp: Smdp,
  port: number,
  status: () => Record<string, unknown>,
): Promise<RunningServerControl> {
  const order = (body: Record<string, unknown>) => String(body.order ?? '');
  return serve(port, {
    'GET /orders': () => smdp.orders(),
    'POST /orders': ({ profile, ...options }) =>
      smdp.order({
        ...(options as OrderOptions),
        ...(typeof profile === 'string' && { profile: unhex(profile) }),
      }),
    'POST /release': (body) => smdp.release(order(body)),
    'POST /withdraw': (body) => {
      smdp.withdraw(order(body));
      return {};
    },
    'POST /provoke': ({ status: code, times }) => {
      smdp.provoke(String(code), times === undefined ? undefined : Number(times));
      return {};
    },
    'GET /notifications': () => smdp.notifications(),
    'GET /status': () => ({ address: smdp.address, oid: smdp.oid, ...status() }),
  });
}

/** The same of an SM-DS: GET and POST /events, POST /delete {eid, eventId}, POST /provoke, GET /status. */
export function serveSmdsControl(
  smds: Smds,
  port: number,
  status: () => Record<string, unknown>,
): Promise<RunningServerControl> {
  return serve(port, {
    'GET /events': () => smds.events,
    'POST /events': ({ eid, eventId, rspServerAddress }) => {
      smds.register({
        eid: String(eid ?? ''),
        eventId: String(eventId ?? ''),
        rspServerAddress: String(rspServerAddress ?? ''),
      });
      return {};
    },
    'POST /delete': ({ eid, eventId }) => {
      smds.delete(String(eid), String(eventId));
      return {};
    },
    'POST /provoke': ({ status: code, times }) => {
      smds.provoke(String(code), times === undefined ? undefined : Number(times));
      return {};
    },
    'GET /status': () => ({ address: smds.address, ...status() }),
  });
}

/** @throws SmdpError 'network' when the port is taken */
async function serve(port: number, routes: Routes): Promise<RunningServerControl> {
  const server = createServer((incoming, answer) => {
    respond(routes, incoming).then(
      (body) => send(answer, 200, body),
      (error: unknown) => {
        const known = error instanceof XsIpaError;
        const message = error instanceof Error ? error.message : String(error);
        send(answer, known ? 400 : 500, { error: { code: known ? error.code : 'internal', message } });
      },
    );
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new SmdpError('network', `no control interface on 127.0.0.1:${port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  let closing: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${bound}`,
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

async function respond(routes: Routes, incoming: IncomingMessage): Promise<unknown> {
  const host = (incoming.headers.host ?? '').replace(/:\d+$/, '');
  // So that no web page reaches it through a name of its own.
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(host))
    throw new SmdpError('control', 'this interface answers on 127.0.0.1 and localhost only');
  const { pathname } = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  const key = `${incoming.method} ${pathname}`;
  const route = Object.hasOwn(routes, key) ? routes[key] : undefined;
  if (!route) throw new SmdpError('control', `there is no ${key}`);
  if (incoming.method !== 'POST') return route({});
  // A browser sends this type to another origin only after asking, and it is never told yes.
  if (!incoming.headers['content-type']?.startsWith('application/json'))
    throw new SmdpError('control', 'the body has to be application/json');
  return route(await readJson(incoming));
}

async function readJson(incoming: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length;
    if (length > largestBody) throw new SmdpError('control', `the body is larger than ${largestBody} bytes`);
    chunks.push(chunk as Buffer);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new SmdpError('control', 'the body is not JSON', { cause });
  }
  throw new SmdpError('control', 'the body is not a JSON object');
}

function send(answer: ServerResponse, status: number, body: unknown): void {
  answer.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  answer.end(JSON.stringify(body));
}

/** Talks to the control interface of a running SM-DP+ or SM-DS. */
export class ServerControlClient {
  readonly #url: string;
  readonly #what: string;

  /** @param what "SM-DP+" and how to start one, for error messages */
  constructor(url: string, what: string) {
    this.#url = url.replace(/\/$/, '');
    this.#what = what;
  }

  order(order: OrderRequest): Promise<OrderView> {
    return this.call('POST', '/orders', order) as Promise<OrderView>;
  }

  orders(): Promise<OrderView[]> {
    return this.call('GET', '/orders') as Promise<OrderView[]>;
  }

  release(order: string): Promise<OrderView> {
    return this.call('POST', '/release', { order }) as Promise<OrderView>;
  }

  /** @throws SmdpError 'control' */
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const url = this.#url;
    return new Promise((resolve, reject) => {
      if (!URL.canParse(url + path)) {
        reject(new SmdpError('argument', `"${url}" is not the address of a server`));
        return;
      }
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const outgoing = request(new URL(url + path), { method, headers, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', failed);
        answer.on('end', () => {
          let value: unknown;
          try {
            value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
          } catch {
            reject(new SmdpError('control', `what answers at ${url} is no ${this.#what}`));
            return;
          }
          if (answer.statusCode === 200) resolve(value);
          else {
            const { error } = value as { error?: { message?: string } };
            reject(new SmdpError('control', error?.message ?? `the server answered ${answer.statusCode}`));
          }
        });
      });
      const failed = (cause: Error) => {
        const refused = (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        const message = refused
          ? `no ${this.#what} is running at ${url}`
          : `${url} did not answer: ${cause.message}`;
        reject(new SmdpError('control', message, { cause }));
      };
      outgoing.on('error', failed);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
