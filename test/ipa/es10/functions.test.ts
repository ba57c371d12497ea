import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XsIpaError } from '../../../hal/contracts/index.js';
import * as es10 from '../../../ipa/es10/index.js';
import { Es10 } from '../../../ipa/es10/index.js';
import { TlvError, Writer } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import * as v from '../../host-sim/asn1/vectors.js';
import { copyMessage } from './copy.js';
import { FakeUicc } from './fake-uicc.js';

const KEY = '0414F54172BDF98A95D65CBEB88A38A1C11D800A85C3';

/** A card that gives one answer. */
function card(answer: string): Es10 {
  return new Es10(new FakeUicc(() => hex(answer)));
}

/** `body` inside tag, as hex. */
function tlv(tag: number, ...parts: string[]): string {
  const to = new Writer(16, 1 << 16).begin(tag);
  for (const part of parts) to.write(hex(part));
  return toHex(to.end().bytes);
}

describe('identity', () => {
  it('GetEID: not what is no EID of 16 bytes', async () => {
    for (const answer of ['BF3E00', 'BF3E025A00', 'BF3E115A0F890490321234512345123456789012', 'BF3E028000']) {
      await expect(es10.getEid(card(answer))).rejects.toMatchObject({ code: 'unexpectedAnswer' });
    }
    expect(toHex(await es10.getEid(card(`BF3E148000${tlv(0x5a, toHex(v.eid))}`)))).toBe(toHex(v.eid));
  });

  it('GetEID: the EID is a copy', async () => {
    const one = card(tlv(0xbf3e, tlv(0x5a, toHex(v.eid))));
    const eid = await es10.getEid(one);
    await es10.getEid(one);
    expect(toHex(eid)).toBe(toHex(v.eid));
  });

  it('EUICCInfo1 and 2, addresses, RAT, certificates: a cursor on the answer', async () => {
    const info = tlv(0xbf20, '8203020500', tlv(0xa9, KEY), tlv(0xaa, KEY));
    expect(toHex((await es10.getEuiccInfo1(card(info))).element)).toBe(info);
    const addresses = tlv(0xbf3c, '800161', '810162');
    const cursor = (await es10.getEuiccConfiguredAddresses(card(addresses))).enter();
    expect([cursor.nextIs(0x80), cursor.nextIs(0x81), cursor.next()]).toEqual([true, true, false]);
    const rules = await es10.getRat(card('BF430EA00C300A80020640A10082020780'));
    expect(rules.enter().expect(0xa0).enter().expect(0x30).length).toBe(10);
    const certs = await es10.getCerts(card('BF560EA00CA50430020500A60430020500'));
    expect(certs.enter().expect(0xa0).enter().find(0xa6)).toBe(true);
    expect((await es10.getCerts(card('BF5603810101'))).enter().expect(0x81).integer()).toBe(1);
  });

  // es10.md §1.4: the AID, then what two real cards say of themselves.
  const AID = '8410A0000005591010FFFFFFFF8900000100';
  it.each([
    ['a consumer eUICC', tlv(0x6f, AID, 'A5049F6501FF', 'E0058203020202'), 'consumer'],
    ['an IoT eUICC', tlv(0x6f, AID, 'A5049F6501FF', 'E104800206C0'), 'iot'],
    ['both at once', tlv(0x6f, AID, 'E0058203020202', 'E104800206C0'), 'iot'],
    ['inside A5', tlv(0x6f, AID, tlv(0xa5, '9F6501FF', 'E104800206C0')), 'iot'],
    ['neither', tlv(0x6f, AID, 'A5049F6501FF'), undefined],
    ['cut off behind it', '6F7FE0058203020202', undefined],
    ['hidden', '', undefined],
    ['something else', '9000', undefined],
  ])('the answer to SELECT: %s', (_what, fci, kind) => {
    expect(es10.readTemplates(hex(fci))).toBe(kind);
  });

  it('the answer to SELECT may be anything', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(['iot', 'consumer', undefined]).toContain(
          es10.readTemplates(Uint8Array.of(0x6f, bytes.length, ...bytes)),
        );
      }),
    );
  });

  it('GetEuiccChallenge', async () => {
    const challenge = '00112233445566778899AABBCCDDEEFF';
    expect(toHex(await es10.getEuiccChallenge(card(tlv(0xbf2e, tlv(0x80, challenge)))))).toBe(challenge);
    await expect(es10.getEuiccChallenge(card('BF2E00'))).rejects.toMatchObject({ code: 'unexpectedAnswer' });
  });

  it.each([
    [
      'a consumer eUICC',
      '',
      { iot: false, ipaeActive: false, ecallSupported: false, fallbackSupported: false },
    ],
    [
      'v1.0 of SGP.32',
      '900100B407A0050403010000',
      { iot: true, ipaeActive: false, ecallSupported: false, fallbackSupported: false },
    ],
    [
      'v1.2 with everything, IPAe active',
      '900101B40BA005040301020081008200',
      { iot: true, ipaeActive: true, ecallSupported: true, fallbackSupported: true },
    ],
    [
      'unknown fields',
      '9901 00B406A0008300 8200',
      { iot: true, ipaeActive: false, ecallSupported: false, fallbackSupported: true },
    ],
  ])('capabilities of %s', async (_what, fields, expected) => {
    const answer = tlv(0xbf22, '8103020301', fields.replaceAll(' ', ''));
    const info = await es10.getEuiccInfo2(card(answer));
    expect(es10.readCapabilities(info)).toEqual(expected);
  });
});

