import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MqttConfiguration } from '../../../hal/contracts/index.js';
import { NodeTcp } from '../../../hal/node/tcp.js';
import { XsMqttClient } from '../../../hal/xs/mqtt-client.js';
import { decode, TransferEimPackageRequest } from '../../../host-sim/asn1/index.js';
import { RealClock } from '../../../host-sim/clock.js';
import { Broker, Eim, MqttEim } from '../../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { MqttLink } from '../../../ipa/esipa/mqtt/link.js';
import type { IpaEvent } from '../../../ipa/events.js';
import { FakeDevice, readPoll, readResponse } from '../../host-sim/eim/fake-device.js';

const eid = '89049032123451234512345678901235';
const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'localhost' }] as const;

let pki: Pki;
beforeAll(async () => {
  pki = await makePki({ eid, eims, now: Date.now(), random: seeded(1) });
});

const clean: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of clean.splice(0).reverse()) await undo();
});

async function startEim(port = 0) {
  const broker = await new Broker({ port }).listen();
  clean.push(() => broker.close());
  const clock = new RealClock();
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock,
    random: seeded(3),
  });
  const binding = new MqttEim({ eim, url: broker.url, reconnectMilliseconds: 20 });
  await binding.open();
  clean.push(() => binding.close());
  return { broker, eim };
}

function startLink(port: number, room: number) {
  const clock = new RealClock();
  const events: IpaEvent[] = [];
  const mqtt: MqttConfiguration = {
    io: XsMqttClient,
    host: '127.0.0.1',
    port,
    keepAlive: 60_000,
    timer: clock,
    socket: { io: NodeTcp, room, window: room },
  };
  const link = new MqttLink({
    eimId: 'eim.example.com',
    eid: pki.euicc.eid,
    mqtt,
    timer: clock,
    random: () => 0.5,
    times: { answer: 5_000, attempts: 3, backOff: 10, backOffLimit: 50 },
    observe: (event) => events.push(event),
  });
  clean.push(() => link.close());
  const states = () => events.flatMap((event) => (event.event === 'link' ? [event.state] : []));
  return { link, events, states };
}

const anything = () => true;

describe('the ESipa link on the device MQTT client', () => {
  it.each([80, 4_096])('polls, delivers and takes injections with %i bytes of room', async (room) => {
    const { broker, eim } = await startEim();
    const card = new FakeDevice(pki, 9);
    const { link } = startLink(broker.port, room);
    link.resume();

    const outcome = eim.queue(eid, { psmo: [{ op: 'getRAT' }] });
    const question = readPoll(await link.exchange(card.poll(), anything)).ipaEuiccDataRequest!;
    await link.exchange(card.deliver({ ipaEuiccDataResponse: card.data(question) }), anything);
    const request = readPoll(await link.exchange(card.poll(), anything)).euiccPackageRequest!;
    const result = card.deliver({ euiccPackageResult: card.execute(request, [{ getRATResult: [] }]) });
    expect(readResponse(await link.exchange(result, anything))).toEqual({ eimAcknowledgements: [1] });
    expect(await outcome).toMatchObject({ outcome: 'verified' });

    const injected = new Promise<void>((resolve) => {
      link.onInjection = resolve;
    });
    const second = eim.queue(eid, { psmo: [{ op: 'getRAT' }] }, { mode: 'injection' });
    await injected;
    const pushed = decode(TransferEimPackageRequest, link.takeInjection()!).euiccPackageRequest!;
    await link.send(card.answer({ euiccPackageResult: card.execute(pushed, [{ getRATResult: [] }]) }));
    expect(await second).toMatchObject({ outcome: 'verified' });
  });

  it('comes back by itself when the broker was gone', async () => {
    const { broker } = await startEim();
    const card = new FakeDevice(pki, 9);
    const { link, states } = startLink(broker.port, 4_096);
    link.resume();
    expect(readPoll(await link.exchange(card.poll(), anything)).ipaEuiccDataRequest).toBeDefined();

    await broker.close();
    const poll = link.exchange(card.poll(), anything);
    await startEim(broker.port);
    expect(readPoll(await poll).ipaEuiccDataRequest).toBeDefined();
    expect(states()).toContain('lost');
    expect(states().at(-1)).toBe('connected');
  });
});
