import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpConfiguration } from '../../../hal/contracts/index.js';
import { httpConfiguration } from '../../../hal/node/http.js';
import { NodeTcp } from '../../../hal/node/tcp.js';
import { nodeTimer } from '../../../hal/node/timer.js';
import { XsHttpClient } from '../../../hal/xs/http-client.js';
import { Es9Fields, Es9Path, JsonBody, JsonClient, type JsonField } from '../../../ipa/es9/index.js';

const clients: [string, (port: number) => HttpConfiguration & { host: string; port: number }][] = [
  ['on Node', (port) => httpConfiguration({ url: `http://127.0.0.1:${port}` })],
  [
    'on a device',
    (port) => ({
      io: XsHttpClient,
      host: '127.0.0.1',
      port,
      timer: nodeTimer,
      socket: { io: NodeTcp, room: 200, window: 200 },
    }),
  ],
];

const success = { header: { functionExecutionStatus: { status: 'Executed-Success' } } };
const path = `${Es9Path.es9plus}getBoundProfilePackage`;

describe.each(clients)('the client of the JSON binding %s', (_name, configure) => {
  let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;
  let connections = 0;
  let client: JsonClient;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => answer(request, body, response));
    request.on('error', () => {});
  });
  server.on('connection', () => connections++);
  beforeEach(async () => {
    connections = 0;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new JsonClient({ http: configure((server.address() as AddressInfo).port) });
  });
  afterEach(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Collects what comes; with `slow` the sink takes its time for each piece. */
  async function post(body: JsonBody, fields: readonly JsonField[], slow = false) {
    const values: Record<string, Buffer> = {};
    const name = (field: number) => fields[field].path.at(-1) as string;
    let busy = false;
    await client.post(path, body, fields, {
      begin: (field) => {
        values[name(field)] = Buffer.alloc(0);
      },
      data: (field, bytes) => {
        expect(busy).toBe(false);
        values[name(field)] = Buffer.concat([values[name(field)], bytes]);
        if (!slow) return undefined;
        busy = true;
        return new Promise<void>((resolve) => {
          setImmediate(() => {
            busy = false;
            resolve();
          });
        });
      },
    });
    return values;
  }

  it('carries out functions one after the other on one connection', async () => {
    const bpp = Buffer.from(Uint8Array.from({ length: 20_000 }, (_, i) => i * 13));
    const requests: [string | undefined, string | undefined, unknown][] = [];
    answer = ({ url, headers }, body, response) => {
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'gsma-rsp-ipad' });
      requests.push([url, headers['x-admin-protocol'] as string, JSON.parse(body)]);
      response.end(
        JSON.stringify({ ...success, transactionId: 'AB', boundProfilePackage: bpp.toString('base64') }),
      );
    };
    const prepared = Buffer.from(Uint8Array.from({ length: 1_001 }, (_, i) => i));
    const body = new JsonBody().text('transactionId', 'AB').bytes('prepareDownloadResponse', prepared);
    for (const slow of [false, true]) {
      const values = await post(body, Es9Fields.getBoundProfilePackage, slow);
      expect(values.boundProfilePackage.equals(bpp)).toBe(true);
      expect(String(values.transactionId)).toBe('AB');
    }
    const sent = { transactionId: 'AB', prepareDownloadResponse: prepared.toString('base64') };
    expect(requests).toEqual(Array(2).fill([path, 'gsma/rsp/v2.2.2', sent]));
    expect(connections).toBe(1);
  });

  it('says why a function failed, and goes on', async () => {
    const failed = {
      header: {
        functionExecutionStatus: {
          status: 'Failed',
          statusCodeData: { subjectCode: '8.2.6', reasonCode: '3.8', message: 'Refused' },
        },
      },
    };
    answer = (_request, _body, response) => response.end(JSON.stringify(failed));
    const body = new JsonBody();
    const expected = {
      code: 'failed',
      subjectCode: '8.2.6',
      reasonCode: '3.8',
      message: expect.stringContaining('Refused'),
    };
    await expect(post(body, [])).rejects.toMatchObject(expected);
    await expect(post(body, [])).rejects.toMatchObject(expected);
    expect(connections).toBe(1);
  });

  it.each([
    ['an HTTP error', 503, 'busy', { code: 'httpStatus', status: 503, retryAfter: 120 }],
    ['no status', 200, '{}', { code: 'noStatus' }],
    ['no JSON', 200, '<html>', { code: 'badJson' }],
    ['a cut off answer', 200, '{"transactionId":"', { code: 'truncated' }],
    ['bad base64', 200, '{"boundProfilePackage":"!"}', { code: 'badBase64' }],
  ])('fails on %s, and the next function has a new connection', async (_case, status, text, expected) => {
    answer = (_request, _body, response) => {
      response.writeHead(status, { 'retry-after': '120' });
      response.end(text);
    };
    await expect(post(new JsonBody(), Es9Fields.getBoundProfilePackage)).rejects.toMatchObject(expected);
    answer = (_request, _body, response) => response.end(JSON.stringify(success));
    expect(await post(new JsonBody(), Es9Fields.header)).toEqual({});
    expect(connections).toBe(2);
  });

  it('takes answers without a body', async () => {
    answer = (_request, _body, response) => {
      response.statusCode = 204;
      response.end();
    };
    expect(await post(new JsonBody().bytes('pendingNotification', Buffer.from('BF37', 'hex')), [])).toEqual(
      {},
    );
  });

  it('makes a new connection when the server has ended the former one', async () => {
    answer = (_request, _body, response) => {
      response.setHeader('connection', 'close');
      response.end(JSON.stringify(success));
    };
    for (let i = 0; i < 3; i++) {
      await post(new JsonBody(), []);
      // The end of the connection is on its way.
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(connections).toBe(3);
  });

  it('fails with what the sink throws, and when it is closed', async () => {
    answer = (_request, _body, response) => response.end(JSON.stringify({ ...success, transactionId: 'AB' }));
    const fields = Es9Fields.header as readonly JsonField[];
    const wanted: readonly JsonField[] = [...fields, { path: ['transactionId'], kind: 'text' }];
    const sink = {
      data: () => {
        throw new Error('no room');
      },
    };
    await expect(client.post(path, new JsonBody(), wanted, sink)).rejects.toThrow('no room');
    answer = () => client.close();
    await expect(post(new JsonBody(), [])).rejects.toMatchObject({ code: 'closed' });
  });

  it('gathers the events of an SM-DS', async () => {
    const entries = [
      { eventId: 'E1', rspServerAddress: 'a.example.com' },
      { rspServerAddress: 'b.example.com', eventId: 'E2' },
    ];
    answer = (_request, _body, response) =>
      response.end(JSON.stringify({ ...success, transactionId: '01', eventEntries: entries }));
    const events: Record<string, string>[] = [{}];
    const fields: readonly JsonField[] = Es9Fields.authenticateClientEs11;
    await client.post(`${Es9Path.es11}authenticateClient`, new JsonBody(), fields, {
      data: (field, bytes) => {
        const name = fields[field].path.at(-1) as string;
        if (field > 0)
          events[events.length - 1][name] = `${events[events.length - 1][name] ?? ''}${Buffer.from(bytes)}`;
      },
      close: () => {
        if (Object.keys(events[events.length - 1]).length > 0) events.push({});
      },
    });
    expect(events).toEqual([...entries, {}]);
  });
});
