import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  decode,
  EimConfigurationData,
  EuiccPackageRequest,
  type EuiccPackageResult,
  type EuiccResultData,
  hex,
  TransferEimPackageRequest,
  tokenDo,
  unhex,
  writeElement,
} from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Eim, EimError, type EimOptions, type Order, type Outcome } from '../../../host-sim/eim/index.js';
import type { SimEvent } from '../../../host-sim/events.js';
import { makePki, type Pki, sign } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { FileStore, MemoryStore, type Store } from '../../../host-sim/store.js';
import { dataError, FakeDevice, readPoll, readResponse } from './fake-device.js';

const eid = '89049032123451234512345678901235';
const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;
const iccid = '89001023456789012341';
const enable: Order = { psmo: [{ op: 'enable', iccid }] };
const ok: EuiccResultData[] = [{ enableResult: 0 }];
const link = { link: 'coap' };
const mqtt = { link: 'mqtt', eid };

let pki: Pki;
let foreign: Pki;
beforeAll(async () => {
  const now = Date.UTC(2026, 0, 1);
  pki = await makePki({ eid, eims, now, random: seeded(1) });
  foreign = await makePki({ eid, eims, now, random: seeded(2) });
});

function setUp(options: Partial<EimOptions> & { token?: number } = {}) {
  const clock = new VirtualClock();
  const events: Extract<SimEvent, { event: 'eim' }>[] = [];
  const settings: EimOptions = {
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock,
    random: seeded(3),
    observe: (event) => {
      if (event.event === 'eim') events.push(event);
    },
    ...options,
  };
  const device = new FakeDevice(pki, options.token);
  const eim = new Eim(settings);
  const of = (what: string) => events.filter((event) => event.what === what);
  return { clock, events, of, settings, device, eim };
}
type Setting = ReturnType<typeof setUp>;

const poll = ({ eim, device }: Setting) => readPoll(eim.handle(device.poll(), link));
const pollPackage = (setting: Setting) => poll(setting).euiccPackageRequest!;
const deliver = ({ eim, device }: Setting, result: EuiccPackageResult) =>
  readResponse(eim.handle(device.deliver({ euiccPackageResult: result }), link));

/** Answers the eIM's first question. */
function onboard(setting: Setting): Setting {
  const { eim, device } = setting;
  const request = poll(setting).ipaEuiccDataRequest!;
  eim.handle(device.deliver({ ipaEuiccDataResponse: device.data(request) }), link);
  return setting;
}

/** The outcome if it is there. */
async function peek(promise: Promise<Outcome>): Promise<Outcome | undefined> {
  return Promise.race([promise, new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))]);
}

describe('a poll', () => {
  it('of a new device is answered with the question who it is, then with nothing', () => {
    const setting = setUp();
    const { tagList, eimTransactionId } = poll(setting).ipaEuiccDataRequest!;
    expect(tagList).toEqual([0xbf22, 0x84, 0xa5, 0xa6]);
    expect(eimTransactionId).toHaveLength(4);
    onboard(setting);
    expect(setting.eim.devices()).toMatchObject([{ eid, onboarded: true, counterValue: 0 }]);
    expect(hex(setting.eim.handle(setting.device.poll(), link)!)).toBe('BF4F03020101');
  });

  it.each<[string, string, EimOptions['accept'], string | undefined, string]>([
    ['an unlisted device', `BF4F125A10${eid}`, 'listed', undefined, 'BF4F03020102'],
    [
      'an EID that is not decimal',
      'BF4F125A10ABCDEF00000000000000000000000000',
      'any',
      undefined,
      'BF4F03020103',
    ],
    ['an EID of 15 bytes', `BF4F115A0F${eid.slice(2)}`, 'any', undefined, 'BF4F03020103'],
    [
      'an EID that is not the one of the topic',
      `BF4F125A10${eid}`,
      'any',
      `${eid.slice(0, 31)}6`,
      'BF4F03020103',
    ],
    ['no EID', 'BF4F00', 'any', undefined, 'BF4F03020104'],
    ['bytes that end early', 'BF4F125A10', 'any', undefined, 'BF4F0302017F'],
  ])('with %s gets the error of the protocol', (_, message, accept, topic, answer) => {
    const { eim, of } = setUp({ accept });
    expect(hex(eim.handle(unhex(message), { link: 'https', eid: topic })!)).toBe(answer);
    expect(of('rejected')).toHaveLength(1);
  });

  it('reports a change of state, in the form of v1.0 too', () => {
    const { eim, of } = setUp();
    eim.handle(unhex(`BF4F1C5A10${eid}8000810101820362F210`), link);
    eim.handle(unhex(`BF4F195A10${eid}8000810362F210`), link);
    expect(of('poll').map(({ detail }) => detail)).toMatchObject([
      { notifyStateChange: true, stateChangeCause: 'fallback', rPLMN: '262-01' },
      { notifyStateChange: true, rPLMN: '262-01' },
    ]);
  });
});

