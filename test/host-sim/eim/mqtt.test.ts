import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decode, hex, TransferEimPackageRequest } from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import {
  Broker,
  type BrokerOptions,
  Eim,
  EimError,
  MqttEim,
  type MqttEimOptions,
} from '../../../host-sim/eim/index.js';
import type { SimEvent } from '../../../host-sim/events.js';
import { makePki, type Pki, pem, pkcs8 } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore, type Store } from '../../../host-sim/store.js';
import { FakeDevice, readPoll, readResponse } from './fake-device.js';

const eid = '89049032123451234512345678901235';
const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'localhost' }] as const;

let pki: Pki;
beforeAll(async () => {
  // TLS looks at the wall clock.
  pki = await makePki({ eid, eims, now: Date.now(), random: seeded(1) });
});

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function startBroker(options: BrokerOptions = {}) {
  const events: Extract<SimEvent, { event: 'broker' }>[] = [];
  const watchers: (() => void)[] = [];
  const observe = (event: SimEvent) => {
    if (event.event !== 'broker') return;
    events.push(event);
    for (const look of watchers.splice(0)) look();
  };
  const broker = await new Broker({ observe, ...options }).listen();
  open.push(() => broker.close());
  /** Resolves when `count` events of this kind have been seen. */
  const seen = async (what: string, count = 1) => {
    const found = () => events.filter((event) => event.what === what);
    while (found().length < count) await new Promise<void>((resolve) => watchers.push(resolve));
    return found();
  };
  return { broker, events, seen };
}

function makeEim(store: Store = new MemoryStore()): Eim {
  return new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store,
    clock: new VirtualClock(),
    random: seeded(3),
  });
}

async function startEim(url: string, options: Partial<MqttEimOptions> = {}) {
  const eim = options.eim ?? makeEim();
  const link = new MqttEim({ eim, url, ...options });
  await link.open();
  open.push(() => link.close());
  return { eim, link };
}

/** The device's end: what it receives, in order. */
async function startDevice(url: string, topic = `esipa/${eid}/ipa`) {
  const inbox: Buffer[] = [];
  const readers: ((message: Buffer) => void)[] = [];
  const client: MqttClient = await connectAsync(url, {
    clientId: eid,
    clean: false,
    reconnectPeriod: 0,
    manualConnect: false,
  });
  client.on('message', (_topic, message) => {
    const reader = readers.shift();
    if (reader) reader(message);
    else inbox.push(message);
  });
  client.on('error', () => {});
  open.push(() => client.endAsync(true));
  await client.subscribeAsync(topic, { qos: 1 });
  return {
    client,
    receive: () =>
      new Promise<Buffer>((resolve) => {
        const message = inbox.shift();
        if (message) resolve(message);
        else readers.push(resolve);
      }),
    send: (message: Uint8Array) => client.publishAsync(`esipa/${eid}/eim`, Buffer.from(message), { qos: 1 }),
    waiting: () => inbox.length,
  };
}

describe('the eIM on a broker', () => {
  it('answers polls, takes results and confirms notifications', async () => {
    const { broker } = await startBroker();
    const { eim } = await startEim(broker.url);
    const card = new FakeDevice(pki, 9);
    const device = await startDevice(broker.url);

    await device.send(card.poll());
    const question = readPoll(await device.receive()).ipaEuiccDataRequest!;
    await device.send(card.deliver({ ipaEuiccDataResponse: card.data(question) }));
    expect(readResponse(await device.receive())).toEqual({ emptyResponse: {} });

    const outcome = eim.queue(eid, { psmo: [{ op: 'getRAT' }] });
    await device.send(card.poll());
    const request = readPoll(await device.receive()).euiccPackageRequest!;
    await device.send(card.deliver({ euiccPackageResult: card.execute(request, [{ getRATResult: [] }]) }));
    expect(readResponse(await device.receive())).toEqual({ eimAcknowledgements: [1] });
    expect(await outcome).toMatchObject({
      outcome: 'verified',
      results: [{ op: 'getRAT', ok: true, rules: [] }],
    });

    await device.send(card.handleNotification(card.notification()));
    expect(hex(await device.receive())).toBe('BF4E06BF5303800102');
  });

  it('leaves an injected package with the broker while the device sleeps', async () => {
    const { broker, seen } = await startBroker();
    const { eim } = await startEim(broker.url);
    const card = new FakeDevice(pki);
    const first = await startDevice(broker.url);
    await first.client.endAsync();
    await seen('disconnected');

    const outcome = eim.queue(eid, { psmo: [{ op: 'getRAT' }] }, { mode: 'injection' });
    expect((await seen('kept'))[0].detail).toMatchObject({ clientId: eid, queued: 1 });

    const device = await startDevice(broker.url);
    const question = decode(TransferEimPackageRequest, await device.receive()).ipaEuiccDataRequest!;
    await device.send(card.answer({ ipaEuiccDataResponse: card.data(question) }));
    const request = decode(TransferEimPackageRequest, await device.receive()).euiccPackageRequest!;
    const euiccPackageResult = card.execute(request, [{ getRATResult: [] }]);
    await device.send(card.answer({ euiccPackageResult }));
    expect(hex(await device.receive())).toBe('BF4E06BF5303800101');
    expect(await outcome).toMatchObject({ outcome: 'verified' });
  });

  it('takes what came while it was away itself', async () => {
    const { broker, seen } = await startBroker();
    const { link } = await startEim(broker.url);
    const device = await startDevice(broker.url);
    await link.close();
    await link.close();
    await seen('disconnected');
    await device.send(new FakeDevice(pki).poll());
    await startEim(broker.url);
    expect(readPoll(await device.receive()).ipaEuiccDataRequest).toBeDefined();
  });

  it('does not confirm to the broker what it could not save', async () => {
    const { broker } = await startBroker();
    const inner = new MemoryStore();
    let full = true;
    const store: Store = {
      load: () => inner.load(),
      save: (bytes) => {
        if (full) throw new Error('disk full');
        inner.save(bytes);
      },
    };
    let report: (problem: EimError) => void = () => {};
    const problem = new Promise<EimError>((resolve) => {
      report = resolve;
    });
    await startEim(broker.url, {
      eim: makeEim(store),
      onProblem: (it) => report(it),
      reconnectMilliseconds: 1,
    });
    const device = await startDevice(broker.url);
    await device.send(new FakeDevice(pki).poll());
    expect((await problem).message).toContain('disk full');
    full = false;
    expect(readPoll(await device.receive()).ipaEuiccDataRequest).toBeDefined();
  });

  it('connects again by itself', async () => {
    const first = await startBroker();
    const { eim } = await startEim(first.broker.url, { reconnectMilliseconds: 1 });
    await first.broker.close();
    const second = await startBroker({ port: first.broker.port });
    await second.seen('connected');
    const device = await startDevice(second.broker.url);
    await device.send(new FakeDevice(pki).poll());
    expect(readPoll(await device.receive()).ipaEuiccDataRequest).toBeDefined();
    expect(eim.devices()).toHaveLength(1);
  });

  it('uses other topics if told so', async () => {
    const { broker } = await startBroker();
    const topics = { toEim: '{eimId}/up/{eid}', toIpa: '{eimId}/down/{eid}' };
    await startEim(broker.url, { topics });
    const device = await startDevice(broker.url, `eim.example.com/down/${eid}`);
    await device.client.publishAsync(`eim.example.com/up/${eid}`, Buffer.from(new FakeDevice(pki).poll()), {
      qos: 1,
    });
    expect(readPoll(await device.receive()).ipaEuiccDataRequest).toBeDefined();
    expect(
      () => new MqttEim({ eim: makeEim(), url: broker.url, topics: { toEim: 'a/+', toIpa: 'b/{eid}' } }),
    ).toThrow(/one level/);
  });

  it('says that there is no broker', async () => {
    const { broker } = await startBroker();
    await broker.close();
    const link = new MqttEim({ eim: makeEim(), url: broker.url });
    await expect(link.open()).rejects.toThrow(EimError);
    await expect(link.open()).rejects.toThrow(/no connection to the broker mqtt:/);
  });
});

