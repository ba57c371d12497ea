import TCP from 'embedded:io/socket/tcp';
import SdkClient from 'embedded:network/http/client';
import type {
  HttpClient,
  HttpClientOptions,
  HttpRequest,
  HttpRequestOptions,
  TcpConfiguration,
} from '../../contracts/index.js';
import { XsTcp } from './tcp.js';

/** The class as it is at run time; its declarations know no result of write(). */
interface Native {
  request(options: HttpRequestOptions): {
    read(into: Uint8Array): number | undefined;
    write(piece: Uint8Array): number;
  };
  close(): void;
}

/**
 * The SDK's own HTTP client. It keeps every header of a response, takes 1xx for the final one, knows no time limit, and
 * gives no reason in onError; a `dns` must be there.
 */
export class HttpClass implements HttpClient {
  readonly #client: Native;

  constructor(options: HttpClientOptions) {
    // It reads its socket byte by byte, in a format of its own, which the contract's has not.
    const given = options.socket as TcpConfiguration;
    const socket = given.io === XsTcp ? { ...given, io: TCP, nodelay: true } : given;
    const native = { ...options, socket } as unknown as ConstructorParameters<typeof SdkClient>[0];
    this.#client = new SdkClient(native) as unknown as Native;
  }

  request(options: HttpRequestOptions): HttpRequest {
    // The SDK calls them as methods of its own request.
    const request = this.#client.request({
      method: options.method,
      path: options.path,
      headers: options.headers,
      onHeaders: (status, headers) => options.onHeaders?.(status, headers),
      onReadable: (count) => options.onReadable?.(count),
      onWritable: (count) => options.onWritable?.(count),
      onDone: (error) => options.onDone?.(error),
    });
    return {
      read: (into) => request.read(into) ?? 0,
      write: (piece) => request.write(piece),
    };
  }

  close(): void {
    this.#client.close();
  }
}
