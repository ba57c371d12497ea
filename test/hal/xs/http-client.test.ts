import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpClientOptions, HttpConfiguration } from '../../../hal/contracts/index.js';
import { NodeTcp } from '../../../hal/node/tcp.js';
import { nodeTimer } from '../../../hal/node/timer.js';
import { XsHttpClient } from '../../../hal/xs/http-client.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { behaviour, exchange } from '../http-behaviour.js';
import { ScriptedTcp } from './scripted-tcp.js';

behaviour('the device’s HTTP client', (port) => ({
  io: XsHttpClient,
  host: '127.0.0.1',
  port,
  timer: nodeTimer,
  socket: { io: NodeTcp, room: 300, window: 300 },
}));

/** A client whose socket is in the test's hand. */
function scripted(options: Partial<HttpClientOptions> = {}) {
  const tcp = new ScriptedTcp();
  const clock = new VirtualClock();
  const log: string[] = [];
  const client = new XsHttpClient({
    host: '127.0.0.1',
    timer: clock,
    socket: { io: tcp.io },
    onClose: () => log.push('close'),
    onError: (reason) => log.push(`error ${(reason as { code: string }).code}`),
    ...options,
  });
  const request = (name: string, headers: [string, string][] = []) => {
    const into = new Uint8Array(1_000);
    const one = client.request({
      method: headers.length > 0 ? 'POST' : 'GET',
      path: `/${name}`,
      headers: new Map(headers),
      onHeaders: (status) => log.push(`${name} ${status}`),
      onReadable: (count) =>
        log.push(`${name} ${Buffer.from(into.subarray(0, one.read(into.subarray(0, count))))}`),
      onWritable: (count) => log.push(`${name} may ${count}`),
      onDone: (error) => log.push(`${name} ${error ? (error as { code: string }).code : 'done'}`),
    });
    return one;
  };
  const said = () => log.splice(0);
  return { tcp, clock, client, request, said };
}

