import fc from 'fast-check';
import { generate, parser as oracle, type Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import {
  type MqttControlMessage,
  MqttOperation,
  type MqttReadableOptions,
  type ResolverRequest,
} from '../../../hal/contracts/index.js';
import { XsMqttClient, type XsMqttOptions } from '../../../hal/xs/mqtt-client.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { ScriptedTcp } from './scripted-tcp.js';

interface Message {
  topic: string;
  QoS: number;
  payload: Buffer;
}

/** A client, and an application that reads everything at once unless it is told to `hold`. */
function setUp(more: Partial<XsMqttOptions> = {}) {
  const clock = new VirtualClock();
  const tcp = new ScriptedTcp();
  const log: string[] = [];
  const messages: Message[] = [];
  const rooms: number[] = [];
  const control: [number, MqttControlMessage][] = [];
  const pieces: [number, MqttReadableOptions][] = [];
  const state = { hold: false };
  const client: XsMqttClient = new XsMqttClient({
    host: '127.0.0.1',
    id: 'device',
    clean: false,
    timer: clock,
    socket: { io: tcp.io },
    onReadable: (count, options) => {
      pieces.push([count, options]);
      if (options.topic !== undefined) {
        expect(options.byteLength).toBeGreaterThan(0);
        messages.push({ topic: options.topic, QoS: options.QoS ?? -1, payload: Buffer.alloc(0) });
      }
      if (!state.hold) read(count);
    },
    onWritable: (count) => rooms.push(count),
    onControl: (operation, message) => control.push([operation, message]),
    onError: (reason) => log.push(`error: ${(reason as Error).message}`),
    onClose: () => log.push('close'),
    ...more,
  } as XsMqttOptions);
  const read = (count: number): number => {
    const into = new Uint8Array(count);
    const got = client.read(into);
    const message = messages[messages.length - 1];
    message.payload = Buffer.concat([message.payload, into.subarray(0, got)]);
    return got;
  };
  const connect = (room = 1_000) => {
    tcp.allow(room);
    tcp.take();
    tcp.receive(Buffer.from('20020000', 'hex'));
  };
  return { clock, tcp, client, log, messages, rooms, control, pieces, state, read, connect };
}

function parsed(bytes: Uint8Array): Packet[] {
  const found: Packet[] = [];
  const reader = oracle({ protocolVersion: 4 });
  reader.on('packet', (packet) => found.push(packet));
  reader.on('error', (error) => {
    throw error;
  });
  reader.parse(Buffer.from(bytes));
  return found;
}

const publish = (topic: string, payload: string | Uint8Array, qos: 0 | 1 = 1, messageId = 1) =>
  generate({
    cmd: 'publish',
    topic,
    payload: Buffer.from(payload),
    qos,
    messageId,
    dup: false,
    retain: false,
  });
const puback = (messageId: number) => generate({ cmd: 'puback', messageId }).toString('hex');

describe('connecting', () => {
  it('says who it is', () => {
    const { tcp } = setUp({ user: 'ü', password: 'geheim', keepAlive: 60_500 });
    expect(tcp.options).toMatchObject({ host: '127.0.0.1', address: '127.0.0.1', port: 1883 });
    expect(tcp.sent.length).toBe(0);
    tcp.allow(1_000);
    expect(parsed(tcp.sent)).toMatchObject([
      {
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: false,
        clientId: 'device',
        username: 'ü',
        password: Buffer.from('geheim'),
        keepalive: 61,
      },
    ]);
  });

  it('sends no password without a user', () => {
    const { tcp } = setUp({ password: 'geheim', clean: true });
    tcp.allow(1_000);
    const [connect] = parsed(tcp.sent);
    expect(connect).toMatchObject({ clean: true, keepalive: 0 });
    expect(connect).not.toHaveProperty('password');
  });

  it('greets in pieces where there is little room', () => {
    const { tcp, rooms, control } = setUp();
    for (let i = 0; i < 30; i++) tcp.allow(3);
    expect(parsed(tcp.sent)).toMatchObject([{ cmd: 'connect', clientId: 'device' }]);
    tcp.receive(Buffer.from('20020100', 'hex'));
    expect(control).toEqual([[MqttOperation.CONNACK, { sessionPresent: true }]]);
    expect(rooms).toEqual([3]);
  });

  it('says why it was refused, and only that', () => {
    const { tcp, log, client, clock } = setUp({ keepAlive: 1_000 });
    tcp.allow(1_000);
    tcp.receive(Buffer.from('20020004d000', 'hex'));
    tcp.lose();
    expect(log).toEqual(['error: the broker refused the connection: wrong user or password']);
    expect(tcp.closed).toBe(true);
    expect(clock.pending).toBe(0);
    expect(client.read(new Uint8Array(4))).toBe(0);
  });

  it('gives up after a time', async () => {
    const { clock, log, tcp } = setUp({ connectTimeout: 5_000 });
    tcp.allow(1_000);
    await clock.advance(5_000);
    expect(log).toEqual(['error: the broker 127.0.0.1 did not answer in time']);
    expect(tcp.closed).toBe(true);
  });

  it('asks the resolver for names', () => {
    const requests: ResolverRequest[] = [];
    let closed = 0;
    class Dns {
      resolve(request: ResolverRequest) {
        requests.push(request);
      }
      close() {
        closed++;
      }
    }
    const { tcp, client } = setUp({ host: 'broker.example', dns: { io: Dns } });
    expect(tcp.options).toBeUndefined();
    requests[0].onResolved?.('broker.example', '192.0.2.1');
    expect(tcp.options).toMatchObject({ host: 'broker.example', address: '192.0.2.1' });
    client.close();
    expect(closed).toBe(1);

    const other = setUp({ host: 'broker.example', dns: { io: Dns } });
    requests[1].onError?.();
    expect(other.log).toEqual(['error: the name broker.example could not be resolved']);

    const gone = setUp({ host: 'broker.example', dns: { io: Dns } });
    gone.client.close();
    requests[2].onResolved?.('broker.example', '192.0.2.1');
    expect(gone.tcp.options).toBeUndefined();
  });

  it('reports a socket that cannot be made, after the constructor', async () => {
    class Broken {
      constructor() {
        throw new Error('no socket');
      }
    }
    const { log, clock } = setUp({ socket: { io: Broken as never } });
    expect(log).toEqual([]);
    await clock.advance(0);
    expect(log).toEqual(['error: no connection to the broker 127.0.0.1: no socket']);
  });
});

describe('publishing', () => {
  it('writes what mqtt-packet reads, in whatever pieces', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !/[+#\0]/.test(text)),
        fc.uint8Array({ maxLength: 20_000, size: 'max' }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }),
        fc.constantFrom<0 | 1>(0, 1),
        (topic, payload, sizes, QoS) => {
          const { tcp, client, connect } = setUp();
          connect(100_000);
          let at = 0;
          for (let i = 0; i === 0 || at < payload.length; i++) {
            const piece = payload.subarray(at, at + sizes[i % sizes.length]);
            at += piece.length;
            client.write(piece, i > 0 ? undefined : { topic, QoS, id: 513, byteLength: payload.length });
          }
          const [packet, ...others] = parsed(tcp.take());
          expect(others).toEqual([]);
          expect(packet).toMatchObject({ cmd: 'publish', topic, qos: QoS, dup: false, retain: false });
          expect((packet as { payload: Buffer }).payload.equals(payload)).toBe(true);
          if (QoS === 1) expect(packet.messageId).toBe(513);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('counts the room down and reports it again', () => {
    const { tcp, client, rooms, connect } = setUp();
    connect(100);
    const [room] = rooms;
    // 2 + 2 + 5 + 2 bytes before the payload.
    const left = client.write(new Uint8Array(10), {
      topic: 'topic',
      QoS: 1,
      byteLength: 100,
      duplicate: true,
    });
    expect(left).toBe(room - 21);
    expect(tcp.sent[0]).toBe(0x3a);
    expect(() => client.write(new Uint8Array(left + 1))).toThrow(
      `${left + 1} bytes where ${left} were allowed`,
    );
    expect(() => client.write(new Uint8Array(1), { topic: 'other' })).toThrow(
      '90 bytes of the message before',
    );
    expect(client.write(new Uint8Array(left))).toBe(0);
    tcp.allow(50);
    expect(rooms.at(-1)).toBe(50);
    expect(() => client.write(new Uint8Array(91))).toThrow('91 further bytes');
  });

  it('refuses what cannot be sent', () => {
    const { client, connect, tcp } = setUp();
    expect(() => client.write(new Uint8Array(1), { topic: 'a' })).toThrow('without a connection');
    connect(50);
    tcp.take();
    expect(() => client.write(new Uint8Array(50), { topic: 'a' })).toThrow('bytes where');
    expect(() => client.write(new Uint8Array(3), { topic: 'a', byteLength: 2 })).toThrow('of a message of 2');
    expect(() => client.write(new Uint8Array(3), { topic: '' })).toThrow('1 to 65535');
    expect(() => client.write(new Uint8Array(3))).toThrow('further bytes');
    expect(() => client.write(undefined, { operation: MqttOperation.SUBSCRIBE })).toThrow('at least one');
    expect(() => client.write(undefined, { operation: MqttOperation.CONNACK })).toThrow('operation 2');
    expect(tcp.sent.length).toBe(0);
  });

  it('subscribes, in pieces where there is little room', () => {
    const { tcp, client, control, rooms, connect } = setUp();
    connect(20);
    const items = [
      { topic: 'esipa/89049032123451234512345678901235/ipa', QoS: 1 as const },
      { topic: 'b', QoS: 0 as const },
    ];
    expect(client.write(undefined, { operation: MqttOperation.SUBSCRIBE, id: 9, items })).toBe(0);
    const before = rooms.length;
    while (parsed(tcp.sent).length === 0) tcp.allow(7);
    expect(rooms.slice(before).every((room) => room > 0)).toBe(true);
    expect(parsed(tcp.sent)).toMatchObject([
      { cmd: 'subscribe', messageId: 9, subscriptions: items.map(({ topic, QoS }) => ({ topic, qos: QoS })) },
    ]);
    tcp.receive(generate({ cmd: 'suback', messageId: 9, granted: [1, 0x80] }));
    expect(control.at(-1)).toEqual([MqttOperation.SUBACK, { id: 9, payload: [1, 0x80] }]);
    tcp.receive(generate({ cmd: 'puback', messageId: 77 }));
    expect(control.at(-1)).toEqual([MqttOperation.PUBACK, { id: 77 }]);
  });
});

describe('receiving', () => {
  it('announces pieces as they come, byte by byte too', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 6 }),
        sizes,
        (list, cuts) => {
          const { tcp, messages, connect, log } = setUp();
          connect();
          const stream = Buffer.concat(list.map((payload, i) => publish('t', payload, 1, i + 1)));
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length];
            tcp.receive(stream.subarray(at, at + size));
            at += size;
          }
          expect(messages.map(({ payload }) => payload)).toEqual(list.map((payload) => Buffer.from(payload)));
          expect(tcp.take().toString('hex')).toBe(list.map((_payload, i) => puback(i + 1)).join(''));
          expect(tcp.unread).toBe(0);
          expect(log).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('leaves in the socket what is not read, and acknowledges only what was', async () => {
    const { tcp, clock, messages, pieces, state, read, connect } = setUp();
    connect();
    state.hold = true;
    tcp.receive(Buffer.concat([publish('t', 'abcdef', 1, 5), publish('t', 'xyz', 1, 6)]));
    expect(pieces).toEqual([[6, { topic: 't', QoS: 1, byteLength: 6, more: false }]]);
    const unread = tcp.unread;
    tcp.receive(publish('t', 'later', 0));
    expect(pieces.length).toBe(1);
    expect(read(4)).toBe(4);
    expect(tcp.unread).toBe(unread - 4 + publish('t', 'later', 0).length);
    expect(tcp.take().length).toBe(0);
    expect(read(100)).toBe(2);
    expect(messages[0].payload.toString()).toBe('abcdef');
    expect(tcp.take().toString('hex')).toBe(puback(5));
    // The next one is announced from outside of read().
    expect(pieces.length).toBe(1);
    expect(read(1)).toBe(0);
    await clock.advance(0);
    expect(pieces[1]).toEqual([3, { topic: 't', QoS: 1, byteLength: 3, more: false }]);
    state.hold = false;
    read(3);
    await clock.advance(0);
    expect(messages.map(({ payload }) => payload.toString())).toEqual(['abcdef', 'xyz', 'later']);
    expect(tcp.take().toString('hex')).toBe(puback(6));
  });

  it('says whether more of a message is to come', () => {
    const { tcp, pieces, connect } = setUp();
    connect();
    const bytes = publish('t', 'abcdef', 0);
    tcp.receive(bytes.subarray(0, 7));
    tcp.receive(bytes.subarray(7, 9));
    tcp.receive(bytes.subarray(9));
    expect(pieces).toEqual([
      [2, { topic: 't', QoS: 0, byteLength: 6, more: true }],
      [2, { more: true }],
      [2, { more: false }],
    ]);
  });

  it('acknowledges an empty message and does not announce it', () => {
    const { tcp, pieces, connect } = setUp();
    connect();
    tcp.receive(publish('t', '', 1, 8));
    expect(tcp.take().toString('hex')).toBe(puback(8));
    expect(pieces).toEqual([]);
  });

  it('keeps acknowledgements back while a message is half out or there is no room, and then stops reading', () => {
    const { tcp, client, messages, connect } = setUp();
    connect(1_000);
    client.write(new Uint8Array(3), { topic: 't', byteLength: 6 });
    tcp.take();
    const stream = Array.from({ length: 10 }, (_, i) => publish('t', `${i}`, 1, i + 1));
    tcp.receive(Buffer.concat(stream));
    expect(messages.length).toBe(8);
    expect(tcp.unread).toBe(stream[8].length + stream[9].length);
    expect(tcp.sent.length).toBe(0);
    tcp.room = 3;
    tcp.options?.onWritable?.(3);
    client.write(new Uint8Array(3));
    expect(tcp.take().length).toBe(3);
    for (let i = 0; i < 10; i++) tcp.allow(6);
    expect(messages.length).toBe(10);
    expect(tcp.take().toString('hex')).toBe(stream.map((_, i) => puback(i + 1)).join(''));
  });
});

describe('keeping alive', () => {
  it('pings a silent broker and notices when it is gone', async () => {
    const { tcp, clock, log, connect } = setUp({ keepAlive: 60_000 });
    connect();
    await clock.advance(27_000);
    expect(tcp.take().toString('hex')).toBe('c000');
    tcp.receive(Buffer.from('d000', 'hex'));
    // Never longer than the keep-alive time without a word from us.
    await clock.advance(54_000);
    expect(tcp.take().toString('hex')).toBe('c000');
    await clock.advance(26_999);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect(log).toEqual(['error: the broker has fallen silent']);
    expect(tcp.closed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('pings no broker that is heard and spoken to anyway', async () => {
    const { tcp, clock, connect } = setUp({ keepAlive: 10_000 });
    connect();
    for (let i = 0; i < 5; i++) {
      tcp.receive(publish('t', 'x', 1, 1));
      await clock.advance(4_500);
    }
    expect(tcp.take().toString('hex')).toBe(puback(1).repeat(5));
    // Heard only: the broker wants to hear from us too.
    tcp.receive(publish('t', 'x', 0));
    await clock.advance(4_500);
    expect(tcp.take().toString('hex')).toBe('c000');
  });

  it('takes no broker for silent whose bytes the application leaves unread, however long', async () => {
    const { tcp, clock, log, connect, read, state, messages } = setUp({ keepAlive: 10_000 });
    connect();
    state.hold = true;
    const payload = Buffer.alloc(1_000, 7);
    // Its PINGRESP waits behind the payload, where nobody can see it.
    tcp.receive(Buffer.concat([publish('t', payload), Buffer.from('d000', 'hex')]));
    for (let left = payload.length; left > 0; left -= 100) {
      await clock.advance(30_000);
      expect(tcp.take().toString('hex')).toMatch(/^(c000)+$/);
      expect(read(100)).toBe(100);
    }
    await clock.advance(0);
    expect(messages[0].payload.equals(payload)).toBe(true);
    expect(log).toEqual([]);
    // Nothing waits any more: from here on silence counts.
    await clock.advance(20_000);
    expect(log).toEqual(['error: the broker has fallen silent']);
  });

  it('takes what is read of a payload for life, though nothing new came', async () => {
    const { tcp, clock, log, connect, read, state } = setUp({ keepAlive: 10_000 });
    connect();
    state.hold = true;
    tcp.receive(publish('t', Buffer.alloc(200)).subarray(0, -100));
    const count = tcp.unread;
    await clock.advance(8_900);
    expect(read(count)).toBe(count);
    await clock.advance(4_500);
    expect(log).toEqual([]);
    await clock.advance(9_000);
    expect(log).toEqual(['error: the broker has fallen silent']);
  });

  it('takes no unanswered publishing for life', async () => {
    const { tcp, client, clock, log, connect } = setUp({ keepAlive: 10_000 });
    connect(100_000);
    for (let i = 0; i < 4; i++) {
      if (log.length === 0) client.write(new Uint8Array(1), { topic: 't', QoS: 1 });
      await clock.advance(4_000);
    }
    expect(log).toEqual(['error: the broker has fallen silent']);
    expect(tcp.closed).toBe(true);
  });

  it('never pings with a keep-alive of 0', async () => {
    const { tcp, clock, connect } = setUp({ keepAlive: 0 });
    connect();
    await clock.advance(3_600_000);
    expect(tcp.sent.length).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('puts no ping into a message', async () => {
    const { tcp, client, clock, connect } = setUp({ keepAlive: 10_000 });
    connect(100);
    client.write(new Uint8Array(3), { topic: 't', byteLength: 6 });
    tcp.take();
    await clock.advance(5_000);
    expect(tcp.sent.length).toBe(0);
    client.write(new Uint8Array(3));
    expect(tcp.take().toString('hex')).toBe('000000c000');
  });
});

describe('the end', () => {
  it('says goodbye', () => {
    const { tcp, client, clock, log, connect } = setUp({ keepAlive: 1_000 });
    connect();
    client.close();
    client.close();
    expect(tcp.take().toString('hex')).toBe('e000');
    expect(tcp.closed).toBe(true);
    expect(clock.pending).toBe(0);
    tcp.options?.onError?.();
    tcp.options?.onWritable?.(5);
    tcp.options?.onReadable?.(5);
    expect(log).toEqual([]);
  });

  it('puts no goodbye into a message', () => {
    const { tcp, client, connect } = setUp();
    connect();
    client.write(new Uint8Array(3), { topic: 't', byteLength: 6 });
    tcp.take();
    client.close();
    expect(tcp.sent.length).toBe(0);
  });

  it('may come from any callback', () => {
    const connack = Buffer.from('20020000', 'hex');
    const stream = Buffer.concat([connack, publish('t', 'x'), publish('t', 'y')]);
    for (const callback of ['onControl', 'onWritable', 'onReadable'] as const) {
      let calls = 0;
      const { tcp, client, log } = setUp({
        keepAlive: 1_000,
        [callback]: () => {
          calls++;
          client.close();
        },
      });
      tcp.allow(500);
      tcp.receive(stream);
      expect(calls).toBe(1);
      expect(log).toEqual([]);
      expect(tcp.closed).toBe(true);
    }
  });

  it('is told when the connection is lost', () => {
    const { tcp, log, connect } = setUp();
    connect();
    tcp.lose(new Error('reset'));
    tcp.lose();
    expect(log).toEqual(['error: the connection to the broker broke: reset']);
    const early = setUp();
    early.tcp.lose();
    expect(early.log).toEqual(['error: no connection to the broker 127.0.0.1']);
  });
});

describe('hostile brokers', () => {
  it.each([
    ['a message before CONNACK', '', '3003000161', 'packet 3 out of turn'],
    ['a second CONNACK', '20020000', '20020000', 'packet 2 out of turn'],
    ['PINGRESP first', '', 'd000', 'packet 13 out of turn'],
    ['a client packet', '20020000', '820600010001', 'type 8'],
    ['an endless length', '20020000', '30ffffffff', 'four bytes'],
  ])('%s ends the connection', (_what, first, bytes, message) => {
    const { tcp, log } = setUp();
    tcp.allow(500);
    tcp.take();
    tcp.receive(Buffer.from(first, 'hex'));
    tcp.receive(Buffer.from(bytes, 'hex'));
    expect(log.length).toBe(1);
    expect(log[0]).toContain(message);
    expect(tcp.closed).toBe(true);
    // No DISCONNECT to somebody who does not speak MQTT.
    expect(tcp.sent.length).toBe(0);
  });

  it('never bring an exception', () => {
    const bytes = fc.array(fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(publish('t', 'abc'))), {
      maxLength: 10,
    });
    fc.assert(
      fc.property(bytes, fc.boolean(), (list, greeted) => {
        const { tcp, connect, log } = setUp({ keepAlive: 1_000 });
        if (greeted) connect();
        else tcp.allow(500);
        for (const piece of list) tcp.receive(piece);
        expect(log.length).toBeLessThan(2);
        expect(tcp.closed).toBe(log.length === 1);
      }),
      { numRuns: 1_000 },
    );
  });
});
