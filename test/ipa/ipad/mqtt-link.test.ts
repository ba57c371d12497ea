import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../host-sim/clock.js';
import { seeded } from '../../../host-sim/random.js';
import { MqttLink, type MqttLinkOptions } from '../../../ipa/esipa/mqtt/link.js';
import type { IpaEvent } from '../../../ipa/events.js';
import { Life } from '../../support/life.js';
import { type BrokerSettings, MemoryBroker } from '../../support/memory-broker.js';

const EID = Uint8Array.from(Buffer.from('89049032123451234512345678901235', 'hex'));
const DIGITS = Buffer.from(EID).toString('hex');
const POLL = Uint8Array.from(Buffer.from(`BF4F125A10${DIGITS}`, 'hex'));
const NONE = Uint8Array.of(0xbf, 0x4f, 3, 2, 1, 1);
const TIMES = { answer: 30_000, attempts: 3, backOff: 1_000, backOffLimit: 300_000 };
const any = () => true;

class Bench {
  readonly clock = new VirtualClock();
  readonly broker: MemoryBroker;
  readonly life: Life;
  readonly link: MqttLink;
  readonly events: IpaEvent[] = [];
  readonly arrived: string[] = [];
  /** What the other side says to a message. */
  answer: (payload: Uint8Array) => Uint8Array | undefined = () => undefined;

  constructor(options: Partial<MqttLinkOptions> = {}, broker: Partial<BrokerSettings> = {}) {
    const random = seeded(3);
    this.broker = new MemoryBroker({ clock: this.clock, random, ...broker });
    this.life = new Life(this.clock);
    this.broker.serve('eim', '+/+/eim', (topic, payload) => {
      this.arrived.push(`${topic} ${Buffer.from(payload).toString('hex')}`);
      const answer = this.answer(payload);
      if (answer) this.say(answer);
      return true;
    });
    this.link = new MqttLink({
      eimId: 'eim',
      eid: EID,
      mqtt: { io: this.broker.clientClass(this.life), host: 'broker.example' },
      timer: this.life.timer,
      random,
      times: TIMES,
      observe: (event) =>
        this.events.push('message' in event ? { ...event, message: event.message.slice() } : event),
      ...options,
    });
  }

  say(message: Uint8Array): void {
    this.broker.publish(`esipa/${DIGITS}/ipa`, message);
  }

  async connected(): Promise<this> {
    this.link.resume();
    await this.clock.advance(500);
    expect(this.link.connected).toBe(true);
    return this;
  }

  get dropped(): string[] {
    return this.events.flatMap((event) => (event.event === 'dropped' ? [event.reason] : []));
  }
}