describe('profiles', () => {
  const profile = (iccid: string, state: number, more = '') =>
    tlv(0xe3, `5A0A${iccid}`, `9F70010${state}`, more);
  const A = '98001032547698103214';
  const B = '98001032547698103224';

  it.each([
    ['the enabled one', tlv(0xa0, profile(A, 0), profile(B, 1)), B],
    ['none is enabled', tlv(0xa0, profile(A, 0), profile(B, 0)), undefined],
    ['no profile', 'A000', undefined],
    ['no answer', '', undefined],
    ['an error', '81010B', undefined],
    ['an error as some cards write it (Q3)', '02010B', undefined],
    ['a list under 30 (Q6)', tlv(0x30, profile(A, 1)), A],
    ['a state in two bytes', tlv(0xa0, tlv(0xe3, `5A0A${A}`, '9F70020001')), A],
    ['strange elements', tlv(0xa0, '8000', tlv(0xe3, '9900'), profile(A, 1, '9F7B0100')), A],
  ])('ICCID: %s', async (_what, answer, expected) => {
    const found = await es10.getEnabledIccid(card(tlv(0xbf2d, answer)));
    expect(found && toHex(found)).toBe(expected);
  });

  it.each([
    ['enabled and emergency', tlv(0xa0, profile(A, 0), profile(B, 1, '9F7B01FF')), true],
    ['BOOLEAN 01 (Q15)', tlv(0xa0, profile(B, 1, '9F7B0101')), true],
    ['emergency, not enabled', tlv(0xa0, profile(A, 1), profile(B, 0, '9F7B01FF')), false],
    ['enabled, FALSE encoded (Q16)', tlv(0xa0, profile(A, 1, '9F7B0100')), false],
    ['another one is the emergency profile', tlv(0xa0, profile(A, 1), profile(B, 0, '9F7B01FF')), false],
    ['an error', '81017F', false],
    ['nothing', '', false],
  ])('emergency: %s', async (_what, answer, expected) => {
    expect(await es10.isEmergencyProfileEnabled(card(tlv(0xbf2d, answer)))).toBe(expected);
  });
});

