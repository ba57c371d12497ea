import { unhex } from '../asn1/index.js';
import { askControl, type RunningControl, serveControlHttp } from '../http/index.js';
import type { Smds } from '../smds/index.js';
import type { OrderOptions } from './make-order.js';
import type { OrderView } from './orders.js';
import type { Smdp } from './smdp.js';

export const defaultSmdpControlPort = 8034;
export const defaultSmdsControlPort = 8035;
/** A profile comes in hex. */
const largestBody = 16_000_000;

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
): Promise<RunningControl> {
  const order = (body: Record<string, unknown>) => String(body.order ?? '');
  return serveControlHttp(
    {
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
    },
    { port, largestBody },
  );
}

/** The same of an SM-DS: GET and POST /events, POST /delete {eid, eventId}, POST /provoke, GET /status. */
export function serveSmdsControl(
  smds: Smds,
  port: number,
  status: () => Record<string, unknown>,
): Promise<RunningControl> {
  return serveControlHttp(
    {
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
    },
    { port, largestBody },
  );
}

/** Talks to the control interface of a running SM-DP+ or SM-DS. */
export class ServerControlClient {
  readonly #server: { url: string; what: string; hint: string };

  /** @param what "SM-DP+" or "SM-DS", for error messages */
  constructor(url: string, what: 'SM-DP+' | 'SM-DS') {
    const command = what === 'SM-DS' ? 'smds' : 'smdp';
    this.#server = {
      url: url.replace(/\/$/, ''),
      what,
      hint: `start one with \`npx xs-ipa ${command} serve\``,
    };
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

  /** @throws HttpError 'control' */
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    return askControl(this.#server, method, path, body);
  }
}
