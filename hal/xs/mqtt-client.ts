import {
  type MqttClient,
  MqttOperation,
  type MqttOptions,
  type MqttReadableOptions,
  type MqttWriteOptions,
  type Resolver,
  type ResolverConfiguration,
  type TcpConfiguration,
  type TcpSocket,
  type Timer,
  type TimerHandle,
  XsIpaError,
} from '../contracts/index.js';
import { isAddress } from './address.js';
import { connectPacket, publishHeader, subscribePacket } from './mqtt-packets.js';
import { MqttParser, PacketType, Parsed } from './mqtt-parser.js';

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
/** Of the keep-alive time. Two of them pass at most between packets of ours. */
const PULSE = 0.45;
/** Bytes of a topic that are kept; a longer one is foreign anyway. */
const TOPIC_LIMIT = 128;
/** Acknowledgements that may wait for room; with more, nothing further is read. */
const ACK_LIMIT = 8;

// What is going on.
const RESOLVING = 0;
const CONNECTING = 1;
const GREETING = 2;
const CONNECTED = 3;
const CLOSED = 4;

/**
 * The device's MQTT 3.1.1 client: QoS 0 and 1, payloads streamed both ways, a few hundred bytes of its own. What the
 * application does not read stays in the socket. A message of QoS 1 is acknowledged when it was read whole.
 *
 * Everything that comes from outside ends in onError, never in an exception; write() throws `usage` where the caller broke
 * the contract. Since a TCP class cannot tell a broker that closes from one that is gone, onClose is never called.
 */
export class XsMqttClient implements MqttClient {
  readonly #options: XsMqttOptions;
  readonly #timer: Timer;
  readonly #parser = new MqttParser(TOPIC_LIMIT);
  /** Headers are read through this; never payload. */
  readonly #piece = new Uint8Array(16);
  readonly #two = new Uint8Array(2);
  readonly #four = new Uint8Array(4);
  readonly #acks = new Uint16Array(ACK_LIMIT);
  #ackCount = 0;
  #state = RESOLVING;
  #resolver: Resolver | undefined;
  #socket: TcpSocket | undefined;
  /** Bytes the socket takes now, and holds for us. */
  #room = 0;
  #waiting = 0;
  /** Of a CONNECT or SUBSCRIBE for which there was no room at once. */
  #rest: Uint8Array | undefined;
  /** Payload bytes of a PUBLISH that the application has still to write. */
  #unwritten = 0;
  /** Payload bytes that were announced and not yet read. */
  #announced = 0;
  #headerAnnounced = false;
  #pumping = false;
  #packetId = 0;
  #deadline: TimerHandle | undefined;
  #later: TimerHandle | undefined;
  #pulse: TimerHandle | undefined;
  /** Since the last pulse. */
  #received = false;
  #sent = false;
  #pinged = false;
  #pingDue = false;

