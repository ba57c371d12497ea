import { createHash, X509Certificate } from 'node:crypto';
import {
  type ClientRequest,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectSecure, type TLSSocket } from 'node:tls';
import {
  type HttpClient,
  type HttpClientOptions,
  type HttpConfiguration,
  type HttpRequest,
  type HttpRequestOptions,
  XsIpaError,
} from '../contracts/index.js';

/** Whom a TLS client trusts. */
export type HttpTrust =
  /** The computer's own roots. */
  | { roots: 'system' }
  /** These certificates and nothing else: PEM, or DER. */
  | { roots: readonly (string | Uint8Array)[] }
  /** This public key, whoever vouches for it: a SubjectPublicKeyInfo, DER. Names are not looked at, dates are. */
  | { pin: Uint8Array };

export interface HttpServerOptions {
  /** `http://host[:port]` or `https://host[:port]`, without a path. */
  url: string;
  /** The system's roots when absent. */
  trust?: HttpTrust;
  /** For SNI and the check of the name, when it is another than that of the URL: behind a tunnel, or for tests. */
  serverName?: string;
  /** PEM of a client certificate and its key, where the server wants one. */
  certificate?: string;
  key?: string;
  /** Milliseconds a server may be silent (60 s). */
  timeout?: number;
  /** Opens the byte stream instead of a socket of this computer: for a simulated modem's data connection. */
  openStream?: () => Duplex;
}

/** What onWritable announces; the host has no reason to be small. */
const ROOM = 16_384;
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

/**
 * How to trust what the tag A6 of an EimConfigurationData holds (spec/esipa.md §7): a CA is the only root, any other certificate
 * is pinned by its key.
 * @param kind of the alternative: A0 a SubjectPublicKeyInfo, A1 a certificate; both whole, DER
 */
export function trustOf(kind: 'publicKey' | 'certificate', der: Uint8Array): HttpTrust {
  if (kind === 'publicKey') return { pin: der };
  const certificate = new X509Certificate(der);
  return certificate.ca ? { roots: [der] } : { pin: spki(certificate) };
}