describe('a package', () => {
  it.each([undefined, 5, 200])('is signed with the association token (%s) that the device told', (token) => {
    const setting = onboard(setUp({ token }));
    void setting.eim.queue(eid, enable);
    setting.eim.handle(setting.device.poll(), link);
    expect(setting.device.accepts(setting.eim.lastPackage(eid))).toBe(true);
  });

  it('is verified, stored, acknowledged and settled', async () => {
    const setting = onboard(setUp({ token: 7 }));
    const outcome = setting.eim.queue(eid, enable);
    const request = pollPackage(setting);
    expect(request.euiccPackageSigned.value).toMatchObject({ eimId: 'eim.example.com', counterValue: 1 });
    expect(deliver(setting, setting.device.execute(request, ok))).toEqual({ eimAcknowledgements: [1] });
    expect(await outcome).toEqual({
      outcome: 'verified',
      ok: true,
      counterValue: 1,
      eimTransactionId: hex(request.euiccPackageSigned.value.eimTransactionId!),
      seqNumber: 1,
      results: [{ op: 'enable', ok: true, code: 0, name: 'ok' }],
    });
    expect(setting.events.map(({ what }) => what)).toEqual([
      ...['poll', 'sent', 'data', 'queued', 'poll', 'sent', 'verified', 'acknowledged'],
    ]);
  });

  it('keeps its order, one after the other, each counter greater by one', async () => {
    const setting = onboard(setUp());
    const orders: Order[] = [
      { psmo: [{ op: 'listProfileInfo' }] },
      { eco: [{ op: 'listEim' }] },
      { psmo: [{ op: 'setFallbackAttribute', iccid }, { op: 'getRAT' }] },
    ];
    const outcomes = orders.map((order) => setting.eim.queue(eid, order));
    const results: EuiccResultData[][] = [
      [
        {
          listProfileInfoResult: {
            profileInfoListOk: [{ iccid: unhex('98001032547698103214'), profileState: 1 }],
          },
        },
      ],
      [{ listEimResult: { eimIdList: [{ eimId: 'eim.example.com', eimIdType: 2 }] } }],
      [{ setFallbackAttributeResult: 2 }],
    ];
    for (const [index, result] of results.entries()) {
      const request = pollPackage(setting);
      expect(request.euiccPackageSigned.value.counterValue).toBe(index + 1);
      deliver(setting, setting.device.execute(request, result));
    }
    const [list, listEim, fallback] = await Promise.all(outcomes);
    expect(list).toMatchObject({
      ok: true,
      results: [{ op: 'listProfileInfo', profiles: [{ profileState: 'enabled' }] }],
    });
    expect(listEim).toMatchObject({
      ok: true,
      results: [{ op: 'listEim', eims: [{ eimId: 'eim.example.com' }] }],
    });
    expect(fallback).toMatchObject({
      outcome: 'verified',
      ok: false,
      results: [{ op: 'setFallbackAttribute', ok: false, code: 2, name: 'fallbackNotAllowed' }],
    });
  });

  it('is sent again byte for byte until its result is there', () => {
    const setting = onboard(setUp());
    void setting.eim.queue(eid, enable);
    void setting.eim.queue(eid, { psmo: [{ op: 'getRAT' }] });
    const first = setting.eim.handle(setting.device.poll(), link);
    expect(setting.eim.handle(setting.device.poll(), link)).toEqual(first);
    const again = new Eim({ ...setting.settings });
    expect(again.handle(setting.device.poll(), link)).toEqual(first);
  });

  it('has a counter that is durable before it leaves', () => {
    const inner = new MemoryStore();
    const saved: (Uint8Array | undefined)[] = [];
    const store: Store = {
      load: () => inner.load(),
      save: (bytes) => {
        saved.push(bytes.slice());
        inner.save(bytes);
      },
    };
    const setting = onboard(setUp({ store }));
    void setting.eim.queue(eid, enable);
    const before = saved.length;
    setting.eim.handle(setting.device.poll(), link);
    expect(saved).toHaveLength(before + 1);
    const { eim } = setUp({ store: { load: () => saved[before], save: () => {} } });
    expect(eim.devices()[0]).toMatchObject({ counterValue: 1, outstanding: true });
  });

  it('is not given away when the counter cannot be saved', () => {
    const inner = new MemoryStore();
    let full = false;
    const store: Store = {
      load: () => inner.load(),
      save: (bytes) => {
        if (full) throw new Error('disk full');
        inner.save(bytes);
      },
    };
    const setting = onboard(setUp({ store }));
    void setting.eim.queue(eid, enable);
    full = true;
    expect(() => setting.eim.handle(setting.device.poll(), link)).toThrow('disk full');
    full = false;
    const result = setting.device.execute(pollPackage(setting), ok);
    full = true;
    expect(() => deliver(setting, result)).toThrow('disk full');
    expect(() => deliver(setting, result)).toThrow('disk full');
    full = false;
    expect(deliver(setting, result)).toEqual({ eimAcknowledgements: [1] });
  });

  it('is refused by the eUICC with a verified reason', async () => {
    const setting = onboard(setUp());
    const outcome = setting.eim.queue(eid, enable);
    expect(deliver(setting, setting.device.error(pollPackage(setting), 104))).toEqual({ emptyResponse: {} });
    expect(await outcome).toEqual({
      outcome: 'refused',
      ok: false,
      by: 'euicc',
      code: 104,
      name: 'ecallActive',
    });
  });

  it('is refused unsigned; then the eIM asks for the token again', async () => {
    const setting = onboard(setUp({ token: 1 }));
    const outcome = setting.eim.queue(eid, enable);
    const { eimTransactionId } = pollPackage(setting).euiccPackageSigned.value;
    deliver(setting, { euiccPackageErrorUnsigned: { eimId: 'eim.example.com', eimTransactionId } });
    expect(await outcome).toMatchObject({ outcome: 'refused', by: 'euiccUnsigned' });
    setting.device.token = 2;
    onboard(setting);
    void setting.eim.queue(eid, enable);
    setting.eim.handle(setting.device.poll(), link);
    expect(setting.device.accepts(setting.eim.lastPackage(eid))).toBe(true);
  });

  it.each<[number, string]>([
    [1, 'invalidPackageFormat'],
    [2, 'unknownPackage'],
    [127, 'undefinedError'],
  ])('is refused by the IPA with %i %s', async (code, name) => {
    const setting = onboard(setUp());
    const outcome = setting.eim.queue(eid, enable);
    const { eimTransactionId } = pollPackage(setting).euiccPackageSigned.value;
    const error = { eimPackageResultErrorCode: code, eimTransactionId };
    setting.eim.handle(setting.device.deliver({ eimPackageResultResponseError: error }), link);
    expect(await outcome).toEqual({ outcome: 'refused', ok: false, by: 'ipa', code, name });
  });

  it('times out before and after it was sent', async () => {
    const setting = onboard(setUp());
    const { clock, eim } = setting;
    const first = eim.queue(eid, enable, { timeoutMilliseconds: 1000 });
    const request = pollPackage(setting);
    const second = eim.queue(eid, enable, { timeoutMilliseconds: 2000 });
    expect(await clock.run(first)).toEqual({ outcome: 'timeout', ok: false, sent: true });
    expect(await clock.run(second)).toEqual({ outcome: 'timeout', ok: false, sent: false });
    expect(deliver(setting, setting.device.execute(request, ok))).toEqual({ eimAcknowledgements: [1] });
    expect(poll(setting).eimPackageError).toBe(1);
  });
});