describe('notifications', () => {
  const metadata = (seq: string) => tlv(0xbf2f, `80${seq}`, '81020640', '0C0161');

  it.each([
    ['oldest first', tlv(0xa0, metadata('0109'), metadata('02012C'), metadata('0101')), [1, 9, 300]],
    ['none', 'A000', []],
    ['an error', '81017F', []],
    ['nothing', '', []],
    ['other elements', tlv(0xa0, '8000', metadata('0103'), tlv(0xbf2f, '0C0161')), [3]],
  ])('numbers: %s', async (_what, answer, expected) => {
    expect(await es10.listNotifications(card(tlv(0xbf28, answer)))).toEqual(expected);
  });

  it('one notification', async () => {
    const uicc = new FakeUicc(() => hex('BF2B06A00430020200'));
    const to = new Writer(16, 64).byte(0x55);
    expect(await es10.appendNotification(new Es10(uicc), to, 300)).toEqual([-1]);
    expect(toHex(to.bytes)).toBe('55A00430020200');
    expect(toHex(uicc.requests[0])).toBe('BF2B06A0048002012C');
  });

  it('numbers of a list, as it travels with a result', async () => {
    const signed = (seq: string) => tlv(0x30, metadata(seq), '5F370100', '3000');
    const installation = tlv(0xbf37, tlv(0xbf27, '8001AA', metadata('0105'), '0600'), '5F370100');
    const list = hex(tlv(0xa0, signed('0109'), installation, signed('02012C')));
    const to = new Writer(16, 1024);
    const numbers = (bytes: Uint8Array, piece = 256) => {
      const uicc = new FakeUicc(() => hex(tlv(0xbf2b, toHex(bytes))));
      uicc.piece = piece;
      return es10.appendNotifications(new Es10(uicc), to.clear());
    };
    for (let piece = 1; piece <= list.length; piece++) {
      expect(await numbers(list, piece)).toEqual([9, 5, 300]);
      expect(toHex(to.bytes)).toBe(toHex(list));
    }
    for (const without of ['3000', tlv(0x30, tlv(0xbf2f, '0C0161')), tlv(0xbf37, tlv(0xbf27, '8001AA'))])
      expect(await numbers(hex(tlv(0xa0, signed('0101'), without)))).toEqual([1, -1]);
    for (let at = 2; at < list.length; at++) {
      for (let value = 0; value < 256; value++) {
        const spoiled = list.slice();
        spoiled[at] = value;
        try {
          expect((await numbers(spoiled)).length).toBeLessThanOrEqual(list.length);
          expect(toHex(to.bytes)).toBe(toHex(spoiled));
        } catch (error) {
          if (!(error instanceof TlvError)) throw error;
        }
      }
    }
  });

  it('a list that had to be asked for again is there once', async () => {
    const list = hex(tlv(0xa0, tlv(0x30, metadata('0109'))));
    let asked = 0;
    const device = new Es10(
      new FakeUicc(() =>
        ++asked === 1 ? { data: hex('BF2B10A00E300C'), sw: 0x6d00 } : hex(tlv(0xbf2b, toHex(list))),
      ),
    );
    let opened = 0;
    device.way = {
      openIsdR: async () => {
        opened++;
      },
    };
    const to = new Writer(16, 64).byte(0x55);
    expect(await es10.appendNotifications(device, to)).toEqual([9]);
    expect(toHex(to.bytes)).toBe(`55${toHex(list)}`);
    expect({ asked, opened }).toEqual({ asked: 2, opened: 1 });
  });

  it('an error of the eUICC has its number', async () => {
    const to = new Writer(16);
    const answered = es10.appendNotifications(card('BF2B0381017F'), to);
    await expect(answered).rejects.toMatchObject({ code: 'unexpectedAnswer', result: 127 });
    await expect(es10.appendNotifications(card('BF2B00'), to)).rejects.toMatchObject({ result: undefined });
  });

  it.each([
    ['ok', 'BF3003800100', 0],
    ['nothing to delete', 'BF3003800101', 1],
    ['nothing', 'BF3000', 127],
  ])('removing: %s', async (_what, answer, expected) => {
    expect(await es10.removeNotificationFromList(card(answer), 5)).toBe(expected);
  });
});