describe('MQTT link', () => {
  it('one exchange: request up, answer down, raw bytes on the topics of the binding', async () => {
    const bench = await new Bench().connected();
    bench.answer = () => NONE;
    expect(await bench.clock.run(bench.link.exchange(POLL, any))).toEqual(NONE);
    expect(bench.arrived).toEqual([`esipa/${DIGITS}/eim ${Buffer.from(POLL).toString('hex')}`]);
    expect(bench.broker.session(DIGITS).filters).toEqual([`esipa/${DIGITS}/ipa`]);
  });

  it('templates of topics and client id', async () => {
    const bench = new Bench({
      topics: { toEim: '{eimId}/{eid}/eim', toIpa: '{eimId}/{eid}/ipa' },
      clientId: '{eid}-{eimId}',
    });
    await bench.connected();
    expect(bench.broker.session(`${DIGITS}-eim`).filters).toEqual([`eim/${DIGITS}/ipa`]);
  });

  it.each([1, 2, 7, 1000])('with announcements of up to %i bytes', async (piece) => {
    const bench = await new Bench({}, { piece }).connected();
    const long = Uint8Array.from({ length: 3000 }, (_nothing, i) => i & 255);
    long.set([0xbf, 0x4f, 0x82, 0x0b, 0xb3]);
    bench.answer = () => long;
    expect(await bench.clock.run(bench.link.exchange(POLL, any))).toEqual(long);
  });

  it.each([60, 61, 64, 100, 3000])('with room for %i bytes at a time', async (room) => {
    const bench = await new Bench({}, { room }).connected();
    const messages = [1, 2, 3].map((n) =>
      Uint8Array.from({ length: 500 }, (_nothing, i) => (i < 2 ? [0xbf, 0x4e][i] : n)),
    );
    bench.answer = (payload) => (payload[1] === 0x4f ? NONE : undefined);
    const sent = messages.map((message) => bench.link.send(message));
    const answer = bench.link.exchange(POLL, any);
    await bench.clock.run(Promise.all([...sent, answer]));
    expect(bench.arrived.map((line) => line.split(' ')[1])).toEqual(
      [...messages, POLL].map((bytes) => Buffer.from(bytes).toString('hex')),
    );
  });

  it('does not write while there is no room for the SUBSCRIBE', async () => {
    const bench = new Bench({}, { room: 20 });
    bench.link.resume();
    await bench.clock.advance(10_000);
    expect(bench.link.connected).toBe(false);
    expect(
      bench.events
        .filter((event) => event.event === 'link')
        .map((event) => event.event === 'link' && event.state),
    ).toEqual(['connecting']);
    bench.link.close();
  });

  it('a message that nobody waits for any more is finished all the same', async () => {
    const bench = await new Bench(
      { times: { ...TIMES, answer: 40, attempts: 2 } },
      { room: 64, latency: 30 },
    ).connected();
    const request = Uint8Array.from({ length: 900 }, (_nothing, i) => (i < 2 ? [0xbf, 0x50][i] : 5));
    const whole = Buffer.from(request).toString('hex');
    await expect(bench.clock.run(bench.link.exchange(request, any))).rejects.toMatchObject({
      code: 'noAnswer',
    });
    // The buffer belongs to the caller again.
    request.fill(0xee);
    await bench.clock.run(bench.link.send(Uint8Array.of(0xbf, 0x4e, 0))).catch(() => {});
    await bench.clock.advance(5_000);
    expect(bench.arrived.some((line) => line.includes('eeee'))).toBe(false);
    expect(bench.arrived[0].split(' ')[1]).toBe(whole);
  });

  it('asks again when no answer comes, three times, then fails; the next exchange works', async () => {
    const bench = await new Bench().connected();
    const start = bench.clock.ticks;
    await expect(bench.clock.run(bench.link.exchange(POLL, any))).rejects.toMatchObject({
      name: 'LinkError',
      code: 'noAnswer',
    });
    expect(bench.arrived).toHaveLength(3);
    expect(bench.clock.ticks - start).toBe(90_000);
    bench.answer = () => NONE;
    expect(await bench.clock.run(bench.link.exchange(POLL, any))).toEqual(NONE);
    expect(bench.life.timers).toBe(0);
  });

  describe('drops and counts', () => {
    it('an answer that nobody awaits, and one of another kind', async () => {
      const bench = await new Bench().connected();
      bench.say(NONE);
      await bench.clock.advance(100);
      bench.answer = () => Uint8Array.of(0xbf, 0x50, 2, 0x30, 0);
      const exchange = bench.link.exchange(POLL, any);
      await bench.clock.advance(100);
      bench.say(NONE);
      await bench.clock.run(exchange);
      expect(bench.dropped).toEqual(['notAwaited', 'notAwaited']);
    });

    it('an answer that does not match', async () => {
      const bench = await new Bench().connected();
      bench.answer = () => NONE;
      const other = Uint8Array.of(0xbf, 0x4f, 3, 2, 1, 4);
      const exchange = bench.link.exchange(POLL, (message) => message[5] === 4);
      await bench.clock.advance(1_000);
      bench.say(other);
      expect(await bench.clock.run(exchange)).toEqual(other);
      expect(bench.dropped).toEqual(['notMatching']);
    });

    it('a message that is too long, and stays usable', async () => {
      const bench = await new Bench({ messageLimit: 256 }).connected();
      bench.answer = () => NONE;
      bench.say(new Uint8Array(257).fill(0xbf));
      expect(await bench.clock.run(bench.link.exchange(POLL, any))).toEqual(NONE);
      expect(bench.dropped).toEqual(['tooLong (257 bytes)']);
    });

    it('injections beyond the limit', async () => {
      const bench = await new Bench({ injectionLimit: 2 }).connected();
      let told = 0;
      bench.link.onInjection = () => told++;
      for (const n of [1, 2, 3]) bench.say(Uint8Array.of(0xbf, 0x4e, 1, n));
      await bench.clock.advance(1_000);
      expect(bench.dropped).toEqual(['injectionQueueFull']);
      expect(told).toBe(2);
      expect([
        bench.link.takeInjection()?.[3],
        bench.link.takeInjection()?.[3],
        bench.link.takeInjection(),
      ]).toEqual([1, 2, undefined]);
    });

    it('empty and one-byte messages', async () => {
      const bench = await new Bench().connected();
      bench.say(Uint8Array.of(0xbf));
      await bench.clock.advance(1_000);
      expect(bench.dropped).toEqual(['notAwaited']);
    });
  });

  it('HandleNotification is answered by a BF4E; another BF4E meanwhile is an injection', async () => {
    const bench = await new Bench().connected();
    const exchange = bench.link.exchange(Uint8Array.of(0xbf, 0x3d, 0), (message) => message[3] === 0xbf);
    await bench.clock.advance(100);
    bench.say(Uint8Array.of(0xbf, 0x4e, 1, 7));
    bench.say(Uint8Array.of(0xbf, 0x4e, 3, 0xbf, 0x53, 0));
    expect((await bench.clock.run(exchange))[3]).toBe(0xbf);
    expect(bench.link.takeInjection()?.[3]).toBe(7);
  });

  it('a refused subscription is reported and tried again, less and less often', async () => {
    const bench = new Bench();
    bench.broker.refuseSubscriptions = true;
    bench.link.resume();
    await bench.clock.advance(60_000);
    const lost = bench.events.filter((event) => event.event === 'link' && event.state === 'lost');
    expect(lost.length).toBeGreaterThan(3);
    expect(lost.length).toBeLessThan(10);
    expect(lost[0]).toMatchObject({ detail: expect.stringContaining('refused the subscription') });
    bench.broker.refuseSubscriptions = false;
    await bench.clock.advance(100_000);
    expect(bench.link.connected).toBe(true);
    bench.link.close();
  });

  it('subscribes after every connect, and what was under way goes out again', async () => {
    const bench = await new Bench().connected();
    for (let n = 0; n < 3; n++) {
      bench.answer = () => undefined;
      const exchange = bench.link.exchange(POLL, any);
      bench.broker.cut();
      bench.answer = () => NONE;
      expect(await bench.clock.run(exchange)).toEqual(NONE);
    }
    expect(bench.broker.connects).toBe(4);
    expect(bench.broker.subscribes).toBe(4);
    expect(bench.arrived.length).toBeGreaterThanOrEqual(3);
  });

  it('takes what the broker kept while it was away', async () => {
    const bench = await new Bench().connected();
    bench.link.suspend();
    bench.say(Uint8Array.of(0xbf, 0x4e, 1, 9));
    await bench.clock.advance(60_000);
    expect(bench.link.takeInjection()).toBeUndefined();
    bench.link.resume();
    await bench.clock.advance(1_000);
    expect(bench.link.takeInjection()?.[3]).toBe(9);
  });

  it('suspended, it stays so whatever is asked of it', async () => {
    const bench = await new Bench().connected();
    bench.link.suspend();
    const exchange = bench.link.exchange(POLL, any);
    const sent = bench.link.send(NONE);
    const failed = Promise.allSettled([exchange, sent]);
    await bench.clock.advance(200_000);
    expect(bench.broker.connects).toBe(1);
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(bench.life.timers).toBe(0);
  });

  it('close() ends everything that is open, once', async () => {
    const bench = await new Bench().connected();
    bench.broker.cut();
    const open = Promise.allSettled([bench.link.exchange(POLL, any), bench.link.send(NONE)]);
    bench.link.close();
    bench.link.close();
    for (const result of await open)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'closed' } });
    await expect(bench.link.exchange(POLL, any)).rejects.toMatchObject({ code: 'closed' });
    await expect(bench.link.send(POLL)).rejects.toMatchObject({ code: 'closed' });
    bench.link.resume();
    await bench.clock.advance(10_000);
    expect(bench.broker.connects).toBe(1);
    expect(bench.life.timers).toBe(0);
    expect(bench.events.filter((event) => event.event === 'link' && event.state === 'closed')).toHaveLength(
      1,
    );
  });

  it('one exchange at a time', async () => {
    const bench = await new Bench().connected();
    const first = bench.link.exchange(POLL, any);
    await expect(bench.link.exchange(POLL, any)).rejects.toMatchObject({ code: 'refused' });
    bench.say(NONE);
    expect(await bench.clock.run(first)).toEqual(NONE);
  });

  it('a client class that throws is a connection that broke', async () => {
    let made = 0;
    const io = class {
      constructor() {
        made++;
        throw new Error('no sockets left');
      }
      write(): number {
        return 0;
      }
      read(): number {
        return 0;
      }
      close(): void {}
    };
    const bench = new Bench({ mqtt: { io, host: 'x' } });
    bench.link.resume();
    await bench.clock.advance(10_000);
    expect(made).toBeGreaterThan(2);
    expect(bench.events.some((event) => event.event === 'link' && event.detail === 'no sockets left')).toBe(
      true,
    );
    bench.link.close();
  });
});