  /** @throws {XsIpaError} `usage` */
  constructor(options: MqttOptions) {
    const { timer, socket, dns, host, connectTimeout } = options as XsMqttOptions;
    if (!timer || !socket || !host)
      throw new XsIpaError('usage', 'an MQTT client needs timer, socket and host');
    this.#options = options as XsMqttOptions;
    this.#timer = timer;
    this.#deadline = timer.set(() => {
      this.#fail('noBroker', `the broker ${host} did not answer in time`);
    }, connectTimeout ?? CONNECT_TIMEOUT);
    if (dns && !isAddress(host)) this.#resolve(dns, host);
    else this.#connect(isAddress(host) ? host : undefined);
  }

  write(data: Uint8Array | undefined, options?: MqttWriteOptions): number {
    if (this.#state !== CONNECTED) throw new XsIpaError('usage', 'write() without a connection');
    if (!options) this.#writeMore(data);
    else if ((options.operation ?? MqttOperation.PUBLISH) === MqttOperation.PUBLISH)
      this.#publish(data, options);
    else if (options.operation === MqttOperation.SUBSCRIBE) {
      this.#writable(0);
      this.#rest = subscribePacket(options.id ?? this.#nextId(), options.items ?? []);
    } else throw new XsIpaError('usage', `operation ${options.operation} cannot be written`);
    this.#flush();
    return this.#offer;
  }

  read(into: Uint8Array): number {
    const count = Math.min(into.length, this.#announced);
    if (count === 0 || !this.#socket) return 0;
    const got = this.#socket.read(count === into.length ? into : into.subarray(0, count)) ?? 0;
    this.#waiting -= got;
    this.#announced -= got;
    this.#parser.skip(got);
    if (this.#parser.payload === 0) this.#acknowledge();
    // Not from here: whoever reads a message to its end must be done with it before the next one is announced.
    if (this.#announced === 0 && !this.#pumping && this.#later === undefined) {
      this.#later = this.#timer.set(() => {
        this.#later = undefined;
        this.#pump();
      }, 0);
    }
    return got;
  }

  close(): void {
    if (this.#state === CLOSED) return;
    if (this.#state === CONNECTED && this.#unwritten === 0 && !this.#rest && this.#room >= 2) {
      this.#two[0] = MqttOperation.DISCONNECT << 4;
      this.#two[1] = 0;
      this.#send(this.#two);
    }
    this.#state = CLOSED;
    this.#timer.clear(this.#deadline);
    this.#timer.clear(this.#later);
    this.#timer.clear(this.#pulse);
    this.#resolver?.close?.();
    this.#socket?.close();
    this.#resolver = this.#socket = this.#rest = undefined;
    this.#announced = this.#waiting = this.#room = 0;
  }

  // Connecting ------------------------------------------------------------------------------------------------------

  #resolve(dns: ResolverConfiguration, host: string): void {
    this.#resolver = new dns.io(dns);
    this.#resolver.resolve({
      host,
      onResolved: (_host, address) => {
        if (this.#state === RESOLVING) this.#connect(address);
      },
      onError: () => this.#fail('noBroker', `the name ${host} could not be resolved`),
    });
  }

  #connect(address: string | undefined): void {
    const { socket, host, port = PORT } = this.#options;
    const { io, ...rest } = socket;
    this.#state = CONNECTING;
    try {
      this.#socket = new io({
        ...rest,
        host,
        address,
        port,
        onReadable: (count) => {
          this.#waiting = count;
          this.#pump();
        },
        onWritable: (count) => this.#onWritable(count),
        onError: (reason) => this.#fail('lost', lost(this.#state < CONNECTED, host, reason)),
      });
    } catch (cause) {
      // Not at once: a callback never runs before the constructor has returned.
      this.#later = this.#timer.set(() => this.#fail('noBroker', lost(true, host, cause)), 0);
    }
  }

  #onWritable(count: number): void {
    if (this.#state === CLOSED) return;
    this.#room = count;
    if (this.#state === CONNECTING) {
      this.#state = GREETING;
      this.#rest = connectPacket(this.#options);
    }
    this.#flush();
    // An acknowledgement that went out may have held back what came behind it.
    if (this.#waiting > 0 && this.#announced === 0) this.#pump();
    this.#offerRoom();
  }

  #accepted(): void {
    const { returnCode, sessionPresent } = this.#parser;
    if (returnCode !== 0) {
      this.#fail('refused', `the broker refused the connection: ${refusal(returnCode)}`);
      return;
    }
    this.#timer.clear(this.#deadline);
    this.#deadline = undefined;
    this.#state = CONNECTED;
    this.#options.onControl?.(MqttOperation.CONNACK, { sessionPresent });
    this.#watch();
    this.#offerRoom();
  }

  // Keeping alive ---------------------------------------------------------------------------------------------------

  /** A silent broker gets a PINGREQ, and if it stays silent until the next pulse it is dead. */
  #watch(): void {
    const { keepAlive = 0 } = this.#options;
    if (keepAlive <= 0 || this.#state !== CONNECTED) return;
    this.#received = this.#sent = this.#pinged = false;
    this.#pulse = this.#timer.set(() => this.#beat(), keepAlive * PULSE);
  }

  #beat(): void {
    if (this.#pinged && !this.#received) {
      this.#fail('lost', 'the broker has fallen silent');
      return;
    }
    const ping = !this.#received || !this.#sent;
    this.#received = this.#sent = false;
    this.#pinged = this.#pingDue = ping;
    this.#pulse = this.#timer.set(() => this.#beat(), (this.#options.keepAlive ?? 0) * PULSE);
    this.#flush();
  }

  // Out -------------------------------------------------------------------------------------------------------------

  /** What the application may write now. */
  get #offer(): number {
    return this.#state === CONNECTED && !this.#rest ? this.#room : 0;
  }

  #offerRoom(): void {
    const offer = this.#offer;
    if (offer > 0) this.#options.onWritable?.(offer);
  }

  #publish(data: Uint8Array | undefined, options: MqttWriteOptions): void {
    const { topic = '', byteLength = data?.length ?? 0 } = options;
    const count = data?.length ?? 0;
    if (count > byteLength) throw new XsIpaError('usage', `${count} bytes of a message of ${byteLength}`);
    const header = publishHeader(options, topic, options.id ?? this.#nextId(), byteLength);
    this.#writable(header.length + count);
    this.#send(header);
    if (data && count > 0) this.#send(data);
    this.#unwritten = byteLength - count;
  }

  #writeMore(data: Uint8Array | undefined): void {
    const count = data?.length ?? 0;
    if (count > this.#unwritten || this.#unwritten === 0) {
      throw new XsIpaError('usage', `${count} further bytes of a message that waits for ${this.#unwritten}`);
    }
    if (count > this.#room) throw new XsIpaError('usage', `${count} bytes where ${this.#room} were allowed`);
    if (data && count > 0) this.#send(data);
    this.#unwritten -= count;
  }

  /** A new packet may begin, and `count` bytes of it fit. */
  #writable(count: number): void {
    if (this.#unwritten > 0) {
      throw new XsIpaError('usage', `${this.#unwritten} bytes of the message before are missing`);
    }
    if (count > this.#offer)
      throw new XsIpaError('usage', `${count} bytes where ${this.#offer} were allowed`);
  }

  /** Sends what waits and fits, unless a PUBLISH is half out: nothing may come in between. */
  #flush(): void {
    if (this.#unwritten > 0) return;
    while (this.#rest && this.#room > 0) {
      const rest = this.#rest;
      const count = Math.min(rest.length, this.#room);
      this.#rest = count < rest.length ? rest.subarray(count) : undefined;
      this.#send(rest.subarray(0, count));
    }
    if (this.#rest || this.#state !== CONNECTED) return;
    while (this.#ackCount > 0 && this.#room >= 4) {
      const id = this.#acks[0];
      this.#acks.copyWithin(0, 1, this.#ackCount--);
      this.#four[0] = MqttOperation.PUBACK << 4;
      this.#four[1] = 2;
      this.#four[2] = id >> 8;
      this.#four[3] = id & 0xff;
      this.#send(this.#four);
    }
    if (this.#pingDue && this.#room >= 2) {
      this.#pingDue = false;
      this.#two[0] = PacketType.PINGREQ << 4;
      this.#two[1] = 0;
      this.#send(this.#two);
    }
  }

  #send(bytes: Uint8Array): void {
    const left = this.#socket?.write(bytes);
    this.#room = typeof left === 'number' ? left : this.#room - bytes.length;
    this.#sent = true;
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  // In --------------------------------------------------------------------------------------------------------------

  /** Takes headers out of the socket and announces payloads, until the application has something to read. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const parser = this.#parser;
    try {
      while (this.#waiting > 0 && this.#announced === 0 && this.#state !== CLOSED) {
        this.#received = true;
        if (parser.payload > 0) this.#announce();
        else if (this.#ackCount === ACK_LIMIT || !this.#readHeader()) break;
      }
    } finally {
      this.#pumping = false;
    }
  }

  #readHeader(): boolean {
    const piece = this.#piece;
    const count = Math.min(this.#parser.need, this.#waiting, piece.length);
    const got = this.#socket?.read(count < piece.length ? piece.subarray(0, count) : piece) ?? 0;
    if (got <= 0) return false;
    this.#waiting -= got;
    for (let at = 0; at < got && this.#state !== CLOSED; at++) {
      const type = this.#parser.push(piece[at]);
      if (type !== Parsed.incomplete) this.#packet(type);
    }
    return true;
  }

  #packet(type: number): void {
    const { fault, id, granted, payload } = this.#parser;
    const isGreeting = type === MqttOperation.CONNACK;
    if (type === Parsed.fault) this.#fail('protocol', `the broker sent ${fault}`);
    else if (isGreeting !== (this.#state === GREETING)) this.#fail('protocol', `packet ${type} out of turn`);
    else if (isGreeting) this.#accepted();
    else if (type === MqttOperation.PUBLISH) {
      this.#headerAnnounced = false;
      // A message without content says nothing to the application.
      if (payload === 0) this.#acknowledge();
    } else if (type === MqttOperation.PUBACK) this.#options.onControl?.(type, { id });
    else if (type === MqttOperation.SUBACK) this.#options.onControl?.(type, { id, payload: granted });
  }

  #announce(): void {
    const { topic, qos, byteLength, payload } = this.#parser;
    const count = Math.min(this.#waiting, payload);
    const more = count < payload;
    const message: MqttReadableOptions = this.#headerAnnounced
      ? { more }
      : { topic, QoS: qos, byteLength, more };
    this.#headerAnnounced = true;
    this.#announced = count;
    this.#options.onReadable?.(count, message);
  }

  /** The message at hand was read whole. */
  #acknowledge(): void {
    if (this.#parser.qos === 0) return;
    this.#acks[this.#ackCount++] = this.#parser.id;
    this.#flush();
  }

  #fail(code: string, message: string): void {
    if (this.#state === CLOSED) return;
    // A broken conversation is not ended with a DISCONNECT.
    this.#room = 0;
    this.close();
    this.#options.onError?.(new XsIpaError(code, message));
  }
}

function lost(early: boolean, host: string, reason: unknown): string {
  const detail = reason instanceof Error ? `: ${reason.message}` : '';
  return early
    ? `no connection to the broker ${host}${detail}`
    : `the connection to the broker broke${detail}`;
}

/** MQTT 3.1.1 §3.2.2.3. */
function refusal(code: number): string {
  switch (code) {
    case 1:
      return 'it does not speak MQTT 3.1.1';
    case 2:
      return 'it does not accept the client identifier';
    case 3:
      return 'it is not available';
    case 4:
      return 'wrong user or password';
    case 5:
      return 'not authorised';
    default:
      return `code ${code}`;
  }
}
