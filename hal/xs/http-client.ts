import {
  type HttpClient,
  type HttpClientOptions,
  type HttpRequest,
  type HttpRequestOptions,
  isAddress,
  type Resolver,
  type ResolverConfiguration,
  type TcpConfiguration,
  type TcpSocket,
  type Timer,
  type TimerHandle,
  XsIpaError,
} from '../contracts/index.js';
import { bodyLength, requestHead } from './http-head.js';
import { Heard, HttpParser } from './http-parser.js';

/** What the device's client needs beside the contract's options; it travels beside `io` in the configuration. */
export interface XsHttpOptions extends HttpClientOptions {
  timer: Timer;
  /** TCP, or TLS over TCP: the class under `io`. */
  socket: TcpConfiguration;
  /** Without it the socket class gets `host` and resolves it by itself. */
  dns?: ResolverConfiguration;
  /** Milliseconds until the connection must stand (30 s). */
  connectTimeout?: number;
  /** Milliseconds a server may be silent while it is its turn (60 s); noticed after up to twice that. */
  timeout?: number;
  /** Lower-case names of the response headers that onHeaders gets (content-type, retry-after, x-admin-protocol). */
  keep?: readonly string[];
  /** Longest head of a response, bytes (8192). Only the kept headers take memory. */
  headLimit?: number;
}

const CONNECT_TIMEOUT = 30_000;
const TIMEOUT = 60_000;
const HEAD_LIMIT = 8_192;
const KEPT = ['content-type', 'retry-after', 'x-admin-protocol'] as const;

// What is going on.
const RESOLVING = 0;
const CONNECTING = 1;
const OPEN = 2;
const CLOSED = 3;

/**
 * The device's HTTP/1.1 client: exchanges one after the other over one connection, bodies streamed both ways, a few hundred
 * bytes of its own. What the application does not read stays in the socket.
 *
 * Everything that comes from outside ends in onDone and onError, never in an exception; request() and write() throw `usage`
 * where the caller broke the contract. Request bodies need a content-length.
 */
export class XsHttpClient implements HttpClient {
  readonly #options: XsHttpOptions;
  readonly #timer: Timer;
  readonly #parser: HttpParser;
  /** Heads are read through this; never a body that somebody wants. */
  readonly #piece = new Uint8Array(16);
  readonly #waitingExchanges: Exchange[] = [];
  #current: Exchange | undefined;
  #state = RESOLVING;
  #resolver: Resolver | undefined;
  #socket: TcpSocket | undefined;
  /** Bytes the socket takes now, and holds for us. */
  #room = 0;
  #waiting = 0;
  /** Of the request head that is on its way out. */
  #head: Uint8Array | undefined;
  /** Bytes of the request body that the application has still to write. */
  #unwritten = 0;
  /** Bytes of the response body that were announced and not yet read. */
  #announced = 0;
  #pumping = false;
  /** close() was called. */
  #silent = false;
  #deadline: TimerHandle | undefined;
  #later: TimerHandle | undefined;
  /** Since the deadline was looked at. */
  #moved = false;