describe('a result', () => {
  it('that arrives twice is acknowledged twice and counted once', async () => {
    const setting = onboard(setUp());
    void setting.eim.queue(eid, enable);
    const result = setting.device.execute(pollPackage(setting), ok);
    expect(deliver(setting, result)).toEqual({ eimAcknowledgements: [1] });
    expect(deliver(setting, result)).toEqual({ eimAcknowledgements: [1] });
    expect(setting.of('verified')).toHaveLength(1);
    expect(setting.eim.devices()[0].results).toBe(1);
    const again = { ...setting, eim: new Eim(setting.settings) };
    expect(deliver(again, result)).toEqual({ eimAcknowledgements: [1] });
    expect(again.eim.devices()[0].results).toBe(1);
  });

  it('is rejected, not acknowledged, when any part of it is not right', async () => {
    const setting = onboard(setUp());
    const { device } = setting;
    const outcome = setting.eim.queue(eid, enable);
    const request = pollPackage(setting);
    const other = (change: object) => ({
      ...request,
      euiccPackageSigned: {
        ...request.euiccPackageSigned,
        value: { ...request.euiccPackageSigned.value, ...change },
      },
    });
    expect(deliver(setting, device.execute(request, ok, foreign.euicc.privateKey))).toEqual({
      emptyResponse: {},
    });
    expect(deliver(setting, device.execute(other({ eimId: 'another' }), ok))).toEqual({ emptyResponse: {} });
    device.token = 99;
    expect(deliver(setting, device.execute(request, ok))).toEqual({ emptyResponse: {} });
    device.token = undefined;
    expect(setting.of('rejected')).toHaveLength(3);
    expect(await peek(outcome)).toBeUndefined();
    expect(deliver(setting, device.execute(request, ok))).toEqual({ eimAcknowledgements: [4] });
    expect(await outcome).toMatchObject({ outcome: 'verified' });
  });

  it('without a package of this eIM is kept as an orphan and acknowledged', async () => {
    const setting = onboard(setUp());
    const outcome = setting.eim.queue(eid, enable);
    const request = pollPackage(setting);
    const stale = { ...request.euiccPackageSigned.value, counterValue: 77 };
    const orphan = { ...request, euiccPackageSigned: { ...request.euiccPackageSigned, value: stale } };
    expect(deliver(setting, setting.device.execute(orphan, ok))).toEqual({ eimAcknowledgements: [1] });
    expect(setting.of('verified')[0].detail).toMatchObject({ kind: 'orphan', counterValue: 77 });
    expect(await peek(outcome)).toBeUndefined();
  });

  it('of a rollback replaces the one of the package, or follows it', async () => {
    const setting = onboard(setUp());
    const order: Order = { psmo: [{ op: 'enable', iccid, rollback: true }] };
    const first = setting.eim.queue(eid, order);
    const request = pollPackage(setting);
    deliver(setting, setting.device.execute(request, [{ rollbackResult: 0 }]));
    expect(await first).toMatchObject({
      outcome: 'verified',
      ok: false,
      results: [{ op: 'rollback', code: 0 }],
    });

    const second = setting.eim.queue(eid, order);
    const next = pollPackage(setting);
    deliver(setting, setting.device.execute(next, ok));
    expect(await second).toMatchObject({ ok: true });
    expect(deliver(setting, setting.device.execute(next, [{ rollbackResult: 0 }]))).toEqual({
      eimAcknowledgements: [3],
    });
    expect(setting.of('verified').at(-1)?.detail).toMatchObject({ kind: 'rollback', counterValue: 2 });
  });

  it('is accepted in the other forms that are met: DER signature, unsigned token, v1.0 signature', async () => {
    const forms: ((data: Uint8Array, eimSignature: Uint8Array) => Uint8Array)[] = [
      (data) => derOf(sign(pki.euicc.privateKey, data, tokenDo(200))),
      (data) => sign(pki.euicc.privateKey, data, unhex('8401C8')),
      (data, eimSignature) => sign(pki.euicc.privateKey, data, writeElement(0x5f37, eimSignature)),
    ];
    for (const form of forms) {
      const setting = onboard(setUp({ token: 200 }));
      const outcome = setting.eim.queue(eid, enable);
      const request = pollPackage(setting);
      const { euiccPackageResultSigned: made } = setting.device.execute(request, ok);
      const euiccSignEPR = form(made!.euiccPackageResultDataSigned.bytes, request.eimSignature);
      deliver(setting, { euiccPackageResultSigned: { ...made!, euiccSignEPR } });
      expect(await outcome).toMatchObject({ outcome: 'verified' });
    }
  });

  it('without EID is found by its transaction', async () => {
    const setting = onboard(setUp());
    const outcome = setting.eim.queue(eid, enable);
    const result = setting.device.execute(pollPackage(setting), ok);
    const message = setting.device.deliver({ euiccPackageResult: result }, false);
    expect(readResponse(setting.eim.handle(message, link))).toEqual({ eimAcknowledgements: [1] });
    expect(await outcome).toMatchObject({ outcome: 'verified' });
    expect(readResponse(setting.eim.handle(message, link))).toEqual({ provideEimPackageResultError: 4 });
  });

  it('comes with notifications, which are stored and acknowledged with it', () => {
    const setting = onboard(setUp());
    void setting.eim.queue(eid, enable);
    const euiccPackageResult = setting.device.execute(pollPackage(setting), ok);
    const notificationList = [
      setting.device.notification(),
      setting.device.notification(foreign.euicc.privateKey),
    ];
    const message = setting.device.deliver({ ePRAndNotifications: { euiccPackageResult, notificationList } });
    expect(readResponse(setting.eim.handle(message, link))).toEqual({ eimAcknowledgements: [1, 2] });
    expect(setting.of('rejected')).toHaveLength(1);
    expect(setting.eim.devices()[0]).toMatchObject({ results: 1, notifications: 1 });
  });
});

