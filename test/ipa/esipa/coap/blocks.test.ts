import type { NamedOption } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { block, message, optionOf, type Reply, raw, type Step, uint, whole, world } from './scripted.js';

/** Serves `body` in blocks as asked, changed where `change` says so. */
const blocks =
  (body: Buffer, change: (number: number) => Reply & { szx?: number } = () => ({})): Step =>
  (request) => {
    const asked = Number.parseInt(optionOf(request, 'Block2') || '6', 16);
    const offset = (asked >> 4) * (16 << (asked & 7));
    const { szx = asked & 7, ...reply } = change(asked >> 4);
    const size = 16 << szx;
    const more = offset + size < body.length;
    const options = [block('Block2', offset / size, more, szx), ...(reply.options ?? [])];
    return { code: '2.05', payload: body.subarray(offset, offset + size), ...reply, options };
  };

describe('long answers (RFC 7959)', () => {
  const body = message(5_000);
  const etag = (value: string): Reply => ({ options: [{ name: 'ETag', value: Buffer.from(value) }] });
  const size2 = (value: number): Reply => ({ options: [{ name: 'Size2', value: uint(value) }] });
  const at = (which: number, reply: Reply & { szx?: number }) => (number: number) =>
    number === which ? reply : {};
  it.each<[string, Step, boolean]>([
    ['as it should be', blocks(body), true],
    ['with an ETag', blocks(body, () => etag('a')), true],
    ['with another ETag in the middle', blocks(body, (number) => etag(number > 2 ? 'b' : 'a')), false],
    ['without its ETag in the middle', blocks(body, (number) => (number === 2 ? {} : etag('a'))), false],
    ['with a longer ETag in the middle', blocks(body, (number) => etag(number > 2 ? 'aa' : 'a')), false],
    ['in smaller blocks from the second one on', blocks(body, () => ({ szx: 3 })), true],
    ['in smaller blocks from the middle on', blocks(body, (number) => (number > 1 ? { szx: 4 } : {})), true],
    ['with an empty last block', blocks(message(4_096), () => size2(4_096)), true],
    ['with a Size2 too small', blocks(body, () => size2(3)), true],
    ['with a Size2 too large', blocks(body, () => size2(16_000_000)), true],
    ['with a block cut short in the middle', blocks(body, at(2, { payload: message(1_023) })), false],
    ['with a block too long in the middle', blocks(body, at(2, { payload: message(1_025) })), false],
    ['with a block of size exponent 7', blocks(body, at(2, { szx: 7 })), false],
    ['with a refusal in the middle', blocks(body, at(2, { code: '4.08', payload: Buffer.alloc(0) })), false],
    ['with a Continue in the middle', blocks(body, at(2, { code: '2.31' })), false],
  ])('%s', async (_what, step, isTaken) => {
    const answer = await world([step]).ask();
    if (isTaken) expect((answer as Buffer).length).toBeGreaterThanOrEqual(4_096);
    expect(typeof answer).toBe(isTaken ? 'object' : 'string');
    if (isTaken) expect(answer).toEqual(message(answer.length));
  });

  it.each([
    ['the block before', 1],
    ['the block behind', 3],
    ['the first one', 0],
    ['one beyond all numbers', 0x1fffff],
  ])('fails where %s comes instead', async (_what, number) => {
    const right = blocks(body);
    const wrong: Step = () => ({
      code: '2.05',
      options: [
        { name: 'Block2', value: Buffer.from((number * 16 + 14).toString(16).padStart(8, '0'), 'hex') },
      ],
      payload: body.subarray(0, 1_024),
    });
    const { ask, requests } = world([right, right, wrong]);
    expect(await ask()).toBe('noAnswer');
    expect(requests.length).toBe(3);
  });

  it('a block that was answered twice, each time in a message of its own, is taken once', async () => {
    const right = blocks(body);
    let id = 100;
    const separate: Step = (request) => {
      const [reply] = [right(request)].flat();
      const own = () => ({ ...reply, confirmable: true, messageId: ++id });
      return [own(), { ...own(), after: 1 }];
    };
    const { ask, clock, sent } = world([separate]);
    expect(await ask()).toEqual(body);
    await clock.advance(100);
    expect(sent.filter(({ ack }) => ack).length).toBeGreaterThanOrEqual(2 * 5 - 1);
  });

  it('Echo may be wanted for a block in the middle, though not for ever (RFC 9175)', async () => {
    const right = blocks(body);
    const echo: Step = () => ({ code: '4.01', options: [raw(252, Buffer.from('fresh'))] });
    const { ask, requests } = world([right, right, echo, right]);
    expect(await ask()).toEqual(body);
    expect(
      requests.slice(2, 5).map((request) => [optionOf(request, 'Block2'), optionOf(request, 252)]),
    ).toEqual([
      ['26', undefined],
      ['26', Buffer.from('fresh').toString('hex')],
      ['36', Buffer.from('fresh').toString('hex')],
    ]);
    const stubborn = world([right, right, echo]);
    expect([await stubborn.ask(), stubborn.requests.length]).toEqual(['noAnswer', 7]);
  });
});