describe('the broker', () => {
  it('asks for user and password', async () => {
    const { broker } = await startBroker({ users: { eim: 'secret' } });
    await expect(startEim(broker.url)).rejects.toThrow(/Bad username or password/);
    await expect(startEim(broker.url, { username: 'nobody' })).rejects.toThrow(EimError);
    await expect(startEim(broker.url, { username: 'eim', password: 'wrong' })).rejects.toThrow(EimError);
    await expect(startEim(broker.url, { username: 'eim', password: 'secret' })).resolves.toBeDefined();
  });

  it('speaks TLS, with client certificates too', async () => {
    const [{ certificate, privateKey }] = pki.eims;
    const cert = pem('CERTIFICATE', certificate);
    const key = pem('PRIVATE KEY', pkcs8(privateKey));
    const { broker } = await startBroker({ tls: { cert, key, ca: cert } });
    const url = broker.url.replace('127.0.0.1', 'localhost');
    expect(url).toMatch(/^mqtts:/);
    await expect(startEim(url, { tls: { ca: cert, cert, key } })).resolves.toBeDefined();
    await expect(startEim(url, { tls: { ca: cert } })).rejects.toThrow(EimError);
    await expect(startEim(url)).rejects.toThrow(EimError);
  });

  it('keeps a device out of the topics of others', async () => {
    const { broker, seen } = await startBroker();
    const device = await startDevice(broker.url);
    const granted = await device.client.subscribeAsync('esipa/#', { qos: 1 }).catch((error: Error) => error);
    expect(granted).toSatisfy(
      (value) => value instanceof Error || (Array.isArray(value) && value[0].qos === 128),
    );
    const other = `esipa/${eid.replace('8', '7')}/eim`;
    device.client.publish(other, 'x', { qos: 1 }, () => {});
    await seen('disconnected');
    const second = await connectAsync(broker.url, { clientId: `${eid}-backup`, reconnectPeriod: 0 });
    second.on('error', () => {});
    await second.publishAsync(`backup/${eid}/eim`, 'x', { qos: 1 });
    second.publish(other, 'x', { qos: 1 }, () => {});
    await seen('disconnected', 2);
  });

  it('bounds what it keeps for a sleeping device, and says what it dropped', async () => {
    const { broker, seen } = await startBroker({ queueLimit: 2 });
    const first = await startDevice(broker.url);
    await first.client.endAsync();
    await seen('disconnected');
    const other = await connectAsync(broker.url, { clientId: 'other' });
    open.push(() => other.endAsync(true));
    for (const text of ['a', 'b', 'c']) await other.publishAsync(`esipa/${eid}/ipa`, text, { qos: 1 });
    expect((await seen('dropped'))[0].detail).toMatchObject({ clientId: eid, queued: 2, bytes: 1 });
    const device = await startDevice(broker.url);
    expect([String(await device.receive()), String(await device.receive())]).toEqual(['a', 'b']);
    expect(device.waiting()).toBe(0);
  });

  it('says that its port is taken', async () => {
    const { broker } = await startBroker();
    await expect(new Broker({ port: broker.port }).listen()).rejects.toThrow(/the port is in use/);
  });
});
