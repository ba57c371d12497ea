import { MqttOperation } from '../contracts/index.js';
import { readUtf8 } from './utf8.js';

/** Control packet types a client deals with beside those of {@link MqttOperation}. */
export const PacketType = { CONNECT: 1, UNSUBACK: 11, PINGREQ: 12, PINGRESP: 13 } as const;

/** What push() returns beside a packet type. */
export const Parsed = { incomplete: 0, fault: -1 } as const;

const NONE: readonly number[] = [];
/** Most return codes of one SUBACK. */
const SUBACK_LIMIT = 16;

// What the next byte is.
const TYPE = 0;
const LENGTH = 1;
const BODY = 2;
const TOPIC_LENGTH = 3;
const TOPIC = 4;
const PACKET_ID = 5;
const PAYLOAD = 6;
const BROKEN = 7;

/**
 * Reads what an MQTT 3.1.1 server sends, byte by byte. Payloads are not passed through it: when push() returns PUBLISH,
 * `payload` bytes follow, which whoever reads them reports with skip().
 *
 * Anything that a server must not send is a fault; after one, nothing is accepted.
 */
export class MqttParser {
  /** Of the last packet that push() returned. */
  id = 0;
  /** CONNACK. */
  sessionPresent = false;
  returnCode = 0;
  /** SUBACK: one code for each item. */
  granted: readonly number[] = NONE;
  /** PUBLISH. A topic longer than the limit is cut there. */
  topic = '';
  qos = 0;
  duplicate = false;
  retain = false;
  /** Whole length of the payload. */
  byteLength = 0;
  /** Bytes of the payload that skip() was not told of. */
  payload = 0;
  /** What was wrong, after a fault. */
  fault = '';

  readonly #topicLimit: number;
  /** The topic as far as it has come, once it is known to be another than that of the message before. */
  #newTopic: Uint8Array | undefined;
  #state = TYPE;
  #type = 0;
  #shift = 0;
  /** Bytes of the packet that are still to come. */
  #left = 0;
  #count = 0;
  #topicLength = 0;

  /** @param topicLimit bytes of a topic that are kept */
  constructor(topicLimit: number) {
    this.#topicLimit = topicLimit;
  }

  /** So many bytes can be taken from the socket without touching a payload; at least 1 while none is due. */
  get need(): number {
    switch (this.#state) {
      case TYPE:
        return 2;
      case BODY:
        return this.#left;
      case TOPIC:
        return this.#topicLength - this.#count;
      case PAYLOAD:
      case BROKEN:
        return 0;
      default:
        return 1;
    }
  }

  /** @returns the type of the packet that is complete with this byte (of a PUBLISH: up to its payload), or Parsed */
  push(byte: number): number {
    switch (this.#state) {
      case TYPE:
        return this.typeByte(byte);
      case LENGTH:
        return this.lengthByte(byte);
      case BODY:
        return this.bodyByte(byte);
      case TOPIC_LENGTH:
        return this.topicLengthByte(byte);
      case TOPIC:
        return this.topicByte(byte);
      case PACKET_ID:
        return this.idByte(byte);
      case PAYLOAD:
        return this.fail('a payload was taken for a header');
      default:
        return Parsed.fault;
    }
  }

