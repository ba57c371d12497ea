import fc from 'fast-check';
import { generate, parser as oracle, type Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { MqttParser, Parsed } from '../../../hal/xs/mqtt-parser.js';

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;

interface Seen {
  type: number;
  id?: number;
  sessionPresent?: boolean;
  returnCode?: number;
  granted?: readonly number[];
  topic?: string;
  qos?: number;
  duplicate?: boolean;
  retain?: boolean;
  payload?: Uint8Array;
}

/** Feeds whole packets; payloads are taken beside the parser, as a client does. */
function parse(bytes: Uint8Array, parser = new MqttParser(64)): { seen: Seen[]; fault: string } {
  const seen: Seen[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (parser.payload > 0) {
      const count = Math.min(parser.payload, bytes.length - at);
      const message = seen[seen.length - 1];
      message.payload = Uint8Array.from([...(message.payload ?? []), ...bytes.subarray(at, at + count)]);
      parser.skip(count);
      at += count;
      continue;
    }
    // What `need` says never reaches into a payload or the next packet.
    const need = Math.min(parser.need, bytes.length - at);
    expect(need).toBeGreaterThan(0);
    for (let i = 0; i < need; i++) {
      const type = parser.push(bytes[at++]);
      if (type === Parsed.fault) return { seen, fault: parser.fault };
      if (type === Parsed.incomplete) continue;
      expect(i).toBe(need - 1);
      seen.push(snapshot(type, parser));
    }
  }
  return { seen, fault: parser.fault };
}

function snapshot(type: number, parser: MqttParser): Seen {
  const { id, sessionPresent, returnCode, granted, topic, qos, duplicate, retain } = parser;
  if (type === CONNACK) return { type, sessionPresent, returnCode };
  if (type === PUBLISH) {
    const whole = { type, topic, qos, duplicate, retain, payload: new Uint8Array(0) };
    return qos > 0 ? { ...whole, id } : whole;
  }
  if (type === SUBACK) return { type, id, granted };
  return type === 13 ? { type } : { type, id };
}

const packetId = fc.integer({ min: 1, max: 0xffff });
const topic = fc
  .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 })
  .filter((text) => !/[+#\0]/.test(text) && Buffer.byteLength(text) <= 64);

/** A packet as a server sends it, and what the parser should make of it. */
const packets: fc.Arbitrary<{ packet: Packet; seen: Seen }> = fc.oneof(
  fc.record({ sessionPresent: fc.boolean(), returnCode: fc.integer({ min: 0, max: 5 }) }).map((fields) => ({
    packet: { cmd: 'connack' as const, ...fields },
    seen: { type: CONNACK, ...fields },
  })),
  packetId.map((id) => ({ packet: { cmd: 'puback' as const, messageId: id }, seen: { type: PUBACK, id } })),
  packetId.map((id) => ({
    packet: { cmd: 'unsuback' as const, messageId: id, granted: [] },
    seen: { type: 11, id },
  })),
  fc.constant({ packet: { cmd: 'pingresp' as const }, seen: { type: 13 } }),
  fc
    .record({
      id: packetId,
      granted: fc.array(fc.constantFrom(0, 1, 2, 0x80), { minLength: 1, maxLength: 16 }),
    })
    .map(({ id, granted }) => ({
      packet: { cmd: 'suback' as const, messageId: id, granted },
      seen: { type: SUBACK, id, granted },
    })),
  fc
    .record({
      id: packetId,
      topic,
      payload: fc.uint8Array({ maxLength: 300 }),
      qos: fc.constantFrom<0 | 1>(0, 1),
      dup: fc.boolean(),
      retain: fc.boolean(),
    })
    .map(({ id, payload, dup, ...fields }) => ({
      packet: {
        cmd: 'publish' as const,
        messageId: id,
        payload: Buffer.from(payload),
        dup: fields.qos > 0 && dup,
        ...fields,
      },
      seen: {
        type: PUBLISH,
        ...fields,
        duplicate: fields.qos > 0 && dup,
        payload,
        ...(fields.qos > 0 ? { id } : {}),
      },
    })),
);

describe('MqttParser', () => {
  it('reads what mqtt-packet writes', () => {
    fc.assert(
      fc.property(fc.array(packets, { maxLength: 8 }), (list) => {
        const bytes = Buffer.concat(list.map(({ packet }) => generate(packet)));
        expect(parse(bytes)).toEqual({ seen: list.map(({ seen }) => seen), fault: '' });
      }),
      { numRuns: 300 },
    );
  });

  it('survives any bytes: either packets that mqtt-packet reads too, or a fault that stays', () => {
    const flipped = fc
      .tuple(packets, fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([{ packet }, at, byte]) => {
        const bytes = generate(packet);
        bytes[at % bytes.length] = byte;
        return Uint8Array.from(bytes);
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), flipped), (bytes) => {
        const parser = new MqttParser(64);
        const { seen, fault } = parse(bytes, parser);
        if (fault !== '') {
          expect(parser.push(0x40)).toBe(Parsed.fault);
          expect(parser.need).toBe(0);
          return;
        }
        // Where we see no fault the oracle sees the same number of packets, or complains of what only we let pass.
        let count = 0;
        let complaint = false;
        const other = oracle({ protocolVersion: 4 });
        other.on('packet', () => count++);
        other.on('error', () => {
          complaint = true;
        });
        other.parse(Buffer.from(bytes));
        const unfinished = parser.payload > 0 ? 1 : 0;
        if (!complaint) expect(count).toBe(seen.length - unfinished);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['type 0', '0000', 'type 0'],
    ['type 15', 'f000', 'type 15'],
    ['a packet that only clients send', '8206', 'type 8'],
    ['PUBREL, which belongs to QoS 2', '6202', 'type 6'],
    ['QoS 2', '34', 'QoS 2'],
    ['QoS 3', '36', 'QoS 3'],
    ['reserved flags', '41', 'flags 1'],
    ['a CONNACK of three bytes', '2003', '3 bytes'],
    ['a CONNACK of one byte', '2001', '1 bytes'],
    ['reserved bits in a CONNACK', '200202', 'reserved'],
    ['a PINGRESP with a body', 'd001', '1 bytes'],
    ['a PUBACK without identifier', '4000', '0 bytes'],
    ['identifier 0', '40020000', 'identifier 0'],
    ['identifier 0 of a message', '3206000161000031', 'identifier 0'],
    ['a length of five bytes', '30ffffff80', 'four bytes'],
    ['a SUBACK without codes', '90020001', '2 bytes'],
    ['a SUBACK with too many codes', '9013', '19 bytes'],
    ['an unknown code', '9003000103', 'code 3'],
    ['an empty topic', '30050000', 'without a topic'],
    ['a topic beyond its message', '30050004', 'topic longer'],
    ['a topic that leaves no room for the identifier', '3204000161', 'topic longer'],
    ['a wildcard', '3003000123', 'topic that is none'],
    ['a zero in a topic', '3003000100', 'topic that is none'],
    ['a message of two bytes', '3002', '2 bytes'],
  ])('refuses %s', (_what, hex, message) => {
    const { fault } = parse(Buffer.from(hex, 'hex'));
    expect(fault).toContain(message);
  });

  it('cuts a topic that is too long and goes on', () => {
    const long = 'x'.repeat(65);
    const bytes = Buffer.concat([
      generate({
        cmd: 'publish',
        topic: long,
        payload: 'one',
        qos: 1,
        messageId: 7,
        dup: false,
        retain: false,
      }),
      generate({ cmd: 'publish', topic: 'xx', payload: 'two', qos: 0, dup: false, retain: false }),
    ]);
    const { seen, fault } = parse(bytes);
    expect(fault).toBe('');
    expect(seen.map(({ topic: found, id }) => [found, id])).toEqual([
      ['x'.repeat(64), 7],
      ['xx', undefined],
    ]);
  });

  it('makes no new string for the topic that came before', () => {
    const parser = new MqttParser(64);
    const message = (name: string) =>
      generate({ cmd: 'publish', topic: name, payload: '', qos: 0, dup: false, retain: false });
    const names = ['a/b', 'a/b', 'a/bc', 'a/b', 'a/d'];
    const { seen } = parse(Buffer.concat(names.map(message)), parser);
    expect(seen.map(({ topic: found }) => found)).toEqual(names);
  });

  it('takes no payload for a header', () => {
    const parser = new MqttParser(64);
    for (const byte of Buffer.from('30040001617a', 'hex').subarray(0, 5)) parser.push(byte);
    expect([parser.payload, parser.need]).toEqual([1, 0]);
    expect(parser.push(0x7a)).toBe(Parsed.fault);
  });
});
