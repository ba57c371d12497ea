import { describe, expect, it } from 'vitest';
import {
  addInitialEim,
  appendNotification,
  appendNotifications,
  type EimConfiguration,
  Es10,
  eachStoredResult,
  getAssociationToken,
  getCerts,
  getEid,
  getEimConfigurationData,
  getEuiccInfo1,
  getProfilesInfo,
  getRat,
  loadEuiccPackage,
  Protocol,
  readPackageResult,
  removeNotificationFromList,
  supports,
} from '../../../ipa/es10/index.js';
import { digits, utf8 } from '../../../ipa/text.js';
import { type Cursor, Writer } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import { es10Fixtures, packageFixtures } from '../../host-sim/asn1/fixtures.js';
import * as v from '../../host-sim/asn1/vectors.js';
import { copyMessage } from './copy.js';
import { FakeUicc } from './fake-uicc.js';

const fixtures = [...es10Fixtures, ...packageFixtures];
const { eid, iccid, txid } = v;

function vector(title: string): Uint8Array {
  const found = fixtures.find((one) => one.title === title);
  if (!found) throw new Error(`no vector "${title}"`);
  return hex(found.bytes);
}

/** An IPA's ES10 before a card that gives one answer to everything. */
function card(answer: Uint8Array): { es10: Es10; uicc: FakeUicc } {
  const uicc = new FakeUicc(() => answer);
  return { es10: new Es10(uicc), uicc };
}

const DEFAULT_TAGS = [0x5a, 0x4f, 0x9f, 0x70, 0x91, 0x92, 0x95, 0x9f, 0x7b, 0x9f, 0x26, 0x9f, 0x67];

/** Requests that ipa/es10 makes: how, and the answer that the card gives. */
const sent: Record<string, { answer: string; ask: (es10: Es10) => Promise<unknown> }> = {
  GetEID: { answer: 'GetEID answer', ask: getEid },
  GetEUICCInfo1: { answer: 'BF2000', ask: getEuiccInfo1 },
  'all profiles': { answer: 'profile list answer', ask: (es10) => getProfilesInfo(es10) },
  'default tags': { answer: 'profile list answer', ask: (es10) => getProfilesInfo(es10, DEFAULT_TAGS) },
  'all notifications': { answer: 'BF2B02A000', ask: (es10) => appendNotifications(es10, new Writer(16)) },
  'notification 300': { answer: 'BF2B02A000', ask: (es10) => appendNotification(es10, new Writer(16), 300) },
  'notifications by event': {
    answer: 'BF2B02A000',
    ask: (es10) => appendNotifications(es10, new Writer(16), [0x81, 0x02, 0x05, 0x60]),
  },
  'package results': {
    answer: 'BF2B02A200',
    ask: (es10) => eachStoredResult(es10, new Writer(16), () => {}),
  },
  'remove 5': { answer: 'remove answer', ask: (es10) => removeNotificationFromList(es10, 5) },
  AddInitialEim: {
    answer: 'AddInitialEim, token',
    // The configuration is relayed as the eIM made it: what stands inside BF57 {A0 {…}}.
    ask: (es10) => addInitialEim(es10, v.addInitialEim.subarray(7)),
  },
  GetEimConfigurationData: { answer: 'no eIM', ask: getEimConfigurationData },
  'GetEimConfigurationData one': {
    answer: 'no eIM',
    ask: (es10) => getAssociationToken(es10, 'eim.example.com'),
  },
  GetCerts: { answer: 'BF56038101 7F', ask: (es10) => getCerts(es10) },
  'GetCerts CI': {
    answer: 'BF56038101 7F',
    ask: (es10) => getCerts(es10, hex('F54172BDF98A95D65CBEB88A38A1C11D800A85C3')),
  },
  EuiccPackageRequest: {
    answer: 'EuiccPackageResult',
    ask: (es10) => loadEuiccPackage(es10, v.euiccPackageRequest, new Writer(256, 1024)),
  },
};

