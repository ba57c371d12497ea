import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AuthenticateClientRequest,
  AuthenticateClientResponseEsipa,
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  CancelSessionRequest,
  CancelSessionRequestEs9,
  CancelSessionResponse,
  CancelSessionResponseEs9,
  decode,
  EuiccInfo1,
  encode,
  GetBoundProfilePackageRequest,
  GetBoundProfilePackageResponseEsipa,
  GetEuiccChallengeResponse,
  HandleNotification,
  hex,
  type Infer,
  InitiateAuthenticationRequestEsipa,
  InitiateAuthenticationResponseEsipa,
  type IpaFeatureNames,
  iccidDigits,
  PendingNotification,
  PrepareDownloadRequest,
  PrepareDownloadResponse,
  type ProfileDownloadTriggerRequest,
  type ProfileDownloadTriggerResult,
  ProfileInstallationResult,
  signed,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { type DownloadTrigger, Eim, EimError, type Outcome } from '../../../host-sim/eim/index.js';
import { VirtualEuicc } from '../../../host-sim/euicc/index.js';
import type { SimEvent } from '../../../host-sim/events.js';
import { makePki, type Pki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { segmentsOf } from '../../../host-sim/rsp/index.js';
import { answerTo, type OrderOptions } from '../../../host-sim/smdp/index.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { deviceInfo, now } from '../euicc/example-smdp.js';
import { DownloadClient, smdpOf } from '../smdp/client.js';
import { CardIpa } from './card-ipa.js';

const eid = '89049032123451234512345678901235';
const iccid = '8900000000000000052';
const activationCode = '1$smdp.example.com$MATCH-1';
type Feature = (typeof IpaFeatureNames)[number];
type Trigger = Infer<typeof ProfileDownloadTriggerRequest>;

let pki: Pki;
beforeAll(async () => {
  pki = await makePki({
    eid,
    eims: [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }],
    now,
    random: seeded(1),
  });
});

/** Device, eIM and SM-DP+ in one process; `later`: the SM-DP+ answers with promises. */
function world(order: Partial<OrderOptions> = {}, features: Feature[] = [], later = false) {
  const server = smdpOf(pki);
  server.smdp.order({ iccid, matchingId: 'MATCH-1', ...order });
  const events: SimEvent[] = [];
  const state = { reachable: true };
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock: server.clock,
    random: seeded(5),
    observe: (event) => events.push(event),
    connect: (address, request) => {
      if (!state.reachable) throw new Error(`${address} is not there`);
      const answer = answerTo(server.smdp, request);
      return later ? Promise.resolve(answer) : answer;
    },
  });
  const card = new VirtualEuicc({
    credentials: pki.euicc,
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock: server.clock,
    random: seeded(6),
    profiles: [{ iccid: '89001023456789012341', imsi: '001010000000001', enabled: true }],
  });
  let answered: Uint8Array | undefined;
  const ask = (message: Uint8Array) =>
    eim.handle(message, {
      link: 'https',
      answer: (bytes) => {
        answered = bytes;
      },
    });
  const ipa = new CardIpa(card, pki.euicc.eid, ask);
  ipa.features = features;
  ipa.associate(eim.eimConfiguration({ eid, token: true, euiccCiPKId: pki.euicc.ciKeyId }));
  const told = (what: string) =>
    events.flatMap((event) => (event.event === 'eim' && event.what === what ? [event.detail] : []));
  return {
    ...server,
    eim,
    card,
    ipa,
    ask,
    told,
    state,
    /** The answer that came later. */
    async later(message: Uint8Array) {
      const now = ask(message);
      if (now) return now;
      await server.clock.advance(0);
      return answered;
    },
  };
}

type World = ReturnType<typeof world>;

interface Steps {
  /** As the IPA would send it. */
  smdpAddress?: string;
  matchingId?: string;
  compact?: boolean;
  /** Every message is sent twice, and must get the same answer. */
  twice?: boolean;
  /** Sends this instead of the transaction of the trigger. */
  eimTransactionId?: Uint8Array;
}

