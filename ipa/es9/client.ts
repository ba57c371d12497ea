import {
  type HttpClient,
  type HttpConfiguration,
  type HttpRequest,
  type HttpRequestOptions,
  XsIpaError,
} from '../../hal/contracts/index.js';
import { utf8 } from '../text.js';
import type { JsonBody } from './json-body.js';
import { Json, type JsonField, JsonReader } from './json-reader.js';
import { HEADER_FIELDS } from './messages.js';

/** Where the members of an answer go. `field` is the index in the list that was given to post(). */
export interface JsonSink {
  begin?(field: number): void;
  /**
   * A piece of the value. What it returns may be a promise: the piece is valid until that is settled, and nothing is read
   * from the network meanwhile. A promise of false says that nothing more is wanted: the rest is thrown away, and the
   * connection given up.
   */
  data(field: number, bytes: Uint8Array): unknown;
  end?(field: number): void;
  /** An element of an array, or another object with wanted members, is over. */
  close?(): void;
}

export interface JsonClientOptions {
  /** The class, and what it needs to reach the server. */
  http: HttpConfiguration & { host: string; port?: number };
  /** `gsma-rsp-ipad` when absent. */
  userAgent?: string;
  /** `gsma/rsp/v2.2.2` when absent. */
  adminProtocol?: string;
  /** `application/json` when absent. */
  contentType?: string;
}

/** A function that was not carried out. */
export class Es9Error extends XsIpaError {
  override readonly name = 'Es9Error';
  /** HTTP status. */
  readonly status: number;
  /** Dotted numbers of the table in procedures.md §6; empty when the server gave none. */
  readonly subjectCode: string;
  readonly reasonCode: string;
  /** Seconds of a Retry-After. */
  readonly retryAfter: number | undefined;

  constructor(
    code: /** The server says so: functionExecutionStatus Failed or Expired. */
      | 'failed'
      /** Another HTTP status than 200 and 204. */
      | 'httpStatus'
      /** An answer without functionExecutionStatus. */
      | 'noStatus',
    message: string,
    details: { status: number; subjectCode?: string; reasonCode?: string; retryAfter?: number },
  ) {
    super(code, message);
    this.status = details.status;
    this.subjectCode = details.subjectCode ?? '';
    this.reasonCode = details.reasonCode ?? '';
    this.retryAfter = details.retryAfter;
  }
}

/** Longest text of a header that is kept. */
const TEXT_LIMIT = 64;

/**
 * The JSON binding over HTTP: one function after the other on one connection, which is made again when the server has ended
 * it in between. Neither request nor answer is ever held: buffers of a few hundred bytes, whatever passes.
 */
export class JsonClient {
  readonly #options: JsonClientOptions;
  readonly #piece = new Uint8Array(192);
  readonly #out = new Uint8Array(128);
  #client: HttpClient | undefined;
  #post: Post | undefined;

  constructor(options: JsonClientOptions) {
    this.#options = options;
  }

  /**
   * Carries out one function.
   * @param body lent until done
   * @param fields at most 26
   * @throws Es9Error, JsonError, the HTTP client's error, and whatever the sink throws; the connection is given up then, except
   * after Es9Error `failed`
   */
  post(path: string, body: JsonBody, fields: readonly JsonField[], sink: JsonSink): Promise<void> {
    if (this.#post) {
      return Promise.reject(new XsIpaError('usage', 'post() while another function is under way'));
    }
    return new Promise((resolve, reject) => {
      const reader = new JsonReader([...HEADER_FIELDS, ...fields], this.#out);
      const post = new Post(path, body.rewind(), reader, sink, this.#piece, (error) => {
        this.#post = undefined;
        const isSpoilt = error !== undefined && !(error instanceof Es9Error && error.code === 'failed');
        if (isSpoilt || post.isSated) this.close();
        if (error === undefined) resolve();
        else reject(error);
      });
      this.#post = post;
      void this.begin(post);
    });
  }

  /** Idempotent; a function under way fails with `closed`. */
  close(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
    this.#post?.onDone(new XsIpaError('closed', 'the connection was closed'));
  }

