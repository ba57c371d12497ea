import {
  type MqttClient,
  MqttOperation,
  type MqttReadableOptions,
  type MqttWriteOptions,
  XsIpaError,
} from '../contracts/index.js';
import { connectPacket, publishHeader, refusal, subscribePacket } from './mqtt-packets.js';
import { MqttParser, PacketType, Parsed } from './mqtt-parser.js';
import { MqttSocket, State } from './mqtt-socket.js';

export type { XsMqttOptions } from './mqtt-socket.js';

/** Of the keep-alive time. Two of them pass at most between packets of ours. */
const PULSE = 0.45;
/** Bytes of a topic that are kept; a longer one is foreign anyway. */
const TOPIC_LIMIT = 128;
/** Acknowledgements that may wait for room; with more, nothing further is read. */
const ACK_LIMIT = 8;

// What is where in `#bytes`: what was read of headers, never payload; acknowledgements that wait, each a whole packet of
// four bytes; a packet of two bytes.
const HEADERS = 16;
const ACKS = HEADERS;
const ACK = 4;
const SHORT = ACKS + ACK * ACK_LIMIT;

/**
 * The device's MQTT 3.1.1 client: QoS 0 and 1, payloads streamed both ways, a few hundred bytes of its own. What the
 * application does not read stays in the socket. A message of QoS 1 is acknowledged when it was read whole.
 *
 * Everything that comes from outside ends in onError, never in an exception; write() throws `usage` where the caller broke
 * the contract. Since a TCP class cannot tell a broker that closes from one that is gone, onClose is never called.
 */
export class XsMqttClient extends MqttSocket implements MqttClient {
  readonly #parser = new MqttParser(TOPIC_LIMIT);
  readonly #bytes = new Uint8Array(SHORT + 2);
  #ackCount = 0;
  /** Of a CONNECT or SUBSCRIBE for which there was no room at once. */
  #rest: Uint8Array | undefined;
  /** Payload bytes of a PUBLISH that the application has still to write. */
  #unwritten = 0;
  /** Payload bytes that were announced and not yet read. */
  #announced = 0;
  #headerAnnounced = false;
  #pumping = false;
  #packetId = 0;
  #later: unknown;
  /** Since the last pulse. */
  #received = false;
  #pinged = false;
  #pingDue = false;

  write(data: Uint8Array | undefined, options?: MqttWriteOptions): number {
    if (this.state !== State.connected) throw new XsIpaError('usage', 'write() without a connection');
    if (!options) this.writeMore(data);
    else if ((options.operation ?? MqttOperation.PUBLISH) === MqttOperation.PUBLISH)
      this.publish(data, options);
    else if (options.operation === MqttOperation.SUBSCRIBE) {
      this.mayBegin(0);
      this.#rest = subscribePacket(options.id ?? this.nextId(), options.items ?? []);
    } else throw new XsIpaError('usage', `operation ${options.operation} cannot be written`);
    this.flush();
    return this.offer;
  }

