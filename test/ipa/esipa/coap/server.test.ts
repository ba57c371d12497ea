import { generate, type NamedOption, type Packet, parse } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { block, poll, raw, uint, whole, world } from './scripted.js';

const injected = (length = 20) => {
  const bytes = Buffer.alloc(length, 1);
  bytes.set([0xbf, 0x4e], 0);
  return bytes;
};
const path: NamedOption[] = ['gsma', 'rsp2', 'asn1'].map((segment) => ({
  name: 'Uri-Path',
  value: Buffer.from(segment),
}));

/** A device that was polled, and an eIM that sends it requests. */
async function reached() {
  const device = world([whole]);
  await device.ask();
  device.sent.length = 0;
  let id = 1_000;
  /** @returns what the device sends in answer, within 10 ms */
  const post = async (options: NamedOption[], payload: Buffer, rest: Partial<Packet> = {}) => {
    const before = device.sent.length;
    const all = [...path, ...options];
    const request = {
      code: 'POST',
      confirmable: true,
      messageId: ++id,
      token: Buffer.from('token'),
      ...rest,
    };
    device.network.deliver(generate({ ...request, options: rest.options ?? all, payload }, 6_000));
    await device.clock.advance(10);
    return device.sent.slice(before);
  };
  /** Of the reply, which comes after a second where the message was taken. */
  const code = async (...args: Parameters<typeof post>) => {
    const [reply] = await post(...args);
    if (reply) return reply.code;
    const before = device.sent.length;
    await device.clock.advance(1_000);
    return device.sent[before]?.code;
  };
  return { ...device, post, code };
}

