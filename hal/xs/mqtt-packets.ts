import { MqttOperation, type MqttOptions, type MqttWriteOptions, XsIpaError } from '../contracts/index.js';
import { PacketType } from './mqtt-parser.js';
import { utf8Length, writeUtf8 } from './utf8.js';

/** CONNECT of MQTT 3.1.1 §3.1, without a will. */
export function connectPacket(options: MqttOptions): Uint8Array {
  const { id, user, password, clean = true, keepAlive = 0 } = options;
  // A password without a user is not allowed (§3.1.2.9).
  const secret = user === undefined ? undefined : password;
  const seconds = Math.min(0xffff, Math.ceil(keepAlive / 1000));
  let length = 10 + 2 + utf8Length(id);
  if (user !== undefined) length += 2 + utf8Length(user);
  if (secret !== undefined) length += 2 + utf8Length(secret);
  const packet = new Uint8Array(1 + lengthOfLength(length) + length);
  let at = writeHeader(packet, PacketType.CONNECT << 4, length);
  at = writeText(packet, at, 'MQTT');
  packet[at++] = 4;
  packet[at++] = (clean ? 0x02 : 0) | (user === undefined ? 0 : 0x80) | (secret === undefined ? 0 : 0x40);
  at = writeNumber(packet, at, seconds);
  at = writeText(packet, at, id);
  if (user !== undefined) at = writeText(packet, at, user);
  if (secret !== undefined) writeText(packet, at, secret);
  return packet;
}

/** SUBSCRIBE, §3.8. */
export function subscribePacket(id: number, items: NonNullable<MqttWriteOptions['items']>): Uint8Array {
  if (items.length === 0) throw new XsIpaError('usage', 'SUBSCRIBE needs at least one topic');
  let length = 2;
  for (const { topic } of items) length += 3 + utf8Length(topic);
  const packet = new Uint8Array(1 + lengthOfLength(length) + length);
  let at = writeHeader(packet, (MqttOperation.SUBSCRIBE << 4) | 2, length);
  at = writeNumber(packet, at, id);
  for (const { topic, QoS } of items) {
    at = writeText(packet, at, topic);
    packet[at++] = QoS;
  }
  return packet;
}

/** Everything of a PUBLISH that stands before its payload, §3.3. */
export function publishHeader(
  options: MqttWriteOptions,
  topic: string,
  id: number,
  byteLength: number,
): Uint8Array {
  const qos = options.QoS ?? 0;
  const topicLength = utf8Length(topic);
  const length = 2 + topicLength + (qos > 0 ? 2 : 0) + byteLength;
  if (topicLength === 0 || topicLength > 0xffff) {
    throw new XsIpaError('usage', 'a topic has 1 to 65535 bytes');
  }
  const header = new Uint8Array(1 + lengthOfLength(length) + length - byteLength);
  const flags = (options.duplicate ? 8 : 0) | (qos << 1);
  let at = writeHeader(header, (MqttOperation.PUBLISH << 4) | flags, length);
  at = writeText(header, at, topic);
  if (qos > 0) writeNumber(header, at, id);
  return header;
}

/** What a CONNACK with this return code says, §3.2.2.3. */
export function refusal(code: number): string {
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

function lengthOfLength(length: number): number {
  if (length > 0xfffffff) throw new XsIpaError('usage', `${length} bytes are too long for an MQTT packet`);
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
}

function writeHeader(into: Uint8Array, first: number, length: number): number {
  into[0] = first;
  let at = 1;
  for (let rest = length; ; rest >>= 7) {
    into[at++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    if (rest <= 0x7f) return at;
  }
}

function writeNumber(into: Uint8Array, at: number, number: number): number {
  into[at] = number >> 8;
  into[at + 1] = number & 0xff;
  return at + 2;
}

function writeText(into: Uint8Array, at: number, text: string): number {
  const end = writeUtf8(into, at + 2, text);
  const length = end - at - 2;
  if (length > 0xffff) throw new XsIpaError('usage', 'a text of more than 65535 bytes');
  writeNumber(into, at, length);
  return end;
}
