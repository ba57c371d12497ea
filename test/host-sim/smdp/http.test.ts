import { afterEach, beforeAll, expect, it } from 'vitest';
import {
  AuthenticateServerRequest,
  BoundProfilePackage,
  Challenge,
  decode,
  EuiccInfo1,
  encode,
  hex,
  iccidDigits,
  KeyIdentifier,
  PrepareDownloadRequest,
  RemoteProfileProvisioningRequest,
  RemoteProfileProvisioningResponse,
  ServerSigned1,
  Signature,
  SmdpSigned2,
  StoreMetadataRequest,
  signed,
  unhex,
} from '../../../host-sim/asn1/index.js';
import type { RunningRspHttp } from '../../../host-sim/http/index.js';
import { type Pki, pem } from '../../../host-sim/pki/index.js';
import { type RspServerOptions, serveRsp } from '../../../host-sim/smdp/index.js';
import { post as postTo } from '../../support/post.js';
import { cardFor, deviceInfo, load, makeHierarchy } from '../euicc/example-smdp.js';
import { smdpOf } from './client.js';

const iccid = '8900000000000000052';
const matchingId = 'MATCH-1';
let pki: Pki;
beforeAll(async () => {
  pki = await makeHierarchy();
});
const running: RunningRspHttp[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function serve(options: Partial<RspServerOptions> = {}) {
  const made = smdpOf(pki);
  made.smdp.order({ iccid, matchingId, profileSize: 20_000 });
  const server = await serveRsp({ server: made.smdp, ...options });
  running.push(server);
  return { ...made, url: server.url };
}

const json = { 'content-type': 'application/json', 'x-admin-protocol': 'gsma/rsp/v2.2.2' };
const asn1 = { ...json, 'content-type': 'application/x-gsma-rsp-asn1' };
const es9 = '/gsma/rsp2/es9plus/';

function post(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = json,
  method = 'POST',
) {
  return postTo(url, body, { method, headers, ca: pem('CERTIFICATE', pki.ciCertificates[0]) });
}

const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const bytes = (text: unknown) => Uint8Array.from(Buffer.from(String(text), 'base64'));

it.each([
  ['HTTPS with the PKI’s certificate', true],
  ['plain HTTP', false],
])('a download in JSON over %s', async (_title, secure) => {
  const { url, smdp } = await serve({ pieceBytes: 1000, ...(secure && { tls: pki.smdps[0].tls }) });
  const card = cardFor(pki);
  const call = async (called: string, members: Record<string, unknown>) => {
    const answer = await post(url + es9 + called, JSON.stringify(members));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['x-admin-protocol']).toMatch(/^gsma\/rsp\/v2/);
    const read = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
    expect(read.header).toEqual({ functionExecutionStatus: { status: 'Executed-Success' } });
    return read;
  };
  const challenge = card.es10(unhex('BF2E00')).subarray(-16);
  const started = await call('initiateAuthentication', {
    smdpAddress: 'SMDP.example.com',
    euiccChallenge: b64(challenge),
    euiccInfo1: b64(card.es10(unhex('BF2000'))),
  });
  const { transactionId } = started;
  expect(transactionId).toMatch(/^[0-9A-F]{32}$/);
  const authenticateServerResponse = card.es10(
    encode(AuthenticateServerRequest, {
      serverSigned1: decode(signed(ServerSigned1), bytes(started.serverSigned1)),
      serverSignature1: decode(Signature, bytes(started.serverSignature1)),
      euiccCiPKIdToBeUsed: decode(KeyIdentifier, bytes(started.euiccCiPKIdToBeUsed)),
      serverCertificate: bytes(started.serverCertificate),
      ctxParams1: { ctxParamsForCommonAuthentication: { matchingId, deviceInfo } },
    }),
  );
  const client = await call('authenticateClient', {
    transactionId,
    authenticateServerResponse: b64(authenticateServerResponse),
  });
  expect(iccidDigits(decode(StoreMetadataRequest, bytes(client.profileMetadata)).iccid)).toBe(iccid);
  const prepareDownloadResponse = card.es10(
    encode(PrepareDownloadRequest, {
      smdpSigned2: decode(signed(SmdpSigned2), bytes(client.smdpSigned2)),
      smdpSignature2: decode(Signature, bytes(client.smdpSignature2)),
      smdpCertificate: bytes(client.smdpCertificate),
    }),
  );
  const bound = await call('getBoundProfilePackage', {
    transactionId,
    prepareDownloadResponse: b64(prepareDownloadResponse),
  });
  const bpp = bytes(bound.boundProfilePackage);
  expect(hex(decode(BoundProfilePackage, bpp).initialiseSecureChannelRequest.transactionId)).toBe(
    transactionId,
  );
  const result = load(card, bpp);
  const told = await post(
    `${url}${es9}handleNotification`,
    JSON.stringify({ pendingNotification: b64(result) }),
  );
  expect([told.status, told.body.length]).toEqual([204, 0]);
  expect(smdp.orders()).toMatchObject([{ state: 'installed' }]);
});

