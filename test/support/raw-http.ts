import type { TcpConstructor, TcpOptions, TcpSocket } from '../../hal/contracts/index.js';
import type { VirtualClock } from '../../host-sim/clock.js';
import type { MemoryRequest, MemoryResponse } from './memory-http.js';

/** What comes in answer to one request: bytes one after the other, pauses in milliseconds, and how the connection ends. */
export type Scene = Iterable<Buffer | number | 'end' | 'reset'>;

const latency = 40;
const room = 1_000;

/**
 * An HTTP server below a client's sockets, on a virtual clock: it says to each request whatever bytes it likes. What has to
 * be said in earnest comes from `answer`.
 */
export class RawHttp {
  /** Connections open now, and made so far; "address:port" of each that was. */
  opened = 0;
  readonly connections: string[] = [];
  /** Bytes that were given to clients. */
  bytes = 0;
  readonly io: TcpConstructor;

  constructor(
    clock: VirtualClock,
    answer: (request: MemoryRequest) => Promise<MemoryResponse>,
    play: (request: MemoryRequest, response: MemoryResponse) => Scene,
  ) {
    const server = this;
    this.io = class implements TcpSocket {
      readonly #options: TcpOptions;
      readonly #number: number;
      #request = Buffer.alloc(0);
      #waiting = Buffer.alloc(0);
      #end: 'end' | 'reset' | undefined;
      #closed = false;

      constructor(options: TcpOptions) {
        this.#options = options;
        server.opened++;
        this.#number = server.connections.push(`${options.address ?? options.host}:${options.port}`);
        this.#later(() => this.#options.onWritable?.(room));
      }

      #later(act: () => void, delay = latency): void {
        clock.set(() => {
          if (!this.#closed) act();
        }, delay);
      }

      read(buffer: Uint8Array): number {
        const count = this.#waiting.copy(buffer);
        this.#waiting = this.#waiting.subarray(count);
        if (this.#waiting.length === 0 && this.#end) this.#later(() => this.#over());
        return count;
      }

      write(buffer: Uint8Array): undefined {
        this.#request = Buffer.concat([this.#request, buffer]);
        this.#later(() => this.#options.onWritable?.(room), 1);
        this.#later(() => this.#look());
      }

      close(): void {
        if (!this.#closed) server.opened--;
        this.#closed = true;
      }

      #look(): void {
        const end = this.#request.indexOf('\r\n\r\n') + 4;
        if (end < 4) return;
        const [first, ...lines] = this.#request.subarray(0, end).toString('latin1').trim().split('\r\n');
        const headers = new Map(
          lines.map((line) => {
            const at = line.indexOf(':');
            return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
          }),
        );
        const length = Number(headers.get('content-length') ?? 0);
        if (this.#request.length < end + length) return;
        const request: MemoryRequest = {
          host: headers.get('host') ?? '',
          path: first.split(' ')[1],
          body: Uint8Array.from(this.#request.subarray(end, end + length)),
          headers,
          connection: this.#number,
        };
        this.#request = this.#request.subarray(end + length);
        void answer(request).then((response) => this.#play(play(request, response)[Symbol.iterator]()));
      }

      #play(scene: Iterator<Buffer | number | 'end' | 'reset'>): void {
        if (this.#closed) return;
        const { value, done } = scene.next();
        if (done) return;
        if (typeof value === 'number') this.#later(() => this.#play(scene), value);
        else if (value === 'end' || value === 'reset') {
          this.#end = value;
          if (this.#waiting.length === 0 || value === 'reset') this.#later(() => this.#over());
        } else {
          server.bytes += value.length;
          this.#waiting = Buffer.concat([this.#waiting, value]);
          this.#options.onReadable?.(this.#waiting.length);
          this.#later(() => this.#play(scene), 1);
        }
      }

      #over(): void {
        this.#options.onError?.(this.#end === 'reset' ? new Error('connection reset') : undefined);
      }
    };
  }
}
