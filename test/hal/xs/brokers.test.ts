import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { MqttOperation } from '../../../hal/contracts/index.js';
import { NodeTcp } from '../../../hal/node/tcp.js';
import { XsMqttClient, type XsMqttOptions } from '../../../hal/xs/mqtt-client.js';
import { RealClock } from '../../../host-sim/clock.js';
import { Broker } from '../../../host-sim/eim/index.js';
import { describeWith } from '../../tools.js';

const clean: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of clean.splice(0).reverse()) await undo();
});

/** The device's client on Node's sockets, with as little room as asked for, and everything it says. */
function connectDevice(port: number, more: Partial<XsMqttOptions> & { room?: number; window?: number } = {}) {
  const { room, window, ...rest } = more;
  const inbox: { topic: string; payload: Buffer }[] = [];
  const events: string[] = [];
  let writable = 0;
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const look of watchers) look();
  };
  const piece = new Uint8Array(50);
  const client: XsMqttClient = new XsMqttClient({
    host: '127.0.0.1',
    port,
    id: 'device-1',
    clean: false,
    keepAlive: 60_000,
    timer: new RealClock(),
    socket: { io: NodeTcp, room, window },
    onReadable: (count, { topic, more: isMore }) => {
      if (topic !== undefined) inbox.push({ topic, payload: Buffer.alloc(0) });
      const message = inbox[inbox.length - 1];
      for (let left = count; left > 0; ) {
        const got = client.read(left < piece.length ? piece.subarray(0, left) : piece);
        left -= got;
        message.payload = Buffer.concat([message.payload, piece.subarray(0, got)]);
      }
      if (!isMore) events.push('message');
      changed();
    },
    onWritable: (count) => {
      writable = count;
      changed();
    },
    onControl: (operation, message) => {
      events.push(`${operation} ${JSON.stringify(message)}`);
      changed();
    },
    onError: (reason) => {
      events.push(`error ${(reason as Error).message}`);
      changed();
    },
    ...rest,
  } as XsMqttOptions);
  clean.push(() => client.close());
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!condition()) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
    });
  const seen = (event: string) => until(() => events.includes(event));
  return {
    client,
    inbox,
    events,
    until,
    seen,
    get writable() {
      return writable;
    },
    async subscribe(topic: string, id = 1) {
      await until(() => writable > 0);
      const items = [{ topic, QoS: 1 as const }];
      client.write(undefined, { operation: MqttOperation.SUBSCRIBE, id, items });
      await seen(`9 {"id":${id},"payload":[1]}`);
    },
    /** In pieces as there is room. */
    async publish(topic: string, id: number, payload: Uint8Array) {
      const header = 11 + topic.length;
      await until(() => writable > header);
      const first = payload.subarray(0, writable - header);
      writable = client.write(first, { topic, id, QoS: 1, byteLength: payload.length });
      for (let at = first.length; at < payload.length; ) {
        await until(() => writable > 0);
        const next = payload.subarray(at, at + writable);
        at += next.length;
        writable = client.write(next);
      }
      await seen(`4 {"id":${id}}`);
    },
  };
}

/** Somebody else on the same broker. */
async function connectPeer(port: number, topic?: string) {
  const inbox: Buffer[] = [];
  let wake = () => {};
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'peer', reconnectPeriod: 0 });
  client.on('error', () => {});
  client.on('message', (_topic, payload) => {
    inbox.push(payload);
    wake();
  });
  clean.push(() => client.endAsync(true));
  if (topic) await client.subscribeAsync(topic, { qos: 1 });
  return {
    send: (to: string, payload: Uint8Array | string) =>
      client.publishAsync(to, Buffer.from(payload), { qos: 1 }),
    async receive(): Promise<Buffer> {
      while (inbox.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return inbox.shift() as Buffer;
    },
  };
}

