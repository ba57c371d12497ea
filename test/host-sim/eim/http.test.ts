import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Eim, serveHttp } from '../../../host-sim/eim/index.js';
import type { HttpProblem, RspHttpOptions, RunningRspHttp } from '../../../host-sim/http/index.js';
import { makeEimTls, makePki, type Pki, pem, pkcs8 } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { type PostAnswer, post } from '../../support/post.js';
import { FakeDevice, readPoll, readResponse } from './fake-device.js';

const NAME = 'eim.example.com';
const EID = '89049032123451234512345678901235';
const admin = { 'x-admin-protocol': 'gsma/rsp/v2.1.0' };
const asn1 = { ...admin, 'content-type': 'application/x-gsma-rsp-asn1' };
const json = { ...admin, 'content-type': 'application/json;charset=UTF-8' };
const asn1Path = '/gsma/rsp2/asn1';
const jsonPath = '/gsma/rsp2/esipa/getEimPackage';
const jsonPoll = JSON.stringify({ eidValue: EID });
const limit = 3_000;

let pki: Pki;
let tls: { cert: string; key: string };
let ca: string;
beforeAll(async () => {
  // The certificate is looked at by Node, whose clock is the computer's.
  const now = Date.now();
  pki = await makePki({
    eid: EID,
    eims: [{ eimId: NAME, eimIdType: 2, eimFqdn: NAME }],
    now,
    random: seeded(1),
  });
  const { certificate, privateKey } = makeEimTls(pki.ci!, '127.0.0.1', now);
  tls = { cert: pem('CERTIFICATE', certificate), key: pem('PRIVATE KEY', pkcs8(privateKey)) };
  ca = pem('CERTIFICATE', pki.ciCertificates[0]);
});

const running: RunningRspHttp[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

/** An eIM with an order that its device can have at once. */
async function start(options: RspHttpOptions = {}) {
  const store = new MemoryStore();
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store,
    clock: new VirtualClock(),
    random: seeded(3),
  });
  const problems: HttpProblem[] = [];
  let told: () => void = () => {};
  const server = await serveHttp({
    eim,
    tls,
    largestBody: limit,
    ...options,
    onProblem: (problem) => {
      problems.push(problem);
      told();
    },
  });
  running.push(server);
  const problem = new Promise<void>((resolve) => {
    told = resolve;
  });
  const url = `https://localhost:${server.port}`;
  const ask = (path: string, body: string | Uint8Array, headers: Record<string, string>, method?: string) =>
    post(url + path, body, { headers, method, ca });
  const device = new FakeDevice(pki, 9);
  const question = readPoll((await ask(asn1Path, device.poll(), asn1)).body).ipaEuiccDataRequest!;
  await ask(asn1Path, device.deliver({ ipaEuiccDataResponse: device.data(question) }), asn1);
  const outcome = eim.queue(EID, { psmo: [{ op: 'enable', iccid: '89000101000000000018' }] });
  const state = () => ({ stored: Buffer.from(store.load() ?? []).toString('hex'), seen: eim.devices() });
  /** The device polls, executes and reports, as if nothing had happened. */
  const finish = async () => {
    const request = readPoll((await ask(asn1Path, device.poll(), asn1)).body).euiccPackageRequest!;
    const euiccPackageResult = device.execute(request, [{ enableResult: 0 }]);
    const answer = await ask(asn1Path, device.deliver({ euiccPackageResult }), asn1);
    expect(readResponse(answer.body).eimAcknowledgements).toEqual([1]);
    expect(await outcome).toMatchObject({ outcome: 'verified', ok: true });
  };
  return { eim, store, server, ask, device, state, finish, problems, problem };
}

/** A client that writes what it likes. @returns its socket, and all that the server says until it ends the connection */
async function raw(port: number): Promise<{ socket: TLSSocket; heard: Promise<string> }> {
  const socket = connectTls({ host: '127.0.0.1', port, ca, checkServerIdentity: () => undefined });
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('error', () => {});
  const heard = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
  });
  await new Promise<void>((resolve) => socket.once('secureConnect', resolve));
  return { socket, heard };
}

