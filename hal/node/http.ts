import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type HttpClient,
  type HttpClientOptions,
  type HttpConfiguration,
  type HttpRequest,
  type HttpRequestOptions,
  XsIpaError,
} from '../contracts/index.js';
import { NodeExchange } from './http-exchange.js';
import { detailOf, openTls, type TlsOptions, tlsError } from './tls.js';
import type { TlsSessions } from './tls-sessions.js';
import type { TlsTrust } from './trust.js';

export interface HttpServerOptions {
  /** `http://host[:port]` or `https://host[:port]`, without a path. */
  url: string;
  /** The system's roots when absent. */
  trust?: TlsTrust;
  /** For SNI and the check of the name, when it is another than that of the URL: behind a tunnel, or for tests. */
  serverName?: string;
  /** PEM of a client certificate and its key, where the server wants one. */
  certificate?: string;
  key?: string;
  /** Where TLS sessions are kept for the next connection. */
  sessions?: TlsSessions;
  /** Milliseconds a server may be silent (60 s). */
  timeout?: number;
  /** Opens the byte stream instead of a socket of this computer: for a simulated modem's data connection. */
  openStream?: () => Duplex;
}

const TIMEOUT = 60_000;

/** Makes the contract's HTTP configuration for a server. @throws XsIpaError `badUrl` */
export function httpConfiguration(
  options: HttpServerOptions,
): HttpConfiguration & { host: string; port: number } {
  const { url, ...rest } = options;
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new XsIpaError(
      'badUrl',
      `${url} is no server address; write http://host:port or https://host:port`,
    );
  }
  const secure = parsed.protocol === 'https:';
  if (!secure && parsed.protocol !== 'http:') {
    throw new XsIpaError(
      'badUrl',
      `a server address begins with http:// or https://, not with ${parsed.protocol}//`,
    );
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { io: NodeHttpClient, host, port: Number(parsed.port) || (secure ? 443 : 80), secure, ...rest };
}

/** The contract's HTTP client on Node's own. */
export class NodeHttpClient implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #tls: TlsOptions | undefined;
  readonly #agent: PlainAgent;
  readonly #waiting: NodeExchange[] = [];
  #current: NodeExchange | undefined;
  #stream: Duplex | undefined;
  #gone = false;
  #closed = false;
  #silent = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    if (options.secure) this.#tls = { ...options, port: options.port ?? 443 };
    const settings = { keepAlive: true, maxSockets: 1 };
    this.#agent = options.secure ? new SecureAgent(settings) : new PlainAgent(settings);
    // One instance is one connection: a second one would be made in silence when the server ends the first.
    this.#agent.createConnection = (_settings, done) => {
      if (this.#stream) done?.(new XsIpaError('lost', 'the server ended the connection'), undefined as never);
      else this.#open(done as Opened);
      return undefined;
    };
  }

  request(options: HttpRequestOptions): HttpRequest {
    if (this.#closed) throw new XsIpaError('usage', 'request() on a connection that is gone');
    const exchange = new NodeExchange(options, () => this.#done());
    this.#waiting.push(exchange);
    setImmediate(() => this.#next());
    return exchange;
  }

  close(): void {
    this.#silent = true;
    this.#shut();
  }

  #open(done: Opened): void {
    const { host, port, openStream } = this.#options;
    const open = openStream as (() => Duplex) | undefined;
    if (this.#tls) {
      this.#stream = openTls(this.#tls, (stream) => done(null, stream));
    } else {
      const stream = open?.() ?? connectPlain({ host, port: port ?? 80, noDelay: true });
      this.#stream = stream;
      if (open) done(null, stream);
      else stream.once('connect', () => done(null, stream));
    }
    this.#stream.on('error', (error) => this.#lost(error));
    this.#stream.on('close', () => this.#lost(undefined));
  }

  #next(): void {
    if (this.#current || this.#closed) return;
    const exchange = this.#waiting.shift();
    if (!exchange) return;
    this.#current = exchange;
    const { host, port, secure, serverName } = this.#options;
    const { method = 'GET', path = '/', headers } = exchange.options;
    const make = secure ? secureRequest : plainRequest;
    try {
      exchange.begin(
        make({
          agent: this.#agent,
          host,
          port,
          method,
          path,
          headers: {
            ...(serverName ? { host: serverName as string } : {}),
            ...Object.fromEntries(headers ?? []),
          },
        }),
        (this.#options.timeout as number | undefined) ?? TIMEOUT,
        (error) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #done(): void {
    this.#current = undefined;
    if (this.#gone) this.#fail(undefined);
    else setImmediate(() => this.#next());
  }

  /** A response that has begun may be complete, though not read: it says itself how it ends. */
  #lost(reason: unknown): void {
    this.#gone = true;
    if (!this.#current?.answered) this.#fail(reason);
  }

  #fail(reason: unknown): void {
    if (this.#closed) return;
    const { host, onClose, onError } = this.#options;
    const waiting = this.#current ? [this.#current, ...this.#waiting] : [...this.#waiting];
    this.#shut();
    if (this.#silent) return;
    if (waiting.length === 0) {
      onClose?.();
      return;
    }
    const error =
      reason instanceof XsIpaError
        ? reason
        : (this.#tls && tlsError(this.#tls, reason)) ||
          new XsIpaError('lost', `the connection to the server ${host} failed${detailOf(reason)}`, {
            cause: reason,
          });
    for (const exchange of waiting) if (!this.#silent) exchange.options.onDone?.(error);
    if (!this.#silent) onError?.(error);
  }

  #shut(): void {
    this.#closed = true;
    this.#current?.abandon();
    this.#current = undefined;
    this.#waiting.length = 0;
    this.#stream?.destroy();
    this.#agent.destroy();
  }
}

type Opened = (error: Error | null, stream: Duplex) => void;