  /** @throws XsIpaError `usage` */
  constructor(options: HttpClientOptions) {
    const { timer, socket, dns, host, connectTimeout, keep, headLimit } = options as XsHttpOptions;
    if (!timer || !socket || !host)
      throw new XsIpaError('usage', 'an HTTP client needs timer, socket and host');
    this.#options = options as XsHttpOptions;
    this.#timer = timer;
    this.#parser = new HttpParser(keep ?? KEPT, headLimit ?? HEAD_LIMIT);
    this.#deadline = timer.set(() => {
      this.fail('noServer', `the server ${host} did not answer in time`);
    }, connectTimeout ?? CONNECT_TIMEOUT);
    if (dns && !isAddress(host)) this.resolve(dns, host);
    else this.connect(isAddress(host) ? host : undefined);
  }

  request(options: HttpRequestOptions): HttpRequest {
    if (this.#state === CLOSED) throw new XsIpaError('usage', 'request() on a connection that is gone');
    const { host, port } = this.#options;
    const named = port === undefined || port === 80 || port === 443 ? host : `${host}:${port}`;
    const exchange = new Exchange(this, options, requestHead(options, named), bodyLength(options));
    this.#waitingExchanges.push(exchange);
    // Not at once: a callback never runs before request() has returned.
    if (this.#state === OPEN && !this.#current) this.soon();
    return exchange;
  }

  /** @internal of the exchange */
  readBody(exchange: Exchange, into: Uint8Array): number {
    const count = exchange === this.#current ? Math.min(into.length, this.#announced) : 0;
    if (count === 0 || !this.#socket) return 0;
    const got = this.#socket.read(count === into.length ? into : into.subarray(0, count)) ?? 0;
    this.#waiting -= got;
    this.#announced -= got;
    this.#moved = true;
    const heard = this.#parser.skip(got);
    exchange.ended = heard === Heard.end;
    // Not from here: whoever reads a body to its end must be done with it before onDone.
    if (this.#announced === 0 && !this.#pumping) this.soon();
    return got;
  }

  /** @internal of the exchange */
  writeBody(exchange: Exchange, piece: Uint8Array): number {
    const allowed = exchange === this.#current && !this.#head ? Math.min(this.#room, this.#unwritten) : 0;
    if (piece.length > allowed) {
      throw new XsIpaError('usage', `${piece.length} bytes of a request body where ${allowed} were allowed`);
    }
    if (piece.length > 0) {
      this.#unwritten -= piece.length;
      this.send(piece);
    }
    return Math.min(this.#room, this.#unwritten);
  }

  close(): void {
    this.#silent = true;
    this.shut();
    this.#current = undefined;
    this.#waitingExchanges.length = 0;
  }

  // Connecting ------------------------------------------------------------------------------------------------------

  private resolve(dns: ResolverConfiguration, host: string): void {
    this.#resolver = new dns.io(dns);
    this.#resolver.resolve({
      host,
      onResolved: (_host, address) => {
        if (this.#state === RESOLVING) this.connect(address);
      },
      onError: () => this.fail('noServer', `the name ${host} could not be resolved`),
    });
  }

  private connect(address: string | undefined): void {
    const { socket, host, port = 80 } = this.#options;
    const { io, ...rest } = socket;
    this.#state = CONNECTING;
    try {
      this.#socket = new io({
        ...rest,
        host,
        address,
        port,
        onReadable: (count) => {
          this.#waiting = count;
          this.#moved = true;
          this.pump();
        },
        onWritable: (count) => this.onWritable(count),
        onError: (reason) => this.lost(reason),
      });
    } catch (cause) {
      this.#later = this.#timer.set(() => this.lost(cause), 0);
    }
  }

  private onWritable(count: number): void {
    if (this.#state === CLOSED) return;
    this.#room = count;
    this.#moved = true;
    if (this.#state === CONNECTING) {
      this.#state = OPEN;
      this.#timer.clear(this.#deadline);
      this.#deadline = undefined;
      this.next();
    } else this.flush();
  }

  // One exchange after the other ------------------------------------------------------------------------------------

  private soon(): void {
    this.#later ??= this.#timer.set(() => {
      this.#later = undefined;
      if (this.#current?.ended) this.done();
      else if (!this.#current) this.next();
      this.pump();
    }, 0);
  }

  private next(): void {
    if (this.#current || this.#state !== OPEN) return;
    const exchange = this.#waitingExchanges.shift();
    if (!exchange) return;
    this.#current = exchange;
    this.#head = exchange.head;
    exchange.head = undefined;
    this.#unwritten = exchange.length;
    this.#parser.expect(exchange.options.method ?? 'GET');
    this.watch();
    this.flush();
  }

  /** The response at hand was read whole. */
  private done(): void {
    const exchange = this.#current;
    if (!exchange) return;
    // A server that answers before it has the whole request does not read the rest as the beginning of the next one.
    const again = this.#parser.keepAlive && this.#unwritten === 0 && !this.#head;
    this.#current = undefined;
    this.#unwritten = 0;
    this.#head = undefined;
    this.#timer.clear(this.#deadline);
    this.#deadline = undefined;
    exchange.options.onDone?.();
    if (this.#state === CLOSED) return;
    if (again) {
      this.next();
      return;
    }
    this.shut();
    this.ended(new XsIpaError('lost', 'the server ended the connection after a response'));
  }

  /** After {@link shut}: tells whoever is still waiting. */
  private ended(error: XsIpaError): void {
    const waiting = this.#waitingExchanges;
    if (this.#current) waiting.unshift(this.#current);
    this.#current = undefined;
    const { onClose, onError } = this.#options;
    if (waiting.length === 0) {
      onClose?.();
      return;
    }
    // close() in one of the callbacks empties the list.
    for (let next = waiting.shift(); next; next = waiting.shift()) next.options.onDone?.(error);
    if (!this.#silent) onError?.(error);
  }

  /** A silent server is given up, unless it is the application that has to go on. */
  private watch(): void {
    this.#moved = false;
    this.#deadline = this.#timer.set(() => {
      const isOurTurn = this.#announced > 0 || (this.#unwritten > 0 && this.#room > 0 && !this.#head);
      if (this.#moved || isOurTurn) this.watch();
      else this.fail('timeout', `the server ${this.#options.host} has fallen silent`);
    }, this.#options.timeout ?? TIMEOUT);
  }

  // Out -------------------------------------------------------------------------------------------------------------

  private flush(): void {
    while (this.#head && this.#room > 0) {
      const head = this.#head;
      const count = Math.min(head.length, this.#room);
      this.#head = count < head.length ? head.subarray(count) : undefined;
      this.send(head.subarray(0, count));
    }
    const allowed = Math.min(this.#room, this.#unwritten);
    if (!this.#head && allowed > 0) this.#current?.options.onWritable?.(allowed);
  }

  private send(bytes: Uint8Array): void {
    const left = this.#socket?.write(bytes);
    this.#room = typeof left === 'number' ? left : this.#room - bytes.length;
    this.#moved = true;
  }

  // In --------------------------------------------------------------------------------------------------------------

  /** Takes heads out of the socket and announces bodies, until the application has something to read. */
  private pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const parser = this.#parser;
    try {
      while (this.#waiting > 0 && this.#announced === 0 && this.#state === OPEN) {
        const exchange = this.#current;
        if (exchange?.ended) this.done();
        else if (!exchange) {
          // Some servers say 408 before they close an idle connection. It must not be taken for the next answer.
          this.shut();
          this.ended(new XsIpaError('lost', 'the server ended the connection'));
        } else if (parser.body > 0) this.announce(exchange);
        else if (!this.readHead()) break;
      }
      if (this.#current?.ended && this.#announced === 0) this.done();
    } finally {
      this.#pumping = false;
    }
  }

  private readHead(): boolean {
    const piece = this.#piece;
    const count = Math.min(this.#parser.need, this.#waiting, piece.length);
    const got = this.#socket?.read(count < piece.length ? piece.subarray(0, count) : piece) ?? 0;
    if (got <= 0) return false;
    this.#waiting -= got;
    for (let at = 0; at < got && this.#state === OPEN; at++) {
      const heard = this.#parser.push(piece[at]);
      if (heard !== Heard.incomplete) this.heard(heard);
    }
    return true;
  }

  private heard(heard: number): void {
    const { status, headers, fault, idle } = this.#parser;
    const exchange = this.#current;
    if (heard === Heard.fault) this.fail('protocol', `the server sent ${fault}`);
    else if (exchange && heard === Heard.head) {
      exchange.ended = idle;
      exchange.options.onHeaders?.(status, headers ?? new Map());
    } else if (exchange && heard === Heard.end) exchange.ended = true;
  }

  private announce(exchange: Exchange): void {
    const count = Math.min(this.#waiting, this.#parser.body);
    this.#announced = count;
    if (exchange.options.onReadable) exchange.options.onReadable(count);
    else while (this.#announced > 0 && this.readBody(exchange, this.#piece) > 0);
  }

  // The end ---------------------------------------------------------------------------------------------------------

  private lost(reason: unknown): void {
    if (this.#state === CLOSED) return;
    const { host } = this.#options;
    const detail = reason instanceof Error ? `: ${reason.message}` : '';
    if (this.#state !== OPEN) {
      // TLS says what it does not like about the server.
      const isKnown =
        reason instanceof XsIpaError && (reason.code === 'untrusted' || reason.code === 'refused');
      this.fail(isKnown ? reason.code : 'noServer', `no connection to the server ${host}${detail}`);
      return;
    }
    const exchange = this.#current;
    // Without a length the end of the connection is the end of the body.
    if (exchange && (exchange.ended || this.#parser.finish() === Heard.end)) this.done();
    this.fail('lost', `the connection to the server ${host} broke${detail}`);
  }

  private fail(code: string, message: string): void {
    if (this.#state === CLOSED) return;
    this.shut();
    this.ended(new XsIpaError(code, message));
  }

  private shut(): void {
    this.#state = CLOSED;
    this.#timer.clear(this.#deadline);
    this.#timer.clear(this.#later);
    this.#deadline = this.#later = undefined;
    this.#resolver?.close?.();
    this.#socket?.close();
    this.#resolver = this.#socket = this.#head = undefined;
    this.#announced = this.#waiting = this.#room = this.#unwritten = 0;
  }
}

/** One request and its response. */
class Exchange implements HttpRequest {
  readonly options: HttpRequestOptions;
  head: Uint8Array | undefined;
  readonly length: number;
  /** The response was read whole. */
  ended = false;
  readonly #client: XsHttpClient;

  constructor(client: XsHttpClient, options: HttpRequestOptions, head: Uint8Array, length: number) {
    this.#client = client;
    this.options = options;
    this.head = head;
    this.length = length;
  }

  read(into: Uint8Array): number {
    return this.#client.readBody(this, into);
  }

  write(piece: Uint8Array): number {
    return this.#client.writeBody(this, piece);
  }
}