const answer = (text: string) =>
  Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`);

describe('the device’s HTTP client, step by step', () => {
  it('sends heads in the pieces there is room for, and bodies as they are written', () => {
    const { tcp, request, said } = scripted({ port: 8080 });
    const one = request('a', [['content-length', '5']]);
    for (let i = 0; i < 100; i++) tcp.allow(1);
    const head = 'POST /a HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-length: 5\r\n\r\n';
    expect(tcp.take().toString()).toBe(head);
    expect(said().slice(0, 2)).toEqual(['a may 1', 'a may 1']);
    tcp.allow(3);
    expect(() => one.write(new Uint8Array(4))).toThrow('4 bytes');
    expect(one.write(Buffer.from('abc'))).toBe(0);
    expect(() => one.write(Buffer.from('d'))).toThrow('1 bytes');
    tcp.allow(100);
    expect(said()).toEqual(['a may 3', 'a may 2']);
    expect(one.write(Buffer.from('de'))).toBe(0);
    expect(tcp.take().toString()).toBe('abcde');
    tcp.receive(answer('yes'));
    expect(said()).toEqual(['a 200', 'a yes', 'a done']);
  });

  it('reads a response byte by byte, and one exchange after the other', async () => {
    const { tcp, clock, request, said } = scripted();
    request('a');
    request('b');
    tcp.allow(1_000);
    expect(tcp.take().toString()).toBe('GET /a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    for (const byte of answer('one')) tcp.receive(Buffer.of(byte));
    expect(said()).toEqual(['a 200', 'a o', 'a n', 'a e', 'a done']);
    expect(tcp.take().toString()).toContain('GET /b');
    tcp.receive(answer(''));
    expect(said()).toEqual(['b 200', 'b done']);
    request('c');
    expect(tcp.sent.length).toBe(0);
    await clock.advance(0);
    expect(tcp.take().toString()).toContain('GET /c');
  });

  it('leaves in the socket what nobody reads', async () => {
    const { tcp, clock, client, said } = scripted();
    const counts: number[] = [];
    const one = client.request({ onReadable: (count) => counts.push(count), onDone: () => counts.push(-1) });
    tcp.allow(1_000);
    tcp.receive(answer('0123456789').subarray(0, -4));
    tcp.receive(Buffer.from('6789'));
    expect(counts).toEqual([6]);
    expect(tcp.unread).toBe(10);
    expect(one.read(new Uint8Array(4))).toBe(4);
    expect(one.read(new Uint8Array(100))).toBe(2);
    expect(one.read(new Uint8Array(100))).toBe(0);
    await clock.advance(0);
    expect(counts).toEqual([6, 4]);
    one.read(new Uint8Array(4));
    expect(counts).toEqual([6, 4]);
    await clock.advance(0);
    expect(counts).toEqual([6, 4, -1]);
    // An application that takes its time is not a silent server.
    expect(clock.pending).toBe(0);
    expect(said()).toEqual([]);
  });

  it('does not go on after an answer that came before the request was whole', () => {
    const { tcp, request, said } = scripted();
    request('a', [['content-length', '5']]);
    request('b');
    tcp.allow(1_000);
    tcp.receive(Buffer.from('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n'));
    expect(said()).toEqual(['a may 5', 'a 413', 'a done', 'b lost', 'error lost']);
    expect(tcp.closed).toBe(true);
  });

  it('takes the end of the connection for the end of a body without a length', () => {
    const { tcp, request, said } = scripted();
    request('a');
    tcp.allow(1_000);
    tcp.receive(Buffer.from('HTTP/1.1 200 OK\r\n\r\nall'));
    expect(said()).toEqual(['a 200', 'a all']);
    tcp.lose();
    expect(said()).toEqual(['a done', 'close']);
  });

  it('says that an idle connection ended, with or without a word', () => {
    for (const word of ['', 'HTTP/1.1 408 Request Timeout\r\n\r\n']) {
      const { tcp, request, said } = scripted();
      request('a');
      tcp.allow(1_000);
      tcp.receive(answer(''));
      if (word) tcp.receive(Buffer.from(word));
      else tcp.lose();
      expect(said()).toEqual(['a 200', 'a done', 'close']);
      expect(() => request('b')).toThrow('gone');
    }
  });

  it.each([
    ['a broken connection', (tcp: ScriptedTcp) => tcp.lose(new Error('reset')), 'lost'],
    ['a broken protocol', (tcp: ScriptedTcp) => tcp.receive(Buffer.from('SMTP')), 'protocol'],
  ])('tells every exchange of %s', (_name, happen, code) => {
    const { tcp, clock, request, said } = scripted();
    request('a');
    request('b');
    tcp.allow(1_000);
    happen(tcp);
    expect(said()).toEqual([`a ${code}`, `b ${code}`, `error ${code}`]);
    expect([tcp.closed, clock.pending]).toEqual([true, 0]);
  });

  it('gives a server up that is silent, but not while it is our turn', async () => {
    const { tcp, clock, request, said } = scripted({ timeout: 1_000 });
    const one = request('a', [['content-length', '1']]);
    tcp.allow(1_000);
    await clock.advance(10_000);
    expect(said()).toEqual(['a may 1']);
    one.write(Buffer.of(0));
    await clock.advance(1_900);
    expect(said()).toEqual([]);
    await clock.advance(200);
    expect(said()).toEqual(['a timeout', 'error timeout']);
  });

  it('gives up a connection that does not come', async () => {
    const { clock, request, said } = scripted({ connectTimeout: 500 });
    request('a');
    await clock.advance(500);
    expect(said()).toEqual(['a noServer', 'error noServer']);
  });

  it('is silent after close(), from wherever it is called', async () => {
    const { tcp, clock, client, request, said } = scripted();
    client.request({ onDone: () => client.close() });
    request('b');
    tcp.allow(1_000);
    tcp.lose();
    client.close();
    await clock.advance(100_000);
    expect(said()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('lets nothing break out of its line', () => {
    const { client } = scripted();
    expect(() => client.request({ path: '/a b' })).toThrow('character 32');
    expect(() => client.request({ headers: new Map([['a', 'b\r\nc: d']]) })).toThrow('character 13');
    expect(() => client.request({ headers: new Map([['content-length', 'x']]) })).toThrow('content-length');
    expect(() => client.request({ headers: new Map([['transfer-encoding', 'chunked']]) })).toThrow('coding');
  });
});

describe('the device’s HTTP client with names', () => {
  it('resolves them, and says when it cannot', () => {
    const asked: string[] = [];
    for (const known of [true, false]) {
      const dns = {
        io: class {
          resolve({
            host,
            onResolved,
            onError,
          }: {
            host: string;
            onResolved?: (host: string, address: string) => void;
            onError?: () => void;
          }) {
            asked.push(host);
            if (known) onResolved?.(host, '10.0.0.1');
            else queueMicrotask(() => onError?.());
          }
        },
      };
      const { tcp } = scripted({ host: 'smdp.example.com', dns } as Partial<HttpClientOptions>);
      expect(tcp.options?.address).toBe(known ? '10.0.0.1' : undefined);
    }
    expect(asked).toEqual(['smdp.example.com', 'smdp.example.com']);
  });
});

describe('the device’s HTTP client against hostile servers', () => {
  const servers: { close(): void }[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('ends each exchange when the server cuts the connection anywhere', async () => {
    const whole = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    let cut = 0;
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(whole.subarray(0, cut)));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    for (cut = 0; cut <= whole.length; cut += 3) {
      const configuration: HttpConfiguration = {
        io: XsHttpClient,
        timer: nodeTimer,
        socket: { io: NodeTcp },
      };
      const client = new XsHttpClient({ ...configuration, host: '127.0.0.1', port });
      const result = exchange(client, { path: '/' });
      if (cut === whole.length) expect((await result).body.toString()).toBe('hello');
      else await expect(result).rejects.toMatchObject({ code: 'lost' });
      client.close();
    }
  });
});
