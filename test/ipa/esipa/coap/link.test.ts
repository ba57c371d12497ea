import type { NamedOption } from 'coap-packet';
import { describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../../../host-sim/clock.js';
import { CoapLink, type CoapLinkOptions } from '../../../../ipa/esipa/coap/index.js';
import type { IpaEvent } from '../../../../ipa/events.js';
import { LossyNetwork, message, type ServerOptions, TestCoapServer, type Weather } from './network.js';

const poll = Buffer.from('bf4f125a1089049032123451234512345678901235', 'hex');
const any = () => true;

function world(
  server: Partial<ServerOptions> = {},
  options: Partial<CoapLinkOptions> = {},
  weather: Weather = {},
  seed = 1,
) {
  const clock = new VirtualClock();
  const network = new LossyNetwork(clock, weather, seed);
  const handled: Buffer[] = [];
  const peer = new TestCoapServer(network, clock, {
    handle: (body) => {
      handled.push(body);
      return { body: message(10) };
    },
    ...server,
  });
  const events: IpaEvent[] = [];
  const link = new CoapLink({
    eimId: 'eim',
    udp: { io: network.io },
    host: '10.0.0.1',
    timer: clock,
    random: network.random,
    observe: (event) => events.push(event),
    ...options,
  });
  link.resume();
  return { clock, network, peer, link, handled, events };
}

/** Takes an answer as a slow eUICC does. */
function collector(clock: VirtualClock, options: { limit?: number; pause?: number } = {}) {
  const { limit = Number.POSITIVE_INFINITY, pause = 0 } = options;
  const parts: Buffer[] = [];
  let busy = false;
  return {
    get bytes() {
      return Buffer.concat(parts);
    },
    async take(piece: Uint8Array) {
      expect(busy).toBe(false);
      busy = true;
      const copy = Buffer.from(piece);
      if (pause > 0) await new Promise<void>((resolve) => clock.set(resolve, pause));
      // The piece is ours until now.
      expect(Buffer.from(piece)).toEqual(copy);
      parts.push(copy);
      busy = false;
      return Buffer.concat(parts).length < limit;
    },
  };
}

describe('the CoAP link', () => {
  it('polls with one datagram each way', async () => {
    const { clock, network, peer, link, handled, events } = world();
    expect(link.connected).toBe(true);
    const answer = await clock.run(link.exchange(poll, any));
    expect(Buffer.from(answer)).toEqual(message(10));
    expect(handled).toEqual([poll]);
    expect(peer.requests[0]).toMatchObject({ code: '0.02', confirmable: true });
    expect(peer.requests[0].options?.map(({ name, value }) => `${name} ${value}`)).toEqual([
      'Uri-Path gsma',
      'Uri-Path rsp2',
      'Uri-Path asn1',
    ]);
    expect(network.sent.up).toBe(1);
    // IP and UDP headers included; an empty poll is answered with 6 bytes instead of 10.
    expect(network.sent.bytes - 4).toBeLessThanOrEqual(140);
    expect(clock.pending).toBe(0);
    expect(events.map(({ event }) => event)).toEqual(['link', 'link', 'esipa', 'esipa']);
  });

  it('sends long messages in blocks, and takes long answers', async () => {
    for (const blockSize of [16, 128, 1024]) {
      const long = message(3_000, 3);
      const { clock, peer, link, handled } = world(
        {
          handle: (body) => {
            handled.push(body);
            return { body: message(5_000, 5) };
          },
        },
        { blockSize },
      );
      expect(Buffer.from(await clock.run(link.exchange(long, any)))).toEqual(message(5_000, 5));
      expect(handled).toEqual([long]);
      expect(peer.requests.length).toBe(Math.ceil(3_000 / blockSize) + Math.ceil(5_000 / blockSize) - 1);
      expect(clock.pending).toBe(0);
    }
  });

  it('goes on with smaller blocks where the server wants them', async () => {
    for (const options of [{ szx: 2 }, { szx: 2, whole: 100 }]) {
      const { clock, link, handled, peer } = world(options);
      const length = options.whole ? 1_000 : 3_000;
      await clock.run(link.exchange(message(length), any));
      expect(handled).toEqual([message(length)]);
      expect(Math.max(...peer.requests.slice(1).map(({ payload }) => payload.length))).toBeLessThanOrEqual(
        64,
      );
    }
  });

  it('repeats a request with the Echo it is asked for', async () => {
    for (const length of [30, 3_000]) {
      const { clock, link, handled } = world({ echo: true });
      await clock.run(link.exchange(message(length), any));
      expect(handled).toEqual([message(length)]);
    }
  });

  it.each([true, false])('takes separate responses, confirmable: %s', async (confirmable) => {
    const { clock, link, handled, peer } = world({
      separate: 20_000,
      confirmable,
      handle: (body) => {
        handled.push(body);
        return { body: message(2_500) };
      },
    });
    expect(Buffer.from(await clock.run(link.exchange(poll, any)))).toEqual(message(2_500));
    expect(handled.length).toBe(1);
    await clock.advance(100);
    expect(peer.acknowledgements).toBe(confirmable ? 3 : 0);
  });

  it('pours a long answer into a sink, a block at a time, in constant memory', async () => {
    const bpp = message(60_000);
    const { clock, link, events, network } = world({ handle: () => ({ body: bpp }), etag: true });
    const sink = collector(clock, { pause: 5_000 });
    await clock.run(link.download(poll, sink));
    expect(sink.bytes.equals(bpp)).toBe(true);
    expect(network.sent.up).toBe(Math.ceil(60_000 / 1_024));
    expect(events.at(-1)).toMatchObject({
      event: 'esipa',
      direction: 'down',
      tag: 0xbf4f,
      byteLength: 60_000,
    });
  });

  it('stops where the sink has enough, and fails with what it throws', async () => {
    const { clock, link, network } = world({ handle: () => ({ body: message(60_000) }) });
    const sink = collector(clock, { limit: 2_048 });
    await clock.run(link.download(poll, sink));
    expect([sink.bytes.length, network.sent.up]).toEqual([2_048, 2]);
    const broken = {
      take: () => Promise.reject(new Error('card gone')),
    };
    await expect(clock.run(link.download(poll, broken))).rejects.toThrow('card gone');
    expect(
      Buffer.from(
        await clock.run(link.exchange(poll, (answer) => answer.length === 60_000).catch(() => Buffer.of(1))),
      ),
    ).toHaveLength(1);
  });

  it('carries messages without an answer, after what is under way', async () => {
    const { clock, link, handled } = world({
      handle: (body) => {
        handled.push(body);
        return handled.length === 1 ? { body: message(10) } : { code: '2.04' };
      },
    });
    const notification = Buffer.from('bf3d0100', 'hex');
    await clock.run(Promise.all([link.exchange(poll, any), link.send(notification)]));
    expect(handled).toEqual([poll, notification]);
  });

  it('waits for the network, though not for ever', async () => {
    const { clock, link, network } = world();
    link.suspend();
    expect([link.connected, network.closed]).toEqual([false, 1]);
    const waiting = link.exchange(poll, any);
    await clock.advance(60_000);
    link.resume();
    expect(Buffer.from(await clock.run(waiting))).toEqual(message(10));
    link.suspend();
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    expect(clock.pending).toBe(0);
  });

  it('begins an exchange anew when the network went in the middle, but not a download', async () => {
    const { clock, link } = world({ separate: 10_000, handle: () => ({ body: message(5_000) }) });
    const exchange = link.exchange(poll, any);
    await clock.advance(15_000);
    link.suspend();
    link.resume();
    expect(Buffer.from(await clock.run(exchange))).toEqual(message(5_000));
    const sink = collector(clock);
    const download = link.download(poll, sink);
    const failure = expect(download).rejects.toMatchObject({ code: 'noAnswer' });
    await clock.advance(15_000);
    expect(sink.bytes.length).toBe(1_024);
    link.suspend();
    await failure;
  });

  it('gives up a server that is silent, after five datagrams', async () => {
    const { clock, link, network } = world({}, {}, { loss: 1 });
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    expect(network.sent.up).toBe(5);
    expect(clock.ticks).toBeGreaterThan(62_000);
    expect(clock.ticks).toBeLessThan(93_001);
  });

  it('gets a new socket when its own is lost', async () => {
    const { clock, link, network, events } = world();
    network.fail?.(new Error('interface down'));
    expect(link.connected).toBe(false);
    await clock.advance(1_000);
    expect(link.connected).toBe(true);
    expect(events).toContainEqual({ event: 'link', eimId: 'eim', state: 'lost', detail: 'interface down' });
    expect(await clock.run(link.exchange(poll, any))).toHaveLength(10);
  });

  it('asks for the address of a name, again after a failure', async () => {
    const names: string[] = [];
    const io = class {
      resolve({
        host,
        onResolved,
        onError,
      }: {
        host: string;
        onResolved?: (host: string, address: string) => void;
        onError?: () => void;
      }) {
        names.push(host);
        if (names.length === 1) queueMicrotask(() => onError?.());
        else queueMicrotask(() => onResolved?.(host, '10.0.0.1'));
      }
    };
    const { clock, link } = world({}, { host: 'eim.example.com', dns: { io } });
    expect(await clock.run(link.exchange(poll, any))).toHaveLength(10);
    expect(names).toEqual(['eim.example.com', 'eim.example.com']);
  });

  it.each([
    ['10.0.0.1', []],
    ['::1', []],
    ['10.0.0.1.example', ['10.0.0.1.example']],
    ['10.0.1', ['10.0.1']],
  ])('asks the resolver for names only: %s', (host, asked) => {
    const names: string[] = [];
    const io = class {
      resolve(request: { host: string }) {
        names.push(request.host);
      }
    };
    const { link } = world({}, { host, dns: { io } });
    expect(names).toEqual(asked);
    expect(link.connected).toBe(asked.length === 0);
    link.close();
  });

  it.each([
    ['cut short', (whole: Buffer) => whole.subarray(0, -1)],
    ['cut after its length', (whole: Buffer) => whole.subarray(0, 3)],
    ['with a byte behind it', (whole: Buffer) => Buffer.concat([whole, Buffer.of(0)])],
    [
      'that says it is longer',
      (whole: Buffer) =>
        Buffer.concat([whole.subarray(0, 2), Buffer.of(0x84, 0xff, 0xff, 0xff, 0xff), whole]),
    ],
  ])('drops and counts an answer %s, of one block and of many', async (_what, damage) => {
    for (const length of [20, 3_000]) {
      let answer: Buffer = damage(message(length));
      const { clock, link, events } = world({ handle: () => ({ body: answer }) });
      const dropped = () => events.filter(({ event }) => event === 'dropped');
      const accept = vi.fn(() => true);
      for (let count = 1; count <= 2; count++) {
        await expect(clock.run(link.exchange(poll, accept))).rejects.toMatchObject({ code: 'noAnswer' });
        expect(dropped()).toHaveLength(count);
        expect(dropped().at(-1)).toMatchObject({ tag: 0xbf4f, reason: 'notMatching', count });
      }
      expect(accept).not.toHaveBeenCalled();
      answer = message(length);
      expect(Buffer.from(await clock.run(link.exchange(poll, any)))).toEqual(answer);
      link.close();
    }
  });

  it('is closed for good', async () => {
    const { clock, link, network, events } = world({}, {}, { loss: 1 });
    const open = link.exchange(poll, any);
    const queued = link.send(poll);
    const failures = Promise.allSettled([open, queued]);
    await clock.advance(10);
    link.close();
    link.close();
    link.resume();
    expect((await failures).map((one) => (one as PromiseRejectedResult).reason.code)).toEqual([
      'closed',
      'closed',
    ]);
    await expect(link.exchange(poll, any)).rejects.toMatchObject({ code: 'closed' });
    expect([clock.pending, network.closed, link.connected]).toEqual([0, 1, false]);
    expect(events.at(-1)).toMatchObject({ state: 'closed' });
  });

  it.each<[string, Partial<ServerOptions>, string]>([
    ['a refusal', { handle: () => ({ code: '4.04' }) }, 'refused'],
    ['a server error', { handle: () => ({ code: '5.03' }) }, 'refused'],
    ['an answer to something else', { handle: () => ({ body: Buffer.from('bf500100', 'hex') }) }, 'noAnswer'],
    ['nothing where an answer is due', { handle: () => ({}) }, 'noAnswer'],
    ['an answer beyond the limit', { handle: () => ({ body: message(20_000) }) }, 'tooLong'],
    [
      'a critical option nobody knows',
      { extra: [{ name: '65001' as never, value: Buffer.of(1) }] },
      'noAnswer',
    ],
    [
      'a Block2 that is none',
      { extra: [{ name: 'Block2', value: Buffer.alloc(5, 1) }] as NamedOption[] },
      'noAnswer',
    ],
    [
      'a block out of turn',
      { extra: [{ name: 'Block2', value: Buffer.of(0x16) }] as NamedOption[] },
      'noAnswer',
    ],
    [
      'a block that is too short',
      { extra: [{ name: 'Block2', value: Buffer.of(0x0e) }] as NamedOption[] },
      'noAnswer',
    ],
  ])('fails on %s', async (_name, server, code) => {
    const { clock, link } = world(server);
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ name: 'LinkError', code });
    expect(clock.pending).toBe(0);
    if (code === 'refused' || code === 'tooLong') return;
    await expect(clock.run(link.download(poll, collector(clock)))).rejects.toMatchObject({
      name: 'LinkError',
      code,
    });
  });
});

