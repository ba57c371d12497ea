import { beforeAll, describe, expect, it } from 'vitest';
import {
  decode,
  iccidBytes,
  PendingNotification,
  type RemoteProfileProvisioningRequest,
} from '../../../host-sim/asn1/index.js';
import { makePki, makeServerCertificate, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { type OrderOptions, Refusal, SmdpError, statusCodes } from '../../../host-sim/smdp/index.js';
import { cardFor, makeHierarchy, now } from '../euicc/example-smdp.js';
import { type ClientOptions, DownloadClient, smdpOf } from './client.js';

const iccid = '8900000000000000052';
const eid = '89049032123451234512345678901235';
const matchingId = 'MATCH-1';
let pki: Pki;
beforeAll(async () => {
  pki = await makeHierarchy();
});

/** One order, one card, one download. */
function run(order: Partial<OrderOptions>, client: ClientOptions = {}) {
  const server = smdpOf(pki);
  const card = cardFor(pki);
  server.smdp.order({ iccid, matchingId, ...order });
  const ipa = new DownloadClient(card, server.exchange);
  return { ...server, card, ipa, ended: ipa.download({ matchingId, ...client }) };
}

describe('a download', () => {
  it.each([
    ['with session keys', {}],
    ['with ReplaceSessionKeys', { replaceSessionKeys: true }],
    ['of 40 000 bytes', { profileSize: 40_000 }],
    ['for this EID', { eid }],
  ])('%s installs the profile and is reported', (_title, order) => {
    const { smdp, card, ipa, ended, told } = run(order);
    expect(ended.failed).toBeUndefined();
    expect(card.card.profiles.some((profile) => profile.iccid.join() === iccidBytes(iccid).join())).toBe(
      true,
    );
    expect(smdp.orders()).toMatchObject([{ state: 'downloaded', eid, attempts: 1 }]);
    ipa.notify(ended.result!);
    expect(smdp.orders()).toMatchObject([{ state: 'installed', iccid }]);
    expect(told('notification')).toEqual([
      { seqNumber: 1, event: 'notificationInstall', iccid, verified: true, result: 'installed' },
    ]);
    // The same again is nothing new.
    ipa.notify(ended.result!);
    expect(smdp.notifications()).toHaveLength(1);
  });

  it('from the default SM-DP+ finds the order of its EID', () => {
    const { ended } = run({ matchingId: '', eid }, { matchingId: undefined });
    expect(ended.result).toBeDefined();
    expect(run({ matchingId: '', eid }, { matchingId: '' }).ended.result).toBeDefined();
  });

  it('survives a restart of the server between download and result', () => {
    const { ended, make } = run({});
    const again = make();
    again.handleNotification(decode(PendingNotification, ended.result!));
    expect(again.orders()).toMatchObject([{ state: 'installed' }]);
  });

  it('may be tried again with the same one-time key, and with another one unless that is refused', () => {
    const { ipa, card, smdp } = run({ oneBinding: true });
    // The first package was installed; a second one fails on the eUICC only, as its ICCID is there.
    expect(ipa.download({ matchingId }).result).toBeDefined();
    expect(smdp.orders()[0].attempts).toBe(2);
    card.restart();
    const other = run({ oneBinding: true });
    const fresh = cardFor(pki, { random: seeded(3) });
    // A card that has lost its keys cannot open the first package.
    expect(new DownloadClient(fresh, other.exchange).download({ matchingId }).failed).toEqual({
      function: 'getBoundProfilePackage',
      code: 5,
    });
  });

  it('with a confirmation code', () => {
    const confirmed = { confirmationCode: '1234' };
    expect(run(confirmed, confirmed).ended.result).toBeDefined();
    expect(run(confirmed).ended.failed).toEqual({ function: 'getBoundProfilePackage', code: 2 });
    const { ipa, ended, smdp } = run(confirmed, { confirmationCode: '4321' });
    expect(ended.failed?.code).toBe(3);
    const wrong = { matchingId, confirmationCode: '0' };
    expect(ipa.download(wrong).failed?.code).toBe(3);
    expect(ipa.download(wrong).failed?.code).toBe(4);
    expect(smdp.orders()).toMatchObject([{ state: 'error', outcome: 'too many wrong confirmation codes' }]);
    expect(ipa.download({ matchingId, ...confirmed }).failed).toEqual({
      function: 'authenticateClient',
      code: 6,
    });
    smdp.release(matchingId);
    expect(ipa.download({ matchingId, ...confirmed }).result).toBeDefined();
  });
});

describe('refused by the state of things', () => {
  const refused = (status: string, ended: ReturnType<typeof run>) => {
    expect(ended.told('refused')).toMatchObject([{ status }]);
    return ended.ended.failed;
  };
  it.each([
    ['8.8.1/3.8', 1, {}, { smdpAddress: 'other.example.com' }],
    ['8.2.6/3.8', 6, {}, { matchingId: 'OTHER' }],
    ['8.2.6/3.8', 6, {}, { matchingId: '' }],
    ['8.1.1/3.8', 7, { eid: '89049032000000000000000000000000' }, {}],
    ['8.2/1.2', 127, { released: false }, {}],
    ['8.8.5/4.1', 18, { expires: now - 1 }, {}],
    ['8.8.5/6.4', 127, { maxAttempts: 0 }, {}],
    ['8.1/4.8', 11, { profileSize: 1_000_000 }, {}],
  ] as const)('%s is %i', (status, code, order, client) => {
    expect(refused(status, run(order, client))).toMatchObject({ code });
  });

  it('a session that is too old', () => {
    const server = smdpOf(pki, { sessionTimeout: 1000 });
    server.smdp.order({ iccid, matchingId });
    const ipa = new DownloadClient(cardFor(pki), (request) => {
      const answer = server.exchange(request);
      void server.clock.advance(2000);
      server.clock.set(() => {}, 0);
      while (server.clock.pending > 0) server.clock.step();
      return answer;
    });
    server.clock.set(() => {}, 5000);
    expect(ipa.download({ matchingId }).failed).toEqual({ function: 'authenticateClient', code: 10 });
  });

  it('an eUICC of another hierarchy, and one that trusts another', async () => {
    const other = await makePki({ eid, now, eims: [], random: seeded(9) });
    const server = smdpOf(pki);
    server.smdp.order({ iccid, matchingId });
    const stranger = cardFor(other);
    expect(new DownloadClient(stranger, server.exchange).download({ matchingId }).failed).toEqual({
      function: 'initiateAuthentication',
      code: 3,
    });
    expect(server.told('refused')).toMatchObject([{ status: '8.8.2/3.1' }]);
  });

  it('signatures, challenges and certificates that were changed on the way', () => {
    const flip = (bytes: Uint8Array) => {
      bytes[bytes.length - 1] ^= 1;
    };
    const change =
      (act: (request: RemoteProfileProvisioningRequest) => void) =>
      (request: RemoteProfileProvisioningRequest) => {
        act(request);
        return request;
      };
    const ok = (request: RemoteProfileProvisioningRequest) =>
      request.authenticateClientRequest?.authenticateServerResponse.value.authenticateResponseOk;
    const cases: [string, (request: RemoteProfileProvisioningRequest) => void][] = [
      ['8.1/6.1', (r) => ok(r) && flip(ok(r)!.euiccSignature1)],
      ['8.1.3/6.1', (r) => ok(r) && flip(ok(r)!.euiccCertificate)],
      ['8.1.2/6.1', (r) => ok(r) && flip(ok(r)!.eumCertificate)],
      ['8.10.1/3.9', (r) => r.authenticateClientRequest && flip(r.authenticateClientRequest.transactionId)],
      [
        '8.1/6.1',
        (r) => {
          const done = r.getBoundProfilePackageRequest?.prepareDownloadResponse.value.downloadResponseOk;
          if (done) flip(done.euiccSignature2);
        },
      ],
    ];
    for (const [status, act] of cases)
      expect(run({}, { tamper: change(act) }).told('refused'), status).toMatchObject([{ status }]);
  });
});

describe('the eUICC refuses the server', () => {
  it.each([
    ['CERT.DPauth of another role', 'auth', 'dsTls'],
    ['CERT.DPpb of another role', 'pb', 'dpAuth'],
  ] as const)('%s', (_title, which, role) => {
    const names = { address: 'smdp.example.com', oid: '2.999.10' };
    const wrong = makeServerCertificate(pki.ci!, { ...names, role, now });
    const server = smdpOf(pki, { credentials: { ...pki.smdps[0], [which]: wrong } });
    server.smdp.order({ iccid, matchingId });
    const ended = new DownloadClient(cardFor(pki), server.exchange).download({ matchingId });
    expect(ended.failed?.code).toBe(127);
    expect(server.told('refused')).toMatchObject([
      { status: '8.1/4.2', why: expect.stringMatching(/invalidCertificate$/) },
    ]);
  });
});

it('every status code can be provoked, by order or by server, and has its ASN.1 code', () => {
  for (const status of Object.keys(statusCodes) as (keyof typeof statusCodes)[]) {
    const { first } = statusCodes[status];
    if (first === 'cancelSession') continue;
    const byServer = smdpOf(pki);
    byServer.smdp.order({ iccid, matchingId });
    byServer.smdp.provoke(
      `${status}@${first === 'getBoundProfilePackage' ? 'authenticateClient' : first}`,
      1,
    );
    const ipa = new DownloadClient(cardFor(pki), byServer.exchange);
    expect(ipa.download({ matchingId }).failed, status).toBeDefined();
    expect(byServer.told('refused'), status).toMatchObject([{ status }]);
    if (first === 'initiateAuthentication') continue;
    const { ended, told } = run({ provoke: [status] });
    expect(ended.failed, status).toEqual({ function: first, code: new Refusal(status).asn1Code(first) });
    expect(told('refused'), status).toMatchObject([{ status, function: first }]);
  }
  expect(() => run({ provoke: ['8.8.8/8.8'] })).toThrow(SmdpError);
});

describe('CancelSession', () => {
  const stopped = (provoke: string[] = []) =>
    run({ provoke: ['8.1/4.2@getBoundProfilePackage', ...provoke] });

  it.each([
    [0, 'error', 'cancelled: endUserRejection'],
    [1, 'released', undefined],
    [2, 'released', undefined],
    [3, 'error', 'cancelled: pprNotAllowed'],
    [5, 'error', 'cancelled: loadBppExecutionError'],
  ])('reason %i leaves the order %s', (reason, state, outcome) => {
    const { ipa, ended, smdp, told } = stopped();
    expect(ipa.cancel(ended.transactionId!, reason)).toBe('ok');
    expect(smdp.orders()[0].state).toBe(state);
    expect(smdp.orders()[0].outcome).toBe(outcome);
    expect(told('cancelled')).toHaveLength(1);
  });

  it('is refused with another signature, an unknown transaction, or when provoked', () => {
    const wrong = stopped();
    expect(
      wrong.ipa.cancel(wrong.ended.transactionId!, 0, (signature) => {
        signature[0] ^= 1;
      }),
    ).toBe(2);
    expect(wrong.smdp.orders()[0].state).toBe('released');
    const provoked = stopped(['8.8/3.10']);
    expect(provoked.ipa.cancel(provoked.ended.transactionId!, 0)).toBe(127);
    const over = run({});
    over.ipa.notify(over.ended.result!);
    expect(over.smdp.orders()[0].state).toBe('installed');
  });
});

describe('notifications', () => {
  it('with a wrong signature change nothing', () => {
    const { ended, ipa, smdp, told } = run({});
    const forged = ended.result!.slice();
    forged[forged.length - 1] ^= 1;
    ipa.notify(forged);
    expect(smdp.orders()).toMatchObject([{ state: 'downloaded' }]);
    expect(told('notification')).toMatchObject([{ verified: false }]);
  });

  it('an installation that failed says why', () => {
    const { ipa, smdp, ended } = run({});
    ipa.notify(ended.result!);
    smdp.order({ iccid, matchingId: 'AGAIN' });
    const second = ipa.download({ matchingId: 'AGAIN' });
    ipa.notify(second.result!);
    expect(smdp.orders()[1]).toMatchObject({
      state: 'error',
      outcome: expect.stringContaining('installFailedDueToIccidAlreadyExistsOnEuicc'),
    });
  });
});

it.each([
  ['no ICCID', {}],
  ['an ICCID that is none', { iccid: '12' }],
  ['an EID that is none', { iccid, eid: '12' }],
  ['a matchingId with other characters', { iccid, matchingId: 'a$b' }],
  ['neither matchingId nor EID', { iccid, matchingId: '' }],
  ['a profile that is none', { profile: Uint8Array.of(1, 2, 3) }],
])('an order with %s is refused', (_title, order) => {
  expect(() => smdpOf(pki).smdp.order(order)).toThrow(SmdpError);
});

it('two open orders cannot have the same matchingId', () => {
  const { smdp } = smdpOf(pki);
  smdp.order({ iccid, matchingId });
  expect(() => smdp.order({ iccid, matchingId })).toThrow(/open order/);
  smdp.withdraw(matchingId);
  expect(smdp.order({ iccid }).activationCode).toMatch(/^1\$smdp\.example\.com\$[0-9A-F]{16}$/);
  expect(() => smdp.withdraw('NONE')).toThrow(SmdpError);
});