  /** From an empty stack: the way down to the socket is long (docs/design.md §4). */
  private async begin(post: Post): Promise<void> {
    await undefined;
    if (this.#post !== post) return;
    const { http, userAgent, adminProtocol, contentType } = this.#options;
    try {
      this.#client ??= this.connect(http);
      post.headers.set('user-agent', userAgent ?? 'gsma-rsp-ipad');
      post.headers.set('x-admin-protocol', adminProtocol ?? 'gsma/rsp/v2.2.2');
      post.headers.set('content-type', contentType ?? 'application/json');
      post.host = http.host;
      post.request = this.#client.request(post);
    } catch (error) {
      post.onDone(error);
    }
  }

  private connect(http: JsonClientOptions['http']): HttpClient {
    const lost = () => {
      client.close();
      if (this.#client === client) this.#client = undefined;
    };
    const client = new http.io({ ...http, onClose: lost, onError: lost });
    return client;
  }
}

/**
 * One function under way. It is the exchange's callbacks itself, and no async function: either costs memory on a device
 * while it lives.
 */
class Post implements HttpRequestOptions {
  readonly method = 'POST';
  readonly path: string;
  readonly headers = new Map<string, string>();
  request: HttpRequest | undefined;
  host = '';
  /** The sink wants nothing more. */
  isSated = false;

  readonly #body: JsonBody;
  readonly #reader: JsonReader;
  readonly #sink: JsonSink;
  readonly #piece: Uint8Array;
  #settle: ((error?: unknown) => void) | undefined;
  /** Bytes of the answer that can be read. */
  #available = 0;
  /** The exchange is over; the sink may not be. */
  #over = false;
  #status = 0;
  #retryAfter: string | undefined;
  #scheduled = false;
  /** functionExecutionStatus, subjectCode, reasonCode, message. */
  #header: string[] | undefined;
  #text: Uint8Array | undefined;
  #textLength = 0;

  constructor(
    path: string,
    body: JsonBody,
    reader: JsonReader,
    sink: JsonSink,
    piece: Uint8Array,
    settle: (error?: unknown) => void,
  ) {
    this.path = path;
    this.#body = body;
    this.#reader = reader;
    this.#sink = sink;
    this.#piece = piece;
    this.#settle = settle;
    this.headers.set('content-length', String(body.length));
  }

  onHeaders(status: number, received: ReadonlyMap<string, string>): void {
    this.#status = status;
    this.#retryAfter = received.get('retry-after');
  }

  onWritable(count: number): void {
    // A server that has answered already reads no more; and the buffer may hold a piece of its answer.
    if (this.#status !== 0) return;
    const piece = this.#piece;
    for (let room = count; room > 0; ) {
      const into = room < piece.length ? piece.subarray(0, room) : piece;
      const length = this.#body.read(into);
      if (length === 0) return;
      room = this.request?.write(length < into.length ? into.subarray(0, length) : into) ?? 0;
    }
  }

  onReadable(count: number): void {
    this.#available = count;
    this.schedule();
  }

  onDone(error?: unknown): void {
    this.#over = true;
    if (!error) this.schedule();
    // A client of another make fails with errors of its own, which are no fault of the program.
    else if (error instanceof XsIpaError) this.end(error);
    else this.end(new XsIpaError('lost', `the connection to ${this.host} failed`, { cause: error }));
  }

  /** Something new is there; it is looked at from an empty stack. */
  private schedule(): void {
    if (!this.#scheduled) this.wait(Promise.resolve());
  }

  /** Goes on when the promise is settled: the sink has taken what it was given. */
  private wait(pause: Promise<unknown>): void {
    this.#scheduled = true;
    pause.then(
      (wanted) => this.goOn(wanted),
      (error) => this.end(error),
    );
  }

  private goOn(wanted: unknown): void {
    this.#scheduled = false;
    if (wanted === false) this.isSated = true;
    if (!this.#settle) return;
    try {
      this.pump();
    } catch (error) {
      this.end(error);
    }
  }

  private pump(): void {
    const reader = this.#reader;
    const piece = this.#piece;
    for (;;) {
      for (let found = reader.next(); found !== Json.nothing; found = reader.next()) {
        const pause = this.found(found);
        if (!(pause instanceof Promise)) continue;
        this.wait(pause);
        return;
      }
      if (this.#available === 0) break;
      const count = Math.min(this.#available, piece.length);
      const got = this.request?.read(count < piece.length ? piece.subarray(0, count) : piece) ?? 0;
      if (got === 0) break;
      this.#available -= got;
      if (this.#status === 200) reader.feed(got < piece.length ? piece.subarray(0, got) : piece);
    }
    if (this.#over) {
      this.check();
      this.end(undefined);
    }
  }

  private end(error: unknown): void {
    const settle = this.#settle;
    this.#settle = undefined;
    this.#available = 0;
    settle?.(error);
  }

  private found(found: Json): unknown {
    const { field, data } = this.#reader;
    const index = field - HEADER_FIELDS.length;
    if (found === Json.close) this.#sink.close?.();
    else if (index < 0) this.headerFound(found, field, data);
    else if (found === Json.begin) this.#sink.begin?.(index);
    else if (found === Json.data && data && !this.isSated) return this.#sink.data(index, data);
    else if (found === Json.end) this.#sink.end?.(index);
    return undefined;
  }

  private headerFound(found: Json, field: number, data: Uint8Array | undefined): void {
    this.#text ??= new Uint8Array(TEXT_LIMIT);
    const text = this.#text;
    if (found === Json.begin) this.#textLength = 0;
    else if (found === Json.end) {
      this.#header ??= ['', '', '', ''];
      this.#header[field] = utf8(text.subarray(0, this.#textLength));
    } else if (data) {
      for (let i = 0; i < data.length && this.#textLength < TEXT_LIMIT; i++)
        text[this.#textLength++] = data[i];
    }
  }

  private check(): void {
    const status = this.#status;
    const { host } = this;
    if (status === 204) return;
    if (status !== 200) {
      const seconds = Number(this.#retryAfter);
      const retryAfter = this.#retryAfter !== undefined && seconds >= 0 ? seconds : undefined;
      throw new Es9Error('httpStatus', `${host} answered with HTTP status ${status}`, { status, retryAfter });
    }
    if (this.#reader.consumed === 0) return;
    this.#reader.finish();
    const [execution, subjectCode, reasonCode, message] = this.#header ?? [''];
    // Executed-Success and Executed-WithWarning.
    if (execution.slice(0, 8) === 'Executed') return;
    if (execution === '')
      throw new Es9Error('noStatus', `the answer of ${host} has no functionExecutionStatus`, { status });
    const reason = `${subjectCode} ${reasonCode} ${message}`;
    throw new Es9Error('failed', `${host} says ${execution}: ${reason}`, { status, subjectCode, reasonCode });
  }
}