describe('replayError', () => {
  const until = (setting: Setting) => {
    const outcome = setting.eim.queue(eid, enable);
    const request = pollPackage(setting);
    return { outcome, request };
  };

  it('makes the eIM fetch the stored results, and finds the lost one', async () => {
    const setting = onboard(setUp());
    const { outcome, request } = until(setting);
    const lost = setting.device.execute(request, ok);
    expect(deliver(setting, setting.device.error(pollPackage(setting), 4))).toEqual({ emptyResponse: {} });
    const recovery = poll(setting).ipaEuiccDataRequest!;
    expect(recovery.tagList).toEqual([0xa2]);
    const response = setting.device.data(recovery, { euiccPackageResultList: [lost] });
    const answer = setting.eim.handle(setting.device.deliver({ ipaEuiccDataResponse: response }), link);
    expect(readResponse(answer)).toEqual({ eimAcknowledgements: [1] });
    expect(await outcome).toMatchObject({ outcome: 'verified', ok: true, counterValue: 1 });
  });

  it('ends the order when nothing is stored; the next package has a new counter', async () => {
    const setting = onboard(setUp());
    const { outcome, request } = until(setting);
    deliver(setting, setting.device.error(request, 4));
    const recovery = poll(setting).ipaEuiccDataRequest!;
    setting.eim.handle(
      setting.device.deliver({
        ipaEuiccDataResponse: setting.device.data(recovery, { euiccPackageResultList: [] }),
      }),
      link,
    );
    expect(await outcome).toMatchObject({ outcome: 'refused', name: 'replayError', code: 4 });
    void setting.eim.queue(eid, enable);
    expect(pollPackage(setting).euiccPackageSigned.value.counterValue).toBe(2);
  });
});

