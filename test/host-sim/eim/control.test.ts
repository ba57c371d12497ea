import { createServer, request } from 'node:http';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decode, EimConfigurationData } from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Eim, EimControlClient, serveControl } from '../../../host-sim/eim/index.js';
import { HttpError, type RunningControl } from '../../../host-sim/http/index.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { FakeDevice, readPoll } from './fake-device.js';

const eid = '89049032123451234512345678901235';
const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;

let pki: Pki;
beforeAll(async () => {
  pki = await makePki({ eid, eims, now: Date.UTC(2026, 0, 1), random: seeded(1) });
});

const open: RunningControl[] = [];
afterEach(async () => {
  for (const control of open.splice(0)) await control.close();
});

async function start() {
  let queued: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    queued = resolve;
  });
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock: new VirtualClock(),
    random: seeded(3),
    observe: (event) => {
      if (event.event === 'eim' && event.what === 'queued') queued();
    },
  });
  const status = () => ({ broker: 'mqtt://127.0.0.1:1' });
  const control = await serveControl({ eim, eimFqdn: 'eim.example.com', port: 0, status });
  open.push(control);
  return { eim, control, ready, client: new EimControlClient(control.url), card: new FakeDevice(pki) };
}

/** Status and body of a bare request. */
function raw(port: number, options: { method?: string; path?: string; headers?: object; body?: string }) {
  return new Promise<{ status: number; headers: object; body: string }>((resolve, reject) => {
    const { method = 'GET', path = '/status', headers = {}, body } = options;
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers: { ...headers }, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe('the control interface', () => {
  it('gives the outcome of an order once it is there', async () => {
    const { eim, client, card, ready } = await start();
    const outcome = client.order({ eid, order: { psmo: [{ op: 'getRAT' }] } });
    await ready;
    const link = { link: 'https' };
    const question = readPoll(eim.handle(card.poll(), link)).ipaEuiccDataRequest!;
    eim.handle(card.deliver({ ipaEuiccDataResponse: card.data(question) }), link);
    const { euiccPackageRequest } = readPoll(eim.handle(card.poll(), link));
    const euiccPackageResult = card.execute(euiccPackageRequest!, [{ getRATResult: [] }]);
    eim.handle(card.deliver({ euiccPackageResult }), link);
    expect(await outcome).toMatchObject({
      outcome: 'verified',
      ok: true,
      results: [{ op: 'getRAT', rules: [] }],
    });
    expect(await client.devices()).toMatchObject([{ eid, onboarded: true, results: 1 }]);
  });

  it('tells what it is and gives its configuration', async () => {
    const { client } = await start();
    expect(await client.status()).toEqual({
      eimId: 'eim.example.com',
      eimFqdn: 'eim.example.com',
      devices: 0,
      broker: 'mqtt://127.0.0.1:1',
    });
    const configuration = decode(EimConfigurationData, await client.eimConfiguration({ token: true, eid }));
    expect(configuration).toMatchObject({ eimId: 'eim.example.com', associationToken: -1 });
  });

  it('passes on why an order cannot be sent', async () => {
    const { client } = await start();
    const none = client.order({ eid, order: { psmo: [] } });
    await expect(none).rejects.toThrow(/the list of operations is empty/);
    await expect(client.order({ eid: '1', order: { psmo: [{ op: 'getRAT' }] } })).rejects.toThrow(
      /32 decimal digits/,
    );
  });

  it('is closed to other hosts, other origins and anything that is not its own', async () => {
    const { control } = await start();
    const { port } = control;
    expect(await raw(port, { headers: { host: 'evil.example.com' } })).toMatchObject({ status: 403 });
    expect(await raw(port, { headers: { host: `localhost:${port}` } })).toMatchObject({ status: 200 });
    const simple = { 'content-type': 'text/plain', origin: 'http://evil.example.com' };
    const order = JSON.stringify({ eid, order: { psmo: [{ op: 'getRAT' }] } });
    const cross = await raw(port, { method: 'POST', path: '/orders', headers: simple, body: order });
    expect(cross.status).toBe(415);
    expect(Object.keys(cross.headers).some((name) => name.startsWith('access-control'))).toBe(false);
    expect(await raw(port, { path: '/secrets' })).toMatchObject({ status: 404 });
    expect(await raw(port, { method: 'OPTIONS', path: '/orders' })).toMatchObject({ status: 404 });
    const json = { 'content-type': 'application/json' };
    expect(await raw(port, { method: 'POST', path: '/orders', headers: json, body: '{' })).toMatchObject({
      status: 400,
    });
    const large = await raw(port, {
      method: 'POST',
      path: '/orders',
      headers: json,
      body: ' '.repeat(1_000_001),
    });
    expect(large.status).toBe(413);
  });

  it('says that its port is taken', async () => {
    const { eim, control } = await start();
    await expect(serveControl({ eim, eimFqdn: 'x', port: control.port })).rejects.toThrow(
      /the port is in use/,
    );
  });
});

describe('the client', () => {
  it('says that no eIM is running', async () => {
    const { control, client } = await start();
    await control.close();
    await control.close();
    await expect(client.devices()).rejects.toThrow(HttpError);
    await expect(client.devices()).rejects.toThrow(
      /no eIM is running at http:.*start one with `npx xs-ipa eim serve`/,
    );
  });

  it('says that something else is there', async () => {
    const other = createServer((_, answer) => answer.end('hello'));
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    await expect(new EimControlClient(`http://127.0.0.1:${port}`).status()).rejects.toThrow(
      /is not an eIM of xs-ipa/,
    );
    other.close();
    await expect(new EimControlClient('nonsense').status()).rejects.toThrow(/is not the address of an eIM/);
  });
});