/** Requests that this version of the IPA does not make, built with the writer. */
const written: Record<string, (to: Writer) => unknown> = {
  EnableProfile: (to) =>
    to.begin(0xbf31).begin(0xa0).primitive(0x5a, iccid).end().primitive(0x81, [0xff]).end(),
  DeleteProfile: (to) => to.begin(0xbf33).primitive(0x5a, iccid).end(),
  CancelSession: (to) => to.begin(0xbf41).primitive(0x80, txid).integer(0x81, 0).end(),
  IpaeActivation: (to) => to.begin(0xbf42).primitive(0x80, [7, 0x80]).end(),
  ProfileRollback: (to) => to.begin(0xbf58).primitive(0x80, [0xff]).end(),
  ImmediateEnable: (to) => to.begin(0xbf5a).primitive(0x80, [0xff]).end(),
  'memory reset': (to) => to.begin(0xbf64).primitive(0x82, [2, 0x84]).end(),
};

interface Reading<T = unknown> {
  read: (es10: Es10) => Promise<T>;
  value: T;
}
const reading = <T>(read: (es10: Es10) => Promise<T>, value: T): Reading =>
  ({ read, value }) as unknown as Reading;
/** Reads an answer that no function of ipa/es10 has. */
const parsing = <T>(tag: number, parse: (cursor: Cursor) => T, value: T): Reading =>
  reading(async (es10) => parse((await es10.call(Uint8Array.of(tag >> 8, tag & 0xff, 0))).enter()), value);
const code = (tag: number) => (cursor: Cursor) => cursor.expect(tag).integer();
/** Runs an executed package's way: the result as relayed, then read. */
const packageResult = (value: Record<string, unknown>): Reading =>
  reading(async (es10) => {
    const into = new Writer(64, 1024);
    await loadEuiccPackage(es10, v.euiccPackageRequest, into);
    const { eimId, eimTransactionId, ...rest } = readPackageResult(into.bytes);
    return {
      ...rest,
      eimId: eimId && utf8(eimId),
      eimTransactionId: eimTransactionId && toHex(eimTransactionId),
    };
  }, value);
const refusal = {
  eimId: v.eimId,
  eimTransactionId: toHex(txid),
  seqNumber: -1,
  profileChanged: false,
  notifies: false,
};

/** Answers, and what ipa/ makes of them. */
const received: Record<string, Reading> = {
  'GetEID answer': reading(async (es10) => digits(await getEid(es10)), toHex(eid)),
  'profile list answer': reading(
    async (es10) => {
      const cursor = (await getProfilesInfo(es10)).enter().expect(0xa0).enter().expect(0xe3).enter();
      const profile: Record<string, unknown> = {};
      while (cursor.next()) {
        const text = cursor.tag === 0x91 || cursor.tag === 0x92;
        profile[cursor.tag.toString(16)] = text ? utf8(cursor.value) : toHex(cursor.value);
      }
      return profile;
    },
    {
      '5a': '98001032547698103214',
      '4f': 'A0000005591010FFFFFFFF8900001100',
      '9f70': '01',
      '91': 'SP',
      '92': 'Op1',
      '95': '02',
    },
  ),
  'EnableProfile answer': parsing(0xbf31, code(0x80), 0),
  'remove answer': reading((es10) => removeNotificationFromList(es10, 5), 0),
  'AddInitialEim, token': reading((es10) => addInitialEim(es10, hex('3000')), 200),
  'AddInitialEim, no token': reading((es10) => addInitialEim(es10, hex('3000')), undefined),
  'AddInitialEim, error': reading(
    (es10) => addInitialEim(es10, hex('3000')).catch(({ code, result }) => ({ code, result })),
    { code: 'associationRefused', result: 2 },
  ),
  'no eIM': reading(getEimConfigurationData, [] as EimConfiguration[]),
  'ProfileRollback ok': parsing(0xbf58, code(0x02), 0),
  'memory reset answer': parsing(0xbf64, (cursor) => [code(0x80)(cursor), code(0x81)(cursor)], [0, 0]),
  'empty RAT': reading(async (es10) => {
    const rules = (await getRat(es10)).enter().expect(0xa0);
    return rules.enter().next();
  }, false),
  EuiccPackageResult: packageResult({
    kind: 'executed',
    eimId: v.eimId,
    eimTransactionId: toHex(txid),
    counterValue: 42,
    seqNumber: 7,
    profileChanged: true,
    notifies: true,
  }),
  'replay error': packageResult({ ...refusal, kind: 'refused', counterValue: 42 }),
  'unsigned error': packageResult({ ...refusal, kind: 'refusedUnsigned', counterValue: -1 }),
};