describe('onboarding', () => {
  it('that fails refuses what waits, and gives the device a rest', async () => {
    const setting = setUp();
    const { eim, device, clock } = setting;
    const outcome = eim.queue(eid, enable);
    const request = poll(setting).ipaEuiccDataRequest!;
    const { certificate: euiccCertificate, eumCertificate } = foreign.euicc;
    const response = device.data(request, { euiccCertificate, eumCertificate });
    eim.handle(device.deliver({ ipaEuiccDataResponse: response }), link);
    expect(await outcome).toMatchObject({ outcome: 'refused', by: 'eim', name: 'notOnboarded' });
    expect(poll(setting).eimPackageError).toBe(1);
    await clock.advance(60_000);
    expect(poll(setting).ipaEuiccDataRequest).toBeDefined();
  });

  it('fails with the error of the IPA', async () => {
    const setting = setUp();
    const outcome = setting.eim.queue(eid, enable);
    const { eimTransactionId } = poll(setting).ipaEuiccDataRequest!;
    const ipaEuiccDataResponse = dataError(104, eimTransactionId);
    setting.eim.handle(setting.device.deliver({ ipaEuiccDataResponse }), link);
    expect(await outcome).toMatchObject({ outcome: 'refused', by: 'eim' });
    expect(setting.of('refused')[0].detail).toMatchObject({ name: 'ecallActive' });
  });

  it('can be spared: a token that was handed over is used at once after the certificates', () => {
    const setting = setUp({ accept: 'listed', token: 3 });
    setting.eim.setToken(eid, 3);
    onboard(setting);
    expect(setting.eim.devices()[0]).toMatchObject({ associationToken: 3, onboarded: true });
  });
});

describe('a data request', () => {
  it('gives decoded objects, by name or tag', async () => {
    const setting = onboard(setUp());
    const outcome = setting.eim.queue(eid, { data: { tags: ['defaultSmdpAddress', '83', 0xa8] } });
    const request = poll(setting).ipaEuiccDataRequest!;
    expect(request.tagList).toEqual([0x81, 0x83, 0xa8]);
    const response = setting.device.data(request, {
      defaultSmdpAddress: 'smdp.example.com',
      ipaCapabilities: { ipaFeatures: ['directRspServerCommunication'] },
    });
    setting.eim.handle(setting.device.deliver({ ipaEuiccDataResponse: response }), link);
    expect(await outcome).toMatchObject({
      outcome: 'data',
      data: {
        defaultSmdpAddress: 'smdp.example.com',
        ipaCapabilities: { ipaFeatures: ['directRspServerCommunication'] },
      },
    });
  });

  it('takes the error of the IPA, and v1.0’s form of it', async () => {
    const setting = onboard(setUp());
    const outcome = setting.eim.queue(eid, { data: { tags: ['euiccInfo1'] } });
    poll(setting);
    setting.eim.handle(unhex('BF5006BF5203810101'), { ...link, eid });
    expect(await outcome).toEqual({
      outcome: 'refused',
      ok: false,
      by: 'ipa',
      code: 1,
      name: 'incorrectTagList',
    });
  });
});

