import {
  type MqttClient,
  type MqttConfiguration,
  MqttOperation,
  type MqttReadableOptions,
  type Observer,
  type Timer,
  type TimerHandle,
} from '../../../hal/contracts/index.js';
import type { IpaEvent } from '../../events.js';
import { digits } from '../../text.js';
import { Writer } from '../../tlv/index.js';
import { type Accept, defaultTimes, type EsipaLink, LinkError, type LinkTimes } from '../link.js';
import { EsipaTag } from '../tags.js';

export interface MqttLinkOptions {
  eimId: string;
  /** 16 bytes. */
  eid: Uint8Array;
  mqtt: MqttConfiguration;
  timer: Timer;
  random: () => number;
  /** Topic templates; `{eid}` and `{eimId}` are replaced. */
  topics?: { toEim: string; toIpa: string };
  /** Template of the client id, `{eid}` where not given. Two links to one broker need two ids. */
  clientId?: string;
  times?: LinkTimes;
  /** Longest message taken, bytes. */
  messageLimit?: number;
  /** Injected messages kept until the IPA has time for them. */
  injectionLimit?: number;
  observe?: Observer<IpaEvent>;
}

export function defaultTopics(): { toEim: string; toIpa: string } {
  return { toEim: 'esipa/{eid}/eim', toIpa: 'esipa/{eid}/ipa' };
}

/** Bytes of a PUBLISH beside topic and payload: fixed header, lengths, packet id. */
const PUBLISH_OVERHEAD = 9;

/** One message on its way out. */
interface Outgoing {
  bytes: Uint8Array;
  offset: number;
  id: number;
  /** Sent before: flagged as duplicate. */
  again: boolean;
  acknowledged: boolean;
  /** Absent for the request of an exchange, which its answer completes. */
  resolve?: () => void;
  reject?: (error: LinkError) => void;
}

interface Exchange {
  accept: Accept;
  answerTag: number;
  outgoing: Outgoing;
  sent: number;
  timer: TimerHandle | undefined;
  resolve: (answer: Uint8Array) => void;
  reject: (error: LinkError) => void;
}

/** ESipa over MQTT 3.1.1, QoS 1 and a persistent session (docs/mqtt-binding.md). */
export class MqttLink implements EsipaLink {
  readonly eimId: string;
  onInjection: (() => void) | undefined;

  readonly #options: MqttLinkOptions;
  readonly #times: LinkTimes;
  readonly #eid: string;
  readonly #clientId: string;
  readonly #toEim: string;
  readonly #toIpa: string;
  readonly #piece = new Uint8Array(128);
  /** The message being received; changes places with #answer when an exchange takes it. */
  #incoming: Writer;
  #answer: Writer;
  #receiving = false;

  #client: MqttClient | undefined;
  #subscribed = false;
  #subscribing = 0;
  #writable = 0;
  #active = false;
  #closed = false;
  #failures = 0;
  #reconnect: TimerHandle | undefined;
  #packetId = 0;

  #exchange: Exchange | undefined;
  #queue: Outgoing[] = [];
  #injections: Uint8Array[] = [];
  #dropped = 0;

  constructor(options: MqttLinkOptions) {
    const topics = options.topics ?? defaultTopics();
    const limit = options.messageLimit ?? 16_384;
    this.eimId = options.eimId;
    this.#options = options;
    this.#times = options.times ?? defaultTimes();
    this.#eid = digits(options.eid);
    this.#clientId = this.#fill(options.clientId ?? '{eid}');
    this.#toEim = this.#fill(topics.toEim);
    this.#toIpa = this.#fill(topics.toIpa);
    this.#incoming = new Writer(256, limit);
    this.#answer = new Writer(256, limit);
  }

  get connected(): boolean {
    return this.#subscribed;
  }