describe('the CoAP link against others', () => {
  it('resets what it does not know, and ignores strangers', async () => {
    const { clock, network, link } = world();
    const received: string[] = [];
    const server = network.server;
    network.server = (datagram) => received.push(datagram.toString('hex'));
    for (const [hex, address] of [
      ['40000001', undefined],
      ['41020002aa', undefined],
      ['4145000377', undefined],
      ['40000004ff', undefined],
      ['51020005aa', undefined],
      ['614500067f', undefined],
      ['00000000', undefined],
      ['', undefined],
      ['40000007', '10.0.0.9'],
    ] as const) {
      network.deliver(Buffer.from(hex, 'hex'), address);
    }
    await clock.advance(10);
    // A request without the path of the binding is answered with 4.04.
    expect(received).toEqual(['70000001', '61840002aa', '70000003', '70000004']);
    network.server = server;
    expect(await clock.run(link.exchange(poll, any))).toHaveLength(10);
  });

  it('survives any datagram in the middle of an exchange', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { clock, network, link, peer } = world(
        { separate: seed % 2 ? 30 : undefined, handle: () => ({ body: message(3_000) }) },
        {},
        {},
        seed,
      );
      const server = network.server;
      network.server = (datagram) => {
        server?.(datagram);
        // Like an answer, but changed: with the token and the id of the request.
        const noise = Buffer.from(datagram);
        noise[0] = 0x44 | (Math.floor(network.random() * 4) << 4);
        noise[1] = Math.floor(network.random() * 256);
        for (let i = 0; i < 3; i++)
          noise[8 + Math.floor(network.random() * (noise.length - 8))] = Math.floor(network.random() * 256);
        network.deliver(noise);
      };
      const outcome = await clock.run(
        link.exchange(message(1_500), any).then(
          (answer) => answer.length,
          (error) => error.name as string,
        ),
      );
      expect([3_000, 'LinkError', 0, 10].includes(outcome) || typeof outcome === 'number').toBe(true);
      expect(peer.requests.length).toBeLessThan(30);
      link.close();
    }
  });

  it('delivers results through a network that loses 30 %, doubles and reorders', async () => {
    let failures = 0;
    let executions = 0;
    for (let seed = 1; seed <= 120; seed++) {
      const weather = { loss: 0.3, duplicates: 0.2, delay: [50, 3_000] as const };
      const { clock, link, handled } = world(
        {
          separate: seed % 3 === 0 ? 500 : undefined,
          handle: (body) => {
            handled.push(body);
            return { body: message(2_000) };
          },
        },
        {},
        weather,
        seed,
      );
      const sent = message(1_500, seed);
      const outcome = await clock.run(
        link.exchange(sent, any).then(
          (answer) => Buffer.from(answer),
          () => undefined,
        ),
      );
      if (outcome) expect(outcome.equals(message(2_000))).toBe(true);
      else failures++;
      // Exactly what was sent, and again only where an attempt had failed.
      expect(handled.length).toBeLessThanOrEqual(3);
      executions += handled.length;
      for (const body of handled) expect(body.equals(sent)).toBe(true);
      link.close();
    }
    expect(failures).toBeLessThan(8);
    expect(executions).toBeLessThan(130);
  });

  it('downloads through it', async () => {
    const bpp = message(20_000);
    let complete = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const weather = { loss: 0.3, duplicates: 0.2, delay: [50, 3_000] as const };
      const { clock, link } = world({ handle: () => ({ body: bpp }), etag: true }, {}, weather, seed);
      const sink = collector(clock, { pause: 100 });
      const outcome = await clock.run(
        link.download(poll, sink).then(
          () => true,
          () => false,
        ),
      );
      if (outcome) complete++;
      expect(outcome ? sink.bytes.equals(bpp) : bpp.subarray(0, sink.bytes.length).equals(sink.bytes)).toBe(
        true,
      );
      link.close();
    }
    expect(complete).toBeGreaterThan(16);
  });
});