describe('eIM configuration', () => {
  const configuration = (...fields: string[]) => tlv(0x30, ...fields);
  const id = (text: string) => tlv(0x80, Buffer.from(text).toString('hex'));

  it('several, with what the IPA uses', async () => {
    const answer = tlv(
      0xbf55,
      tlv(
        0xa0,
        configuration(id('a'), '8102622E', '820102', '830100', '87020308', '8900'),
        configuration(id('b'), '870100'),
        '8000',
        configuration(id('ü')),
      ),
    );
    const proprietary = 0x80 >> es10.Protocol.proprietary;
    expect(await es10.getEimConfigurationData(card(answer))).toMatchObject([
      { eimId: 'a', eimFqdn: 'b.', protocols: 0x08, indirectProfileDownload: true },
      { eimId: 'b', eimFqdn: undefined, protocols: 0, indirectProfileDownload: false },
      { eimId: 'ü', eimFqdn: undefined, protocols: proprietary, indirectProfileDownload: false },
    ]);
  });

  it('none', async () => {
    for (const answer of ['BF5502A000', 'BF5500', 'BF550381017F'])
      expect(await es10.getEimConfigurationData(card(answer))).toEqual([]);
  });

  it('the association token as TLV', async () => {
    const token = (...fields: string[]) =>
      es10.getAssociationToken(card(tlv(0xbf55, tlv(0xa0, configuration(id('a'), ...fields)))), 'a');
    expect(toHex((await token('840200C8', '8900'))!)).toBe('840200C8');
    expect(await token('8900')).toBeUndefined();
    for (const answer of ['BF5502A000', 'BF5500', 'BF5504A0028000'])
      expect(await es10.getAssociationToken(card(answer), 'a')).toBeUndefined();
  });

  it.each([1, 2, 3, 5, 6, 7, 127])('AddInitialEim refused with %i', async (result) => {
    const answer = tlv(0xbf57, `8101${result.toString(16).padStart(2, '0')}`);
    await expect(es10.addInitialEim(card(answer), hex('3000'))).rejects.toMatchObject({
      name: 'IpaError',
      code: 'associationRefused',
      result,
    });
  });

  it('AddInitialEim: a token may be negative or large, or missing', async () => {
    expect(await es10.addInitialEim(card('BF5705A003840180'), hex('3000'))).toBe(-128);
    expect(await es10.addInitialEim(card('BF5708A0068404 7FFFFFFF'), hex('3000'))).toBe(0x7fffffff);
    expect(await es10.addInitialEim(card('BF5702A000'), hex('3000'))).toBeUndefined();
    await expect(es10.addInitialEim(card('BF5700'), hex('3000'))).rejects.toMatchObject({
      code: 'unexpectedAnswer',
    });
  });

  it('AddInitialEim may take its time', async () => {
    const uicc = new FakeUicc(() => hex('BF5704A0020500'));
    await es10.addInitialEim(new Es10(uicc), hex('3000'));
    expect(uicc.deadlines).toEqual([es10.Deadline.signing]);
  });
});

describe('package results', () => {
  const data = (...results: string[]) => tlv(0x30, '800161', '810105', '830109', tlv(0x30, ...results));
  const signature = `5F3740${'00'.repeat(64)}`;
  const executed = (...results: string[]) => tlv(0xbf51, tlv(0xa0, data(...results), signature));

  it.each([
    ['enable', ['830100'], true, true],
    ['enable refused', ['830101'], false, false],
    ['disable', ['840100'], true, true],
    ['delete', ['850100'], false, true],
    ['rollback', ['8C0100'], true, true],
    ['list only', ['BF2D02A000'], false, false],
    [
      'a list that holds what looks like an enable',
      ['BF2D07A00583 0100E300'.replaceAll(' ', '')],
      false,
      false,
    ],
    ['second of two', ['A600', '830100'], true, true],
    ['failed, then terminated', ['83017F', '020102'], false, false],
    ['nothing', [], false, false],
    ['an empty code', ['8300'], false, false],
  ])('%s', (_what, results, profileChanged, notifies) => {
    const found = es10.readPackageResult(hex(executed(...results)));
    expect(found).toMatchObject({
      kind: 'executed',
      counterValue: 5,
      seqNumber: 9,
      profileChanged,
      notifies,
    });
  });

  it('without the alternative tag: 30 in place of A0, or its content alone (Q6)', () => {
    for (const body of [tlv(0x30, data('830100'), signature), data('830100') + signature]) {
      const found = es10.readPackageResult(hex(tlv(0xbf51, body)));
      expect(found).toMatchObject({ kind: 'executed', counterValue: 5, seqNumber: 9, profileChanged: true });
      expect(toHex(found.eimId!)).toBe('61');
    }
  });

  it.each(['', 'BF51', 'BF5100', 'BF52023000', 'BF51028000', 'BF5103A00102', 'BF5104A0028000', 'BF51020500'])(
    '"%s" is refused',
    (text) => {
      expect(() => es10.readPackageResult(hex(text))).toThrow(XsIpaError);
    },
  );
});

