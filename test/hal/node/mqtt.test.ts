import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type MqttConfiguration,
  MqttOperation,
  type MqttReadableOptions,
} from '../../../hal/contracts/index.js';
import { type BrokerOptions as Access, mqttConfiguration, NodeMqttClient } from '../../../hal/node/mqtt.js';
import { RealClock } from '../../../host-sim/clock.js';
import { Broker, type BrokerOptions } from '../../../host-sim/eim/index.js';
import { makePki, type Pki, pem, pkcs8 } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { LinkError } from '../../../ipa/esipa/index.js';
import { MqttLink } from '../../../ipa/esipa/mqtt/link.js';
import type { IpaEvent } from '../../../ipa/events.js';
import { hex, toHex } from '../../hex.js';

const EID = '89049032123451234512345678901235';
const TO_EIM = `esipa/${EID}/eim`;
const TO_IPA = `esipa/${EID}/ipa`;

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function startBroker(options: BrokerOptions = {}) {
  const broker = await new Broker(options).listen();
  open.push(() => broker.close());
  return broker;
}

/** Lets a test wait for what callbacks tell. */
class Log<T> {
  readonly all: T[] = [];
  readonly #watchers: (() => void)[] = [];

  push(one: T): void {
    this.all.push(one);
    for (const look of this.#watchers.splice(0)) look();
  }

  async until<U extends T>(fits: (one: T) => one is U, count?: number): Promise<U>;
  async until(fits: (one: T) => boolean, count?: number): Promise<T>;
  async until(fits: (one: T) => boolean, count = 1): Promise<T> {
    for (;;) {
      const found = this.all.filter(fits);
      if (found.length >= count) return found[count - 1];
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }
}

type Happening =
  | { what: 'control'; operation: number; id?: number; sessionPresent?: boolean; payload?: readonly number[] }
  | { what: 'writable'; count: number }
  | { what: 'message'; topic: string; QoS: number; bytes: string }
  | { what: 'close' }
  | { what: 'error'; reason: string };

/** A client of the contract whose callbacks go into a log; messages are read in pieces of `piece` bytes. */
function connect(access: Access, id = 'device', { clean = true, piece = 7 } = {}) {
  const log = new Log<Happening>();
  const configuration: MqttConfiguration = mqttConfiguration(access);
  const buffer = new Uint8Array(piece);
  const client = new configuration.io({
    ...configuration,
    id,
    clean,
    onControl: (operation, message) => log.push({ what: 'control', operation, ...message }),
    onWritable: (count) => log.push({ what: 'writable', count }),
    onReadable(count: number, { topic, QoS, byteLength, more }: MqttReadableOptions) {
      expect(byteLength).toBe(count);
      expect(more).toBe(false);
      let bytes = '';
      for (let left = count; left > 0; ) {
        const got = client.read(buffer);
        expect(got).toBe(Math.min(piece, left));
        bytes += toHex(buffer.subarray(0, got));
        left -= got;
      }
      log.push({ what: 'message', topic: topic!, QoS: QoS!, bytes });
    },
    onClose: () => log.push({ what: 'close' }),
    onError: (reason) => log.push({ what: 'error', reason: (reason as Error).message }),
  });
  open.push(() => client.close());
  const control = (operation: number, count = 1) =>
    log.until((one) => one.what === 'control' && one.operation === operation, count);
  const message = (count = 1) => log.until((one) => one.what === 'message', count);
  const subscribe = async (topic: string, packet = 1) => {
    client.write(undefined, { operation: MqttOperation.SUBSCRIBE, id: packet, items: [{ topic, QoS: 1 }] });
    return control(MqttOperation.SUBACK);
  };
  return {
    client,
    log,
    control,
    message,
    subscribe,
    ready: () => log.until(({ what }) => what === 'writable'),
  };
}

describe('NodeMqttClient', () => {
  it('connects, then tells how much may be written', async () => {
    const { url } = await startBroker();
    const { log, ready } = connect({ url });
    await ready();
    expect(log.all).toEqual([
      { what: 'control', operation: MqttOperation.CONNACK, sessionPresent: false },
      { what: 'writable', count: expect.any(Number) },
    ]);
  });

  it('subscribes, publishes in pieces, and reports SUBACK and PUBACK with their ids', async () => {
    const { url } = await startBroker();
    const { client, ready, subscribe, control, message } = connect({ url });
    await ready();
    expect(await subscribe('a/b', 11)).toMatchObject({ id: 11, payload: [1] });
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    const options = {
      operation: MqttOperation.PUBLISH,
      id: 12,
      topic: 'a/b',
      QoS: 1 as const,
      byteLength: 100,
    };
    expect(client.write(bytes.subarray(0, 10), options)).toBeGreaterThan(0);
    client.write(bytes.subarray(10, 11));
    client.write(bytes.subarray(11));
    expect(await control(MqttOperation.PUBACK)).toMatchObject({ id: 12 });
    expect(await message()).toEqual({ what: 'message', topic: 'a/b', QoS: 1, bytes: toHex(bytes) });
  });

  it('gives several messages one after the other, in order', async () => {
    const { url } = await startBroker();
    const { client, ready, subscribe, message, log } = connect({ url }, 'device', { piece: 1 });
    await ready();
    await subscribe('a');
    for (let i = 1; i <= 20; i++) client.write(new Uint8Array(i).fill(i), { topic: 'a', QoS: 1, id: i });
    await message(20);
    const messages = log.all.flatMap((one) => (one.what === 'message' ? [one.bytes] : []));
    expect(messages).toEqual(Array.from({ length: 20 }, (_, i) => toHex(new Uint8Array(i + 1).fill(i + 1))));
  });

  it('refuses pieces that belong to nothing, and more bytes than announced', async () => {
    const { url } = await startBroker();
    const { client, ready } = connect({ url });
    await ready();
    expect(() => client.write(hex('00'))).toThrow(expect.objectContaining({ code: 'badWrite' }));
    client.write(hex('0001'), { topic: 'a', QoS: 1, byteLength: 3 });
    expect(() => client.write(hex('0203'))).toThrow(expect.objectContaining({ code: 'badWrite' }));
  });

  it('keeps a session: what came while it was away arrives afterwards', async () => {
    const { url } = await startBroker();
    const first = connect({ url }, 'sleeper', { clean: false });
    await first.ready();
    await first.subscribe('sleep');
    first.client.close();
    const other = connect({ url }, 'other');
    await other.ready();
    for (let i = 0; i < 3; i++) other.client.write(hex(`0${i}`), { topic: 'sleep', QoS: 1, id: i + 1 });
    await other.control(MqttOperation.PUBACK, 3);
    const second = connect({ url }, 'sleeper', { clean: false });
    expect(await second.control(MqttOperation.CONNACK)).toMatchObject({ sessionPresent: true });
    await second.message(3);
    expect(second.log.all.flatMap((one) => (one.what === 'message' ? [one.bytes] : []))).toEqual([
      '00',
      '01',
      '02',
    ]);
  });

  it('reports a refused subscription as 80', async () => {
    const { url } = await startBroker();
    const { ready, subscribe } = connect({ url }, EID);
    await ready();
    expect(await subscribe('esipa/another/ipa')).toMatchObject({ payload: [0x80] });
  });

  it('says why it was refused, once, and nothing after close()', async () => {
    const { url } = await startBroker({ users: { device: 'secret' } });
    for (const access of [{ url }, { url, user: 'device', password: 'guess' }]) {
      const { log } = connect(access);
      const failed = await log.until(({ what }) => what === 'error');
      expect(failed).toMatchObject({ reason: expect.stringMatching(/bad user|not authorized/i) });
      expect(log.all.length).toBe(1);
    }
    const { ready } = connect({ url, user: 'device', password: 'secret' });
    await ready();
    const inUrl = connect({ url: url.replace('//', '//device:secret@') });
    await inUrl.ready();
  });

  it('reports a broker that is not there', async () => {
    const broker = await startBroker();
    await broker.close();
    const { log } = connect({ url: broker.url });
    expect(await log.until(({ what }) => what === 'error')).toMatchObject({
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('reports a lost connection, and does not come back by itself', async () => {
    const broker = await startBroker();
    const { log, ready } = connect({ url: broker.url });
    await ready();
    await broker.close();
    await log.until(({ what }) => what === 'close' || what === 'error');
    const ends = () => log.all.filter(({ what }) => what === 'close' || what === 'error').length;
    expect(ends()).toBe(1);
    await new Broker({ port: broker.port }).listen().then((again) => open.push(() => again.close()));
    await connectAsync(broker.url).then((client) => client.endAsync());
    expect(ends()).toBe(1);
    expect(log.all.filter(({ what }) => what === 'control').length).toBe(1);
  });

  it('close() is idempotent and silent, also before it is connected', async () => {
    const { url } = await startBroker();
    const early = connect({ url }, 'early');
    early.client.close();
    early.client.close();
    const { client, log, ready } = connect({ url }, 'late');
    await ready();
    const count = log.all.length;
    client.close();
    client.close();
    const other = connect({ url }, 'third');
    await other.ready();
    expect(log.all.length).toBe(count);
    expect(early.log.all).toEqual([]);
  });

  it('ends with an error when something else than a broker answers', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => server.close());
    const address = server.address() as { port: number };
    const { log } = connect({ url: `mqtt://127.0.0.1:${address.port}` });
    await log.until(({ what }) => what === 'error' || what === 'close');
    expect(log.all.length).toBe(1);
  });
});

describe('mqttConfiguration', () => {
  it.each([
    ['mqtt://broker.example', { host: 'broker.example', port: 1883, secure: false, user: undefined }],
    ['mqtts://broker.example', { port: 8883, secure: true }],
    ['mqtt://127.0.0.1:18830', { host: '127.0.0.1', port: 18830 }],
    ['mqtt://a%40b:c%3Ad@broker.example', { user: 'a@b', password: 'c:d' }],
  ])('%s', (url, expected) => {
    expect(mqttConfiguration({ url })).toMatchObject({ ...expected, io: NodeMqttClient });
  });

  it('options go before what the address says', () => {
    const options = { url: 'mqtt://a:b@broker.example', user: 'c', password: 'd', keepAlive: 5_000 };
    expect(mqttConfiguration(options)).toMatchObject({ user: 'c', password: 'd', keepAlive: 5_000 });
  });

  it.each(['', 'broker.example', 'http://broker.example', '127.0.0.1:1883'])('"%s" is no address', (url) => {
    expect(() => mqttConfiguration({ url })).toThrow(expect.objectContaining({ code: 'badUrl' }));
  });

  it('a file that cannot be read is named', () => {
    const options = { url: 'mqtts://broker.example', caFile: '/nowhere/ca.pem' };
    expect(() => mqttConfiguration(options)).toThrow(/CA file \/nowhere\/ca\.pem/);
  });
});

describe('TLS', () => {
  let pki: Pki;
  let folder: string;
  beforeAll(async () => {
    const eim = (eimId: string) => ({ eimId, eimIdType: 2 as const, eimFqdn: 'localhost' });
    // TLS looks at the wall clock.
    pki = await makePki({
      eid: EID,
      eims: [eim('broker'), eim('stranger')],
      now: Date.now(),
      random: seeded(1),
    });
  });

  const certificate = (index: number) => pem('CERTIFICATE', pki.eims[index].certificate);
  const key = (index: number) => pem('PRIVATE KEY', pkcs8(pki.eims[index].privateKey));

  async function start() {
    folder = mkdtempSync(join(tmpdir(), 'xs-ipa-mqtt-'));
    open.push(() => rmSync(folder, { recursive: true }));
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const tls = { cert: certificate(0), key: key(0), ca: certificate(0) };
    const { url } = await startBroker({ tls });
    return {
      url: url.replace('127.0.0.1', 'localhost'),
      caFile: file('ca.pem', certificate(0)),
      certificateFile: file('client.pem', certificate(0)),
      keyFile: file('client-key.pem', key(0)),
      strangerFile: file('stranger.pem', certificate(1)),
    };
  }

  it('with CA file and client certificate', async () => {
    const { strangerFile: _, ...access } = await start();
    const { ready, subscribe, client, message } = connect(access);
    await ready();
    await subscribe('a');
    client.write(hex('AB'), { topic: 'a', QoS: 1, id: 2 });
    expect(await message()).toMatchObject({ bytes: 'AB' });
  });

  it('refused without a client certificate, or by a CA that does not know the broker', async () => {
    const { url, caFile, certificateFile, keyFile, strangerFile } = await start();
    for (const access of [
      { url, caFile },
      { url, caFile: strangerFile, certificateFile, keyFile },
      { url, certificateFile, keyFile },
    ]) {
      const { log } = connect(access);
      await log.until(({ what }) => what === 'error' || what === 'close');
      expect(log.all.filter(({ what }) => what === 'writable')).toEqual([]);
    }
  });
});

describe('MqttLink over NodeMqttClient', () => {
  // Ten times faster than life: only back-offs and repeats wait.
  const clock = new RealClock(10);

  function start(url: string) {
    const events = new Log<IpaEvent>();
    const link = new MqttLink({
      eimId: 'eim.example.com',
      eid: hex(EID),
      mqtt: mqttConfiguration({ url }),
      timer: clock,
      random: () => 0.5,
      times: { answer: 3_000, attempts: 3, backOff: 100, backOffLimit: 1_000 },
      observe: (event) => {
        events.push('message' in event ? { ...event, message: event.message.slice() } : { ...event });
      },
    });
    open.push(() => link.close());
    link.resume();
    const state = (wanted: string, count = 1) =>
      events.until((event) => event.event === 'link' && event.state === wanted, count);
    return { link, events, state };
  }

  /** An eIM's end: answers by a function, remembers what it got. */
  async function startEim(url: string, answer: (message: Buffer) => Uint8Array | undefined) {
    const received = new Log<string>();
    const client = await connectAsync(url, { clientId: 'eim', clean: false, reconnectPeriod: 20 });
    open.push(() => client.endAsync(true));
    client.on('error', () => {});
    client.on('message', (_topic, message) => {
      received.push(toHex(message));
      const reply = answer(message);
      if (reply) client.publish(TO_IPA, Buffer.from(reply), { qos: 1 });
    });
    await client.subscribeAsync(TO_EIM, { qos: 1 });
    return {
      received,
      send: (message: string) => client.publishAsync(TO_IPA, Buffer.from(message, 'hex'), { qos: 1 }),
    };
  }

  const poll = hex(`BF4F125A10${EID}`);
  const nothing = hex('BF4F03020101');

  it('an exchange there and back', async () => {
    const { url } = await startBroker();
    const eim = await startEim(url, () => nothing);
    const { link, events } = start(url);
    expect(toHex(await link.exchange(poll, () => true))).toBe(toHex(nothing));
    expect(link.connected).toBe(true);
    expect(eim.received.all).toEqual([toHex(poll)]);
    const esipa = events.all.filter(({ event }) => event === 'esipa');
    expect(esipa).toMatchObject([
      { direction: 'up', tag: 0xbf4f, message: poll },
      { direction: 'down', tag: 0xbf4f, message: nothing },
    ]);
  });

  it('messages as long as certificates make them', async () => {
    const { url } = await startBroker();
    const long = hex(`BF50823FF0${'5A'.repeat(0x3ff0)}`);
    const eim = await startEim(url, () => long);
    const { link } = start(url);
    const answer = await link.exchange(long, () => true);
    expect(toHex(answer)).toBe(toHex(long));
    expect(eim.received.all).toEqual([toHex(long)]);
  });

  it('asks again when no answer comes, and gives up in the end', async () => {
    const { url } = await startBroker();
    let heard = 0;
    const eim = await startEim(url, () => (++heard === 2 ? nothing : undefined));
    const { link } = start(url);
    expect(toHex(await link.exchange(poll, () => true))).toBe(toHex(nothing));
    expect(eim.received.all.length).toBe(2);
    await expect(link.exchange(poll, () => true)).rejects.toMatchObject({
      name: 'LinkError',
      code: 'noAnswer',
    });
    expect(eim.received.all.length).toBe(5);
  });

  it('drops what nobody waits for, and says so', async () => {
    const { url } = await startBroker();
    const eim = await startEim(url, () => undefined);
    const { events, state } = start(url);
    await state('connected');
    await eim.send('BF50023000');
    await eim.send('00');
    await events.until(({ event }) => event === 'dropped', 2);
    expect(events.all.filter(({ event }) => event === 'dropped')).toMatchObject([
      { tag: 0xbf50, reason: 'notAwaited', count: 1 },
      { tag: 0, reason: 'notAwaited', count: 2 },
    ]);
  });

  it('an injection waits in the broker while the device is away, then in the link', async () => {
    const { url } = await startBroker();
    const eim = await startEim(url, () => undefined);
    const { link, state } = start(url);
    await state('connected');
    link.suspend();
    await state('lost');
    await eim.send('BF4E06BF5303800107');
    const arrived = new Promise<void>((resolve) => {
      link.onInjection = resolve;
    });
    link.resume();
    await arrived;
    expect(toHex(link.takeInjection()!)).toBe('BF4E06BF5303800107');
    expect(link.takeInjection()).toBeUndefined();
  });

  it('comes back when the broker does, and delivers what was under way', async () => {
    const broker = await startBroker();
    const { link, state } = start(broker.url);
    await state('connected');
    await broker.close();
    await state('lost');
    const answer = link.exchange(poll, () => true);
    const again = await new Broker({ port: broker.port }).listen();
    open.push(() => again.close());
    await startEim(broker.url, () => nothing);
    expect(toHex(await answer)).toBe(toHex(nothing));
    await state('connected', 2);
  });

  it('send() ends when the broker has the message', async () => {
    const { url } = await startBroker();
    const eim = await startEim(url, () => undefined);
    const { link } = start(url);
    await link.send(hex('BF4E020500'));
    expect(await eim.received.until(() => true)).toBe('BF4E020500');
  });

  it('close() fails what is open, and is idempotent', async () => {
    const { url } = await startBroker();
    const { link, events, state } = start(url);
    await state('connected');
    const answer = link.exchange(poll, () => true);
    link.close();
    link.close();
    await expect(answer).rejects.toBeInstanceOf(LinkError);
    await expect(link.exchange(poll, () => true)).rejects.toMatchObject({ code: 'closed' });
    await expect(link.send(poll)).rejects.toMatchObject({ code: 'closed' });
    expect(events.all.filter((event) => event.event === 'link' && event.state === 'closed').length).toBe(1);
  });
});
