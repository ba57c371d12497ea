import { createSocket } from 'node:dgram';
import { Agent, type IncomingMessage } from 'coap';
import { generate, type Packet, parse } from 'coap-packet';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nodeTimer } from '../../../hal/node/timer.js';
import { NodeUdp } from '../../../hal/node/udp.js';
import { decode, EuiccPackageRequest } from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { CoapEndpoint } from '../../../host-sim/eim/coap-endpoint.js';
import {
  CoapBinding,
  CoapEim,
  type CoapEimOptions,
  Eim,
  type EimError,
} from '../../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { CoapLink } from '../../../ipa/esipa/coap/index.js';
import { FakeDevice, readPoll, readResponse } from './fake-device.js';

const eid = '89049032123451234512345678901235';
const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;
const PATH = '/gsma/rsp2/asn1';

let pki: Pki;
beforeAll(async () => {
  pki = await makePki({ eid, eims, now: new VirtualClock().now, random: seeded(1) });
});

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function makeEim(store: MemoryStore, clock = new VirtualClock()): Eim {
  const { ciCertificates } = pki;
  return new Eim({ credentials: pki.eims[0], ciCertificates, store, clock, random: seeded(3) });
}

async function start(options: Partial<CoapEimOptions> = {}, store = new MemoryStore()) {
  const problems: EimError[] = [];
  const eim = makeEim(store);
  const server = new CoapEim({ eim, port: 0, onProblem: (problem) => problems.push(problem), ...options });
  await server.open();
  open.push(() => server.close());
  const agent = new Agent({ type: 'udp4' });
  open.push(() => agent.close());
  const ask = (body: Uint8Array, { method = 'POST', pathname = PATH } = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const request = agent.request({
        host: '127.0.0.1',
        port: server.port,
        method: method as 'POST',
        pathname,
        token: Buffer.from([1, ++tokens & 255]),
      });
      request.on('response', resolve);
      request.on('error', reject);
      request.end(Buffer.from(body));
    });
  return { eim, server, problems, ask };
}
let tokens = 0;

/** One datagram, and the one that comes back. */
function exchange(port: number, packet: Packet): Promise<ReturnType<typeof parse>> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('message', (bytes) => {
      socket.close();
      resolve(parse(bytes));
    });
    socket.send(generate(packet, 3_000), port, '127.0.0.1');
  });
}

describe('the eIM over CoAP', () => {
  it('answers polls and takes results, of another client', async () => {
    const { eim, ask } = await start();
    const card = new FakeDevice(pki, 9);
    const first = await ask(card.poll());
    expect(first.code).toBe('2.05');
    const question = readPoll(first.payload).ipaEuiccDataRequest!;
    const taken = await ask(card.deliver({ ipaEuiccDataResponse: card.data(question) }));
    expect([taken.code, readResponse(taken.payload).emptyResponse]).toEqual(['2.05', {}]);
    const outcome = eim.queue(eid, { psmo: [{ op: 'enable', iccid: '89000101000000000018' }] });
    const request = readPoll((await ask(card.poll())).payload).euiccPackageRequest!;
    const bytes = EuiccPackageRequest.write(request);
    expect(card.accepts(bytes)).toBe(true);
    const result = card.execute(decode(EuiccPackageRequest, bytes), [{ enableResult: 0 }]);
    const response = await ask(card.deliver({ euiccPackageResult: result }));
    expect(readResponse(response.payload).eimAcknowledgements).toEqual([1]);
    expect(await outcome).toMatchObject({ outcome: 'verified', ok: true });
  });

  it('gives and takes long messages in blocks, to our link', async () => {
    const { eim, server } = await start();
    const card = new FakeDevice(pki, 9);
    const link = new CoapLink({
      eimId: 'eim',
      udp: { io: NodeUdp },
      host: '127.0.0.1',
      port: server.port,
      timer: nodeTimer,
      random: Math.random,
      blockSize: 64,
    });
    open.push(() => link.close());
    link.resume();
    const any = () => true;
    const question = readPoll(await link.exchange(card.poll(), any)).ipaEuiccDataRequest!;
    const data = card.deliver({ ipaEuiccDataResponse: card.data(question) });
    expect(data.length).toBeGreaterThan(1_000);
    expect(readResponse(await link.exchange(data, any)).emptyResponse).toEqual({});
    const psmo = Array.from({ length: 70 }, () => ({ op: 'delete', iccid: '89000101000000000018' }) as const);
    void eim.queue(eid, { psmo });
    const answer = await link.exchange(card.poll(), any);
    expect(answer.length).toBeGreaterThan(900);
    expect(readPoll(answer).euiccPackageRequest).toBeDefined();
  });

  it('says what is wrong with a request', async () => {
    const { ask, server, problems } = await start({ limit: 2_000 });
    const poll = new FakeDevice(pki).poll();
    expect((await ask(poll, { method: 'PUT' })).code).toBe('4.05');
    expect((await ask(new Uint8Array(), { method: 'GET' })).code).toBe('4.05');
    expect((await ask(poll, { pathname: '/gsma/rsp2' })).code).toBe('4.04');
    expect((await ask(Buffer.from('bf4e0100', 'hex'))).code).toBe('2.04');
    expect((await ask(Buffer.from('bf7f0100', 'hex'))).code).toBe('4.00');
    expect((await ask(new Uint8Array())).code).toBe('4.00');
    const path = PATH.split('/')
      .slice(1)
      .map((segment) => ({ name: 'Uri-Path' as const, value: Buffer.from(segment) }));
    const send = async (extra: Packet['options'], payload: Buffer, messageId: number) => {
      const token = Buffer.from([messageId]);
      const options = [...path, ...(extra ?? [])];
      const packet = { code: 'POST', confirmable: true, messageId, token, options, payload } as Packet;
      const answer = await exchange(server.port, packet);
      expect([answer.ack, answer.messageId, answer.token]).toEqual([true, messageId, token]);
      return answer.code;
    };
    const block1 = (value: number) => [{ name: 'Block1' as const, value: Buffer.from([value]) }];
    expect(await send([], Buffer.alloc(2_001), 1)).toBe('4.13');
    expect(await send([{ name: 'Size1', value: Buffer.from([9, 0]) }], Buffer.alloc(9), 2)).toBe('4.13');
    expect(await send(block1(0x26), Buffer.alloc(16), 3)).toBe('4.13');
    expect(await send(block1(0x18), Buffer.alloc(16), 4)).toBe('4.08');
    expect(await send(block1(0x08), Buffer.alloc(15), 5)).toBe('4.00');
    expect(await send(block1(0x0f), Buffer.alloc(16), 6)).toBe('4.00');
    expect(await send([{ name: 'If-Match', value: Buffer.from([1]) }], Buffer.alloc(1), 7)).toBe('4.02');
    expect(await send(block1(0x08), Buffer.alloc(16), 8)).toBe('2.31');
    expect(problems).toEqual([]);
  });

  it('answers 5.03, says for how long, and loses nothing when it cannot save', async () => {
    const store = new MemoryStore();
    const { eim, ask, problems } = await start({}, store);
    const card = new FakeDevice(pki, 9);
    const question = readPoll((await ask(card.poll())).payload).ipaEuiccDataRequest!;
    store.save = () => {
      throw new Error('disk full');
    };
    const result = card.deliver({ ipaEuiccDataResponse: card.data(question) });
    const refused = await ask(result);
    expect([refused.code, refused.headers['Max-Age'], refused.payload.length]).toEqual(['5.03', 60, 0]);
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('disk full')]);
    expect(eim.devices()).toMatchObject([{ eid }]);
    store.save = (bytes) => MemoryStore.prototype.save.call(store, bytes);
    expect(readResponse((await ask(result)).payload).emptyResponse).toEqual({});
    expect(eim.devices()).toMatchObject([{ onboarded: true, outstanding: false }]);
  });

  it('says where it cannot listen', async () => {
    const { server } = await start();
    await expect(start({ port: server.port })).rejects.toMatchObject({ name: 'EimError', code: 'network' });
  });
});