  read(into: Uint8Array): number {
    const got = this.take(into, this.#announced);
    if (got <= 0) return 0;
    this.#announced -= got;
    this.#received = true;
    this.#parser.skip(got);
    if (this.#parser.payload === 0) this.acknowledge();
    // Not from here: whoever reads a message to its end must be done with it before the next one is announced.
    if (this.#announced === 0 && !this.#pumping && this.#later === undefined) {
      this.#later = this.options.timer.set(() => this.pumpLater(), 0);
    }
    return got;
  }

  close(): void {
    if (this.state === State.closed) return;
    if (this.state === State.connected && this.#unwritten === 0 && !this.#rest && this.room >= 2) {
      this.sendShort(MqttOperation.DISCONNECT);
    }
    this.options.timer.clear(this.#later);
    this.#later = this.#rest = undefined;
    this.#announced = 0;
    this.shut();
  }

  protected override onTimer(): void {
    if (this.state < State.connected) {
      this.fail('noBroker', `the broker ${this.options.host} did not answer in time`);
    } else this.beat();
  }

  protected override onReadable(): void {
    this.pump();
  }

  protected override onRoom(): void {
    if (this.state === State.connecting) {
      this.state = State.greeting;
      this.#rest = connectPacket(this.options);
    }
    this.flush();
    // An acknowledgement that went out may have held back what came behind it.
    if (this.waiting > 0 && this.#announced === 0) this.pump();
    this.offerRoom();
  }

  private accepted(): void {
    const { returnCode, sessionPresent } = this.#parser;
    if (returnCode !== 0) {
      this.fail('refused', `the broker refused the connection: ${refusal(returnCode)}`);
      return;
    }
    this.calm();
    this.state = State.connected;
    this.options.onControl?.(MqttOperation.CONNACK, { sessionPresent });
    const { keepAlive = 0 } = this.options;
    // The application may have closed.
    if (keepAlive > 0 && (this.state as number) === State.connected) {
      this.#received = this.hasSent = this.#pinged = false;
      this.wakeIn(keepAlive * PULSE);
    }
    this.offerRoom();
  }

  /**
   * A silent broker gets a PINGREQ, and if it stays silent until the next pulse it is dead. While the application leaves
   * bytes unread, what came behind them is not seen: then nobody is silent.
   */
  private beat(): void {
    if (this.#pinged && !this.#received && this.waiting === 0) {
      this.fail('lost', 'the broker has fallen silent');
      return;
    }
    const ping = !this.#received || !this.hasSent;
    this.#received = this.hasSent = false;
    this.#pinged = this.#pingDue = ping;
    this.wakeIn((this.options.keepAlive ?? 0) * PULSE);
    this.flush();
  }

  // Out -------------------------------------------------------------------------------------------------------------

  /** What the application may write now. */
  private get offer(): number {
    return this.state === State.connected && !this.#rest ? this.room : 0;
  }

  private offerRoom(): void {
    const { offer } = this;
    if (offer > 0) this.options.onWritable?.(offer);
  }

  private publish(data: Uint8Array | undefined, options: MqttWriteOptions): void {
    const { topic = '', byteLength = data?.length ?? 0 } = options;
    const count = data?.length ?? 0;
    if (count > byteLength) throw new XsIpaError('usage', `${count} bytes of a message of ${byteLength}`);
    const header = publishHeader(options, topic, options.id ?? this.nextId(), byteLength);
    this.mayBegin(header.length + count);
    this.send(header);
    if (data && count > 0) this.send(data);
    this.#unwritten = byteLength - count;
  }

  private writeMore(data: Uint8Array | undefined): void {
    const count = data?.length ?? 0;
    if (count > this.#unwritten || this.#unwritten === 0) {
      throw new XsIpaError('usage', `${count} further bytes of a message that waits for ${this.#unwritten}`);
    }
    if (count > this.room) throw new XsIpaError('usage', `${count} bytes where ${this.room} were allowed`);
    if (data && count > 0) this.send(data);
    this.#unwritten -= count;
  }

  /** A new packet may begin, and `count` bytes of it fit. */
  private mayBegin(count: number): void {
    if (this.#unwritten > 0) {
      throw new XsIpaError('usage', `${this.#unwritten} bytes of the message before are missing`);
    }
    if (count > this.offer) throw new XsIpaError('usage', `${count} bytes where ${this.offer} were allowed`);
  }

  /** Sends what waits and fits, unless a PUBLISH is half out: nothing may come in between. */
  private flush(): void {
    if (this.#unwritten > 0) return;
    while (this.#rest && this.room > 0) {
      const rest = this.#rest;
      const count = Math.min(rest.length, this.room);
      this.#rest = count < rest.length ? rest.subarray(count) : undefined;
      this.send(rest.subarray(0, count));
    }
    if (this.#rest || this.state !== State.connected) return;
    const count = Math.min(this.#ackCount, this.room >> 2);
    if (count > 0) {
      const end = ACKS + ACK * count;
      const bytes = this.#bytes;
      this.send(bytes.subarray(ACKS, end));
      bytes.copyWithin(ACKS, end, SHORT);
      this.#ackCount -= count;
    }
    if (this.#pingDue && this.room >= 2) {
      this.#pingDue = false;
      this.sendShort(PacketType.PINGREQ);
    }
  }

  private sendShort(type: number): void {
    this.#bytes[SHORT] = type << 4;
    this.#bytes[SHORT + 1] = 0;
    this.send(this.#bytes.subarray(SHORT));
  }

  private nextId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  // In --------------------------------------------------------------------------------------------------------------

  private pumpLater(): void {
    this.#later = undefined;
    this.pump();
  }

  /** Takes headers out of the socket and announces payloads, until the application has something to read. */
  private pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const parser = this.#parser;
    try {
      while (this.waiting > 0 && this.#announced === 0 && this.state !== State.closed) {
        this.#received = true;
        if (parser.payload > 0) this.announce();
        else if (this.#ackCount === ACK_LIMIT || !this.readHeader()) break;
      }
    } finally {
      this.#pumping = false;
    }
  }

  private readHeader(): boolean {
    const bytes = this.#bytes;
    const count = Math.min(this.#parser.need, HEADERS, this.waiting);
    const got = this.take(bytes.subarray(0, count), count);
    for (let at = 0; at < got && this.state !== State.closed; at++) {
      const type = this.#parser.push(bytes[at]);
      if (type !== Parsed.incomplete) this.packet(type);
    }
    return got > 0;
  }

  private packet(type: number): void {
    const { fault, id, granted, payload } = this.#parser;
    const isGreeting = type === MqttOperation.CONNACK;
    if (type === Parsed.fault) this.fail('protocol', `the broker sent ${fault}`);
    else if (isGreeting !== (this.state === State.greeting))
      this.fail('protocol', `packet ${type} out of turn`);
    else if (isGreeting) this.accepted();
    else if (type === MqttOperation.PUBLISH) {
      this.#headerAnnounced = false;
      // A message without content says nothing to the application.
      if (payload === 0) this.acknowledge();
    } else if (type === MqttOperation.PUBACK) this.options.onControl?.(type, { id });
    else if (type === MqttOperation.SUBACK) this.options.onControl?.(type, { id, payload: granted });
  }

  private announce(): void {
    const { topic, qos, byteLength, payload } = this.#parser;
    const count = Math.min(this.waiting, payload);
    const more = count < payload;
    const message: MqttReadableOptions = this.#headerAnnounced
      ? { more }
      : { topic, QoS: qos, byteLength, more };
    this.#headerAnnounced = true;
    this.#announced = count;
    this.options.onReadable?.(count, message);
  }

  /** The message at hand was read whole. */
  private acknowledge(): void {
    const { qos, id } = this.#parser;
    if (qos === 0) return;
    const at = ACKS + ACK * this.#ackCount++;
    const bytes = this.#bytes;
    bytes[at] = MqttOperation.PUBACK << 4;
    bytes[at + 1] = 2;
    bytes[at + 2] = id >> 8;
    bytes[at + 3] = id & 0xff;
    this.flush();
  }
}