  resume(): void {
    if (this.#closed) return;
    this.#active = true;
    if (!this.#client && this.#reconnect === undefined) this.#connect();
  }

  suspend(): void {
    this.#rest();
    if (this.#client) this.#disconnect('the network is gone');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest();
    this.#client?.close();
    this.#client = undefined;
    this.#subscribed = false;
    const error = new LinkError('closed', 'the link was closed');
    const exchange = this.#exchange;
    this.#endExchange();
    exchange?.reject(error);
    for (const outgoing of this.#queue.splice(0)) outgoing.reject?.(error);
    this.#options.observe?.({ event: 'link', eimId: this.eimId, state: 'closed' });
  }

  exchange(request: Uint8Array, accept: Accept): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new LinkError('closed', 'the link is closed'));
    if (this.#exchange) return Promise.reject(new LinkError('refused', 'an exchange is open already'));
    return new Promise<Uint8Array>((resolve, reject) => {
      const tag = (request[0] << 8) | request[1];
      const answerTag = tag === EsipaTag.handleNotification ? EsipaTag.transferEimPackage : tag;
      const outgoing = this.#outgoing(request);
      this.#exchange = { accept, answerTag, outgoing, sent: 0, timer: undefined, resolve, reject };
      this.#submit();
    });
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new LinkError('closed', 'the link is closed'));
    return new Promise<void>((resolve, reject) => {
      const outgoing = this.#outgoing(message.slice());
      outgoing.resolve = resolve;
      outgoing.reject = reject;
      this.#up(outgoing.bytes);
      this.#queue.push(outgoing);
      this.resume();
      this.#pump();
    });
  }

  takeInjection(): Uint8Array | undefined {
    return this.#injections.shift();
  }

  // Connection ------------------------------------------------------------------------------------------------------

  #connect(): void {
    const { mqtt, observe } = this.#options;
    observe?.({ event: 'link', eimId: this.eimId, state: 'connecting' });
    try {
      this.#client = new mqtt.io({
        ...mqtt,
        id: this.#clientId,
        clean: false,
        onReadable: (count, options) => this.#readable(count, options),
        onWritable: (count) => this.#onWritable(count),
        onControl: (operation, message) => this.#control(operation, message.id, message.payload),
        onClose: () => this.#lost('the broker closed the connection'),
        onError: (reason) => this.#lost(describe(reason)),
      });
    } catch (error) {
      this.#lost(describe(error));
    }
  }

  #rest(): void {
    this.#active = false;
    this.#options.timer.clear(this.#reconnect);
    this.#reconnect = undefined;
    this.#failures = 0;
  }

  #disconnect(detail: string): void {
    const client = this.#client;
    this.#client = undefined;
    this.#subscribed = this.#receiving = false;
    this.#subscribing = this.#writable = 0;
    client?.close();
    // What the broker has not confirmed goes out again over the next connection.
    for (const outgoing of this.#queue) restart(outgoing);
    if (this.#exchange) restart(this.#exchange.outgoing);
    this.#options.observe?.({ event: 'link', eimId: this.eimId, state: 'lost', detail });
  }

  #lost(detail: string): void {
    this.#disconnect(detail);
    if (!this.#active) return;
    const { backOff, backOffLimit } = this.#times;
    const pause = Math.min(backOffLimit, backOff * 2 ** Math.min(this.#failures++, 20));
    // Jitter: a fleet that lost its broker must not come back at the same moment.
    this.#reconnect = this.#options.timer.set(
      () => {
        this.#reconnect = undefined;
        if (this.#active && !this.#client) this.#connect();
      },
      pause * (0.5 + this.#options.random() / 2),
    );
  }

  #onWritable(count: number): void {
    this.#writable = count;
    if (this.#subscribing === 0) {
      // Always: a broker that lost the session would otherwise swallow every answer.
      this.#subscribing = this.#nextId();
      this.#writable = this.#client!.write(undefined, {
        operation: MqttOperation.SUBSCRIBE,
        id: this.#subscribing,
        items: [{ topic: this.#toIpa, QoS: 1 }],
      });
      return;
    }
    this.#pump();
  }

  #control(operation: number, id: number | undefined, payload: readonly number[] | undefined): void {
    if (operation === MqttOperation.SUBACK && id === this.#subscribing) {
      if (payload && payload[0] >= 0x80) {
        this.#lost(`the broker refused the subscription to ${this.#toIpa}; check its access rules`);
        return;
      }
      this.#subscribed = true;
      this.#failures = 0;
      this.#options.observe?.({ event: 'link', eimId: this.eimId, state: 'connected' });
      this.#pump();
    } else if (operation === MqttOperation.PUBACK) {
      const exchange = this.#exchange;
      if (exchange && exchange.outgoing.id === id) exchange.outgoing.acknowledged = true;
      const at = this.#queue.findIndex(
        (outgoing) => outgoing.id === id && outgoing.offset === outgoing.bytes.length,
      );
      if (at >= 0) this.#queue.splice(at, 1)[0].resolve?.();
      this.#pump();
    }
  }

  // Out -------------------------------------------------------------------------------------------------------------

  #outgoing(bytes: Uint8Array): Outgoing {
    return { bytes, offset: 0, id: this.#nextId(), again: false, acknowledged: false };
  }

  /** Sends the request of the open exchange, and again each time its answer does not come in time. */
  #submit(): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    if (exchange.sent === this.#times.attempts) {
      this.#endExchange();
      exchange.reject(new LinkError('noAnswer', `${this.eimId} did not answer ${exchange.sent} times`));
      return;
    }
    if (exchange.sent++ > 0) {
      exchange.outgoing = this.#outgoing(exchange.outgoing.bytes);
      exchange.outgoing.again = true;
    }
    exchange.timer = this.#options.timer.set(() => this.#submit(), this.#times.answer);
    this.#up(exchange.outgoing.bytes);
    this.resume();
    this.#pump();
  }

  #pump(): void {
    if (!this.#subscribed) return;
    for (;;) {
      // A message whose first piece is out must be finished before another begins.
      let next = this.#queue.find(
        (outgoing) => outgoing.offset > 0 && outgoing.offset < outgoing.bytes.length,
      );
      const request = this.#exchange?.outgoing;
      if (!next && request && request.offset > 0 && request.offset < request.bytes.length) next = request;
      next ??= this.#queue.find((outgoing) => outgoing.offset === 0);
      if (!next && request && request.offset === 0 && !request.acknowledged) next = request;
      if (!next || !this.#writePiece(next)) return;
    }
  }

  /** @returns false when nothing more can be written now */
  #writePiece(outgoing: Outgoing): boolean {
    const first = outgoing.offset === 0;
    const room = first ? this.#writable - PUBLISH_OVERHEAD - this.#toEim.length : this.#writable;
    if (room <= 0) return false;
    const bytes = outgoing.bytes;
    const end = Math.min(bytes.length, outgoing.offset + room);
    const piece = bytes.subarray(outgoing.offset, end);
    outgoing.offset = end;
    this.#writable = first
      ? this.#client!.write(piece, {
          operation: MqttOperation.PUBLISH,
          id: outgoing.id,
          topic: this.#toEim,
          QoS: 1,
          byteLength: bytes.length,
          duplicate: outgoing.again,
        })
      : this.#client!.write(piece);
    return true;
  }

  // In --------------------------------------------------------------------------------------------------------------

  #readable(count: number, { topic, byteLength, more }: MqttReadableOptions): void {
    if (topic !== undefined) {
      this.#incoming.clear();
      this.#receiving = topic === this.#toIpa;
      if (!this.#receiving) this.#drop(0, 'foreignTopic');
    }
    const client = this.#client!;
    for (let left = count; left > 0; ) {
      const got = client.read(left < this.#piece.length ? this.#piece.subarray(0, left) : this.#piece);
      if (got <= 0) break;
      left -= got;
      if (this.#receiving) this.#collect(this.#piece.subarray(0, got), byteLength);
    }
    if (!more && this.#receiving) {
      this.#receiving = false;
      this.#take();
    }
  }

  #collect(piece: Uint8Array, byteLength: number | undefined): void {
    try {
      this.#incoming.write(piece);
    } catch {
      // The rest of it is read and thrown away: the eIM sends it again or gives up, the connection stays usable.
      this.#receiving = false;
      this.#drop(0, `tooLong${byteLength === undefined ? '' : ` (${byteLength} bytes)`}`);
    }
  }

  #take(): void {
    const message = this.#incoming.bytes;
    const tag = message.length > 1 ? (message[0] << 8) | message[1] : 0;
    this.#options.observe?.({ event: 'esipa', direction: 'down', eimId: this.eimId, tag, message });
    const exchange = this.#exchange;
    if (exchange && exchange.answerTag === tag && exchange.accept(message)) {
      const answer = this.#incoming;
      this.#incoming = this.#answer;
      this.#incoming.release();
      this.#answer = answer;
      this.#endExchange();
      exchange.resolve(message);
    } else if (tag === EsipaTag.transferEimPackage) {
      if (this.#injections.length >= (this.#options.injectionLimit ?? 4))
        this.#drop(tag, 'injectionQueueFull');
      else {
        this.#injections.push(message.slice());
        this.onInjection?.();
      }
    } else {
      this.#drop(tag, exchange?.answerTag === tag ? 'notMatching' : 'notAwaited');
    }
  }

  #endExchange(): void {
    this.#options.timer.clear(this.#exchange?.timer);
    this.#exchange = undefined;
  }

  #drop(tag: number, reason: string): void {
    this.#dropped++;
    this.#options.observe?.({ event: 'dropped', eimId: this.eimId, tag, reason, count: this.#dropped });
  }

  #up(message: Uint8Array): void {
    const tag = (message[0] << 8) | message[1];
    this.#options.observe?.({ event: 'esipa', direction: 'up', eimId: this.eimId, tag, message });
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  #fill(template: string): string {
    return template.split('{eid}').join(this.#eid).split('{eimId}').join(this.eimId);
  }
}

function restart(outgoing: Outgoing): void {
  if (outgoing.acknowledged || outgoing.offset === 0) return;
  outgoing.offset = 0;
  outgoing.again = true;
}

function describe(reason: unknown): string {
  if (reason instanceof Error) return reason.message;
  return typeof reason === 'string' ? reason : 'the connection broke';
}