describe('vectors of es10.md §5 and crypto.md §7.1 in ipa/', () => {
  it.each(Object.entries(sent))('sends %s', async (title, { answer, ask }) => {
    const given = /^[0-9A-F ]+$/.test(answer) ? hex(answer) : vector(answer);
    const { es10, uicc } = card(given);
    await ask(es10);
    expect(uicc.requests.map(toHex)).toEqual([toHex(vector(title))]);
  });

  it.each(Object.entries(written))('writes %s', (title, write) => {
    const to = new Writer(4, 1024);
    write(to);
    expect(toHex(to.bytes)).toBe(toHex(vector(title)));
  });

  it.each(Object.entries(received))('reads %s', async (title, { read, value }) => {
    const { es10 } = card(vector(title));
    expect(await read(es10)).toEqual(value);
  });

  it('every vector is sent, written or read', () => {
    const known = Object.keys({ ...sent, ...written, ...received });
    expect(known.sort()).toEqual(fixtures.map(({ title }) => title).sort());
  });

  it.each(fixtures)('$title, read and written again, is the same', ({ bytes }) => {
    expect(toHex(copyMessage(hex(bytes)))).toBe(bytes);
  });
});

describe('one by one', () => {
  it('GetEID on channel 1 is the APDU of es10.md §5', async () => {
    const { es10, uicc } = card(vector('GetEID answer'));
    expect(toHex(await getEid(es10))).toBe(toHex(eid));
    // The channel's bits are the modem driver's business: base class 80 here (es10.md §1.1).
    expect(uicc.apdus.map(toHex)).toEqual(['80E2910006BF3E035C015A']);
  });

  it('the package and its result pass unchanged', async () => {
    const { es10, uicc } = card(v.euiccPackageResult);
    const into = new Writer(16, 1024);
    await loadEuiccPackage(es10, v.euiccPackageRequest, into);
    expect(toHex(uicc.requests[0])).toBe(toHex(v.euiccPackageRequest));
    expect(toHex(into.bytes)).toBe(toHex(v.euiccPackageResult));
  });

  it('what is signed is the same when the writer builds it', () => {
    const to = new Writer(16, 1024);
    to.begin(0x30).ascii(0x80, v.eimId).primitive(0x5a, eid).integer(0x81, 42).primitive(0x82, txid);
    to.begin(0xa0).begin(0xa3).primitive(0x5a, iccid).primitive(0x05).end().end().end();
    expect(toHex(to.bytes)).toBe(toHex(v.euiccPackageSigned));
    to.clear().begin(0x30).ascii(0x80, v.eimId).integer(0x81, 42).primitive(0x82, txid).integer(0x83, 7);
    to.begin(0x30).integer(0x83, 0).end().end();
    expect(toHex(to.bytes)).toBe(toHex(v.resultDataSigned));
    to.clear()
      .begin(0x30)
      .ascii(0x80, v.eimId)
      .integer(0x81, 42)
      .primitive(0x82, txid)
      .integer(0x02, 4)
      .end();
    expect(toHex(to.bytes)).toBe(toHex(v.replayErrorData));
  });

  it('token DOs', () => {
    const token = (value: number) => toHex(new Writer(8).integer(0x84, value).bytes);
    expect([token(0), token(200), token(-1)]).toEqual(['840100', '840200C8', '8401FF']);
  });

  it('the configuration of AddInitialEim reads as the IPA uses it', async () => {
    const list = hex(`BF558192${toHex(v.addInitialEim.subarray(4))}`);
    const [eim] = await getEimConfigurationData(card(list).es10);
    expect(eim).toMatchObject({
      eimId: 'eim.example.com',
      eimFqdn: 'eim.example.com',
      protocols: 0x80,
      indirectProfileDownload: false,
    });
    expect(supports(eim, Protocol.retrieveHttps)).toBe(true);
    expect(supports(eim, Protocol.proprietary)).toBe(false);
    expect(toHex((await getAssociationToken(card(list).es10, eim.eimId))!)).toBe('8401FF');
  });

  it('stored results come one by one, as they are', async () => {
    const list = new Writer(64, 1024).begin(0xbf2b).begin(0xa2);
    list.write(v.euiccPackageResult);
    list.write(v.euiccPackageResult);
    list.end().end();
    const found: string[] = [];
    const take = (result: Uint8Array) => found.push(toHex(result));
    expect(await eachStoredResult(card(list.bytes).es10, new Writer(64, 1024), take)).toBe(0);
    expect(found).toEqual([toHex(v.euiccPackageResult), toHex(v.euiccPackageResult)]);
  });
});
