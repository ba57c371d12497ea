import {
  type MqttClient,
  type MqttConfiguration,
  MqttOperation,
  type MqttReadableOptions,
  type MqttWriteOptions,
  type Timer,
  type TimerHandle,
} from '../../../hal/contracts/index.js';
import type { LinkTimes } from '../link.js';

interface MqttConnectionOptions {
  mqtt: MqttConfiguration;
  clientId: string;
  /** Topic to subscribe to. */
  topic: string;
  timer: Timer;
  random: () => number;
  times: LinkTimes;
  /** Something is told to observers. */
  onState: (state: 'connecting' | 'connected' | 'lost', detail?: string) => void;
  /** More may be written: after the subscription stands, and when room has returned. */
  onWritable: () => void;
  /** The broker has the message with this packet id. */
  onAcknowledged: (id: number) => void;
  /** `count` bytes of a message can be taken with read(). */
  onReadable: (count: number, options: MqttReadableOptions) => void;
  /** What was being written or read is gone with the connection. */
  onLost: () => void;
}

/** Bytes of a SUBSCRIBE beside its topic: fixed header, packet id, length, QoS. */
const SUBSCRIBE_OVERHEAD = 9;

/**
 * Keeps one subscribed MQTT connection: connects, subscribes, and when the connection breaks connects again after a pause
 * that doubles and varies, as long as it is resumed.
 */
export class MqttConnection {
  /** Bytes that may be written now. */
  writable = 0;

  readonly #options: MqttConnectionOptions;
  #client: MqttClient | undefined;
  #subscribing = 0;
  #subscribed = false;
  #active = false;
  #failures = 0;
  #reconnect: TimerHandle | undefined;
  #packetId = 0;

  constructor(options: MqttConnectionOptions) {
    this.#options = options;
  }

  /** Connected and subscribed. */
  get ready(): boolean {
    return this.#subscribed;
  }

  /** Connects at once, whatever pause was being made: the caller knows that the network is there. */
  resume(): void {
    this.#active = true;
    if (this.#client) return;
    this.#options.timer.clear(this.#reconnect);
    this.#reconnect = undefined;
    this.#connect();
  }

  suspend(): void {
    this.#rest();
    if (this.#client) this.#drop('the network is gone');
  }

  /** As suspend(), in silence. */
  close(): void {
    this.#rest();
    const client = this.#client;
    this.#client = undefined;
    this.#subscribed = false;
    client?.close();
  }

  nextId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  /** The first piece of a PUBLISH of `byteLength` bytes, QoS 1. */
  publish(piece: Uint8Array, topic: string, id: number, byteLength: number, duplicate: boolean): void {
    this.#write(piece, { operation: MqttOperation.PUBLISH, id, topic, QoS: 1, byteLength, duplicate });
  }

  /** A further piece of it. */
  publishMore(piece: Uint8Array): void {
    this.#write(piece);
  }

  read(into: Uint8Array): number {
    return this.#client?.read(into) ?? 0;
  }

  #connect(): void {
    const { mqtt, clientId, onState, onReadable } = this.#options;
    onState('connecting');
    try {
      this.#client = new mqtt.io({
        ...mqtt,
        id: clientId,
        clean: false,
        onReadable,
        onWritable: (count) => this.#onWritable(count),
        onControl: (operation, message) => this.#onControl(operation, message.id, message.payload),
        onClose: () => this.#lost('the broker closed the connection'),
        onError: (reason) => this.#lost(describe(reason)),
      });
    } catch (error) {
      this.#lost(describe(error));
    }
  }

  #onWritable(count: number): void {
    this.writable = count;
    if (this.#subscribing > 0) {
      if (this.#subscribed) this.#options.onWritable();
      return;
    }
    const { topic } = this.#options;
    if (count < SUBSCRIBE_OVERHEAD + topic.length) return;
    // Always: a broker that lost the session would otherwise swallow every answer.
    this.#subscribing = this.nextId();
    const items = [{ topic, QoS: 1 as const }];
    this.#write(undefined, { operation: MqttOperation.SUBSCRIBE, id: this.#subscribing, items });
  }

  /** The connection may break while it is written to. */
  #write(data: Uint8Array | undefined, options?: MqttWriteOptions): void {
    const client = this.#client;
    if (!client) return;
    let writable = 0;
    try {
      writable = client.write(data, options);
    } catch (error) {
      if (this.#client === client) this.#lost(describe(error));
    }
    this.writable = this.#client === client ? writable : 0;
  }

  #onControl(operation: number, id: number | undefined, payload: readonly number[] | undefined): void {
    if (operation === MqttOperation.PUBACK && id !== undefined) this.#options.onAcknowledged(id);
    if (operation !== MqttOperation.SUBACK || id !== this.#subscribing) return;
    if (payload && payload[0] >= 0x80) {
      this.#lost(`the broker refused the subscription to ${this.#options.topic}; check its access rules`);
      return;
    }
    this.#subscribed = true;
    this.#failures = 0;
    this.#options.onState('connected');
    this.#options.onWritable();
  }

  #rest(): void {
    this.#active = false;
    this.#options.timer.clear(this.#reconnect);
    this.#reconnect = undefined;
    this.#failures = 0;
  }

  #drop(detail: string): void {
    const client = this.#client;
    this.#client = undefined;
    this.#subscribed = false;
    this.#subscribing = this.writable = 0;
    client?.close();
    this.#options.onLost();
    this.#options.onState('lost', detail);
  }

  #lost(detail: string): void {
    this.#drop(detail);
    if (!this.#active || this.#reconnect !== undefined) return;
    const { timer, random, times } = this.#options;
    const pause = Math.min(times.backOffLimit, times.backOff * 2 ** Math.min(this.#failures++, 20));
    // Jitter: a fleet that lost its broker must not come back at the same moment.
    this.#reconnect = timer.set(
      () => {
        this.#reconnect = undefined;
        if (this.#active && !this.#client) this.#connect();
      },
      pause * (0.5 + random() / 2),
    );
  }
}

function describe(reason: unknown): string {
  if (reason instanceof Error) return reason.message;
  return typeof reason === 'string' ? reason : 'the connection broke';
}