describe('the server in the device', () => {
  it.each([
    ['at once', 0],
    ['in 900 ms', 900],
  ])('responds with the acknowledgement where the answer is there %s', async (_when, after) => {
    const { post, link, sent, clock } = await reached();
    expect(await post([], injected())).toEqual([]);
    expect(Buffer.from(link.takeInjection() ?? [])).toEqual(injected());
    await clock.advance(after);
    await clock.run(link.send(injected(1_024)));
    await clock.advance(10);
    expect(sent).toMatchObject([
      { code: '2.05', ack: true, messageId: 1_001, token: Buffer.from('token'), payload: injected(1_024) },
    ]);
    await clock.advance(90_000);
    expect(sent.length).toBe(1);
  });

  it('a request that comes again is not answered before its answer is there, and then each time', async () => {
    const { post, link, sent, clock, network } = await reached();
    const again = { messageId: 7 };
    expect(await post([], injected(), again)).toEqual([]);
    expect(await post([], injected(), again)).toEqual([]);
    await clock.run(link.send(injected(30)));
    await clock.advance(10);
    expect(sent.length).toBe(1);
    const response = { code: '2.05', ack: true, messageId: 7, payload: injected(30) };
    expect(await post([], injected(), again)).toMatchObject([response]);
    await clock.advance(30_000);
    expect(await post([], injected(), again)).toMatchObject([response]);
    // No sender repeats itself for so long: its memory is given back.
    await clock.advance(30_000);
    expect(await post([], injected(), again)).toEqual([]);
    expect(link.takeInjection()?.length).toBe(20);
    expect(link.takeInjection()).toBeUndefined();
    network.deliver(generate({ code: '0.00', ack: true, messageId: 7 }));
    await clock.advance(10);
    expect(sent.length).toBe(3);
  });

  it('a request that comes again after its empty acknowledgement gets that', async () => {
    const { post, code, sent, link, clock } = await reached();
    const again = { messageId: 7 };
    expect(await code([], injected(), again)).toBe('0.00');
    const acknowledged = { code: '0.00', ack: true, messageId: 7, token: Buffer.alloc(0) };
    expect(await post([], injected(), again)).toMatchObject([acknowledged]);
    void link.send(injected(30));
    await clock.advance(10);
    expect(sent.at(-1)).toMatchObject({ code: '2.05', confirmable: true, token: Buffer.from('token') });
    expect(await post([], injected(), again)).toMatchObject([acknowledged]);
    expect(link.takeInjection()).toBeDefined();
    expect(link.takeInjection()).toBeUndefined();
  });

  it('acknowledges what waits when something else comes, and responds to it later', async () => {
    const { post, link, clock, sent } = await reached();
    expect(await post([], injected(), { messageId: 7, token: Buffer.of(1) })).toEqual([]);
    expect(await post([], injected(), { messageId: 8, token: Buffer.of(2) })).toMatchObject([
      { code: '0.00', messageId: 7 },
      { code: '5.03', messageId: 8, token: Buffer.of(2) },
    ]);
    void link.send(injected(30));
    await clock.advance(10);
    expect(sent.at(-1)).toMatchObject({ code: '2.05', confirmable: true, token: Buffer.of(1) });
  });

  it('an answer that another exchange holds up comes in a message of its own', async () => {
    const device = await reached();
    const { post, link, clock, sent, network } = device;
    const { server } = network;
    network.server = (datagram) =>
      datagram[1] === 2 ? sent.push({ ...parse(datagram), at: 0 }) : server?.(datagram);
    const polling = link.exchange(poll, () => true).catch(() => {});
    await clock.advance(10);
    await post([], injected());
    const sending = link.send(injected(30));
    await clock.run(polling);
    await clock.advance(10);
    expect(sent.filter(({ ack }) => ack)).toMatchObject([{ code: '0.00', messageId: 1_001 }]);
    network.server = server;
    link.close();
    await expect(sending).rejects.toMatchObject({ code: 'closed' });
  });

  it('knows a request again that it did not acknowledge before the network went', async () => {
    const { post, link, clock, sent } = await reached();
    expect(await post([], injected(), { messageId: 7 })).toEqual([]);
    link.suspend();
    await clock.advance(5_000);
    expect(sent).toEqual([]);
    link.resume();
    await clock.advance(2_000);
    expect(await post([], injected(), { messageId: 7 })).toMatchObject([{ code: '0.00', messageId: 7 }]);
    expect(link.takeInjection()).toBeDefined();
    expect(link.takeInjection()).toBeUndefined();
  });

  it('acknowledges a message after a second, and responds when the answer is there', async () => {
    const { post, link, sent, clock, network } = await reached();
    expect(await post([], injected())).toEqual([]);
    await clock.advance(980);
    expect(sent).toEqual([]);
    await clock.advance(20);
    expect(sent).toMatchObject([{ code: '0.00', ack: true, messageId: 1_001, token: Buffer.alloc(0) }]);
    expect(Buffer.from(link.takeInjection() ?? [])).toEqual(injected());
    sent.length = 0;
    const sending = link.send(injected(30));
    await clock.advance(5_000);
    // It is sent again until it is acknowledged, and only then.
    expect(sent.length).toBe(2);
    const [response] = sent;
    expect(response).toMatchObject({ code: '2.05', confirmable: true, token: Buffer.from('token') });
    expect(response.payload).toEqual(injected(30));
    network.deliver(generate({ code: '0.00', ack: true, messageId: response.messageId }));
    await clock.run(sending);
    await clock.advance(60_000);
    expect(sent.length).toBe(2);
  });

  it('gives an empty response where no answer comes, and posts what comes later', async () => {
    const { post, sent, clock, network, link, requests } = await reached();
    await post([], injected());
    await clock.advance(30_500);
    const response = sent[1];
    expect(response).toMatchObject({ code: '2.04', confirmable: true, token: Buffer.from('token') });
    network.deliver(generate({ code: '0.00', ack: true, messageId: response.messageId }));
    await clock.run(link.send(injected(30)));
    expect(requests.at(-1)).toMatchObject({ code: '0.02', payload: injected(30) });
  });

  it('posts an answer that the eIM resets', async () => {
    const { post, sent, clock, network, link, requests } = await reached();
    await post([], injected());
    await clock.advance(1_000);
    const sending = link.send(injected(30));
    await clock.advance(10);
    network.deliver(generate({ code: '0.00', reset: true, messageId: sent[1].messageId }));
    await clock.run(sending);
    expect(requests.at(-1)).toMatchObject({ code: '0.02', payload: injected(30) });
  });

  it('gives a request that comes again the same reply, and takes it once', async () => {
    const { post, code, link } = await reached();
    const again = { messageId: 7 };
    expect((await post([block('Block1', 0, true, 0)], injected(16), again))[0].code).toBe('2.31');
    expect((await post([block('Block1', 0, true, 0)], injected(16), again))[0].code).toBe('2.31');
    expect(await code([block('Block1', 1, false, 0)], injected(16), { messageId: 8 })).toBe('0.00');
    expect((await post([block('Block1', 1, false, 0)], injected(16), { messageId: 8 }))[0].code).toBe('0.00');
    // Late, when another one has come since.
    expect(await post([block('Block1', 0, true, 0)], injected(16), again)).toEqual([]);
    expect(link.takeInjection()?.length).toBe(32);
    expect(link.takeInjection()).toBeUndefined();
  });

  it('an eIM that was started anew may use a message id again', async () => {
    const { post, code } = await reached();
    expect(await code([block('Block1', 0, true, 0)], injected(16), { messageId: 7 })).toBe('2.31');
    expect(await code([block('Block1', 0, true, 0)], injected(16), { messageId: 8 })).toBe('2.31');
    const [reply] = await post([block('Block1', 0, true, 0)], injected(16), {
      messageId: 7,
      token: Buffer.of(9),
    });
    expect(reply).toMatchObject({ code: '2.31', token: Buffer.of(9) });
  });

  it.each<[string, NamedOption[], Buffer, Partial<Packet>, string | undefined]>([
    ['another path', [], injected(), { options: path.slice(1) }, '4.04'],
    ['a longer path', [{ name: 'Uri-Path', value: Buffer.from('x') }], injected(), {}, '4.04'],
    ['another method', [], injected(), { code: 'PUT' }, '4.05'],
    ['a method nobody knows', [], injected(), { code: '0.31' }, '4.05'],
    ['a critical option nobody knows', [raw(65_001, Buffer.of(1))], injected(), {}, '4.02'],
    [
      'a critical option twice',
      [block('Block1', 0, false), block('Block1', 0, false)],
      injected(),
      {},
      '4.02',
    ],
    [
      'options that may be left alone',
      [raw(15, Buffer.of(1)), raw(15, Buffer.of(1)), raw(17, Buffer.of(42)), raw(65_000, Buffer.of(1))],
      injected(),
      {},
      '0.00',
    ],
    ['another message', [], poll, {}, '4.00'],
    ['nothing', [], Buffer.alloc(0), {}, '4.00'],
    ['too long a message', [], injected(4_097), {}, '4.13'],
    [
      'a message that says it is too long',
      [block('Block1', 0, true), { name: 'Size1', value: uint(4_097) }],
      injected(1_024),
      {},
      '4.13',
    ],
    ['a block in the middle', [block('Block1', 1, true, 0)], injected(16), {}, '4.08'],
    ['a block cut short', [block('Block1', 0, true, 0)], injected(15), {}, '4.00'],
    ['a last block too long', [block('Block1', 0, false, 0)], injected(17), {}, '4.00'],
    ['a block of size exponent 7', [block('Block1', 0, true, 7)], injected(16), {}, '4.00'],
    ['a message that needs no confirmation', [], injected(), { confirmable: false }, undefined],
  ])('%s', async (_what, options, payload, rest, expected) => {
    const { code, link } = await reached();
    expect(await code(options, payload, rest)).toBe(expected);
    expect(link.takeInjection() !== undefined).toBe(expected === '0.00');
  });

  it('refuses blocks out of turn, of another message, and beyond the limit', async () => {
    const { code, link } = await reached();
    const tagged = (number: number, more: boolean, tag: number, szx = 0) =>
      code([block('Block1', number, more, szx), raw(292, Buffer.of(tag))], injected(16 << szx));
    expect(await tagged(0, true, 1)).toBe('2.31');
    expect(await tagged(2, true, 1)).toBe('4.08');
    expect(await tagged(1, true, 2)).toBe('4.08');
    expect(await tagged(1, true, 1)).toBe('2.31');
    expect(await tagged(0, true, 2)).toBe('2.31');
    expect(await tagged(2, false, 1)).toBe('4.08');
    for (let number = 0; number < 4; number++) expect(await tagged(number, true, 3, 6)).toBe('2.31');
    expect(await tagged(4, false, 3, 6)).toBe('4.13');
    expect(link.takeInjection()).toBeUndefined();
  });

  it('takes one message at a time, from its eIM alone', async () => {
    const { code, sent, network, clock, link } = await reached();
    expect(await code([], injected())).toBe('0.00');
    expect(await code([], injected())).toBe('5.03');
    const request = {
      code: 'POST',
      confirmable: true,
      messageId: 9,
      options: path,
      payload: injected(),
    } as const;
    sent.length = 0;
    network.deliver(generate(request), '10.0.0.9');
    network.deliver(generate(request), '10.0.0.1', 5_684);
    await clock.advance(10);
    expect(sent).toEqual([]);
    expect(link.takeInjection()).toBeDefined();
    expect(link.takeInjection()).toBeUndefined();
  });
});
