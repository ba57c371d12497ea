import {
  type MqttClient,
  type MqttClientConstructor,
  MqttOperation,
  type MqttOptions,
  type MqttWriteOptions,
} from '../../hal/contracts/index.js';
import type { Clock } from '../../host-sim/clock.js';
import type { Life } from './life.js';

/** A moment in the way of one message at which a test may pull a plug. */
export interface Crossing {
  /** `up`: from a device. */
  direction: 'up' | 'down';
  /** `before`: nobody has it yet; `after`: the broker (up) or the device (down) has it and has confirmed it. */
  stage: 'before' | 'after';
  clientId: string;
  topic: string;
  payload: Uint8Array;
}

export interface BrokerSettings {
  clock: Clock;
  random: () => number;
  /** Milliseconds for each way of each packet. */
  latency?: number;
  /** Bytes a client may write before it must wait. */
  room?: number;
  /** Largest piece a payload is announced in; random sizes up to it. */
  piece?: number;
}

interface Entry {
  topic: string;
  payload: Uint8Array;
}

/** QoS 1 and a persistent session: what is not confirmed is delivered again. */
interface Session {
  id: string;
  filters: string[];
  queue: Entry[];
  client: MemoryClient | undefined;
  /** Instead of a client: somebody on the broker's side. True = confirmed. */
  service: ((topic: string, payload: Uint8Array) => boolean) | undefined;
  busy: boolean;
}

/** Bytes of a PUBLISH beside topic and payload, or of a SUBSCRIBE beside its topics. */
const OVERHEAD = 9;

/** An MQTT 3.1.1 broker in memory, on a virtual clock, whose clients follow hal/contracts/mqtt.ts to the letter. */
export class MemoryBroker {
  readonly clock: Clock;
  readonly random: () => number;
  readonly latency: number;
  room: number;
  piece: number;
  /** Can devices reach the broker? */
  reachable: () => boolean = () => true;
  refuseSubscriptions = false;
  /** Is this message delivered twice? */
  duplicate: (crossing: Omit<Crossing, 'stage'>) => boolean = () => false;
  onCrossing: ((crossing: Crossing) => void) | undefined;
  /** Everything a device has published. */
  readonly published: Entry[] = [];
  keepPublished = true;
  connects = 0;
  subscribes = 0;
  readonly #sessions = new Map<string, Session>();

  constructor(settings: BrokerSettings) {
    this.clock = settings.clock;
    this.random = settings.random;
    this.latency = settings.latency ?? 15;
    this.room = settings.room ?? 4096;
    this.piece = settings.piece ?? 300;
  }

  /** The class to inject into a device that lives `life`. */
  clientClass(life: Life): MqttClientConstructor {
    const broker = this;
    return class extends MemoryClient {
      constructor(options: MqttOptions) {
        super(broker, life, options);
      }
    };
  }

  /** A subscriber on the broker's side. @returns to be called when it can take messages again */
  serve(id: string, filter: string, service: (topic: string, payload: Uint8Array) => boolean): () => void {
    const session = this.session(id);
    session.filters = [filter];
    session.service = service;
    return () => this.#pump(session);
  }

  /** Messages that wait for `id`. */
  waiting(id: string): number {
    return this.#sessions.get(id)?.queue.length ?? 0;
  }

  /** Breaks connections; the sessions stay. */
  cut(id?: string): void {
    for (const session of this.#sessions.values()) {
      if (id === undefined || session.id === id) session.client?.broken('the connection was reset');
    }
  }

  publish(topic: string, payload: Uint8Array): void {
    for (const session of this.#sessions.values()) {
      if (!session.filters.some((filter) => matches(filter, topic))) continue;
      session.queue.push({ topic, payload: payload.slice() });
      this.#pump(session);
    }
  }

  // --- for clients ---

  session(id: string): Session {
    let session = this.#sessions.get(id);
    if (!session) {
      session = { id, filters: [], queue: [], client: undefined, service: undefined, busy: false };
      this.#sessions.set(id, session);
    }
    return session;
  }

  connected(client: MemoryClient): boolean {
    const present = this.#sessions.has(client.id);
    const session = this.session(client.id);
    session.client?.broken('another client took the session over');
    session.client = client;
    session.busy = false;
    this.connects++;
    this.clock.set(() => this.#pump(session), this.latency);
    return present;
  }

  gone(client: MemoryClient): void {
    const session = this.#sessions.get(client.id);
    if (session?.client !== client) return;
    session.client = undefined;
    session.busy = false;
  }

  received(client: MemoryClient, topic: string, payload: Uint8Array): void {
    if (this.keepPublished) this.published.push({ topic, payload });
    const crossing = { direction: 'up', clientId: client.id, topic, payload } as const;
    this.publish(topic, payload);
    if (this.duplicate(crossing)) this.publish(topic, payload);
    this.onCrossing?.({ ...crossing, stage: 'after' });
  }

  #pump(session: Session): void {
    if (session.busy || session.queue.length === 0 || !(session.client || session.service)) return;
    session.busy = true;
    const { client } = session;
    this.clock.set(() => {
      const [entry] = session.queue;
      if (session.client !== client || !entry) return;
      const { topic, payload } = entry;
      if (session.service) {
        if (session.service(topic, payload)) session.queue.shift();
        else {
          session.busy = false;
          return;
        }
      } else {
        const crossing = { direction: 'down', clientId: session.id, topic, payload } as const;
        this.onCrossing?.({ ...crossing, stage: 'before' });
        if (session.client !== client) return;
        client?.deliver(topic, payload);
        if (session.client !== client) return;
        // Sent twice: as if its confirmation had been lost.
        if (this.duplicate(crossing)) client?.deliver(topic, payload);
        if (session.client !== client) return;
        session.queue.shift();
        this.onCrossing?.({ ...crossing, stage: 'after' });
      }
      session.busy = false;
      this.#pump(session);
    }, this.latency);
  }
}