describe('injection', () => {
  const withLink = (setting: Setting) => {
    const pushed: Uint8Array[] = [];
    setting.eim.onInjection = (to, message) => {
      expect(to).toBe(eid);
      pushed.push(message);
    };
    return pushed;
  };
  const read = (bytes: Uint8Array | undefined) => decode(TransferEimPackageRequest, bytes!);
  const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

  it('pushes question, package and acknowledgement, one after the other', async () => {
    const setting = setUp();
    const { eim, device } = setting;
    const pushed = withLink(setting);
    const outcomes = [
      eim.queue(eid, enable, { mode: 'injection' }),
      eim.queue(eid, enable, { mode: 'injection' }),
    ];
    expect(pushed).toHaveLength(1);
    const question = read(pushed[0]).ipaEuiccDataRequest!;
    expect(eim.handle(device.answer({ ipaEuiccDataResponse: device.data(question) }), mqtt)).toBeUndefined();
    await turn();
    expect(pushed).toHaveLength(2);
    for (const counter of [1, 2]) {
      const request = read(pushed[counter]).euiccPackageRequest!;
      expect(request.euiccPackageSigned.value.counterValue).toBe(counter);
      const euiccPackageResult = device.execute(request, ok);
      expect(read(eim.handle(device.answer({ euiccPackageResult }), mqtt))).toEqual({
        eimAcknowledgements: [counter],
      });
      expect(eim.handle(unhex('BF4E020500'), mqtt)).toBeUndefined();
      await turn();
    }
    expect(await Promise.all(outcomes)).toMatchObject([{ outcome: 'verified' }, { outcome: 'verified' }]);
    expect(pushed).toHaveLength(3);
  });

  it('is not answered to a poll while under way, and is after a while', async () => {
    const setting = onboard(setUp());
    const pushed = withLink(setting);
    void setting.eim.queue(eid, enable, { mode: 'injection' });
    expect(poll(setting).eimPackageError).toBe(1);
    await setting.clock.advance(60_000);
    const answer = setting.eim.handle(setting.device.poll(), link)!;
    expect(hex(answer).endsWith(hex(setting.eim.lastPackage(eid)))).toBe(true);
    expect(pushed).toHaveLength(1);
  });

  it('is answered to a poll at once over a link that nothing can be injected over', () => {
    const setting = onboard(setUp());
    const pushed = withLink(setting);
    void setting.eim.queue(eid, enable, { mode: 'injection' });
    const answer = setting.eim.handle(setting.device.poll(), { ...link, link: 'https' })!;
    expect(hex(answer).endsWith(hex(setting.eim.lastPackage(eid)))).toBe(true);
    expect(pushed).toHaveLength(1);
  });

  it('is answered to the next poll when the link says that it did not arrive', () => {
    const setting = onboard(setUp());
    const pushed = withLink(setting);
    void setting.eim.queue(eid, enable, { mode: 'injection' });
    // Something else did not arrive.
    setting.eim.undelivered(eid, unhex('BF4E020500'));
    setting.eim.undelivered('89049032000000000000000000000000', pushed[0]);
    expect(poll(setting).eimPackageError).toBe(1);
    setting.eim.undelivered(eid, pushed[0]);
    const answer = setting.eim.handle(setting.device.poll(), link)!;
    expect(hex(answer).endsWith(hex(setting.eim.lastPackage(eid)))).toBe(true);
    expect(pushed).toHaveLength(1);
  });

  it('may be answered by a BF50 after a loss of power', async () => {
    const setting = onboard(setUp());
    const pushed = withLink(setting);
    const outcome = setting.eim.queue(eid, enable, { mode: 'injection' });
    const result = setting.device.execute(read(pushed[0]).euiccPackageRequest!, ok);
    expect(deliver(setting, result)).toEqual({ eimAcknowledgements: [1] });
    expect(await outcome).toMatchObject({ outcome: 'verified' });
  });

  it('waits for a link, also over a restart', () => {
    const setting = onboard(setUp());
    void setting.eim.queue(eid, enable, { mode: 'injection' });
    const eim = new Eim(setting.settings);
    expect(withLink({ ...setting, eim })).toHaveLength(1);
  });

  it('is refused by the IPA', async () => {
    const setting = onboard(setUp());
    withLink(setting);
    const outcome = setting.eim.queue(eid, enable, { mode: 'injection' });
    expect(setting.eim.handle(setting.device.answer({ eimPackageError: 1 }), mqtt)).toBeUndefined();
    expect(await outcome).toMatchObject({ outcome: 'refused', by: 'ipa', name: 'invalidPackageFormat' });
  });

  it('shows what the eUICC says to a forged and to a stale package, and queues nothing', async () => {
    const setting = onboard(setUp());
    const { eim, device } = setting;
    const pushed = withLink(setting);
    void eim.queue(eid, enable);
    deliver(setting, device.execute(pollPackage(setting), ok));
    const outstanding = eim.queue(eid, enable);
    const waiting = pollPackage(setting);

    const psmo = { psmo: [{ op: 'getRAT' }] } as const;
    const forged = eim.forge(eid, psmo);
    expect(device.accepts(forged)).toBe(false);
    const first = eim.probe(eid, forged);
    const { eimTransactionId } = read(pushed[0]).euiccPackageRequest!.euiccPackageSigned.value;
    const unsigned = { euiccPackageErrorUnsigned: { eimId: eim.eimId, eimTransactionId } };
    eim.handle(device.answer({ euiccPackageResult: unsigned }), mqtt);
    expect(await first).toMatchObject({ outcome: 'refused', by: 'euiccUnsigned' });

    const stale = eim.stale(eid, psmo);
    expect(device.accepts(stale)).toBe(true);
    const second = eim.probe(eid, stale);
    const replay = device.error(decode(EuiccPackageRequest, stale), 4);
    eim.handle(device.answer({ euiccPackageResult: replay }), mqtt);
    expect(await second).toMatchObject({ outcome: 'refused', by: 'euicc', name: 'replayError' });

    expect(await peek(outstanding)).toBeUndefined();
    deliver(setting, device.execute(waiting, ok));
    expect(await outstanding).toMatchObject({ outcome: 'verified', counterValue: 2 });
  });

  it('answers polls with such a package where no link can push, until the device has said something', async () => {
    const setting = onboard(setUp());
    const { eim, device } = setting;
    const outstanding = eim.queue(eid, enable);
    const forged = eim.forge(eid, { psmo: [{ op: 'getRAT' }] });
    const probed = eim.probe(eid, forged);
    const request = decode(EuiccPackageRequest, forged);
    expect([pollPackage(setting), pollPackage(setting)]).toEqual([request, request]);
    const { eimTransactionId } = request.euiccPackageSigned.value;
    const unsigned = { euiccPackageErrorUnsigned: { eimId: eim.eimId, eimTransactionId } };
    eim.handle(device.answer({ euiccPackageResult: unsigned }), mqtt);
    expect(await probed).toMatchObject({ outcome: 'refused', by: 'euiccUnsigned' });

    const next = pollPackage(setting);
    expect(next).not.toEqual(request);
    deliver(setting, device.execute(next, ok));
    expect(await outstanding).toMatchObject({ outcome: 'verified' });
  });
});

