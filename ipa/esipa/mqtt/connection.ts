import {
  type MqttClient,
  type MqttConfiguration,
  MqttOperation,
  type MqttReadableOptions,
  type MqttWriteOptions,
  type Timer,
  type TimerHandle,
} from '../../../hal/contracts/index.js';
import { defaultTimes, type LinkTimes } from '../link.js';

export interface MqttConnectionOptions {
  mqtt: MqttConfiguration;
  timer: Timer;
  random: () => number;
  times?: LinkTimes;
}

/** Bytes of a SUBSCRIBE beside its topic: fixed header, packet id, length, QoS. */
const SUBSCRIBE_OVERHEAD = 9;

/**
 * Keeps one subscribed MQTT connection: connects, subscribes, and when the connection breaks connects again after a pause
 * that doubles and varies, as long as it is resumed. Whoever extends it hears of everything by a method of its own.
 */
export abstract class MqttConnection {
  /** Bytes that may be written now. */
  writable = 0;
  protected readonly times: LinkTimes;
  /** Topic that is subscribed to. */
  protected readonly topic: string;

  readonly #options: MqttConnectionOptions;
  readonly #clientId: string;
  #client: MqttClient | undefined;
  #subscribing = 0;
  #subscribed = false;
  #active = false;
  #failures = 0;
  #reconnect: TimerHandle | undefined;
  #packetId = 0;

  constructor(options: MqttConnectionOptions, clientId: string, topic: string) {
    this.#options = options;
    this.#clientId = clientId;
    this.topic = topic;
    this.times = options.times ?? defaultTimes();
  }

  /** Something is told to observers. */
  protected abstract onState(state: 'connecting' | 'connected' | 'lost', detail?: string): void;
  /** More may be written: after the subscription stands, and when room has returned. */
  protected abstract onRoom(): void;
  /** The broker has the message with this packet id. */
  protected abstract onAcknowledged(id: number): void;
  /** `count` bytes of a message can be taken with read(). */
  protected abstract onReadable(count: number, options: MqttReadableOptions): void;
  /** What was being written or read is gone with the connection. */
  protected abstract onLost(): void;

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
    this.connect();
  }

  suspend(): void {
    this.rest();
    if (this.#client) this.disconnect('the network is gone');
  }

  /** As suspend(), in silence. */
  close(): void {
    this.rest();
    const client = this.#client;
    this.#client = undefined;
    this.#subscribed = false;
    client?.close();
  }

  nextId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  read(into: Uint8Array): number {
    return this.#client?.read(into) ?? 0;
  }

  private connect(): void {
    const { mqtt } = this.#options;
    this.onState('connecting');
    const lost = (reason?: unknown) => this.lost(describe(reason));
    try {
      this.#client = new mqtt.io({
        ...mqtt,
        id: this.#clientId,
        clean: false,
        onReadable: (count, options) => this.onReadable(count, options),
        onWritable: (count) => this.roomFor(count),
        onControl: (operation, message) => this.onControl(operation, message.id, message.payload),
        onClose: lost,
        onError: lost,
      });
    } catch (error) {
      this.lost(describe(error));
    }
  }

  private roomFor(count: number): void {
    this.writable = count;
    if (this.#subscribing > 0) {
      if (this.#subscribed) this.onRoom();
      return;
    }
    const { topic } = this;
    if (count < SUBSCRIBE_OVERHEAD + topic.length) return;
    // Always: a broker that lost the session would otherwise swallow every answer.
    this.#subscribing = this.nextId();
    const items = [{ topic, QoS: 1 as const }];
    this.write(undefined, { operation: MqttOperation.SUBSCRIBE, id: this.#subscribing, items });
  }

  /**
   * Writes a packet, a first piece of a PUBLISH, or without `options` a further one; never more than `writable`. The
   * connection may break meanwhile.
   */
  write(data: Uint8Array | undefined, options?: MqttWriteOptions): void {
    const client = this.#client;
    if (!client) return;
    let writable = 0;
    try {
      writable = client.write(data, options);
    } catch (error) {
      if (this.#client === client) this.lost(describe(error));
    }
    this.writable = this.#client === client ? writable : 0;
  }

  private onControl(operation: number, id: number | undefined, payload: readonly number[] | undefined): void {
    if (operation === MqttOperation.PUBACK && id !== undefined) this.onAcknowledged(id);
    if (operation !== MqttOperation.SUBACK || id !== this.#subscribing) return;
    if (payload && payload[0] >= 0x80) {
      this.lost(`the broker refused the subscription to ${this.topic}; check its access rules`);
      return;
    }
    this.#subscribed = true;
    this.#failures = 0;
    this.onState('connected');
    this.onRoom();
  }

  private rest(): void {
    this.#active = false;
    this.#options.timer.clear(this.#reconnect);
    this.#reconnect = undefined;
    this.#failures = 0;
  }

  private disconnect(detail: string): void {
    const client = this.#client;
    this.#client = undefined;
    this.#subscribed = false;
    this.#subscribing = this.writable = 0;
    client?.close();
    this.onLost();
    this.onState('lost', detail);
  }

  private lost(detail: string): void {
    this.disconnect(detail);
    if (!this.#active || this.#reconnect !== undefined) return;
    const { times } = this;
    const { timer, random } = this.#options;
    const pause = Math.min(times.backOffLimit, times.backOff * 2 ** Math.min(this.#failures++, 20));
    // Jitter: a fleet that lost its broker must not come back at the same moment.
    this.#reconnect = timer.set(() => this.again(), pause * (0.5 + random() / 2));
  }

  private again(): void {
    this.#reconnect = undefined;
    if (this.#active && !this.#client) this.connect();
  }
}

function describe(reason: unknown): string {
  if (reason instanceof Error) return reason.message;
  return typeof reason === 'string' ? reason : 'the broker closed the connection, or it broke';
}
