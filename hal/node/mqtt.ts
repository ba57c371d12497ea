import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import mqtt from 'mqtt';
import {
  type MqttClient,
  type MqttConfiguration,
  MqttOperation,
  type MqttOptions,
  type MqttWriteOptions,
  XsIpaError,
} from '../contracts/index.js';
import { openTls, type TlsOptions, tlsError, tlsUnfinished } from './tls.js';
import type { TlsSessions } from './tls-sessions.js';

/** How a broker is reached and what is shown to it. Files are read when the configuration is made. */
export interface BrokerOptions {
  /** `mqtt://host[:port]` or `mqtts://host[:port]`, user and password allowed in it. */
  url: string;
  user?: string;
  password?: string;
  /** PEM files. */
  caFile?: string;
  certificateFile?: string;
  keyFile?: string;
  /** The CA itself instead of its file, PEM or DER. */
  ca?: Uint8Array;
  /** What the broker's certificate is for, when that is not the host of the URL. */
  serverName?: string;
  /** Where TLS sessions are kept for the next connection. */
  sessions?: TlsSessions;
  /** Opens the byte stream instead of a socket of this computer: for tests and for a simulated modem's data connection. */
  openStream?: () => Duplex;
  /** Milliseconds. */
  keepAlive?: number;
}

/** Bytes a connected client offers to take at once; the host has no reason to be small. */
const WRITABLE = 65_536;

/** Makes the contract's MQTT configuration for a broker. */
export function mqttConfiguration(options: BrokerOptions): MqttConfiguration {
  let url: URL;
  try {
    url = new URL(options.url);
  } catch {
    throw new XsIpaError(
      'badUrl',
      `${options.url} is no broker address; write mqtt://host:port or mqtts://host:port`,
    );
  }
  if (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:') {
    throw new XsIpaError(
      'badUrl',
      `a broker address begins with mqtt:// or mqtts://, not with ${url.protocol}//`,
    );
  }
  const secure = url.protocol === 'mqtts:';
  return {
    io: NodeMqttClient,
    host: url.hostname,
    port: url.port ? Number(url.port) : secure ? 8883 : 1883,
    user: options.user ?? (url.username ? decodeURIComponent(url.username) : undefined),
    password: options.password ?? (url.password ? decodeURIComponent(url.password) : undefined),
    keepAlive: options.keepAlive ?? 60_000,
    secure,
    ca: options.ca ?? file(options.caFile, 'CA'),
    serverName: options.serverName,
    cert: file(options.certificateFile, 'client certificate'),
    key: file(options.keyFile, 'client key'),
    sessions: options.sessions,
    openStream: options.openStream,
  };
}

function file(path: string | undefined, what: string): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new XsIpaError('noFile', `the ${what} file ${path} cannot be read: ${(error as Error).message}`);
  }
}

/** The contract's MqttClient on the npm package `mqtt`. One instance is one connection: it never reconnects by itself. */
export class NodeMqttClient implements MqttClient {
  readonly #options: MqttOptions;
  readonly #client: mqtt.MqttClient;
  /** Messages that arrived; the first one is being read. */
  readonly #inbox: { topic: string; QoS: number; payload: Uint8Array }[] = [];
  #readAt = 0;
  #announced = false;
  #closed = false;
  #publishing: { options: MqttWriteOptions; bytes: Uint8Array; length: number } | undefined;