/** An indirect download by the book (procedures.md §7). @returns the error of the eIM, or the BF37 */
async function indirect(w: World, trigger: Trigger, steps: Steps = {}) {
  const ask = async (message: Uint8Array) => {
    const answer = (await w.later(message))!;
    if (steps.twice) expect(hex((await w.later(message))!)).toBe(hex(answer));
    return answer;
  };
  const es10 = (bytes: Uint8Array) => w.ipa.es10(bytes);
  const { euiccChallenge } = decode(GetEuiccChallengeResponse, es10(unhex('BF2E00')));
  const initiated = decode(
    InitiateAuthenticationResponseEsipa,
    await ask(
      encode(InitiateAuthenticationRequestEsipa, {
        euiccChallenge,
        ...(steps.smdpAddress !== undefined && { smdpAddress: steps.smdpAddress }),
        ...(!steps.compact && { euiccInfo1: decode(EuiccInfo1, es10(unhex('BF2000'))) }),
        eimTransactionId: steps.eimTransactionId ?? trigger.eimTransactionId,
      }),
    ),
  );
  const first = initiated.initiateAuthenticationOkEsipa;
  if (!first) return { error: ['initiate', initiated.initiateAuthenticationErrorEsipa] };
  const transactionId = first.transactionId!;
  const matchingId = first.matchingId ?? steps.matchingId;
  const authenticated = es10(
    encode(AuthenticateServerRequest, {
      serverSigned1: first.serverSigned1,
      serverSignature1: first.serverSignature1,
      euiccCiPKIdToBeUsed: first.euiccCiPKIdentifierToBeUsed,
      serverCertificate: first.serverCertificate,
      ctxParams1: first.ctxParams1 ?? {
        ctxParamsForCommonAuthentication: { deviceInfo, ...(matchingId !== undefined && { matchingId }) },
      },
    }),
  );
  const compactAuthentication = () => {
    const { euiccSigned1, euiccSignature1 } = decode(AuthenticateServerResponse, authenticated)
      .authenticateResponseOk!;
    const { euiccInfo2, ctxParams1 } = euiccSigned1.value;
    const { extCardResource } = euiccInfo2;
    return encode(AuthenticateServerResponse, {
      compactAuthenticateResponseOk: {
        signedData: { compactEuiccSigned1: { extCardResource, ...(!first.ctxParams1 && { ctxParams1 }) } },
        euiccSignature1,
      },
    });
  };
  const client = decode(
    AuthenticateClientResponseEsipa,
    await ask(
      encode(AuthenticateClientRequest, {
        transactionId,
        authenticateServerResponse: decode(
          signed(AuthenticateServerResponse),
          steps.compact ? compactAuthentication() : authenticated,
        ),
      }),
    ),
  );
  const second = client.authenticateClientOkDPEsipa;
  if (!second) return { error: ['authenticate', client.authenticateClientErrorEsipa], transactionId };
  const { smdpSigned2, smdpSignature2, smdpCertificate, hashCc } = second;
  const prepared = es10(
    encode(PrepareDownloadRequest, {
      smdpSigned2,
      smdpSignature2,
      smdpCertificate,
      ...(hashCc && { hashCc }),
    }),
  );
  const compactPreparation = () => {
    const { euiccSigned2, euiccSignature2 } = decode(PrepareDownloadResponse, prepared).downloadResponseOk!;
    const { euiccOtpk } = euiccSigned2.value;
    return encode(PrepareDownloadResponse, {
      compactDownloadResponseOk: { compactEuiccSigned2: { euiccOtpk }, euiccSignature2 },
    });
  };
  const bound = decode(
    GetBoundProfilePackageResponseEsipa,
    await ask(
      encode(GetBoundProfilePackageRequest, {
        transactionId,
        prepareDownloadResponse: decode(
          signed(PrepareDownloadResponse),
          steps.compact ? compactPreparation() : prepared,
        ),
      }),
    ),
  );
  const third = bound.getBoundProfilePackageOkEsipa;
  if (!third) return { error: ['bind', bound.getBoundProfilePackageErrorEsipa], transactionId };
  for (const chain of segmentsOf(third.boundProfilePackage)) {
    const result = es10(chain);
    if (result.length > 0) return { result, transactionId, metadata: second.profileMetadata };
  }
  throw new Error('no result');
}

