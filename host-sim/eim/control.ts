import { hex } from '../asn1/index.js';
import { askControl, type RunningControl, serveControlHttp } from '../http/index.js';
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

/**
 * The control interface of a running eIM:
 *
 *     POST /orders {eid, order, mode?, timeoutMilliseconds?}   the Outcome, once it is there
 *     GET  /devices                                            DeviceView[]
 *     GET  /eim-configuration?token=1&eid=…&key=certificate    {"eimConfiguration": hex of the DER}
 *     GET  /status
 *
 * @throws HttpError 'network' when the port is taken
 */
export function serveControl(options: ControlOptions): Promise<RunningControl> {
  const { eim, eimFqdn, status, indirectProfileDownload, configuration, port = defaultControlPort } = options;
  return serveControlHttp(
    {
      'POST /orders': ({ eid, order, mode, timeoutMilliseconds }: Partial<OrderRequest>) => {
        if (typeof eid !== 'string') throw new EimError('argument', 'the order needs "eid", 32 digits');
        if (mode !== undefined && mode !== 'retrieval' && mode !== 'injection')
          throw new EimError('argument', '"mode" is "retrieval" or "injection"');
        if (timeoutMilliseconds !== undefined && !(Number(timeoutMilliseconds) > 0))
          throw new EimError('argument', '"timeoutMilliseconds" is a number above 0');
        return eim.queue(eid, order as Order, { mode, timeoutMilliseconds });
      },
      'GET /devices': () => eim.devices(),
      'GET /eim-configuration': (_body, query) => {
        const der = eim.eimConfiguration({
          eid: query.get('eid') ?? undefined,
          token: query.get('token') === '1',
          key: query.get('key') === 'certificate' ? 'certificate' : 'publicKey',
          indirectProfileDownload,
          ...configuration,
        });
        return { eimConfiguration: hex(der) };
      },
      'GET /status': (): EimStatus => ({
        eimId: eim.eimId,
        eimFqdn,
        devices: eim.devices().length,
        ...status?.(),
      }),
    },
    { port, largestBody },
  );
}

/** Talks to the control interface of a running eIM. */
export class EimControlClient {
  readonly #url: string;

  constructor(url = `http://127.0.0.1:${defaultControlPort}`) {
    this.#url = url.replace(/\/$/, '');
  }

  /** Resolves when the outcome is there. @throws HttpError 'control' */
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

  #call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const hint = 'start one with `npx xs-ipa eim serve`';
    return askControl({ url: this.#url, what: 'eIM', hint }, method, path, body);
  }
}
