import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { ownTls } from '../../../host-sim/cli/eim-tls.js';
import { Bearer } from '../../../host-sim/modem/bearer.js';
import { makePki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';

const HOST = '127.0.0.1';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A data connection that is switched by hand. */
function switched() {
  let tell: (registered: boolean, stat: number) => void = () => {};
  const modem = {
    registered: true,
    onRegistration(listener: typeof tell) {
      tell = listener;
      return () => {};
    },
  };
  const turn = (on: boolean) => {
    modem.registered = on;
    tell(on, on ? 1 : 0);
  };
  return { bearer: new Bearer(modem), turn };
}

describe('datagrams through a modem', () => {
  /** Answers every datagram with the same one twice, when it is told to. */
  async function peer() {
    const socket = createSocket('udp4');
    closing.push(() => socket.close());
    socket.bind(0, HOST);
    await once(socket, 'listening');
    const came: [text: string, answer: () => void][] = [];
    let heard = () => {};
    socket.on('message', (bytes, { address, port }) => {
      came.push([bytes.toString(), () => socket.send(Buffer.concat([bytes, bytes]), port, address)]);
      heard();
    });
    const next = async () => {
      if (came.length === 0) await new Promise<void>((resolve) => (heard = resolve));
      return came.shift()!;
    };
    return { port: socket.address().port, next };
  }

  /** A socket of the device's. */
  function socketOf(bearer: Bearer) {
    const { io } = bearer.datagrams();
    let heard = () => {};
    const socket = new io({ onReadable: () => heard() });
    closing.push(() => socket.close());
    const next = async () => {
      const there = socket.read();
      if (there) return Buffer.from(there).toString();
      await new Promise<void>((resolve) => (heard = resolve));
      return Buffer.from(socket.read()!).toString();
    };
    return { write: (text: string, port: number) => socket.write(Buffer.from(text), HOST, port), next };
  }

  it('cross it while it is registered, and are lost while it is not', async () => {
    const { bearer, turn } = switched();
    const { port, next } = await peer();
    const device = socketOf(bearer);
    device.write('one', port);
    const [first, answer] = await next();
    answer();
    expect([first, await device.next()]).toEqual(['one', 'oneone']);

    turn(false);
    device.write('two', port);
    turn(true);
    device.write('three', port);
    const [third, last] = await next();
    last();
    expect([third, await device.next()]).toEqual(['three', 'threethree']);
    const { up, datagramsUp, datagramsLost } = bearer.crossed('udp', HOST, port);
    expect({ up, datagramsUp, datagramsLost }).toEqual({ up: 8, datagramsUp: 2, datagramsLost: 1 });
  });

  it('that arrive without a network are not heard', async () => {
    const { bearer, turn } = switched();
    const { port, next } = await peer();
    const device = socketOf(bearer);
    device.write('one', port);
    const [, answer] = await next();
    turn(false);
    answer();
    while (bearer.crossed('udp', HOST, port).datagramsLost === 0)
      await new Promise((resolve) => setImmediate(resolve));
    turn(true);
    device.write('four', port);
    (await next())[1]();
    expect(await device.next()).toBe('fourfour');
    expect(bearer.crossed('udp', HOST, port)).toEqual({
      up: 7,
      down: 8,
      connections: 1,
      datagramsUp: 2,
      datagramsDown: 1,
      datagramsLost: 1,
    });
  });

  it('count per place and per socket', async () => {
    const { bearer } = switched();
    const [here, there] = [await peer(), await peer()];
    for (const port of [here.port, there.port, here.port]) socketOf(bearer).write('x', port);
    await here.next();
    await here.next();
    await there.next();
    expect(bearer.crossed('udp', HOST, here.port)).toMatchObject({ up: 2, connections: 2 });
    expect(bearer.crossed('udp', HOST, there.port)).toMatchObject({ up: 1, connections: 1 });
    expect(bearer.crossed('tcp', HOST, here.port)).toMatchObject({ up: 0, connections: 0 });
  });
});

describe('streams through a modem', () => {
  async function served(server: ReturnType<typeof createServer>) {
    closing.push(() => server.close());
    server.listen(0, HOST);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  const echo = (socket: Socket) => socket.on('error', () => {}).pipe(socket);

  it('are counted open and closed, and end with the network', async () => {
    const { bearer, turn } = switched();
    const port = await served(createServer(echo));
    const one = bearer.open({ host: HOST, port });
    one.write('hello');
    await once(one, 'data');
    const expected = { up: 5, down: 5, connections: 1, datagramsUp: 0 };
    expect(bearer.crossed('tcp', HOST, port)).toMatchObject(expected);
    turn(false);
    await once(one, 'close');
    expect(bearer.crossed('tcp', HOST, port)).toMatchObject(expected);
    const none = bearer.open({ host: HOST, port });
    await expect(once(none, 'close')).rejects.toThrow(/no data connection/);
    expect(bearer.crossed('tcp', HOST, port)).toMatchObject(expected);
  });

  it('over TLS are counted with its records, as the server counts them', async () => {
    const { bearer } = switched();
    const pki = await makePki({
      eid: '89049032123451234512345678901235',
      eims: [{ eimId: 'eim', eimIdType: 2, eimFqdn: 'eim.example.com' }],
      now: Date.now(),
      random: seeded(1),
    });
    const tls = ownTls({ credentials: pki.eims[0], pki, now: Date.now() });
    const counts = { up: 0, down: 0 };
    const secure = createTlsServer(tls, (socket) => socket.on('error', () => {}).pipe(socket));
    const inner = await served(secure);
    const port = await served(
      createServer((socket) => {
        const on = connect({ host: HOST, port: inner });
        socket.on('data', ({ length }) => (counts.up += length));
        on.on('data', ({ length }) => (counts.down += length));
        socket.on('error', () => {}).pipe(on);
        on.on('error', () => {}).pipe(socket);
        closing.push(() => socket.destroy());
      }),
    );
    const trust = { roots: pki.ciCertificates };
    const stream = bearer.open({ host: HOST, port, tls: { trust, serverName: 'eim.example.com' } });
    stream.write('hello');
    await once(stream, 'data');
    const { up, down, connections } = bearer.crossed('tcp', HOST, port);
    expect({ up, down, connections }).toEqual({ ...counts, connections: 1 });
    expect(up).toBeGreaterThan(300);
    stream.destroy();

    const wrong = bearer.open({ host: HOST, port, tls: { trust, serverName: 'other.example.com' } });
    await expect(once(wrong, 'secureConnect')).rejects.toThrow(/altnames|does not match/);
  });
});