/** As an IPA that spares bytes has it (esipa.md §4). */
function compacted(result: Uint8Array): PendingNotification {
  const { profileInstallationResultData, euiccSignPIR } = decode(ProfileInstallationResult, result);
  const { transactionId, notificationMetadata, finalResult } = profileInstallationResultData.value;
  const compactAid = finalResult.successResult!.aid.subarray(13, 15);
  return {
    compactProfileInstallationResult: {
      compactProfileInstallationResultData: {
        transactionId,
        seqNumber: notificationMetadata.seqNumber,
        compactFinalResult: { compactSuccessResult: { compactAid } },
      },
      euiccSignPIR,
    },
  };
}

const notify = (w: World, result: Uint8Array, compact = false) => {
  const pendingNotification = compact ? compacted(result) : decode(PendingNotification, result);
  return w.eim.handle(encode(HandleNotification, { pendingNotification }), { link: 'mqtt', eid });
};

const report = (w: World, result: Infer<typeof ProfileDownloadTriggerResult>) =>
  w.eim.handle(
    encode(HandleNotification, {
      provideEimPackageResult: {
        eidValue: pki.euicc.eid,
        eimPackageResult: { profileDownloadTriggerResult: result },
      },
    }),
    { link: 'mqtt', eid },
  );

/** Orders a download and lets the device fetch the trigger. */
function triggered(w: World, download: DownloadTrigger) {
  let trigger: Trigger | undefined;
  w.ipa.onTrigger = (one) => {
    trigger = one;
  };
  const outcome = w.eim.queue(eid, { download });
  for (let i = 0; i < 3 && !trigger; i++) w.ipa.poll();
  return { trigger: trigger!, outcome };
}

