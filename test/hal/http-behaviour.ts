import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpClient, HttpConfiguration, HttpRequest } from '../../hal/contracts/index.js';

interface Outcome {
  status: number;
  headers: ReadonlyMap<string, string>;
  body: Buffer;
}

/** One exchange as a promise; bodies pass through in pieces of at most `piece` bytes. */
export function exchange(
  client: HttpClient,
  options: { path: string; body?: Uint8Array; headers?: [string, string][]; piece?: number; slow?: boolean },
): Promise<Outcome> {
  const { path, body, headers = [], piece = 4_096, slow = false } = options;
  return new Promise((resolve, reject) => {
    const outcome: Outcome = { status: 0, headers: new Map(), body: Buffer.alloc(0) };
    const parts: Buffer[] = [];
    let sent = 0;
    const read = (count: number) => {
      for (let left = count; left > 0; ) {
        const into = Buffer.alloc(Math.min(left, piece));
        const got = request.read(into);
        if (got === 0) break;
        parts.push(into.subarray(0, got));
        left -= got;
      }
    };
    const all: [string, string][] = body ? [...headers, ['content-length', String(body.length)]] : headers;
    const request: HttpRequest = client.request({
      method: body ? 'POST' : 'GET',
      path,
      headers: new Map(all),
      onHeaders: (status, headers) => Object.assign(outcome, { status, headers }),
      onReadable: (count) => {
        if (slow) setImmediate(() => read(count));
        else read(count);
      },
      onWritable: (count) => {
        for (let room = count; body && room > 0 && sent < body.length; ) {
          const next = body.subarray(sent, sent + Math.min(room, piece));
          sent += next.length;
          room = request.write(next);
        }
      },
      onDone: (error) => {
        if (error) reject(error);
        else resolve({ ...outcome, body: Buffer.concat(parts) });
      },
    });
  });
}

/** What every HTTP client of ours must do, against Node's own server. */
export function behaviour(
  name: string,
  configure: (port: number) => HttpConfiguration & { host: string; port: number },
): void {
  describe(name, () => {
    let answer: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void;
    let connections = 0;
    const clients: HttpClient[] = [];
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('error', () => {});
      request.on('data', (part) => parts.push(part));
      request.on('end', () => answer(request, Buffer.concat(parts), response));
    });
    server.on('connection', () => connections++);
    const open = (options: Record<string, unknown> = {}) => {
      const configuration = configure((server.address() as AddressInfo).port);
      const client = new configuration.io({ ...configuration, ...options });
      clients.push(client);
      return client;
    };
    beforeEach(async () => {
      connections = 0;
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });

    it('carries several exchanges over one connection', async () => {
      answer = ({ method, url, headers }, body, response) => {
        response.setHeader('content-type', 'text/plain');
        response.end(`${method} ${url} ${headers['x-admin-protocol']} ${body}`);
      };
      const client = open();
      const header: [string, string][] = [['x-admin-protocol', 'gsma/rsp/v2.1.0']];
      const results = [
        exchange(client, { path: '/a', headers: header }),
        exchange(client, { path: '/b', headers: header, body: Buffer.from('content') }),
      ];
      const [a, b] = await Promise.all(results);
      expect(String(a.body)).toBe('GET /a gsma/rsp/v2.1.0 ');
      expect(String(b.body)).toBe('POST /b gsma/rsp/v2.1.0 content');
      expect(b.headers.get('content-type')).toBe('text/plain');
      expect(String((await exchange(client, { path: '/c' })).body)).toBe('GET /c undefined ');
      expect(connections).toBe(1);
    });

    it('streams long bodies both ways, with a length and in chunks, fast and slow', async () => {
      answer = ({ url }, body, response) => {
        if (url !== '/chunks') {
          response.setHeader('content-length', body.length);
          response.end(body);
          return;
        }
        for (let at = 0; at < body.length; at += 1_700) response.write(body.subarray(at, at + 1_700));
        response.end();
      };
      const body = Buffer.from(Uint8Array.from({ length: 50_000 }, (_, i) => i * 7));
      const client = open();
      for (const path of ['/length', '/chunks']) {
        for (const slow of [false, true]) {
          const result = await exchange(client, { path, body, piece: 77, slow });
          expect(result.body.equals(body)).toBe(true);
        }
      }
      expect(connections).toBe(1);
    });

    it('knows answers without a body', async () => {
      answer = ({ url }, _body, response) => {
        response.statusCode = Number(url?.slice(1));
        response.end();
      };
      const client = open();
      for (const status of [204, 200, 503]) {
        const result = await exchange(client, { path: `/${status}`, body: Buffer.from('x') });
        expect([result.status, result.body.length]).toEqual([status, 0]);
      }
      expect(connections).toBe(1);
    });

    it('goes on after 100 Continue and 103 Early Hints', async () => {
      answer = (_request, _body, response) => {
        response.writeContinue();
        response.writeEarlyHints({ link: '</x>' });
        response.end('final');
      };
      expect(String((await exchange(open(), { path: '/' })).body)).toBe('final');
    });

    it('reports a connection that the server ends after an answer', async () => {
      answer = (_request, _body, response) => {
        response.setHeader('connection', 'close');
        response.end('last');
      };
      const closed = new Promise<void>((resolve) => {
        const client = open({ onClose: resolve });
        void exchange(client, { path: '/' }).then((result) => expect(String(result.body)).toBe('last'));
      });
      await closed;
    });

    it('fails what was open when the server breaks the connection', async () => {
      answer = (_request, _body, response) => {
        response.setHeader('content-length', 100);
        response.write('beginning');
        setImmediate(() => response.destroy());
      };
      let reason: unknown;
      const client = open({ onError: (error: unknown) => (reason = error) });
      const both = [exchange(client, { path: '/' }), exchange(client, { path: '/' })];
      const [first, second] = await Promise.allSettled(both);
      expect(first).toMatchObject({ status: 'rejected', reason: { code: 'lost' } });
      expect(second).toMatchObject({ status: 'rejected', reason: { code: 'lost' } });
      expect(reason).toMatchObject({ code: 'lost' });
      expect(() => client.request({})).toThrow('gone');
    });

    it('fails where nobody listens', async () => {
      const configuration = configure(1);
      const client = new configuration.io({ ...configuration });
      await expect(exchange(client, { path: '/' })).rejects.toHaveProperty('code');
      client.close();
    });

    it('is silent after close()', async () => {
      let called = 0;
      let reached = () => {};
      const there = new Promise<void>((resolve) => {
        reached = resolve;
      });
      answer = () => reached();
      const count = () => called++;
      const client = open({ onError: count, onClose: count });
      client.request({ path: '/', onDone: count, onHeaders: count });
      await there;
      client.close();
      client.close();
      server.closeAllConnections();
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
      expect(called).toBe(0);
    });
  });
}