it('the ASN.1 binding, and its errors', async () => {
  const { url } = await serve();
  const card = cardFor(pki);
  const body = encode(RemoteProfileProvisioningRequest, {
    initiateAuthenticationRequest: {
      euiccChallenge: decode(Challenge, unhex(`0410${'AB'.repeat(16)}`)),
      smdpAddress: 'other.example.com',
      euiccInfo1: decode(EuiccInfo1, card.es10(unhex('BF2000'))),
    },
  });
  const answer = await post(`${url}/gsma/rsp2/asn1`, body, asn1);
  expect(answer.headers['content-type']).toBe('application/x-gsma-rsp-asn1');
  expect(decode(RemoteProfileProvisioningResponse, answer.body).initiateAuthenticationResponse).toEqual({
    initiateAuthenticationError: 1,
  });
  expect((await post(`${url}/gsma/rsp2/asn1`, unhex('A200'), asn1)).status).toBe(400);
});

it('a function that failed is HTTP 200 with its status code', async () => {
  const { url } = await serve();
  const card = cardFor(pki);
  const body = {
    smdpAddress: 'other.example.com',
    euiccChallenge: b64(new Uint8Array(16)),
    euiccInfo1: b64(card.es10(unhex('BF2000'))),
  };
  const failed = async (members: Record<string, unknown>, called = 'initiateAuthentication') => {
    const answer = await post(`${url}${es9}${called}`, JSON.stringify(members));
    expect(answer.status).toBe(200);
    const { header } = JSON.parse(answer.body.toString('utf8')) as {
      header: { functionExecutionStatus: { status: string; statusCodeData: Record<string, string> } };
    };
    expect(header.functionExecutionStatus.status).toBe('Failed');
    const { subjectCode, reasonCode } = header.functionExecutionStatus.statusCodeData;
    return `${subjectCode}/${reasonCode}`;
  };
  expect(await failed(body)).toBe('8.8.1/3.8');
  expect(await failed({ ...body, euiccChallenge: 'AAAA' })).toBe('1.6/4.2');
  expect(await failed({ ...body, euiccInfo1: '*' })).toBe('1.6/4.2');
  expect(await failed({})).toBe('1.6/4.2');
  const cancel = { transactionId: 'AB', cancelSessionResponse: b64(unhex('BF4103810105')) };
  expect(await failed(cancel, 'cancelSession')).toBe('8.10.1/3.9');
});

it.each([
  ['an unknown path', 404, '/gsma/rsp2/es9plus/other', '{}', json, 'POST'],
  ['no path', 404, '/', '{}', json, 'POST'],
  ['GET', 405, `${es9}initiateAuthentication`, '', json, 'GET'],
  ['another content type', 415, `${es9}cancelSession`, '{}', asn1, 'POST'],
  ['JSON at the ASN.1 path', 415, '/gsma/rsp2/asn1', '{}', json, 'POST'],
  ['no X-Admin-Protocol', 400, `${es9}cancelSession`, '{}', { 'content-type': 'application/json' }, 'POST'],
  ['a body that is not JSON', 400, `${es9}cancelSession`, '{', json, 'POST'],
  ['a body that is a list', 400, `${es9}cancelSession`, '[]', json, 'POST'],
  ['a body that is too large', 413, `${es9}cancelSession`, ' '.repeat(70_000), json, 'POST'],
] as const)('%s is turned away with %i', async (_title, status, path, body, headers, method) => {
  const { url } = await serve({ largestBody: 65_536 });
  expect((await post(url + path, body, { ...headers }, method)).status).toBe(status);
});

it('a body without a length that grows too large is turned away', async () => {
  const { url } = await serve({ largestBody: 1000 });
  const chunked = { ...json, 'transfer-encoding': 'chunked' };
  expect((await post(`${url}${es9}cancelSession`, 'x'.repeat(2000), chunked)).status).toBe(413);
});