describe('indirect', () => {
  let done: Outcome | undefined;
  beforeEach(() => {
    done = undefined;
  });

  it.each<[string, Partial<OrderOptions>, Feature[], Partial<DownloadTrigger>, Steps]>([
    ['address from the IPA', {}, [], {}, { smdpAddress: 'SMDP.example.com', matchingId: 'MATCH-1' }],
    [
      'every message twice',
      {},
      [],
      {},
      { smdpAddress: 'smdp.example.com', matchingId: 'MATCH-1', twice: true },
    ],
    ['data kept by the eIM', {}, ['eimDownloadDataHandling'], {}, {}],
    ['ctxParams1 made by the eIM', {}, ['eimDownloadDataHandling', 'eimCtxParams1Generation'], {}, {}],
    [
      'confirmation code at the eIM',
      { confirmationCode: '1234' },
      ['eimDownloadDataHandling'],
      { confirmationCode: '1234' },
      {},
    ],
    [
      'metadata verified by the eIM',
      {},
      ['eimDownloadDataHandling', 'eimProfileMetadataVerification'],
      {},
      {},
    ],
    ['compact forms', {}, ['eimDownloadDataHandling', 'minimizeEsipaBytes'], {}, { compact: true }],
    [
      'compact forms, ctxParams1 made by the eIM',
      {},
      ['eimDownloadDataHandling', 'eimCtxParams1Generation', 'minimizeEsipaBytes'],
      {},
      { compact: true },
    ],
    [
      'OID in the activation code',
      {},
      [],
      { activationCode: `${activationCode}$2.999.10` },
      { matchingId: 'MATCH-1' },
    ],
  ])('%s', async (_title, order, features, download, steps) => {
    const w = world(order, features);
    const { trigger, outcome } = triggered(w, { activationCode, way: 'indirect', ...download });
    expect(trigger.profileDownloadData === undefined).toBe(features.includes('eimDownloadDataHandling'));
    const { result, metadata } = await indirect(w, trigger, steps);
    expect(metadata === undefined).toBe(features.includes('eimProfileMetadataVerification'));
    expect(w.card.profiles.map((profile) => iccidDigits(profile.iccid))).toContain(iccid);
    expect(hex(notify(w, result!, steps.compact)!)).toBe('BF4E06BF5303800101');
    expect(await outcome).toMatchObject({ outcome: 'downloaded', ok: true, iccid, seqNumber: 1 });
    expect(w.smdp.orders()).toMatchObject([{ state: 'installed' }]);
    expect(w.told('forwarded')).toEqual([{ address: 'smdp.example.com' }]);
    expect(w.told('relayed')).toHaveLength(3);
  });

  it('through an SM-DP+ far away', async () => {
    const w = world({}, ['eimDownloadDataHandling'], true);
    const { trigger, outcome } = triggered(w, { activationCode, way: 'indirect' });
    const { result } = await indirect(w, trigger);
    notify(w, result!);
    await w.clock.advance(0);
    expect((await outcome).ok).toBe(true);
    expect(w.smdp.orders()).toMatchObject([{ state: 'installed' }]);
  });

  it.each<[string, Partial<OrderOptions>, Feature[], Partial<DownloadTrigger>, Steps, [string, number]]>([
    ['another address', {}, [], {}, { smdpAddress: 'other.example.com' }, ['initiate', 50]],
    ['another OID', {}, [], { activationCode: `${activationCode}$2.999.11` }, {}, ['initiate', 51]],
    ['an unknown transaction', {}, [], {}, { eimTransactionId: unhex('ABCD') }, ['initiate', 52]],
    ['a download that was to be direct', {}, [], { way: 'direct' }, {}, ['initiate', 127]],
    [
      'an SM-DP+ that has another name',
      {},
      [],
      { activationCode: '1$far.example.com$A' },
      {},
      ['initiate', 1],
    ],
    ['a matchingId that is refused', {}, [], {}, { matchingId: 'OTHER' }, ['authenticate', 6]],
    [
      'an order that has expired',
      { expires: now - 1 },
      [],
      {},
      { matchingId: 'MATCH-1' },
      ['authenticate', 127],
    ],
    [
      'policy rules that the eIM does not take',
      { profilePolicyRules: ['ppr2'] },
      ['eimProfileMetadataVerification'],
      { allowPolicyRules: false },
      { matchingId: 'MATCH-1' },
      ['authenticate', 50],
    ],
    [
      'a missing confirmation code',
      { confirmationCode: '1' },
      [],
      {},
      { matchingId: 'MATCH-1' },
      ['bind', 2],
    ],
    ['what is provoked', { provoke: ['8.2/3.7'] }, [], {}, { matchingId: 'MATCH-1' }, ['bind', 5]],
  ])('%s is refused', async (_title, order, features, download, steps, error) => {
    const w = world(order, features);
    const { trigger, outcome } = triggered(w, { activationCode, way: 'indirect', ...download });
    const ended = await indirect(w, trigger, steps);
    expect(ended.error).toEqual(error);
    if (ended.transactionId) {
      const { transactionId } = ended;
      const answer = w.ipa.es10(encode(CancelSessionRequest, { transactionId, reason: 127 }));
      const cancelSessionResponse = decode(CancelSessionResponse, answer);
      const cancelled = w.ask(encode(CancelSessionRequestEs9, { transactionId, cancelSessionResponse }))!;
      expect(decode(CancelSessionResponseEs9, cancelled).cancelSessionOk).toBeDefined();
      expect(w.smdp.orders()[0].state).toBe(error[1] === 6 ? 'released' : 'error');
    }
    void outcome.then((value) => {
      done = value;
    });
    expect(
      hex(
        report(w, {
          eimTransactionId: trigger.eimTransactionId,
          profileDownloadTriggerResultData: {
            profileDownloadError: { profileDownloadErrorReason: 127, errorResponse: unhex('020106') },
          },
        })!,
      ),
    ).toBe('BF4E03BF5300');
    await w.clock.advance(0);
    expect(done).toMatchObject({
      outcome: 'downloadFailed',
      by: 'ipa',
      name: 'undefinedError',
      errorResponse: '020106',
    });
  });

  it('an SM-DP+ that cannot be reached is 127, its notifications wait', async () => {
    const w = world({}, ['eimDownloadDataHandling']);
    const { trigger } = triggered(w, { activationCode, way: 'indirect' });
    w.state.reachable = false;
    expect((await indirect(w, trigger)).error).toEqual(['initiate', 127]);
    w.state.reachable = true;
    const { result } = await indirect(w, trigger);
    w.state.reachable = false;
    notify(w, result!);
    await w.clock.advance(31_000);
    expect(w.told('forwarded')).toHaveLength(0);
    w.state.reachable = true;
    await w.clock.advance(31_000);
    expect(w.told('forwarded')).toHaveLength(1);
    expect(w.smdp.orders()).toMatchObject([{ state: 'installed' }]);
    w.eim.close();
  });

  it('transactions and messages that nobody knows', () => {
    const w = world();
    const ask = (text: string) => hex(w.ask(unhex(text))!);
    expect(ask('BF3A098001ABBF2103A10000')).toBe('BF3A0381017F');
    expect(ask('BF410980020102A103810105')).toBe('BF4103810101');
    expect(ask('BF3900')).toBe('BF390381017F');
    expect(ask('BF3B00')).toBe('BF3B0382017F');
  });
});