describe('HandleNotification', () => {
  it('is answered by an injected acknowledgement over MQTT and by nothing elsewhere', () => {
    const setting = setUp();
    const { eim, device } = setting;
    const message = device.handleNotification(device.notification());
    expect(hex(eim.handle(message, mqtt)!)).toBe('BF4E06BF5303800101');
    expect(hex(eim.handle(message, mqtt)!)).toBe('BF4E06BF5303800101');
    expect(eim.handle(message, { link: 'https', eid })).toBeUndefined();
    expect(setting.of('notification')).toHaveLength(1);
  });

  it('with something that is not to be believed is answered by an empty list', () => {
    const setting = setUp();
    const { eim, device } = setting;
    const forged = device.handleNotification(device.notification(foreign.euicc.privateKey));
    expect(hex(eim.handle(forged, mqtt)!)).toBe('BF4E03BF5300');
    expect(hex(eim.handle(unhex('BF3D02A000'), mqtt)!)).toBe('BF4E03BF5300');
    const stranger = new FakeDevice(foreign);
    const foreigner = stranger.handleNotification(stranger.notification());
    expect(hex(eim.handle(foreigner, mqtt)!)).toBe('BF4E03BF5300');
    expect(setting.of('rejected')).toHaveLength(3);
    expect(eim.devices()[0].notifications).toBe(0);
  });
});

describe('the state of the eIM', () => {
  it('survives in a file: queue, outstanding package, results', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'xs-ipa-eim-'));
    const store = () => new FileStore(join(dir, 'eim.cbor'));
    try {
      const first = onboard(setUp({ store: store(), token: 300 }));
      void first.eim.queue(eid, { psmo: [{ op: 'getRAT' }] });
      deliver(first, first.device.execute(pollPackage(first), [{ getRATResult: [] }]));
      void first.eim.queue(eid, enable);
      void first.eim.queue(eid, { eco: [{ op: 'listEim' }] });
      const sent = first.eim.handle(first.device.poll(), link);

      const second = { ...setUp({ store: store() }), device: first.device };
      expect(second.eim.devices()).toEqual(first.eim.devices());
      expect(second.eim.handle(second.device.poll(), link)).toEqual(sent);
      const result = second.device.execute(pollPackage(second), ok);
      expect(deliver(second, result)).toEqual({ eimAcknowledgements: [2] });
      expect(pollPackage(second).euiccPackageSigned.value).toMatchObject({
        counterValue: 3,
        euiccPackage: { ecoList: [{ listEim: {} }] },
      });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('is bounded', () => {
    const setting = onboard(setUp());
    for (let i = 0; i < 205; i++) {
      setting.eim.handle(setting.device.handleNotification(setting.device.notification()), mqtt);
    }
    expect(setting.of('notification')).toHaveLength(205);
    expect(setting.eim.devices()[0].notifications).toBe(200);
  });

  it.each([
    ['damaged', 'FF00', /damaged/],
    ['of another version', 'A16776657273696F6E09', /another version/],
    ['nothing of ours', '01', /another version/],
  ])('is refused when it is %s', (_, bytes, message) => {
    expect(() => setUp({ store: { load: () => unhex(bytes), save: () => {} } })).toThrow(message);
  });
});