describe('hostile cards', () => {
  const eimConfiguration = v.addInitialEim.subarray(7);
  const into = new Writer(64, 2048);
  const SEQ = hex('3000');
  const SIGNATURE = hex('5F370100');
  const functions: Record<string, (card: Es10) => Promise<unknown>> = {
    getEid: es10.getEid,
    getEuiccInfo1: es10.getEuiccInfo1,
    getEuiccInfo2: async (card) => es10.readCapabilities(await es10.getEuiccInfo2(card)),
    getEuiccConfiguredAddresses: es10.getEuiccConfiguredAddresses,
    getRat: es10.getRat,
    getEuiccChallenge: es10.getEuiccChallenge,
    getCerts: (card) => es10.getCerts(card, v.eid),
    getProfilesInfo: (card) => es10.getProfilesInfo(card),
    getEnabledIccid: es10.getEnabledIccid,
    isEmergencyProfileEnabled: es10.isEmergencyProfileEnabled,
    listProfiles: es10.listProfiles,
    setProfileState: (card) => es10.setProfileState(card, v.eid, true),
    deleteProfile: (card) => es10.deleteProfile(card, v.eid),
    setNickname: (card) => es10.setNickname(card, v.eid, [0x61]),
    setConsumerDpAddress: (card) => es10.setConsumerDpAddress(card, 'a.b'),
    listNotifications: es10.listNotifications,
    listNotificationMetadata: es10.listNotificationMetadata,
    appendNotifications: (card) => es10.appendNotifications(card, new Writer(16, 1024)),
    retrieveNotification: (card) => es10.retrieveNotification(card, 7),
    appendNotification: (card) => es10.appendNotification(card, new Writer(16, 1024), 7),
    eachStoredResult: (card) => es10.eachStoredResult(card, into, (result) => es10.readPackageResult(result)),
    removeNotificationFromList: (card) => es10.removeNotificationFromList(card, 7),
    getEimConfigurationData: es10.getEimConfigurationData,
    getAssociationToken: (card) => es10.getAssociationToken(card, v.eimId),
    addInitialEim: (card) => es10.addInitialEim(card, eimConfiguration),
    loadEuiccPackage: async (card) => {
      into.clear();
      await es10.loadEuiccPackage(card, v.euiccPackageRequest, into);
      return es10.readPackageResult(into.bytes);
    },
    authenticateServer: async (card) => {
      const server = {
        serverSigned1: SEQ,
        serverSignature1: SIGNATURE,
        euiccCiPkId: SEQ,
        serverCertificate: SEQ,
      };
      await es10.authenticateServer(card, server, { imei: '352906112345675' }, into);
      return es10.rspErrorCode(into.bytes);
    },
    prepareDownload: async (card) => {
      const server = { smdpSigned2: SEQ, smdpSignature2: SIGNATURE, smdpCertificate: SEQ };
      await es10.prepareDownload(card, server, undefined, into);
      return es10.rspErrorCode(into.bytes);
    },
    cancelSession: async (card) => {
      await es10.cancelSession(card, SEQ, es10.CancelReason.timeout, into);
      return es10.rspErrorCode(into.bytes);
    },
    findCiKey: async (card) => es10.findCiKey(await es10.getEuiccInfo1(card), 0xaa, SEQ),
    switchProfile: (card) => es10.switchProfile(card, 'returnFromFallback'),
    profileRollback: (card) => es10.profileRollback(card, into),
    euiccMemoryReset: (card) => es10.euiccMemoryReset(card, es10.MemoryReset.eimConfiguration),
    configureImmediateEnabling: (card) => es10.configureImmediateEnabling(card, { smdpAddress: 'a.b' }),
    setDefaultDpAddress: (card) => es10.setDefaultDpAddress(card, 'a.b'),
    getConnectivityParameters: async (card) => {
      const params = await es10.getConnectivityParameters(card);
      return params && es10.readHttpParams(params);
    },
  };
  /** Of each function, an answer that is good, to be spoiled. */
  const good: Record<number, string> = {
    0xbf20: tlv(0xbf20, '8203020500', tlv(0xa9, KEY), tlv(0xaa, KEY)),
    0xbf22: tlv(0xbf22, '8103020301', '900101B40BA005040301020081008200'),
    0xbf28: tlv(0xbf28, tlv(0xa0, tlv(0xbf2f, '800101', '81020640', '0C0161'))),
    0xbf29: 'BF2903800100',
    0xbf31: 'BF3103800100',
    0xbf32: 'BF3203800102',
    0xbf33: 'BF3303800103',
    0xbf3f: 'BF3F03800100',
    0xbf2b: tlv(0xbf2b, tlv(0xa2, toHex(v.euiccPackageResult), toHex(v.unsignedError))),
    0xbf2d:
      'BF2D32A030E32E5A0A980010325476981032144F10A0000005591010FFFFFFFF89000011009F7001019102535092034F7031950102',
    0xbf2e: 'BF2E12801000112233445566778899AABBCCDDEEFF',
    0xbf30: 'BF3003800100',
    0xbf3c: 'BF3C06800161810162',
    0xbf3e: 'BF3E125A1089049032123451234512345678901235',
    0xbf43: 'BF430EA00C300A80020640A10082020780',
    0xbf51: toHex(v.euiccPackageResult),
    0xbf55: `BF558192${toHex(v.addInitialEim.subarray(4))}`,
    0xbf56: 'BF560EA00CA50430020500A60430020500',
    0xbf57: 'BF5706A004840200C8',
    0xbf38: 'BF3804A0023000',
    0xbf21: 'BF2104A0023000',
    0xbf41: 'BF4104A0023000',
    0xbf58: `BF5803020100`,
    0xbf5e: 'BF5E03800100',
    0xbf64: 'BF6406800100810100',
    0xbf59: 'BF5903800100',
    0xbf65: 'BF6503800100',
    0xbf5f: 'BF5F0FA00D810B3501034706036162630161',
  };
  const NOTIFICATIONS = tlv(
    0xbf2b,
    tlv(0xa0, tlv(0x30, tlv(0xbf2f, '800101', '81020640', '0C0161'), '5F370100', '3000')),
  );
  /** RetrieveNotificationsList has two kinds of answers; 82 asks for package results. */
  const goodAnswer = (request: Uint8Array): Uint8Array =>
    hex(requestTag(request) === 0xbf2b && request[5] !== 0x82 ? NOTIFICATIONS : good[requestTag(request)]);
  const names = Object.keys(functions);

  async function outcome(name: string, answer: (request: Uint8Array) => Uint8Array): Promise<string> {
    try {
      await functions[name](new Es10(new FakeUicc(answer), { answerLimit: 1024 }));
      return 'answered';
    } catch (error) {
      if (error instanceof XsIpaError) return error.name;
      throw error;
    }
  }
  const requestTag = (request: Uint8Array) => (request[0] << 8) | request[1];

  /** Their answers are passed on, and read later. */
  const relayed = [
    'loadEuiccPackage',
    'eachStoredResult',
    'authenticateServer',
    'prepareDownload',
    'cancelSession',
  ];

  it('every function of ipa/es10 is tried', () => {
    // Pure functions have tests of their own.
    const pure = [
      'readServerSigned1',
      'isConfirmationCodeRequired',
      'readSmdpSigned2',
      'readBppEuiccOtpk',
      'readInstallationResult',
      'registeredId',
      'readTemplates',
    ];
    const tried = new Set([
      ...names,
      ...pure,
      'BppSegmenter',
      'readCapabilities',
      'readHttpParams',
      'readPackageResult',
      'rspErrorCode',
      'supports',
      'writeDeviceInfo',
    ]);
    const exported = Object.entries(es10).filter(
      ([name, value]) => typeof value === 'function' && name !== 'Es10',
    );
    expect(exported.map(([name]) => name).filter((name) => !tried.has(name))).toEqual([]);
  });

  it.each(names)('%s takes its good answer', async (name) => {
    expect(await outcome(name, goodAnswer)).toBe('answered');
  });

  it.each(names)(
    '%s: any bytes, any content, any mutation end in a result or an XsIpaError',
    async (name) => {
      const spoil = fc.record({ at: fc.nat(500), byte: fc.nat(255), cut: fc.nat(400) });
      const content = fc.oneof(
        fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes })),
        fc.array(spoil, { minLength: 1, maxLength: 3 }).map((changes) => ({ changes })),
        fc.uint8Array({ maxLength: 40 }).map((inside) => ({ inside })),
      );
      const seen = new Set<string>();
      await fc.assert(
        fc.asyncProperty(content, async (how) => {
          const result = await outcome(name, (request) => {
            if ('bytes' in how) return how.bytes;
            const tag = requestTag(request);
            if ('inside' in how) return new Writer(64, 256).primitive(tag, how.inside).bytes;
            const bytes = goodAnswer(request);
            for (const { at, byte } of how.changes) bytes[at % bytes.length] = byte;
            const [{ cut }] = how.changes;
            return cut % 5 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
          });
          seen.add(result);
        }),
        { numRuns: 150 },
      );
      // Otherwise the generator would not reach anything.
      expect(seen).toContain('TlvError');
      if (!relayed.includes(name)) expect(seen).toContain('IpaError');
    },
  );

  it('the good answers are well-formed', () => {
    for (const answer of [...Object.values(good), NOTIFICATIONS])
      expect(toHex(copyMessage(hex(answer)))).toBe(answer);
  });
});