const head = (path: string, type: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: eim\r\nContent-Type: ${type}\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Length: ${length}\r\n\r\n`;

const bindings = [
  ['ASN.1', asn1Path, asn1, json],
  ['JSON', jsonPath, json, asn1],
] as const;

describe.each(bindings)(
  'the eIM over HTTPS turns away, in the %s binding',
  (_binding, path, headers, others) => {
    const good = () => (path === asn1Path ? new FakeDevice(pki).poll() : jsonPoll);
    const none = { ...headers, 'x-admin-protocol': '' };
    const chunked = { ...headers, 'transfer-encoding': 'chunked' };
    const polite = { ...headers, expect: '100-continue', 'content-length': `${limit + 1}` };
    const large = ' '.repeat(limit + 1);
    type Case = [
      title: string,
      status: number,
      why: RegExp,
      request: (ask: Awaited<ReturnType<typeof start>>['ask']) => Promise<PostAnswer>,
    ];
    const cases: Case[] = [
      ['a path below', 404, /there is no /, (ask) => ask(`${path}/`, good(), headers)],
      ['no path', 404, /there is no \//, (ask) => ask('/', good(), headers)],
      ['a path of slashes', 404, /there is no \/\//, (ask) => ask('//', good(), headers)],
      ['GET', 405, /GET is not POST/, (ask) => ask(path, '', headers, 'GET')],
      ['PUT', 405, /PUT is not POST/, (ask) => ask(path, good(), headers, 'PUT')],
      ['the other content type', 415, /and not application/, (ask) => ask(path, good(), others)],
      ['no content type', 415, /is ""/, (ask) => ask(path, good(), admin)],
      ['no X-Admin-Protocol', 400, /X-Admin-Protocol/, (ask) => ask(path, good(), none)],
      ['a body that is too large', 413, /larger than 3000/, (ask) => ask(path, large, headers)],
      ['the same in chunks', 413, /larger than 3000/, (ask) => ask(path, large, chunked)],
      ['the same before it is sent', 413, /larger than 3000/, (ask) => ask(path, large, polite)],
      ['a body of megabytes', 413, /larger than 3000/, (ask) => ask(path, large.repeat(1_000), headers)],
      ['no body', 400, /body/, (ask) => ask(path, '', headers)],
      ['bytes that are nothing', 400, /body/, (ask) => ask(path, Buffer.from('ffffffff', 'hex'), headers)],
    ];

    it.each(cases)('%s with %i', async (_title, status, why, request) => {
      const { ask, state, finish, problems } = await start();
      const before = state();
      const answer = await request(ask);
      expect(answer.status).toBe(status);
      expect(answer.body.toString()).toMatch(why);
      expect(answer.headers.allow).toBe(status === 405 ? 'POST' : undefined);
      expect(problems).toMatchObject([{ status, message: expect.stringMatching(why) }]);
      expect(state()).toEqual(before);
      await finish();
    });

    it('a client that is too slow, with 408', async () => {
      const { server, state, finish, problem } = await start({ requestTime: 200 });
      const before = state();
      const { socket, heard } = await raw(server.port);
      socket.write(head(path, headers['content-type'], 40));
      socket.write(Buffer.from(good()).subarray(0, 10));
      expect(await heard).toMatch(/^HTTP\/1\.1 408 /);
      await problem;
      expect(state()).toEqual(before);
      await finish();
    });

    it('a client that hangs up in the middle', async () => {
      const { server, state, finish, problem, problems } = await start();
      const before = state();
      const { socket } = await raw(server.port);
      socket.write(head(path, headers['content-type'], 40));
      socket.end(Buffer.from(good()).subarray(0, 10));
      await problem;
      expect(problems).toMatchObject([
        { code: 'brokenOff', message: expect.stringMatching(/after 10 bytes/) },
      ]);
      expect(state()).toEqual(before);
      await finish();
    });
  },
);

describe('the eIM over HTTPS', () => {
  it.each([
    ['a list', '[]'],
    ['a number', '7'],
    ['half of it', jsonPoll.slice(0, -1)],
  ])('says that JSON is none: %s', async (_title, body) => {
    const { ask, state } = await start();
    const before = state();
    const answer = await ask(jsonPath, body, json);
    expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringMatching(/JSON/)]);
    expect(state()).toEqual(before);
  });

  it.each(['{}', '{"eidValue":7}', '{"eidValue":"8904"}', '{"__proto__":{"eidValue":"x"}}'])(
    'names what JSON lacks in the answer: %s',
    async (body) => {
      const { ask, state } = await start();
      const before = state();
      const answer = await ask(jsonPath, body, json);
      expect([answer.status, answer.body.toString()]).toEqual([
        200,
        expect.stringMatching(/"Failed".*eidValue/),
      ]);
      expect(state()).toEqual(before);
    },
  );

  it.each(['constructor', 'toString', 'getEimPackages', 'handlenotification'])(
    'has no function %s',
    async (called) => {
      const { ask } = await start();
      expect((await ask(`/gsma/rsp2/esipa/${called}`, jsonPoll, json)).status).toBe(404);
    },
  );

  it('takes a body that it was asked for, with any spelling of the type', async () => {
    const { ask } = await start();
    const headers = {
      ...admin,
      'content-type': 'Application/JSON; charset=utf-8',
      expect: '100-continue',
      'content-length': `${jsonPoll.length}`,
    };
    const answer = await ask(`${jsonPath}?x=1`, jsonPoll, headers);
    expect([answer.status, answer.headers['x-admin-protocol']]).toEqual([200, 'gsma/rsp/v2.1.0']);
  });

  it.each(bindings)(
    'asks to come later when it cannot save, and loses nothing: %s',
    async (_binding, path, headers) => {
      const { ask, store, device, finish, problems, state } = await start();
      const before = state().stored;
      store.save = () => {
        throw new Error('disk full');
      };
      const body = path === asn1Path ? device.poll() : jsonPoll;
      const answer = await ask(path, body, headers);
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '60']);
      expect(problems).toMatchObject([{ code: 'unavailable', message: expect.stringMatching(/disk full/) }]);
      expect(state().stored).toBe(before);
      store.save = (bytes) => MemoryStore.prototype.save.call(store, bytes);
      await finish();
    },
  );

  it('says that its port is taken', async () => {
    const { eim, server } = await start();
    await expect(serveHttp({ eim, port: server.port })).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/the port is in use/),
    });
  });
});