/** What any broker must be able to do with the device's client. */
function behaviour(start: () => Promise<number>): void {
  it('exchanges messages of QoS 1', async () => {
    const port = await start();
    const device = connectDevice(port);
    await device.subscribe('to/device');
    const peer = await connectPeer(port, 'to/peer');
    await device.publish('to/peer', 3, Buffer.from('hello'));
    expect((await peer.receive()).toString()).toBe('hello');
    // Resolves with the broker's PUBACK; ours is checked by what is not sent again below.
    await peer.send('to/device', 'answer');
    await device.seen('message');
    expect(device.inbox).toEqual([{ topic: 'to/device', payload: Buffer.from('answer') }]);
  });

  it('streams long messages through little room', async () => {
    const port = await start();
    const device = connectDevice(port, { room: 64, window: 100 });
    await device.subscribe('to/device');
    const peer = await connectPeer(port, 'to/peer');
    const long = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
    const up = device.publish('to/peer', 3, long);
    expect((await peer.receive()).equals(long)).toBe(true);
    await up;
    await peer.send('to/device', long);
    await device.seen('message');
    expect(device.inbox[0].payload.equals(long)).toBe(true);
    expect(device.events.some((event) => event.startsWith('error'))).toBe(false);
  });

  it('has what came while it was away, once', async () => {
    const port = await start();
    const first = connectDevice(port);
    await first.subscribe('to/device');
    expect(first.events[0]).toBe('2 {"sessionPresent":false}');
    first.client.close();
    const peer = await connectPeer(port);
    for (let i = 0; i < 12; i++) await peer.send('to/device', `kept ${i}`);
    const second = connectDevice(port);
    await second.until(() => second.inbox.length === 12);
    expect(second.events[0]).toBe('2 {"sessionPresent":true}');
    expect(second.inbox.map(({ payload }) => payload.toString())).toEqual(
      Array.from({ length: 12 }, (_, i) => `kept ${i}`),
    );
    // Everything was acknowledged: on the next connection only what is new comes. The broker needs a sign that our
    // acknowledgements are in: the answer to what we send behind them.
    await second.publish('elsewhere', 9, Buffer.from('x'));
    second.client.close();
    await peer.send('to/device', 'new');
    const third = connectDevice(port);
    await third.seen('message');
    expect(third.inbox.map(({ payload }) => payload.toString())).toEqual(['new']);
  });

  it('gets again what it had not read to its end', async () => {
    const port = await start();
    let announced = () => {};
    const arrived = new Promise<void>((resolve) => {
      announced = resolve;
    });
    const first = connectDevice(port, { onReadable: () => announced() });
    await first.subscribe('to/device');
    const peer = await connectPeer(port);
    await peer.send('to/device', 'unread');
    await arrived;
    expect(first.client.read(new Uint8Array(3))).toBe(3);
    first.client.close();
    const second = connectDevice(port);
    await second.seen('message');
    expect(second.inbox).toEqual([{ topic: 'to/device', payload: Buffer.from('unread') }]);
  });

  it('pings, and is answered', async () => {
    const port = await start();
    const device = connectDevice(port, { keepAlive: 200 });
    await device.until(() => device.writable > 0);
    // Long enough to be noticed dead if nothing answered.
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(device.events).toEqual(['2 {"sessionPresent":false}']);
    await device.publish('elsewhere', 9, Buffer.from('x'));
  });
}

describe('on the embedded broker', () => {
  behaviour(async () => {
    const broker = await new Broker().listen();
    clean.push(() => broker.close());
    return broker.port;
  });

  it('shows user and password, and notices when the broker goes', async () => {
    const broker = await new Broker({ users: { device: 'right' } }).listen();
    clean.push(() => broker.close());
    const wrong = connectDevice(broker.port, { user: 'device', password: 'wrong' });
    await wrong.until(() => wrong.events.length > 0);
    expect(wrong.events).toEqual(['error the broker refused the connection: wrong user or password']);
    const device = connectDevice(broker.port, { user: 'device', password: 'right' });
    await device.until(() => device.writable > 0);
    await broker.close();
    await device.until(() => device.events.length > 1);
    expect(device.events[1]).toBe('error the connection to the broker broke');
    const nobody = connectDevice(broker.port);
    await nobody.until(() => nobody.events.length > 0);
    expect(nobody.events[0]).toContain('no connection to the broker 127.0.0.1');
  });
});

describeWith(['mosquitto'], 'on Mosquitto', ({ mosquitto }) => {
  behaviour(() => startMosquitto(mosquitto));
});

async function startMosquitto(program: string): Promise<number> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'xs-ipa-mosquitto-'));
  clean.push(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n`);
  const child = spawn(program, ['-c', file], { stdio: 'ignore' });
  clean.push(() => stop(child));
  for (;;) {
    const up = await new Promise<boolean>((resolve) => {
      const probe = connectTcp(port, '127.0.0.1', () => resolve(true));
      probe.on('error', () => resolve(false));
      probe.on('connect', () => probe.destroy());
    });
    if (up) return port;
    if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill();
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