  /** `count` bytes of the payload were read. */
  skip(count: number): void {
    this.payload -= count;
    if (this.payload === 0 && this.#state === PAYLOAD) this.#state = TYPE;
  }

  private typeByte(byte: number): number {
    const type = byte >> 4;
    const flags = byte & 0x0f;
    this.#type = type;
    this.#left = this.#shift = this.#count = 0;
    this.id = 0;
    if (type === MqttOperation.PUBLISH) {
      this.qos = (flags >> 1) & 3;
      this.duplicate = (flags & 8) !== 0;
      this.retain = (flags & 1) !== 0;
      // More than QoS 1 is never subscribed to.
      if (this.qos > 1) return this.fail(`a message of QoS ${this.qos}`);
    } else {
      if (shortest(type) < 0) return this.fail(`a packet of type ${type}, which no server sends us`);
      if (flags !== 0) return this.fail(`flags ${flags} in a packet of type ${type}`);
      this.granted = NONE;
    }
    this.#state = LENGTH;
    return Parsed.incomplete;
  }

  private lengthByte(byte: number): number {
    if (this.#shift === 21 && byte > 0x7f) return this.fail('a length of more than four bytes');
    this.#left += (byte & 0x7f) << this.#shift;
    this.#shift += 7;
    if (byte > 0x7f) return Parsed.incomplete;
    const type = this.#type;
    const least = shortest(type);
    const most = type === MqttOperation.SUBACK ? 2 + SUBACK_LIMIT : least;
    if (this.#left < least || (this.#left > most && type !== MqttOperation.PUBLISH)) {
      return this.fail(`a packet of type ${type} with ${this.#left} bytes`);
    }
    if (this.#left === 0) return this.end();
    this.#topicLength = 0;
    this.#state = type === MqttOperation.PUBLISH ? TOPIC_LENGTH : BODY;
    return Parsed.incomplete;
  }

  private bodyByte(byte: number): number {
    const at = this.#count++;
    this.#left--;
    if (this.#type === MqttOperation.CONNACK) {
      if (at === 0) {
        if (byte > 1) return this.fail(`reserved flags ${byte} in a CONNACK`);
        this.sessionPresent = byte === 1;
      } else this.returnCode = byte;
    } else if (at < 2) {
      this.id = (this.id << 8) | byte;
      if (at === 1 && this.id === 0) return this.fail('packet identifier 0');
    } else {
      if (byte > 2 && byte !== 0x80) return this.fail(`return code ${byte} in a SUBACK`);
      this.granted = [...this.granted, byte];
    }
    return this.#left === 0 ? this.end() : Parsed.incomplete;
  }

  private topicLengthByte(byte: number): number {
    this.#left--;
    this.#topicLength = (this.#topicLength << 8) | byte;
    if (++this.#count < 2) return Parsed.incomplete;
    if (this.#topicLength === 0) return this.fail('a message without a topic');
    const rest = this.qos > 0 ? 2 : 0;
    if (this.#left < this.#topicLength + rest) return this.fail('a topic longer than its message');
    this.#count = 0;
    this.#newTopic = undefined;
    this.#state = TOPIC;
    return Parsed.incomplete;
  }

  private topicByte(byte: number): number {
    // '+', '#' and NUL belong to no topic name.
    if (byte === 0 || byte === 0x2b || byte === 0x23) return this.fail('a topic that is none');
    this.#left--;
    const at = this.#count++;
    if (at < this.#topicLimit) {
      if (this.#newTopic) this.#newTopic[at] = byte;
      // Only ASCII is compared: a byte is a character then.
      else if (byte > 0x7f || this.topic.charCodeAt(at) !== byte) this.keepTopic(at, byte);
    }
    if (this.#count < this.#topicLength) return Parsed.incomplete;
    const held = Math.min(this.#topicLength, this.#topicLimit);
    // Nearly always the topic of the message before: no new string then.
    if (this.#newTopic) this.topic = readUtf8(this.#newTopic, held);
    else if (this.topic.length > held) this.topic = this.topic.slice(0, held);
    this.#newTopic = undefined;
    this.#count = 0;
    if (this.qos === 0) return this.publish();
    this.#state = PACKET_ID;
    return Parsed.incomplete;
  }

  /** The first `at` bytes were those of the topic before. */
  private keepTopic(at: number, byte: number): void {
    const bytes = new Uint8Array(Math.min(this.#topicLength, this.#topicLimit));
    for (let i = 0; i < at; i++) bytes[i] = this.topic.charCodeAt(i);
    bytes[at] = byte;
    this.#newTopic = bytes;
  }

  private idByte(byte: number): number {
    this.#left--;
    this.id = (this.id << 8) | byte;
    if (++this.#count < 2) return Parsed.incomplete;
    if (this.id === 0) return this.fail('packet identifier 0');
    return this.publish();
  }

  private publish(): number {
    this.byteLength = this.payload = this.#left;
    this.#state = this.payload > 0 ? PAYLOAD : TYPE;
    return this.#type;
  }

  private end(): number {
    this.#state = TYPE;
    return this.#type;
  }

  private fail(fault: string): number {
    this.fault = fault;
    this.#state = BROKEN;
    return Parsed.fault;
  }
}

/** Least remaining length of what a server may send to a client of QoS 0 and 1; -1 for everything else. */
function shortest(type: number): number {
  switch (type) {
    case MqttOperation.CONNACK:
    case MqttOperation.PUBACK:
    case PacketType.UNSUBACK:
      return 2;
    case MqttOperation.PUBLISH:
    case MqttOperation.SUBACK:
      return 3;
    case PacketType.PINGRESP:
      return 0;
    default:
      return -1;
  }
}