describe('eimConfiguration', () => {
  it('is what AddInitialEim wants', () => {
    const { eim } = setUp();
    eim.setCounter(eid, 41);
    const read = (bytes: Uint8Array) => decode(EimConfigurationData, bytes);
    expect(read(eim.eimConfiguration({ eid, token: true }))).toEqual({
      eimId: 'eim.example.com',
      eimFqdn: 'eim.example.com',
      eimIdType: 2,
      counterValue: 41,
      associationToken: -1,
      eimPublicKeyData: { eimPublicKey: pki.eims[0].publicKey },
      eimSupportedProtocol: ['eimProprietary'],
    });
    const { publicKey, certificate } = pki.eims[0];
    const trusted = (trustedTls: { publicKey: Uint8Array } | { certificate: Uint8Array }) =>
      read(eim.eimConfiguration({ token: false, trustedTls })).trustedPublicKeyDataTls;
    expect(trusted({ publicKey })).toEqual({ trustedEimPkTls: publicKey });
    expect(trusted({ certificate })).toEqual({ trustedCertificateTls: certificate });
    const other = read(
      eim.eimConfiguration({ token: false, key: 'certificate', euiccCiPKId: pki.euicc.ciKeyId }),
    );
    expect(other.eimPublicKeyData).toEqual({ eimCertificate: pki.eims[0].certificate });
    expect(other).toMatchObject({ counterValue: 0, euiccCiPKId: pki.euicc.ciKeyId });
    expect(other.associationToken).toBeUndefined();
  });
});

describe('an order that cannot be sent is refused at once', () => {
  it.each<[string, unknown, RegExp]>([
    ['no order', undefined, /not an object/],
    ['two kinds', { psmo: [], eco: [] }, /exactly one/],
    ['no operation', { psmo: [] }, /empty/],
    ['an unknown operation', { psmo: [{ op: 'explode' }] }, /no operation "explode"/],
    ['an ICCID that is none', { psmo: [{ op: 'enable', iccid: 'x' }] }, /not an ICCID/],
    ['no ICCID', { psmo: [{ op: 'enable' }] }, /not an ICCID/],
    [
      'two switches',
      {
        psmo: [
          { op: 'enable', iccid },
          { op: 'disable', iccid },
        ],
      },
      /only once/,
    ],
    ['an unknown tag', { data: { tags: ['everything'] } }, /neither a tag in hex/],
    ['no tag', { data: { tags: [] } }, /at least one tag/],
    ['an eIM without identifier', { eco: [{ op: 'addEim', eim: {} }] }, /eimId/],
  ])('%s', async (_, order, message) => {
    const { eim } = setUp();
    const refused = eim.queue(eid, order as Order);
    await expect(refused).rejects.toThrow(EimError);
    await expect(refused).rejects.toThrow(message);
    expect(eim.devices().every(({ waiting }) => waiting === 0)).toBe(true);
  });

  it('an EID that is none', async () => {
    await expect(setUp().eim.queue('8904', enable)).rejects.toThrow(/32 decimal digits/);
  });
});

describe('bytes from outside', () => {
  it('never make the eIM throw, or believe what the eUICC did not sign', () => {
    const setting = onboard(setUp({ token: 4 }));
    void setting.eim.queue(eid, enable);
    const request = pollPackage(setting);
    const euiccPackageResult = setting.device.execute(request, ok);
    const signedPart = euiccPackageResult.euiccPackageResultSigned!.euiccPackageResultDataSigned.bytes;
    const good = [
      setting.device.poll(),
      setting.device.deliver({ euiccPackageResult }),
      setting.device.deliver({ euiccPackageResult: setting.device.error(request, 3) }),
      setting.device.answer({ euiccPackageResult }),
      setting.device.handleNotification(setting.device.notification()),
    ];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.constantFrom(0x4e, 0x4f, 0x50, 0x3d, 0x51), fc.uint8Array({ maxLength: 60 }))
        .map(([tag, rest]) => writeElement(0xbf00 | tag, rest)),
      fc
        .tuple(fc.constantFrom(...good), fc.nat(), fc.integer({ min: 1, max: 255 }))
        .map(([message, at, change]) =>
          message.map((byte, i) => (i === at % message.length ? byte ^ change : byte)),
        ),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(link, mqtt), (message, context) => {
        const before = setting.of('verified').length;
        setting.eim.handle(message, context);
        // A change outside of what is signed, such as the EID around it, may leave the result as good as it was.
        return setting.of('verified').length === before || hex(message).includes(hex(signedPart));
      }),
      { numRuns: 2000 },
    );
  });
});

function derOf(raw: Uint8Array): Uint8Array {
  const trim = (half: Uint8Array) => {
    let bytes = [...half];
    while (bytes[0] === 0) bytes = bytes.slice(1);
    return Uint8Array.from(bytes[0] >= 0x80 ? [0, ...bytes] : bytes);
  };
  const halves = [raw.subarray(0, 32), raw.subarray(32)].map((half) => writeElement(0x02, trim(half)));
  return writeElement(0x30, Buffer.concat(halves));
}