/** The contract's HTTP client on Node's own. */
export class NodeHttpClient implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agent: PlainAgent;
  readonly #waiting: NodeExchange[] = [];
  #current: NodeExchange | undefined;
  #stream: Duplex | undefined;
  #gone = false;
  #closed = false;
  #silent = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
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
    const { host, port, secure, openStream } = this.#options;
    const open = openStream as (() => Duplex) | undefined;
    if (secure) {
      this.#stream = this.#openSecure(open?.(), done);
    } else {
      const stream = open?.() ?? connectPlain({ host, port: port ?? 80, noDelay: true });
      this.#stream = stream;
      if (open) done(null, stream);
      else stream.once('connect', () => done(null, stream));
    }
    this.#stream.on('error', (error) => this.#lost(error));
    this.#stream.on('close', () => this.#lost(undefined));
  }

  #openSecure(socket: Duplex | undefined, done: Opened): TLSSocket {
    const { host, port, serverName, certificate, key } = this.#options;
    const trust = (this.#options.trust ?? { roots: 'system' }) as HttpTrust;
    const name = (serverName ?? host) as string;
    const settings: ConnectionOptions = {
      ...(socket ? { socket } : { host, port: port ?? 443 }),
      // An address is no server name (RFC 6066 §3).
      ...(isName(name) && { servername: name }),
      minVersion: 'TLSv1.2',
      cert: certificate as string | undefined,
      key: key as string | undefined,
      ...('pin' in trust
        ? { rejectUnauthorized: false }
        : trust.roots !== 'system' && { ca: trust.roots.map(pem) }),
    };
    const stream = connectSecure(settings);
    stream.setNoDelay(true);
    stream.once('secureConnect', () => {
      const refusal = 'pin' in trust ? refusalOf(stream, trust.pin) : undefined;
      if (refusal) {
        const message = `the server ${name} ${refusal}; expected ${expectation(trust, name)}`;
        stream.destroy(new XsIpaError('untrusted', message));
      } else done(null, stream);
    });
    return stream;
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
        : (this.#untrusted(reason) ??
          new XsIpaError('lost', `the connection to the server ${host} failed${detailOf(reason)}`, {
            cause: reason,
          }));
    for (const exchange of waiting) if (!this.#silent) exchange.options.onDone?.(error);
    if (!this.#silent) onError?.(error);
  }

  /** The error of a server that is not the one that is expected, or speaks no TLS. */
  #untrusted(reason: unknown): XsIpaError | undefined {
    const { host, secure, serverName } = this.#options;
    const code = String((reason as { code?: unknown } | undefined)?.code ?? '');
    if (!secure || !isRefusal(code)) return undefined;
    const trust = (this.#options.trust ?? { roots: 'system' }) as HttpTrust;
    const name = String(serverName ?? host);
    const message = `the server ${name} is not the one that is expected${detailOf(reason)}; expected ${expectation(trust, name)}`;
    return new XsIpaError('untrusted', message, { cause: reason });
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

class NodeExchange implements HttpRequest {
  readonly options: HttpRequestOptions;
  readonly #done: () => void;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #piece: Uint8Array | undefined;
  #room = 0;
  #unwritten = 0;
  #drained = false;
  #over = false;

  constructor(options: HttpRequestOptions, done: () => void) {
    this.options = options;
    this.#done = done;
    this.#unwritten = Number(options.headers?.get('content-length') ?? 0);
    if (!Number.isSafeInteger(this.#unwritten) || options.headers?.has('transfer-encoding')) {
      throw new XsIpaError('usage', 'a request body is announced by its content-length');
    }
  }

  get answered(): boolean {
    return this.#response !== undefined;
  }

  begin(request: ClientRequest, timeout: number, fail: (error: unknown) => void): void {
    this.#request = request;
    request.setTimeout(timeout, () => {
      // Not while it is the application that has to go on.
      if (!this.#piece && this.#unwritten === 0)
        fail(new XsIpaError('timeout', 'the server has fallen silent'));
    });
    request.on('error', fail);
    request.on('response', (response) => {
      if (this.#over) return;
      this.#response = response;
      response.on('readable', () => this.#announce());
      response.on('end', () => this.#end());
      response.on('error', fail);
      const kept = new Map<string, string>();
      for (const [name, value] of Object.entries(response.headers)) kept.set(name, String(value));
      this.options.onHeaders?.(response.statusCode ?? 0, kept);
    });
    if (this.#unwritten === 0) {
      request.end();
      return;
    }
    request.flushHeaders();
    request.once('socket', () => {
      this.#room = ROOM;
      this.#offer();
    });
  }

  abandon(): void {
    this.#over = true;
    this.#request?.destroy();
  }

  read(into: Uint8Array): number {
    const piece = this.#piece;
    if (!piece || this.#over) return 0;
    const count = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, count));
    this.#piece = count < piece.length ? piece.subarray(count) : undefined;
    if (!this.#piece) setImmediate(() => (this.#drained ? this.#end() : this.#announce()));
    return count;
  }

  write(piece: Uint8Array): number {
    const allowed = Math.min(this.#room, this.#unwritten);
    if (this.#over || !this.#request || piece.length > allowed) {
      throw new XsIpaError('usage', `${piece.length} bytes of a request body where ${allowed} were allowed`);
    }
    if (piece.length === 0) return allowed;
    this.#room -= piece.length;
    this.#unwritten -= piece.length;
    this.#request.write(Uint8Array.from(piece), () => {
      if (this.#over) return;
      this.#room += piece.length;
      this.#offer();
    });
    if (this.#unwritten === 0) this.#request.end();
    return Math.min(this.#room, this.#unwritten);
  }

  #offer(): void {
    const allowed = Math.min(this.#room, this.#unwritten);
    if (allowed > 0 && !this.#over) this.options.onWritable?.(allowed);
  }

  #announce(): void {
    if (this.#over || this.#piece) return;
    const piece: Uint8Array | null | undefined = this.#response?.read();
    if (!piece) return;
    this.#piece = piece;
    if (this.options.onReadable) this.options.onReadable(piece.length);
    else this.read(new Uint8Array(piece.length));
  }

  #end(): void {
    if (this.#over) return;
    // Node's stream is at its end; the application may not be.
    this.#drained = true;
    if (this.#piece) return;
    this.#over = true;
    this.options.onDone?.();
    this.#done();
  }
}

/** Codes of OpenSSL's verification and of a conversation that is no TLS, as Node gives them. */
function isRefusal(code: string): boolean {
  return (
    /^(CERT_|CRL_|ERR_TLS_CERT|ERR_SSL_|EPROTO)/.test(code) ||
    /(SELF_SIGNED_CERT|ISSUER_CERT|LEAF_SIGNATURE|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH)/.test(code)
  );
}

/** For a log: what a server has to show. */
function expectation(trust: HttpTrust, name: string): string {
  if ('pin' in trust) {
    const hash = createHash('sha256').update(trust.pin).digest('hex');
    return `TLS with the key whose SubjectPublicKeyInfo has the SHA-256 ${hash}`;
  }
  if (trust.roots === 'system')
    return `TLS with a valid certificate for ${name} of a CA that this computer trusts`;
  const subjects = trust.roots.map((root) => new X509Certificate(root).subject.replaceAll('\n', ', '));
  return `TLS with a valid certificate for ${name} of ${subjects.join(' or ')}`;
}

function refusalOf(stream: TLSSocket, pin: Uint8Array): string | undefined {
  const certificate = stream.getPeerX509Certificate();
  if (!certificate) return 'showed no certificate';
  if (!spki(certificate).equals(pin)) return 'has another key than the one that is pinned';
  const now = Date.now();
  const valid = now >= Date.parse(certificate.validFrom) && now <= Date.parse(certificate.validTo);
  return valid
    ? undefined
    : `has a certificate that is valid from ${certificate.validFrom} to ${certificate.validTo}`;
}

function spki(certificate: X509Certificate): Buffer {
  return certificate.publicKey.export({ type: 'spki', format: 'der' });
}

function pem(root: string | Uint8Array): string {
  return typeof root === 'string' ? root : new X509Certificate(root).toString();
}

function isName(host: string): boolean {
  return !host.includes(':') && !/^[\d.]+$/.test(host);
}

function detailOf(reason: unknown): string {
  // OpenSSL's own messages have line numbers of its source; the reason is for people.
  const { reason: short } = (reason ?? {}) as { reason?: unknown };
  if (typeof short === 'string') return `: ${short}`;
  return reason instanceof Error ? `: ${reason.message}` : '';
}
