import { beforeEach, describe, expect, it } from 'vitest';
import { seeded } from '../../../../host-sim/random.js';
import { dtlsWorld, KEY, keepSaying, say, spoiler, untilHeard } from './world.js';

describe('DTLS with a pre-shared key', () => {
  let it1: ReturnType<typeof dtlsWorld>;
  beforeEach(() => {
    it1 = dtlsWorld();
  });

  it('carries datagrams both ways, after a handshake of six datagrams', async () => {
    const { clock, socket, seen, heard, network, server } = it1;
    const one = socket();
    say(one, 'hello');
    say(one, 'hello');
    await clock.advance(100);
    expect([seen.opened, seen.data, heard]).toEqual([['device'], ['hello'], ['re: hello']]);
    expect([network.sent.up, network.sent.down]).toEqual([4, 4]);
    expect(clock.pending).toBe(0);
    expect(server.sessions).toBe(1);
    expect(() => one.write(KEY, '10.0.0.2', 5_683)).toThrow('10.0.0.1');
  });

  it('hides what it carries, and takes nothing twice', async () => {
    const { clock, socket, seen, sent, server } = it1;
    const one = socket();
    say(one, 'secret words');
    await clock.advance(100);
    expect(Buffer.concat(sent).includes('secret')).toBe(false);
    const record = sent.at(-1)!;
    for (let i = 0; i < 3; i++) server.take(record, { address: '10.0.0.9', port: 1 });
    for (let at = 0; at < record.length; at++) {
      const changed = Buffer.from(record);
      changed[at] ^= 1;
      server.take(changed, { address: '10.0.0.7', port: 40_000 });
    }
    expect(seen.data).toEqual(['secret words']);
    say(one, 'more');
    await clock.advance(100);
    expect(seen.data).toEqual(['secret words', 'more']);
  });

  it('goes on with its session from another socket and another address', async () => {
    const { clock, socket, seen, heard, network, move } = it1;
    let one = socket();
    say(one, 'a');
    await clock.advance(100);
    one.close();
    move();
    network.sent = { up: 0, down: 0, bytes: 0 };
    one = socket();
    say(one, 'b');
    await clock.advance(100);
    expect(heard).toEqual(['re: a', 're: b']);
    expect([seen.opened.length, network.sent.up, network.sent.down]).toEqual([1, 1, 1]);
    // Record header, connection id, nonce, type and tag; and as much without a connection id on the way down.
    expect(network.sent.bytes).toBe(2 * 28 + (13 + 4 + 8 + 1 + 1 + 8) + (13 + 8 + 5 + 8));
  });

  it('makes a new session when the server knows the old one no more', async () => {
    const { clock, socket, seen, heard, restart, errors } = it1;
    let one = socket();
    say(one, 'a');
    await clock.advance(100);
    one.close();
    restart();
    one = socket();
    for (let i = 0; i < 4; i++) {
      say(one, 'b');
      await clock.advance(4_000);
    }
    expect([heard, seen.opened.length, errors]).toEqual([['re: a', 're: b'], 2, []]);
  });

  it('says why the other side refuses', async () => {
    const wrongKey = dtlsWorld({ peer: { identity: 'device', key: Buffer.alloc(16, 1) } });
    say(wrongKey.socket(), 'a');
    await wrongKey.clock.advance(60_000);
    expect(wrongKey.errors).toEqual([
      expect.stringContaining('as device: the server refused with decrypt_error'),
    ]);
    expect(wrongKey.seen.refused).toEqual([expect.stringContaining('another key for the identity "device"')]);
    const unknown = dtlsWorld({ peer: { identity: 'stranger', key: KEY } });
    say(unknown.socket(), 'a');
    await unknown.clock.advance(60_000);
    expect(unknown.errors).toEqual([expect.stringContaining('unknown_psk_identity')]);
    expect(unknown.seen.refused).toEqual([expect.stringContaining('no key for the identity "stranger"')]);
    for (const { seen, server, clock } of [wrongKey, unknown]) {
      expect([seen.data, server.sessions, clock.pending]).toEqual([[], 0, 0]);
    }
    const silent = dtlsWorld({ weather: { loss: 1 } });
    say(silent.socket(), 'a');
    await silent.clock.advance(200_000);
    expect(silent.errors).toEqual([expect.stringContaining('did not answer')]);
    expect(silent.network.sent.up).toBe(6);
  });

  it('refuses a plain answer, and one of another handshake', async () => {
    const { clock, network, socket, errors, heard } = it1;
    network.server = () => network.deliver(Buffer.from('6045000061ff', 'hex'));
    say(socket(), 'a');
    await clock.advance(200_000);
    expect([errors, heard]).toEqual([
      [expect.stringContaining('not DTLS; expected DTLS 1.2 with the pre-shared key of device')],
      [],
    ]);
  });

  it('keeps no state for clients that have not proved their address', async () => {
    const { server, socket, clock, sent } = it1;
    say(socket(), 'a');
    await clock.advance(100);
    for (let port = 1; port <= 2_000; port++) server.take(sent[0], { address: '10.9.9.9', port });
    expect(server.sessions).toBe(1);
  });

  it('gets there through a network that loses 30 %, doubles and reorders', async () => {
    let datagrams = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const world = dtlsWorld({
        weather: { loss: 0.3, duplicates: 0.2, delay: [50, 3_000] },
        seed,
      });
      datagrams += await untilHeard(world);
      expect(world.heard[0]).toMatch(/^re: message/);
      expect(new Set(world.heard).size).toBe(world.heard.length);
    }
    expect(datagrams / 100).toBeLessThan(40);
  });

  it('survives any datagram, as server and as client', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const world = dtlsWorld({ seed });
      const { network, server, seen } = world;
      const random = seeded(seed);
      const spoil = spoiler(random);
      const { server: take } = network;
      network.server = (datagram) => {
        server.take(spoil(datagram), { address: '10.0.0.8', port: seed });
        network.deliver(spoil(datagram));
        take?.(random() < 0.3 ? spoil(datagram) : datagram);
      };
      await keepSaying(world, 'a');
      expect(seen.data.every((text) => text === 'a')).toBe(true);
    }
  });
});
