/**
 * An HTTP/1.1 client in the shape of ECMA-419 as Moddable's `embedded:network/http/client` has it: one instance is one
 * connection, exchanges follow one another on it in the order of request(), bodies are streamed both ways. What the
 * application does not read stays in the socket, and the server is held back. Reconnecting is the application's job.
 *
 * Callbacks never run before the constructor or request() has returned.
 */
export interface HttpClient {
  /** Queues an exchange. @throws XsIpaError `usage` */
  request(options: HttpRequestOptions): HttpRequest;
  /** Idempotent; no callback runs afterwards, not even onDone of open exchanges. */
  close(): void;
}

/** One exchange. */
export interface HttpRequest {
  /** Copies up to `into.byteLength` bytes of the response body into `into`; returns how many, 0 when none wait. */
  read(into: Uint8Array): number;
  /**
   * The next piece of the request body: not more than onWritable allowed less what was written since. It may be used again
   * at once.
   * @returns how many bytes may be written still
   */
  write(piece: Uint8Array): number;
}

/** The callbacks are called as methods of the object they are in: on a device a class costs less than closures. */
export interface HttpRequestOptions {
  /** GET when absent. */
  method?: string;
  /** With its query; `/` when absent. */
  path?: string;
  /** Names in lower case. `content-length` announces a request body of that length; `host` is the client's own business. */
  headers?: ReadonlyMap<string, string>;
  /** The final response begins. Names in lower case; a client on a device keeps only a few of them. */
  onHeaders?: (status: number, headers: ReadonlyMap<string, string>) => void;
  /** `count` bytes of the response body can be read. Called again when those were read and more are there. */
  onReadable?: (count: number) => void;
  /** `count` bytes of the request body may be written now. */
  onWritable?: (count: number) => void;
  /** The exchange is over: in order when `error` is undefined or null. Nothing is called for it afterwards. */
  onDone?: (error?: unknown) => void;
}

export interface HttpClientOptions {
  host: string;
  /** 80 when absent, 443 where the class speaks TLS by itself. */
  port?: number;
  /** The connection ended while no exchange was open. Only close() may follow. */
  onClose?: () => void;
  /**
   * The connection could not be made or broke, or the server broke the protocol; onDone of every open exchange was called
   * before, with the same error. Only close() may follow.
   */
  onError?: (reason?: unknown) => void;
  [option: string]: unknown;
}

export type HttpClientConstructor = new (options: HttpClientOptions) => HttpClient;

/** The class under `io`; TLS, DNS and socket classes beside it are the class's own business. */
export interface HttpConfiguration {
  io: HttpClientConstructor;
  [option: string]: unknown;
}
