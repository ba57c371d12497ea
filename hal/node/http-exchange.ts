import type { ClientRequest, IncomingMessage } from 'node:http';
import { type HttpRequest, type HttpRequestOptions, XsIpaError } from '../contracts/index.js';

/** What onWritable announces; the host has no reason to be small. */
const ROOM = 16_384;

/** One exchange of {@link NodeHttpClient}. */
export class NodeExchange implements HttpRequest {
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
    // HTTP/1.1 keeps a connection unless somebody says otherwise.
    request.removeHeader('connection');
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
