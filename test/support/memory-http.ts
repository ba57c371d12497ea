import type {
  HttpClient,
  HttpClientConstructor,
  HttpClientOptions,
  HttpRequest,
  HttpRequestOptions,
} from '../../hal/contracts/index.js';
import type { Life } from './life.js';

export interface MemoryRequest {
  host: string;
  path: string;
  body: Uint8Array;
  headers: ReadonlyMap<string, string>;
  /** Counted from 1. */
  connection: number;
}

export interface MemoryResponse {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
}

type MemoryServer = (request: MemoryRequest) => MemoryResponse | Promise<MemoryResponse>;

/** Servers that HTTP clients reach without a socket: on a virtual clock, answers in pieces, cut off on demand. */
export class MemoryHttp {
  /** Milliseconds for a request to arrive, and for its answer to begin. */
  latency = 40;
  /** Bytes of an answer that arrive at once. */
  piece = 1_000;
  /** False: connections cannot be made, and open ones are dead. */
  reachable: (host: string) => boolean = () => true;
  /** Called before a server sees a request and after it has answered. */
  onMessage: ((stage: 'before' | 'after', request: MemoryRequest) => void) | undefined;
  readonly requests: MemoryRequest[] = [];
  /** Made so far, and open now. */
  connections = 0;
  opened = 0;
  readonly #servers = new Map<string, MemoryServer>();

  serve(host: string, server: MemoryServer): void {
    this.#servers.set(host, server);
  }

  /** Past all clients: what a server answers. */
  async ask(request: MemoryRequest): Promise<MemoryResponse> {
    const server = this.#servers.get(request.host);
    return server ? server(request) : { status: 502 };
  }

  clientClass(life: Life): HttpClientConstructor {
    const http = this;
    return class MemoryHttpClient implements HttpClient {
      readonly #options: HttpClientOptions;
      readonly #number = ++http.connections;
      #closed = false;

      constructor(options: HttpClientOptions) {
        this.#options = options;
        http.opened++;
        life.atDeath(() => this.close());
      }

      request(options: HttpRequestOptions): HttpRequest {
        const length = Number(options.headers?.get('content-length') ?? 0);
        const body = new Uint8Array(length);
        let written = 0;
        let answer = new Uint8Array(0);
        let announced = 0;
        let read = 0;
        const { host } = this.#options;
        const connection = this.#number;
        const headers = options.headers ?? new Map();
        const later = (act: () => void, delay = http.latency) =>
          life.timer.set(() => {
            if (!this.#closed) act();
          }, delay);
        const fail = () => {
          const error = new Error(`${host} cannot be reached`);
          options.onDone?.(error);
          this.#options.onError?.(error);
        };
        const announce = () => {
          if (!http.reachable(host)) return fail();
          if (announced === answer.length) return options.onDone?.();
          const count = Math.min(http.piece, answer.length - announced);
          announced += count;
          options.onReadable?.(announced - read);
        };
        const arrive = () => {
          const server = http.#servers.get(host);
          if (!server || !http.reachable(host)) return fail();
          const request = { host, path: options.path ?? '/', body, headers, connection };
          http.requests.push(request);
          http.onMessage?.('before', request);
          if (!life.alive) return;
          const respond = (response: MemoryResponse) => {
            http.onMessage?.('after', request);
            later(() => {
              options.onHeaders?.(response.status, new Map(Object.entries(response.headers ?? {})));
              answer = Uint8Array.from(response.body ?? []);
              announce();
            });
          };
          const made = server(request);
          if (made instanceof Promise) void made.then(respond);
          else respond(made);
        };
        const offer = () => {
          if (written < length) options.onWritable?.(Math.min(300, length - written));
        };
        if (length === 0) later(arrive);
        else later(offer, 0);
        return {
          read: (into) => {
            const count = Math.min(into.length, announced - read);
            into.set(answer.subarray(read, read + count));
            read += count;
            if (count > 0 && read === announced) later(announce, 1);
            return count;
          },
          write: (piece) => {
            body.set(piece, written);
            written += piece.length;
            if (written === length) later(arrive);
            else later(offer, 1);
            return 0;
          },
        };
      }

      close(): void {
        if (!this.#closed) http.opened--;
        this.#closed = true;
      }
    };
  }
}
