import { generate, type NamedOption } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { block, message, poll, type Reply, raw, type Step, silent, uint, whole, world } from './scripted.js';

describe('messages (RFC 7252)', () => {
  it.each([0, 0.5, 0.999])(
    'a request is sent again as it was, after %f of the random factor',
    async (factor) => {
      const { ask, sent } = world([silent], { random: () => factor });
      expect(await ask()).toBe('noAnswer');
      const first = 2_000 * (1 + factor / 2);
      expect(sent.map(({ at }) => Math.round(at - sent[0].at))).toEqual(
        [0, 1, 3, 7, 15].map((times) => Math.round(times * first)),
      );
      expect(new Set(sent.map(({ at: _, ...packet }) => JSON.stringify(packet))).size).toBe(1);
    },
  );

  it('an empty acknowledgement ends that, and the response has 30 s', async () => {
    for (const confirmable of [true, false]) {
      const late: Step = () => [
        { code: '0.00' },
        { code: '2.05', payload: message(9), messageId: 7, confirmable, ack: false, after: 29_000 },
      ];
      const { ask, sent, clock } = world([late]);
      expect(await ask()).toEqual(message(9));
      await clock.advance(100);
      expect(sent.map(({ code, ack, messageId }) => [code, ack && messageId])).toEqual(
        confirmable
          ? [
              ['0.02', false],
              ['0.00', 7],
            ]
          : [['0.02', false]],
      );
    }
    const { ask, sent } = world([() => ({ code: '0.00' })], {
      times: { answer: 1, attempts: 1, backOff: 1, backOffLimit: 1 },
    });
    expect([await ask(), sent.length]).toEqual(['noAnswer', 1]);
  });

  it('a response may be there before its acknowledgement', async () => {
    const { ask, sent, clock } = world([
      () => [
        { code: '2.05', payload: message(9), messageId: 7, confirmable: true },
        { code: '0.00', after: 50 },
      ],
    ]);
    expect(await ask()).toEqual(message(9));
    await clock.advance(60_000);
    expect(sent.length).toBe(2);
  });

  it('each request has an id and a token of its own', async () => {
    const { ask, requests } = world([whole]);
    for (let i = 0; i < 40; i++) await ask();
    expect(new Set(requests.map(({ messageId }) => messageId)).size).toBe(40);
    expect(new Set(requests.map(({ token }) => token.toString('hex'))).size).toBe(40);
    expect(requests.every(({ token }) => token.length === 4)).toBe(true);
  });

  it('a response that comes twice is acknowledged twice and taken once', async () => {
    const separate: Step = () => ({ code: '2.05', payload: message(9), messageId: 7, confirmable: true });
    const twice: Step = (request) => [separate(request), { ...separate(request), after: 500 }].flat();
    const { ask, sent, clock } = world([twice, silent]);
    expect(await ask()).toEqual(message(9));
    const next = ask();
    await clock.advance(1_000);
    expect(sent.filter(({ ack, messageId }) => ack && messageId === 7).length).toBe(2);
    expect(await next).toBe('noAnswer');
  });

  it('a server that was started anew may use a message id again', async () => {
    const { ask } = world([() => ({ code: '2.05', payload: message(9), messageId: 7, confirmable: true })]);
    expect(await ask()).toEqual(message(9));
    expect(await ask()).toEqual(message(9));
  });

  it.each<[string, Reply]>([
    ['another token', { token: Buffer.from('wrong') }],
    ['no token', { token: Buffer.alloc(0) }],
    ['an id that was never sent', { messageId: 1 }],
    ['another address', { from: ['10.0.0.9', 5_683] }],
    ['another port', { from: ['10.0.0.1', 5_684] }],
    [
      'a reset of another message',
      { code: '0.00', reset: true, messageId: 1, payload: undefined, token: undefined },
    ],
    [
      'an acknowledgement of another message',
      { code: '0.00', messageId: 1, payload: undefined, token: undefined },
    ],
  ])('%s is ignored', async (_what, forged) => {
    const { ask, clock, sent } = world([
      () => [
        { code: '2.05', payload: message(66), ...forged },
        { code: '2.05', payload: message(9), after: 100 },
      ],
    ]);
    expect(await ask()).toEqual(message(9));
    await clock.advance(60_000);
    expect(sent.length).toBe(1);
  });

  it('an old response is ignored in the next exchange', async () => {
    let old: Reply = {};
    const { ask } = world([
      (request) => {
        old = { code: '2.05', payload: message(66), messageId: request.messageId, token: request.token };
        return whole(request);
      },
      (request) => [old, { ...old, ack: false }, { ...whole(request), after: 100 } as Reply],
    ]);
    await ask();
    expect(await ask()).toEqual(message(10));
  });

  it('a reset ends an exchange, but only an empty one', async () => {
    expect(await world([() => ({ code: '0.00', reset: true })]).ask()).toBe('noAnswer');
    const { network, clock, link, requests } = world([silent, whole]);
    const asked = link.exchange(poll, () => true);
    await clock.advance(10);
    const { messageId, token } = requests[0];
    network.deliver(generate({ code: '2.05', reset: true, messageId }));
    network.deliver(generate({ code: '2.05', ack: true, messageId, token, payload: message(9) }));
    expect(Buffer.from(await clock.run(asked))).toEqual(message(9));
  });

  it.each<[string, NamedOption[], boolean]>([
    ['a critical option nobody knows', [raw(65_001, Buffer.of(1))], false],
    ['an If-None-Match', [raw(5, Buffer.alloc(0))], false],
    ['two Block2', [block('Block2', 0, false), block('Block2', 0, false)], false],
    ['elective options nobody knows', [raw(65_000, Buffer.of(1)), raw(65_000, Buffer.of(2))], true],
    ['an Observe and a Content-Format', [raw(6, Buffer.of(1)), raw(12, Buffer.of(42))], true],
  ])('%s, in either kind of response', async (_what, options, isTaken) => {
    for (const kind of [{}, { messageId: 7, confirmable: true }]) {
      const { ask, sent, clock } = world([() => ({ code: '2.05', payload: message(9), options, ...kind })]);
      expect(await ask()).toEqual(isTaken ? message(9) : 'noAnswer');
      await clock.advance(100);
      const [, reply] = sent;
      if (kind.confirmable) expect([reply.ack, reply.reset, reply.messageId]).toEqual([isTaken, !isTaken, 7]);
      else expect(reply).toBeUndefined();
    }
  });

  it.each([
    ['2.01', message(9)],
    ['2.04', message(9)],
    ['2.05', message(9)],
    ['2.31', 'noAnswer'],
    ['3.00', 'refused'],
    ['4.00', 'refused'],
    ['4.01', 'refused'],
    ['4.08', 'refused'],
    ['4.13', 'refused'],
    ['5.00', 'refused'],
    ['5.31', 'refused'],
  ])('code %s', async (code, outcome) => {
    expect(await world([() => ({ code, payload: message(9) })]).ask()).toEqual(outcome);
  });

  it('Max-Age says how long a busy eIM wants to be left in peace, though not longer than a day', async () => {
    for (const [code, value, milliseconds] of [
      ['5.03', uint(90), 90_000],
      ['4.29', uint(90), 90_000],
      ['5.03', Buffer.alloc(4, 0xff), 86_400_000],
      ['5.03', Buffer.alloc(5, 0xff), 0],
      ['5.00', uint(90), 0],
      ['5.03', undefined, 0],
    ] as const) {
      const options: NamedOption[] = value ? [{ name: 'Max-Age', value }] : [];
      const { link, clock } = world([() => ({ code, options })]);
      const failure = await clock.run(link.exchange(poll, () => true).catch((error) => error));
      expect(failure).toMatchObject({ code: 'refused', retryAfter: milliseconds });
    }
  });
});

it('the name of a silent eIM is resolved anew', async () => {
  const names: string[] = [];
  const io = class {
    resolve({ host, onResolved }: { host: string; onResolved?: (host: string, address: string) => void }) {
      names.push(host);
      queueMicrotask(() => onResolved?.(host, '10.0.0.1'));
    }
  };
  const { ask, clock, link } = world([silent, whole], { host: 'eim.example.com', dns: { io } });
  expect(await ask()).toBe('noAnswer');
  await clock.advance(2_000);
  expect(await ask()).toEqual(message(10));
  expect(names.length).toBe(2);
  link.suspend();
  link.resume();
  expect(await ask()).toEqual(message(10));
  expect(names.length).toBe(3);
});