describe('long messages (RFC 7959)', () => {
  const accept: Step = (request) => {
    const asked = Number.parseInt(optionOf(request, 'Block1') ?? '', 16);
    if (Number.isNaN(asked)) return whole(request);
    const options: NamedOption[] = [{ name: 'Block1', value: uint(asked) }];
    return (asked & 8) !== 0 ? { code: '2.31', options } : { code: '2.05', options, payload: message(10) };
  };
  const long = message(3_000);
  const block1 =
    (code: string, number: number, more: boolean, szx = 6): Step =>
    () => ({
      code,
      options: [block('Block1', number, more, szx)],
    });

  it('begin anew with another Request-Tag where a block was lost, though not for ever', async () => {
    const lost: Step = () => ({ code: '4.08' });
    const { ask, requests } = world([accept, lost, accept]);
    expect(await ask(long)).toEqual(message(10));
    expect(requests.map((request) => optionOf(request, 'Block1'))).toEqual(['0e', '1e', '0e', '1e', '26']);
    const tags = requests.map((request) => optionOf(request, 292));
    expect(tags[0]).toBeDefined();
    expect(tags).toEqual([tags[0], tags[0], tags[2], tags[2], tags[2]]);
    expect(tags[2]).not.toBe(tags[0]);
    const hopeless = world([lost]);
    expect([await hopeless.ask(long), hopeless.requests.length]).toEqual(['noAnswer', 5]);
  });

  it.each<[string, Step[], string[] | undefined]>([
    [
      '4.13 with a smaller size',
      [block1('4.13', 0, true, 5), accept],
      ['0e', '0d', '1d', '2d', '3d', '4d', '55'],
    ],
    [
      '4.13 in the middle',
      [accept, block1('4.13', 1, true, 5), accept],
      ['0e', '1e', '0d', '1d', '2d', '3d', '4d', '55'],
    ],
    [
      'a smaller size with the first block',
      [block1('2.31', 0, true, 5), accept],
      ['0e', '2d', '3d', '4d', '55'],
    ],
    ['4.13 without a size', [() => ({ code: '4.13' })], undefined],
    ['4.13 with the same size', [block1('4.13', 0, true, 6)], undefined],
    ['4.13 with size exponent 7', [block1('4.13', 0, true, 7)], undefined],
    ['sizes smaller and smaller', [5, 4, 3, 2, 1, 0].map((szx) => block1('4.13', 0, true, szx)), undefined],
    ['a larger size', [block1('2.31', 0, true, 5), block1('2.31', 2, true, 6)], undefined],
    ['another block', [block1('2.31', 3, true)], undefined],
    ['no block', [() => ({ code: '2.31' })], undefined],
    ['Continue at the end', [accept, accept, block1('2.31', 2, true)], undefined],
    ['an answer to half of it', [accept, whole], undefined],
  ])('%s', async (_what, steps, sent) => {
    const { ask, requests } = world(steps);
    const outcome = await ask(long);
    expect(outcome).toEqual(sent ? message(10) : expect.any(String));
    if (sent) expect(requests.map((request) => optionOf(request, 'Block1'))).toEqual(sent);
    else expect(requests.length).toBeLessThan(7);
  });

  it('4.13 makes blocks of a message that is short enough for one', async () => {
    const { ask, requests } = world([block1('4.13', 0, false, 4), accept]);
    expect(await ask(message(600))).toEqual(message(10));
    expect(requests.map(({ payload }) => payload.length)).toEqual([600, 256, 256, 88]);
  });

  it('a block that was acknowledged twice is sent once', async () => {
    let id = 100;
    const separate: Step = (request) => {
      const [reply] = [accept(request)].flat();
      const own = () => ({ ...reply, confirmable: true, messageId: ++id });
      return [own(), { ...own(), after: 1 }];
    };
    const { ask, requests } = world([separate]);
    expect(await ask(long)).toEqual(message(10));
    expect(requests.map((request) => optionOf(request, 'Block1'))).toEqual(['0e', '1e', '26']);
  });

  it('Echo for ever ends', async () => {
    let value = 0;
    const { ask, requests } = world([() => ({ code: '4.01', options: [raw(252, Buffer.of(++value))] })]);
    expect([await ask(), requests.length]).toEqual(['noAnswer', 5]);
    expect(requests.map((request) => optionOf(request, 252))).toEqual([undefined, '01', '02', '03', '04']);
    for (const bad of [Buffer.alloc(0), Buffer.alloc(41)])
      expect(await world([() => ({ code: '4.01', options: [raw(252, bad)] })]).ask()).toBe('noAnswer');
  });
});
