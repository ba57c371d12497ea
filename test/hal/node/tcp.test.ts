import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { TcpOptions } from '../../../hal/contracts/index.js';
import { NodeTcp } from '../../../hal/node/tcp.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(): Promise<{ port: number; peer: Promise<Socket> }> {
  const server = createServer({ noDelay: true });
  open.push(() => server.close());
  const peer = new Promise<Socket>((resolve) => {
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      open.push(() => socket.destroy());
      resolve(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, peer };
}

/** A socket whose callbacks can be waited for. */
function connect(port: number, more: Partial<TcpOptions> = {}) {
  const waiting: { what: string; resolve: (value: unknown) => void }[] = [];
  const happened: { what: string; value: unknown }[] = [];
  const tell = (what: string) => (value?: unknown) => {
    const at = waiting.findIndex((entry) => entry.what === what);
    if (at >= 0) waiting.splice(at, 1)[0].resolve(value);
    else happened.push({ what, value });
  };
  const options = { onReadable: tell('readable'), onWritable: tell('writable'), onError: tell('error') };
  const tcp = new NodeTcp({ address: '127.0.0.1', port, ...options, ...more });
  open.push(() => tcp.close());
  const next = (what: string) =>
    new Promise<unknown>((resolve) => {
      const at = happened.findIndex((entry) => entry.what === what);
      if (at >= 0) resolve(happened.splice(at, 1)[0].value);
      else waiting.push({ what, resolve });
    });
  return { tcp, next, happened };
}

describe('NodeTcp', () => {
  it('says how much may be written, and when room is back', async () => {
    const { port, peer } = await listen();
    const { tcp, next } = connect(port, { room: 8 });
    expect(await next('writable')).toBe(8);
    const buffer = Uint8Array.from([1, 2, 3, 4, 5]);
    expect(tcp.write(buffer)).toBe(3);
    buffer.fill(0);
    expect(() => tcp.write(new Uint8Array(4))).toThrow('onWritable allowed 3');
    expect(await next('writable')).toBe(8);
    const [bytes] = await new Promise<[Buffer]>((resolve) =>
      peer.then((socket) => socket.once('data', (...data) => resolve(data))),
    );
    expect([...bytes]).toEqual([1, 2, 3, 4, 5]);
  });

  it('counts what waits, and is as strict as a device about reading', async () => {
    const { port, peer } = await listen();
    const { tcp, next } = connect(port);
    (await peer).write('abc');
    expect(await next('readable')).toBe(3);
    const into = new Uint8Array(2);
    expect(tcp.read(into)).toBe(2);
    expect(Buffer.from(into).toString()).toBe('ab');
    (await peer).write('de');
    expect(await next('readable')).toBe(3);
    expect(() => tcp.read(new Uint8Array(4))).toThrow('where 3 wait');
    const rest = new Uint8Array(3);
    tcp.read(rest);
    expect(Buffer.from(rest).toString()).toBe('cde');
    expect(tcp.read(rest)).toBeUndefined();
  });

  it('reports the end only when everything was read', async () => {
    const { port, peer } = await listen();
    const { tcp, next, happened } = connect(port);
    (await peer).end('last');
    await next('readable');
    await new Promise((resolve) => setImmediate(resolve));
    expect(happened.some(({ what }) => what === 'error')).toBe(false);
    tcp.read(new Uint8Array(4));
    expect(await next('error')).toBeUndefined();
  });

  it('holds the peer back when nothing is read', async () => {
    const { port, peer } = await listen();
    let total = 0;
    let read = false;
    const onReadable = (count: number) => {
      if (read) total += tcp.read(new Uint8Array(count)) ?? 0;
      else waiting = count;
    };
    let waiting = 0;
    const { tcp } = connect(port, { window: 1_000, onReadable });
    const socket = await peer;
    // More than any socket buffer holds.
    const all = Buffer.alloc(16_000_000, 7);
    let accepted = false;
    socket.write(all, () => {
      accepted = true;
    });
    while (waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(accepted).toBe(false);
    expect(waiting).toBeLessThan(200_000);
    read = true;
    onReadable(waiting);
    while (total < all.length) await new Promise((resolve) => setImmediate(resolve));
    expect(accepted).toBe(true);
  });

  it('reports what cannot be reached', async () => {
    const { port } = await listen();
    for (const close of open.splice(0)) close();
    const { next } = connect(port);
    expect(await next('error')).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is silent once closed, and still delivers what was written', async () => {
    const { port, peer } = await listen();
    const { tcp, next, happened } = connect(port);
    await next('writable');
    tcp.write(Buffer.from('bye'));
    tcp.close();
    tcp.close();
    const socket = await peer;
    const chunks: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => chunks.push(bytes));
    await new Promise((resolve) => socket.once('end', resolve));
    expect(Buffer.concat(chunks).toString()).toBe('bye');
    expect(happened).toEqual([]);
    expect(() => tcp.write(new Uint8Array(1))).toThrow('after close');
  });
});
