import {
  isAddress,
  type MqttOptions,
  type Resolver,
  type ResolverConfiguration,
  type TcpConfiguration,
  type TcpSocket,
  type Timer,
  XsIpaError,
} from '../contracts/index.js';

/** What the device's client needs beside the contract's options; it travels beside `io` in the configuration. */
export interface XsMqttOptions extends MqttOptions {
  timer: Timer;
  /** TCP, or TLS over TCP: the class under `io`. */
  socket: TcpConfiguration;
  /** Without it the socket class gets `host` and resolves it by itself. */
  dns?: ResolverConfiguration;
  /** Milliseconds until the broker must have accepted the connection (30 s). */
  connectTimeout?: number;
}

const CONNECT_TIMEOUT = 30_000;
const PORT = 1883;

/** What is going on. */
export const State = { resolving: 0, connecting: 1, greeting: 2, connected: 3, closed: 4 } as const;

/** The way to the broker: its name, its socket, one timer, and how it all ends. */
export abstract class MqttSocket {
  protected readonly options: XsMqttOptions;
  protected state: number = State.resolving;
  /** Bytes the socket takes now, and holds for us. */
  protected room = 0;
  protected waiting = 0;
  /** Something was written since the last pulse. */
  protected hasSent = false;
  #resolver: Resolver | undefined;
  #socket: TcpSocket | undefined;
  #timer: unknown;

  /** @throws {XsIpaError} `usage` */
  constructor(options: MqttOptions) {
    const { timer, socket, dns, host, connectTimeout } = options as XsMqttOptions;
    if (!timer || !socket || !host)
      throw new XsIpaError('usage', 'an MQTT client needs timer, socket and host');
    this.options = options as XsMqttOptions;
    this.wakeIn(connectTimeout ?? CONNECT_TIMEOUT);
    if (dns && !isAddress(host)) this.resolve(dns, host);
    else this.connect(isAddress(host) ? host : undefined);
  }

  /** `waiting` bytes can be read. */
  protected abstract onReadable(): void;
  /** The socket is there (first call) or has room again. */
  protected abstract onRoom(): void;
  protected abstract onTimer(): void;
  /** Idempotent; no callback runs afterwards. */
  abstract close(): void;

  /** Copies what the socket holds, at most as much as fits and as is waiting. */
  protected take(into: Uint8Array, most: number): number {
    const count = Math.min(into.length, most, this.waiting);
    if (count <= 0) return 0;
    const got = this.#socket?.read(count === into.length ? into : into.subarray(0, count)) ?? 0;
    this.waiting -= got;
    return got;
  }

  protected send(bytes: Uint8Array): void {
    const left = this.#socket?.write(bytes);
    this.room = typeof left === 'number' ? left : this.room - bytes.length;
    this.hasSent = true;
  }

  /** Calls onTimer() after so many milliseconds, instead of when it was asked to before. */
  protected wakeIn(milliseconds: number): void {
    this.calm();
    this.#timer = this.options.timer.set(() => this.onTimer(), milliseconds);
  }

  protected calm(): void {
    this.options.timer.clear(this.#timer);
    this.#timer = undefined;
  }

  protected shut(): void {
    this.state = State.closed;
    this.calm();
    this.#resolver?.close?.();
    this.#socket?.close();
    this.#resolver = this.#socket = undefined;
    this.waiting = this.room = 0;
  }

  protected fail(code: string, message: string): void {
    if (this.state === State.closed) return;
    // A broken conversation is not ended with a DISCONNECT.
    this.room = 0;
    this.close();
    this.options.onError?.(new XsIpaError(code, message));
  }

  private resolve(dns: ResolverConfiguration, host: string): void {
    this.#resolver = new dns.io(dns);
    this.#resolver.resolve({
      host,
      onResolved: (_host, address) => {
        if (this.state === State.resolving) this.connect(address);
      },
      onError: () => this.fail('noBroker', `the name ${host} could not be resolved`),
    });
  }

  private connect(address: string | undefined): void {
    const { socket, host, port = PORT, timer } = this.options;
    const { io, ...rest } = socket;
    this.state = State.connecting;
    try {
      this.#socket = new io({ ...rest, host, address, port, ...this.callbacks() });
    } catch (cause) {
      // Not at once: a callback never runs before the constructor has returned.
      timer.set(() => this.fail('noBroker', this.loss(true, cause)), 0);
    }
  }

  /** On their own, so that they close over nothing else. */
  private callbacks() {
    return {
      onReadable: (count: number) => this.readable(count),
      onWritable: (count: number) => this.writable(count),
      onError: (reason?: unknown) => this.lost(reason),
    };
  }

  private readable(count: number): void {
    this.waiting = count;
    this.onReadable();
  }

  private writable(count: number): void {
    if (this.state === State.closed) return;
    this.room = count;
    this.onRoom();
  }

  private lost(reason: unknown): void {
    this.fail('lost', this.loss(this.state < State.connected, reason));
  }

  private loss(early: boolean, reason: unknown): string {
    const detail = reason instanceof Error ? `: ${reason.message}` : '';
    return early
      ? `no connection to the broker ${this.options.host}${detail}`
      : `the connection to the broker broke${detail}`;
  }
}