class MemoryClient implements MqttClient {
  readonly id: string;
  readonly #broker: MemoryBroker;
  readonly #life: Life;
  readonly #options: MqttOptions;
  #open = true;
  #connected = false;
  #room = 0;
  #id = 0;
  #message: { topic: string; id: number; QoS: number; payload: Uint8Array; length: number } | undefined;
  #payload: Uint8Array = new Uint8Array(0);
  #readable = 0;
  #read = 0;

  constructor(broker: MemoryBroker, life: Life, options: MqttOptions) {
    this.#broker = broker;
    this.#life = life;
    this.#options = options;
    this.id = options.id;
    life.atDeath(() => this.#drop());
    this.#later(() => this.#connect(), 2);
  }

  get #alive(): boolean {
    return this.#open && this.#life.alive;
  }

  #later(act: () => void, ways = 1): void {
    this.#broker.clock.set(() => {
      if (this.#alive) act();
    }, this.#broker.latency * ways);
  }

  #connect(): void {
    if (!this.#broker.reachable()) {
      this.broken('no route to the broker');
      return;
    }
    this.#connected = true;
    const sessionPresent = this.#broker.connected(this);
    this.#options.onControl?.(MqttOperation.CONNACK, { sessionPresent });
    if (!this.#alive) return;
    this.#room = this.#broker.room;
    this.#options.onWritable?.(this.#room);
  }

  write(data: Uint8Array | undefined, options?: MqttWriteOptions): number {
    if (!this.#alive || !this.#connected) {
      if (!this.#life.alive) return 0;
      throw new Error('write() on a client that is not connected');
    }
    const topics = options?.items?.reduce((sum, { topic }) => sum + topic.length, 0) ?? 0;
    const head = options ? OVERHEAD + (options.topic?.length ?? 0) + topics : 0;
    const cost = head + (data?.length ?? 0);
    if (cost > this.#room) throw new Error(`write() of ${cost} bytes where ${this.#room} were allowed`);
    this.#room -= cost;
    this.#later(() => {
      this.#room += cost;
      this.#options.onWritable?.(this.#room);
    });
    if (options?.operation === MqttOperation.SUBSCRIBE) this.#subscribe(options);
    else this.#publish(data ?? new Uint8Array(0), options);
    return this.#room;
  }

  #subscribe({ id, items = [] }: MqttWriteOptions): void {
    if (this.#message) throw new Error('SUBSCRIBE in the middle of a PUBLISH');
    this.#later(() => {
      this.#broker.subscribes++;
      const refused = this.#broker.refuseSubscriptions;
      if (!refused) this.#broker.session(this.id).filters = items.map(({ topic }) => topic);
      this.#later(() => {
        this.#options.onControl?.(MqttOperation.SUBACK, { id, payload: [refused ? 0x80 : 1] });
      });
    });
  }

  #publish(piece: Uint8Array, options: MqttWriteOptions | undefined): void {
    if (options) {
      if (this.#message) throw new Error('a PUBLISH began before the former one was complete');
      this.#message = {
        topic: options.topic ?? '',
        id: options.id ?? ++this.#id,
        QoS: options.QoS ?? 0,
        payload: new Uint8Array(options.byteLength ?? piece.length),
        length: 0,
      };
    }
    const message = this.#message;
    if (!message) throw new Error('a piece that belongs to no PUBLISH');
    if (message.length + piece.length > message.payload.length)
      throw new Error('more payload than byteLength');
    message.payload.set(piece, message.length);
    message.length += piece.length;
    if (message.length < message.payload.length) return;
    this.#message = undefined;
    const { topic, payload, id, QoS } = message;
    this.#broker.onCrossing?.({ direction: 'up', stage: 'before', clientId: this.id, topic, payload });
    if (!this.#alive) return;
    this.#later(() => {
      this.#broker.received(this, topic, payload);
      if (QoS === 0) return;
      this.#later(() => this.#options.onControl?.(MqttOperation.PUBACK, { id }));
    });
  }

  /** Hands over a message in pieces; what is not read of a piece can be read with the next one. */
  deliver(topic: string, payload: Uint8Array): void {
    this.#payload = payload;
    this.#read = this.#readable = 0;
    let first = true;
    while (this.#readable < payload.length) {
      const left = payload.length - this.#readable;
      const count = Math.min(left, 1 + Math.floor(this.#broker.random() * this.#broker.piece));
      this.#readable += count;
      const more = this.#readable < payload.length;
      const announced = this.#readable - this.#read;
      if (first) this.#options.onReadable?.(announced, { topic, QoS: 1, byteLength: payload.length, more });
      else this.#options.onReadable?.(announced, { more });
      first = false;
      if (!this.#alive) return;
    }
  }

  read(into: Uint8Array): number {
    const piece = this.#payload.subarray(this.#read, Math.min(this.#readable, this.#read + into.length));
    into.set(piece);
    this.#read += piece.length;
    return piece.length;
  }

  broken(reason: string): void {
    if (!this.#open) return;
    const alive = this.#alive;
    this.#drop();
    if (alive) this.#options.onError?.(new Error(reason));
  }

  #drop(): void {
    this.#open = false;
    this.#broker.gone(this);
  }

  close(): void {
    this.#drop();
  }
}

function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  return wanted.length === levels.length && wanted.every((level, i) => level === '+' || level === levels[i]);
}