describe('direct', () => {
  it('the trigger has the activation code, and the result is verified', async () => {
    const w = world();
    const { trigger, outcome } = triggered(w, { activationCode: `LPA:${activationCode}`, way: 'direct' });
    expect(trigger.profileDownloadData).toEqual({ activationCode });
    const es10 = { es10: (bytes: Uint8Array) => w.ipa.es10(bytes) };
    const ended = new DownloadClient(es10, w.exchange).download({ matchingId: 'MATCH-1' });
    // The installation result stays with the IPA, which owes it to the SM-DP+.
    const answer = report(w, {
      eimTransactionId: trigger.eimTransactionId,
      profileDownloadTriggerResultData: {
        profileInstallationResult: decode(ProfileInstallationResult, ended.result!),
      },
    });
    expect(hex(answer!)).toBe('BF4E03BF5300');
    expect(await outcome).toMatchObject({ outcome: 'downloaded', ok: true, iccid });
    expect(w.told('forwarded')).toHaveLength(0);
  });

  it('a forged result is not believed', async () => {
    const w = world();
    const { trigger } = triggered(w, { activationCode });
    const es10 = { es10: (bytes: Uint8Array) => w.ipa.es10(bytes) };
    const { result } = new DownloadClient(es10, w.exchange).download({ matchingId: 'MATCH-1' });
    result![result!.length - 1] ^= 1;
    report(w, {
      eimTransactionId: trigger.eimTransactionId,
      profileDownloadTriggerResultData: {
        profileInstallationResult: decode(ProfileInstallationResult, result!),
      },
    });
    expect(w.told('rejected').at(-1)?.why).toMatch(/signature is wrong/);
    expect(w.eim.devices()[0].outstanding).toBe(true);
  });

  it.each([
    ['default SM-DP+', { defaultSmdp: true }, { contactDefaultSmdp: true }],
    ['root SM-DS', { smds: '' }, { contactSmds: {} }],
    ['SM-DS', { smds: 'smds.example.com' }, { contactSmds: { smdsAddress: 'smds.example.com' } }],
    ['nothing said', {}, undefined],
  ])('%s', (_title, download, data) => {
    expect(triggered(world(), download).trigger.profileDownloadData).toEqual(data);
  });

  it.each([
    { activationCode: 'x' },
    { activationCode: '1$a$b', defaultSmdp: true },
    { activationCode: '1$a$%' },
  ])('an order with %o is refused', async (download) => {
    await expect(world().eim.queue(eid, { download })).rejects.toThrow(EimError);
  });
});