it('a response to the eIM that comes twice is acknowledged twice, and one to nothing reset', async () => {
  const clock = new VirtualClock();
  const sent: ReturnType<typeof parse>[] = [];
  const to = { address: '10.0.0.7', port: 9 };
  const endpoint = new CoapEndpoint({
    clock,
    random: seeded(1),
    send: (datagram) => sent.push(parse(datagram)),
    onRequest: () => ({ code: '4.04' }),
  });
  const asked = endpoint.ask(to, { code: 'POST' });
  const [{ token, messageId }] = sent;
  endpoint.take(generate({ ack: true, messageId, code: '0.00' }), to);
  const response = generate({ confirmable: true, messageId: 7, token, code: '2.04' });
  endpoint.take(response, to);
  expect((await asked)?.code).toBe('2.04');
  endpoint.take(response, to);
  endpoint.take(generate({ confirmable: true, messageId: 8, token, code: '2.04' }), to);
  expect(sent.slice(1).map((packet) => [packet.ack, packet.reset, packet.messageId])).toEqual([
    [true, false, 7],
    [true, false, 7],
    [false, true, 8],
  ]);
  expect(clock.pending).toBe(0);
});

it('injects nothing to where a device was once, and its next poll from elsewhere brings the package', async () => {
  const clock = new VirtualClock();
  const eim = makeEim(new MemoryStore(), clock);
  const sent: { packet: ReturnType<typeof parse>; port: number }[] = [];
  const send = (datagram: Buffer, { port }: { port: number }) => sent.push({ packet: parse(datagram), port });
  const binding = new CoapBinding({ eim, clock, random: seeded(4), send });
  open.push(() => binding.close());
  const device = new FakeDevice(pki, 9);
  const poll = async (port: number) => {
    const options = PATH.slice(1)
      .split('/')
      .map((segment) => ({ name: 'Uri-Path' as const, value: Buffer.from(segment) }));
    const request = generate(
      { code: '0.02', confirmable: true, messageId: port, options, payload: Buffer.from(device.poll()) },
      3_000,
    );
    sent.length = 0;
    binding.take(request, { address: '127.0.0.1', port });
    await clock.advance(10);
    return readPoll(sent[0].packet.payload);
  };
  const question = (await poll(1_001)).ipaEuiccDataRequest!;
  eim.handle(device.deliver({ ipaEuiccDataResponse: device.data(question) }), { link: 'coap' });
  binding.forget({ address: '127.0.0.1', port: 1_001 });
  sent.length = 0;
  void eim.queue(eid, { psmo: [{ op: 'listProfileInfo' }] }, { mode: 'injection' });
  await clock.advance(10_000);
  expect(sent).toEqual([]);

  expect((await poll(1_002)).euiccPackageRequest).toBeDefined();
  binding.forget({ address: '127.0.0.1', port: 1_002 });
  expect((await poll(1_003)).euiccPackageRequest).toBeDefined();
});
