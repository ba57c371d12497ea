import {
  type HttpClient,
  type HttpConfiguration,
  type HttpRequest,
  XsIpaError,
} from '../../hal/contracts/index.js';
import { utf8 } from '../text.js';
import type { JsonBody } from './json-body.js';
import { Json, type JsonField, JsonReader } from './json-reader.js';
import { HEADER_FIELDS } from './messages.js';

/** Where the members of an answer go. `field` is the index in the list that was given to post(). */
export interface JsonSink {
  begin?(field: number): void;
  /** A piece of the value, valid until the promise is settled. While it is open, nothing is read from the network. */
  data(field: number, bytes: Uint8Array): void | Promise<void>;
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
const TEXT_LIMIT = 96;

/**
 * The JSON binding over HTTP: one function after the other on one connection, which is made again when the server has ended
 * it in between. Neither request nor answer is ever held: two buffers of a few hundred bytes, whatever passes.
 */
export class JsonClient {
  readonly #options: JsonClientOptions;
  readonly #piece = new Uint8Array(256);
  readonly #out = new Uint8Array(192);
  readonly #text = new Uint8Array(TEXT_LIMIT);
  #textLength = 0;
  #client: HttpClient | undefined;
  #request: HttpRequest | undefined;
  #body: JsonBody | undefined;
  /** Bytes of the answer that can be read. */
  #available = 0;
  #over = false;
  #error: unknown;
  #status = 0;
  #retryAfter: string | undefined;
  #wake: (() => void) | undefined;
  /** functionExecutionStatus, subjectCode, reasonCode, message. */
  readonly #header = ['', '', '', ''];

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
  async post(path: string, body: JsonBody, fields: readonly JsonField[], sink: JsonSink): Promise<void> {
    if (this.#body) throw new XsIpaError('usage', 'post() while another function is under way');
    this.#body = body.rewind();
    try {
      await this.#exchange(path, fields, sink);
    } catch (error) {
      if (!(error instanceof Es9Error && error.code === 'failed')) this.close();
      throw error;
    } finally {
      this.#body = this.#request = this.#wake = undefined;
    }
  }

  /** Idempotent; a function under way fails with `closed`. */
  close(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
    if (client && this.#body && !this.#over) this.#end(new XsIpaError('closed', 'the connection was closed'));
  }

  async #exchange(path: string, fields: readonly JsonField[], sink: JsonSink): Promise<void> {
    const reader = new JsonReader([...HEADER_FIELDS, ...fields], this.#out);
    const piece = this.#piece;
    this.#begin(path);
    for (;;) {
      if (this.#available > 0) {
        const count = Math.min(this.#available, piece.length);
        const got = this.#request?.read(count < piece.length ? piece.subarray(0, count) : piece) ?? 0;
        this.#available -= got;
        if (got > 0 && this.#status === 200) {
          reader.feed(got < piece.length ? piece.subarray(0, got) : piece);
          for (let found = reader.next(); found !== Json.nothing; found = reader.next()) {
            const pause = this.#found(found, reader, sink);
            if (pause) await pause;
          }
        }
      } else if (this.#over) break;
      else await this.#event();
    }
    if (this.#error) throw this.#error;
    this.#check(reader);
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #begin(path: string): void {
    const { http, userAgent, adminProtocol, contentType } = this.#options;
    this.#available = this.#status = 0;
    this.#over = false;
    this.#error = this.#retryAfter = undefined;
    this.#header.fill('');
    this.#client ??= this.#connect(http);
    const headers = new Map<string, string>();
    headers.set('user-agent', userAgent ?? 'gsma-rsp-ipad');
    headers.set('x-admin-protocol', adminProtocol ?? 'gsma/rsp/v2.2.2');
    headers.set('content-type', contentType ?? 'application/json');
    headers.set('content-length', String(this.#body?.length ?? 0));
    this.#request = this.#client.request({
      method: 'POST',
      path,
      headers,
      onHeaders: (status, received) => {
        this.#status = status;
        this.#retryAfter = received.get('retry-after');
      },
      onWritable: (count) => this.#write(count),
      onReadable: (count) => {
        this.#available = count;
        this.#wake?.();
      },
      onDone: (error) => this.#end(error),
    });
  }

  #connect(http: JsonClientOptions['http']): HttpClient {
    const client = new http.io({
      ...http,
      onClose: () => this.#lost(client),
      onError: () => this.#lost(client),
    });
    return client;
  }

  #lost(client: HttpClient): void {
    client.close();
    if (this.#client === client) this.#client = undefined;
  }

  #end(error: unknown): void {
    this.#over = true;
    this.#error = error;
    this.#wake?.();
  }

  #write(count: number): void {
    // A server that has answered already reads no more; and the buffer may hold a piece of its answer.
    if (this.#status !== 0) return;
    const piece = this.#piece;
    for (let room = count; room > 0; ) {
      const into = room < piece.length ? piece.subarray(0, room) : piece;
      const length = this.#body?.read(into) ?? 0;
      if (length === 0) return;
      room = this.#request?.write(length < into.length ? into.subarray(0, length) : into) ?? 0;
    }
  }

  #found(found: Json, reader: JsonReader, sink: JsonSink): void | Promise<void> {
    const field = reader.field - HEADER_FIELDS.length;
    if (found === Json.close) sink.close?.();
    else if (field < 0) this.#headerFound(found, reader);
    else if (found === Json.begin) sink.begin?.(field);
    else if (found === Json.data && reader.data) return sink.data(field, reader.data);
    else if (found === Json.end) sink.end?.(field);
  }

  #headerFound(found: Json, reader: JsonReader): void {
    if (found === Json.begin) this.#textLength = 0;
    else if (found === Json.end) this.#header[reader.field] = utf8(this.#text.subarray(0, this.#textLength));
    else if (reader.data) {
      for (const byte of reader.data)
        if (this.#textLength < TEXT_LIMIT) this.#text[this.#textLength++] = byte;
    }
  }

  #check(reader: JsonReader): void {
    const status = this.#status;
    const { host } = this.#options.http;
    if (status === 204) return;
    if (status !== 200) {
      const seconds = Number(this.#retryAfter);
      const retryAfter = this.#retryAfter !== undefined && seconds >= 0 ? seconds : undefined;
      throw new Es9Error('httpStatus', `${host} answered with HTTP status ${status}`, { status, retryAfter });
    }
    if (reader.consumed === 0) return;
    reader.finish();
    const [execution, subjectCode, reasonCode, message] = this.#header;
    // Executed-Success and Executed-WithWarning.
    if (execution.slice(0, 8) === 'Executed') return;
    const reason = `${subjectCode} ${reasonCode} ${message}`;
    if (execution === '')
      throw new Es9Error('noStatus', `the answer of ${host} has no functionExecutionStatus`, { status });
    throw new Es9Error('failed', `${host} says ${execution}: ${reason}`, { status, subjectCode, reasonCode });
  }
}