  constructor(options: MqttOptions) {
    this.#options = options;
    const settings = {
      clientId: options.id,
      clean: options.clean ?? true,
      keepalive: Math.round((options.keepAlive ?? 60_000) / 1000),
      username: options.user,
      password: options.password,
      reconnectPeriod: 0,
      connectTimeout: 30_000,
      resubscribe: false,
      queueQoSZero: false,
    };
    this.#client = new mqtt.MqttClient(() => this.#open(), settings);
    this.#client.on('connect', (packet) => {
      this.#call(() => options.onControl?.(MqttOperation.CONNACK, { sessionPresent: packet.sessionPresent }));
      this.#call(() => options.onWritable?.(WRITABLE));
    });
    this.#client.on('message', (topic, payload, packet) => {
      if (payload.length === 0) return;
      this.#inbox.push({ topic, QoS: packet.qos, payload });
      this.#announce();
    });
    this.#client.on('error', (error) => this.#end(error));
    this.#client.on('close', () => this.#end());
  }

  write(data: Uint8Array | undefined, options?: MqttWriteOptions): number {
    if (options?.operation === MqttOperation.SUBSCRIBE) {
      this.#subscribe(options);
      return WRITABLE;
    }
    const bytes = data ?? new Uint8Array(0);
    if (options) {
      const length = options.byteLength ?? bytes.length;
      this.#publishing = { options, bytes: new Uint8Array(length), length: 0 };
    }
    const publishing = this.#publishing;
    if (!publishing) throw new XsIpaError('badWrite', 'a further piece without a PUBLISH that it belongs to');
    if (publishing.length + bytes.length > publishing.bytes.length) {
      this.#publishing = undefined;
      throw new XsIpaError('badWrite', `more than the ${publishing.bytes.length} bytes that were announced`);
    }
    publishing.bytes.set(bytes, publishing.length);
    publishing.length += bytes.length;
    if (publishing.length === publishing.bytes.length) {
      this.#publishing = undefined;
      this.#publish(publishing.bytes, publishing.options);
    }
    return WRITABLE;
  }

  read(into: Uint8Array): number {
    const [message] = this.#inbox;
    if (!message) return 0;
    const piece = message.payload.subarray(this.#readAt, this.#readAt + into.length);
    into.set(piece);
    this.#readAt += piece.length;
    if (this.#readAt === message.payload.length) {
      this.#inbox.shift();
      this.#readAt = 0;
      this.#announced = false;
      if (this.#inbox.length > 0) queueMicrotask(() => this.#announce());
    }
    return piece.length;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // An orderly DISCONNECT while the stream lives; nothing waits for it.
    this.#client.end(!this.#client.connected, {}, () => {});
  }

  #open(): Duplex {
    const { host, port, secure, serverName, ca, cert, key, sessions, openStream } = this.#options;
    if (!secure) {
      const open = openStream as (() => Duplex) | undefined;
      return open?.() ?? connect({ host, port: port ?? 1883, noDelay: true });
    }
    const options = {
      host,
      port: port ?? 8883,
      serverName,
      trust: ca ? { roots: [ca] } : undefined,
      certificate: cert,
      key,
      sessions,
      openStream,
    } as TlsOptions;
    let isOpen = false;
    const stream = openTls(options, () => {
      isOpen = true;
    });
    // The client of the package would call most of these an orderly end.
    stream.on('error', (reason) => this.#end(tlsError(options, reason) ?? reason));
    stream.on('close', () => {
      if (!isOpen) this.#end(tlsUnfinished(options));
    });
    return stream;
  }

  #announce(): void {
    const [message] = this.#inbox;
    if (!message || this.#announced) return;
    this.#announced = true;
    const { topic, QoS, payload } = message;
    this.#call(() =>
      this.#options.onReadable?.(payload.length, { topic, QoS, byteLength: payload.length, more: false }),
    );
  }

  #subscribe(options: MqttWriteOptions): void {
    const topics: mqtt.ISubscriptionMap = {};
    for (const item of options.items ?? []) topics[item.topic] = { qos: item.QoS };
    this.#client.subscribe(topics, (error, granted) => {
      const refused = error !== null && error !== undefined;
      const payload = refused ? [0x80] : (granted ?? []).map((grant) => grant.qos as number);
      this.#call(() => this.#options.onControl?.(MqttOperation.SUBACK, { id: options.id, payload }));
    });
  }

  #publish(bytes: Uint8Array, options: MqttWriteOptions): void {
    const settings = { qos: options.QoS ?? 0, dup: options.duplicate ?? false };
    this.#client.publish(options.topic ?? '', Buffer.from(bytes), settings, (error) => {
      if (error) return;
      if (settings.qos > 0)
        this.#call(() => this.#options.onControl?.(MqttOperation.PUBACK, { id: options.id }));
      this.#call(() => this.#options.onWritable?.(WRITABLE));
    });
  }

  #end(error?: unknown): void {
    if (this.#closed) return;
    this.close();
    if (error) this.#options.onError?.(error);
    else this.#options.onClose?.();
  }

  #call(callback: () => void): void {
    if (!this.#closed) callback();
  }
}
