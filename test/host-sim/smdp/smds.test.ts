import { afterEach, beforeAll, expect, it } from 'vitest';
import {
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  decode,
  EuiccInfo1,
  encode,
  GetEuiccChallengeResponse,
  type RemoteProfileProvisioningResponse,
  signed,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { rspClient } from '../../../host-sim/eim/index.js';
import { HttpError } from '../../../host-sim/http/index.js';
import type { Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import {
  answerTo,
  ServerControlClient,
  SmdpError,
  serveRsp,
  serveSmdpControl,
  serveSmdsControl,
} from '../../../host-sim/smdp/index.js';
import { Smds } from '../../../host-sim/smds/index.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { cardFor, deviceInfo, makeHierarchy, now } from '../euicc/example-smdp.js';
import { type Exchange, smdpOf } from './client.js';

const eid = '89049032123451234512345678901235';
const rspServerAddress = 'smdp.example.com';
let pki: Pki;
beforeAll(async () => {
  pki = await makeHierarchy();
});
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function smdsOf(store = new MemoryStore()) {
  const clock = new VirtualClock(now);
  return new Smds({
    credentials: pki.smdss[0],
    ciCertificates: pki.ciCertificates,
    store,
    clock,
    random: seeded(8),
  });
}

/** What an SM-DS answers to one eUICC. */
function ask(exchange: Exchange, matchingId?: string, smdpAddress = 'smds.example.com') {
  const card = cardFor(pki);
  const { euiccChallenge } = decode(GetEuiccChallengeResponse, card.es10(unhex('BF2E00')));
  const euiccInfo1 = decode(EuiccInfo1, card.es10(unhex('BF2000')));
  const started = exchange({ initiateAuthenticationRequest: { euiccChallenge, smdpAddress, euiccInfo1 } });
  const ok = started?.initiateAuthenticationResponse?.initiateAuthenticationOk;
  if (!ok) return started?.initiateAuthenticationResponse;
  const response = card.es10(
    encode(AuthenticateServerRequest, {
      serverSigned1: ok.serverSigned1,
      serverSignature1: ok.serverSignature1,
      euiccCiPKIdToBeUsed: ok.euiccCiPKIdToBeUsed,
      serverCertificate: ok.serverCertificate,
      ctxParams1: {
        ctxParamsForCommonAuthentication: { deviceInfo, ...(matchingId !== undefined && { matchingId }) },
      },
    }),
  );
  return exchange({
    authenticateClientRequest: {
      transactionId: ok.transactionId,
      authenticateServerResponse: decode(signed(AuthenticateServerResponse), response),
    },
  })?.authenticateClientResponseEs11;
}

it('an eUICC gets its own events, all of them or one', () => {
  const store = new MemoryStore();
  const smds = smdsOf(store);
  const exchange: Exchange = (request) => answerTo(smds, request);
  expect(ask(exchange)).toMatchObject({ authenticateClientOk: { eventEntries: [] } });
  smds.register({ eid, eventId: 'A', rspServerAddress });
  smds.register({ eid, eventId: 'A', rspServerAddress });
  smds.register({ eid, eventId: 'B', rspServerAddress });
  smds.register({ eid: '89049032000000000000000000000000', eventId: 'C', rspServerAddress });
  const entries = (...ids: string[]) => ({
    authenticateClientOk: { eventEntries: ids.map((eventId) => ({ eventId, rspServerAddress })) },
  });
  expect(ask(exchange)).toMatchObject(entries('A', 'B'));
  expect(ask(exchange, '')).toMatchObject(entries('A', 'B'));
  expect(ask(exchange, 'B')).toMatchObject(entries('B'));
  expect(ask(exchange, 'C')).toEqual({ authenticateClientError: 6 });
  expect(ask(exchange, '', 'other.example.com')).toEqual({ initiateAuthenticationError: 1 });
  smds.delete(eid, 'A');
  expect(smdsOf(store).events).toHaveLength(2);
  expect(() => smds.delete(eid, 'A')).toThrow(SmdpError);
});

it('status codes can be provoked', () => {
  const smds = smdsOf();
  const exchange: Exchange = (request) => answerTo(smds, request);
  smds.provoke('8.10.1/3.9', 1);
  expect(ask(exchange)).toEqual({ authenticateClientError: 7 });
  smds.provoke('8.9.3/3.1', 1);
  expect(ask(exchange)).toEqual({ initiateAuthenticationError: 2 });
  expect(ask(exchange)).toHaveProperty('authenticateClientOk');
  expect(() => smds.provoke('1/1')).toThrow(SmdpError);
});

it('control interfaces take orders and events', async () => {
  const { smdp } = smdpOf(pki);
  const smds = smdsOf();
  const atSmdp = await serveSmdpControl(smdp, 0, () => ({ url: 'x' }));
  const atSmds = await serveSmdsControl(smds, 0, () => ({}));
  open.push(atSmdp, atSmds);
  const client = new ServerControlClient(atSmdp.url, 'SM-DP+');
  const { matchingId } = await client.order({ iccid: '8900000000000000052', released: false, eid });
  expect((await client.release(matchingId!)).state).toBe('released');
  expect(await client.orders()).toMatchObject([{ matchingId, state: 'released' }]);
  await client.call('POST', '/withdraw', { order: matchingId });
  expect(await client.orders()).toEqual([]);
  expect(await client.call('GET', '/status')).toMatchObject({ address: 'smdp.example.com', url: 'x' });
  await expect(client.release('NONE')).rejects.toThrow(/no order/);
  await expect(client.call('GET', '/other')).rejects.toThrow(/there is no/);
  await expect(client.call('POST', '/orders', [])).rejects.toThrow(HttpError);
  const events = new ServerControlClient(atSmds.url, 'SM-DS');
  await events.call('POST', '/events', { eid, eventId: matchingId, rspServerAddress });
  expect(smds.events).toEqual([{ eid, eventId: matchingId, rspServerAddress }]);
  await expect(events.call('POST', '/events', { eid })).rejects.toThrow(/needs eventId/);
  await atSmdp.close();
  await expect(client.orders()).rejects.toThrow(/no SM-DP\+ is running/);
});

it('an eIM asks over HTTPS, and knows when nobody is there', async () => {
  const { smdp } = smdpOf(pki);
  const server = await serveRsp({ server: smdp, tls: pki.smdps[0].tls });
  open.push(server);
  const routes = { 'smdp.example.com': server.url };
  const { ciCertificates } = pki;
  const connect = rspClient({ routes, ciCertificates });
  const card = cardFor(pki);
  const request = (smdpAddress: string) => ({
    initiateAuthenticationRequest: {
      euiccChallenge: new Uint8Array(16),
      smdpAddress,
      euiccInfo1: decode(EuiccInfo1, card.es10(unhex('BF2000'))),
    },
  });
  const answer = (await connect(
    'smdp.example.com',
    request('SMDP.example.com'),
  )) as RemoteProfileProvisioningResponse;
  expect(answer.initiateAuthenticationResponse?.initiateAuthenticationOk).toBeDefined();
  // Another name than the certificate's, and one that the PKI does not vouch for.
  const wrong = rspClient({ routes: { 'far.example.com': server.url }, ciCertificates });
  await expect(wrong('far.example.com', request('far.example.com'))).rejects.toThrow(/far\.example\.com/);
  await expect(rspClient({ routes })('smdp.example.com', request('x'))).rejects.toThrow(/certificate/);
  await server.close();
  await expect(connect('smdp.example.com', request('x'))).rejects.toThrow(/ECONNREFUSED/);
});
