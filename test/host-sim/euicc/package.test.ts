import { p256 } from '@noble/curves/nist.js';
import { describe, expect, it } from 'vitest';
import {
  concat,
  decode,
  EuiccPackageResult,
  hex,
  iccidBytes,
  iccidDigits,
  OtherSignedNotification,
  type Psmo,
  RetrieveNotificationsListResponse,
  tokenDo,
  unhex,
  writeElement,
} from '../../../host-sim/asn1/index.js';
import * as v from '../asn1/vectors.js';
import {
  A,
  associated,
  B,
  C,
  CardDriver,
  D,
  eimConfiguration,
  euiccPublicKey,
  packageOf,
  resultsOf,
  seeds,
  spkiOf,
} from './fixture.js';

const enable = (iccid: string, rollback = false): Psmo => ({
  enable: { iccid: iccidBytes(iccid), rollbackFlag: rollback ? true : undefined },
});
const disable = (iccid: string): Psmo => ({ disable: { iccid: iccidBytes(iccid) } });
const remove = (iccid: string): Psmo => ({ delete: { iccid: iccidBytes(iccid) } });
const list: Psmo = { listProfileInfo: {} };
const setAddress: Psmo = { setDefaultDpAddress: { defaultDpAddress: 'dp.example.com' } };
const enabled = (driver: CardDriver) =>
  driver.card.profiles.filter((p) => p.enabled).map((p) => iccidDigits(p.iccid));

/** Runs packages with rising counters. */
function run(driver: CardDriver, psmo: Psmo[]) {
  const counterValue = driver.card.eims[0].counterValue + 1;
  return resultsOf(driver.es10(packageOf({ psmo }, { counterValue })));
}

describe('the vectors of crypto.md §7.1', () => {
  /** A card whose next sequence number is 7: six package results before. */
  function atSeven() {
    const driver = associated();
    for (let counterValue = 1; counterValue <= 6; counterValue++) {
      driver.es10(packageOf({ psmo: [{ getRAT: {} }] }, { counterValue }));
    }
    return driver;
  }

  it('gives the result byte for byte', () => {
    expect(hex(atSeven().es10(v.euiccPackageRequest))).toBe(hex(v.euiccPackageResult));
  });

  it('refuses the same package again with replayError', () => {
    const driver = atSeven();
    driver.es10(v.euiccPackageRequest);
    const { euiccPackageErrorSigned: error } = decode(EuiccPackageResult, driver.es10(v.euiccPackageRequest));
    expect(hex(error!.euiccPackageErrorDataSigned.bytes)).toBe(hex(v.replayErrorData));
    const tbs = concat([v.replayErrorData, tokenDo(undefined)]);
    expect(p256.verify(error!.euiccSignEPE, tbs, euiccPublicKey, { lowS: false })).toBe(true);
  });

  it('answers an unknown eIM without signature', () => {
    const driver = new CardDriver();
    driver.bringUp();
    expect(hex(driver.es10(v.euiccPackageRequest))).toBe(hex(v.unsignedError));
  });

  it('verifies with the association token', () => {
    const driver = new CardDriver();
    driver.bringUp();
    const wrong = concat([v.euiccPackageRequest.subarray(0, -64), v.eimSignatureToken200]);
    driver.addInitialEim(eimConfiguration({ associationToken: -1 }));
    expect(driver.card.eims[0].associationToken).toBe(1);
    expect(decode(EuiccPackageResult, driver.es10(wrong))).toEqual({
      euiccPackageErrorUnsigned: { eimId: v.eimId, eimTransactionId: v.txid, associationToken: 1 },
    });
    expect(
      resultsOf(driver.es10(packageOf({ psmo: [list] }, { counterValue: 1, token: 1 })), 1),
    ).toHaveLength(1);
  });
});

describe('checks of procedures.md §2.2', () => {
  const psmo = [list];
  const code = (driver: CardDriver, bytes: Uint8Array) =>
    decode(EuiccPackageResult, driver.es10(bytes)).euiccPackageErrorSigned?.euiccPackageErrorDataSigned.value
      .euiccPackageErrorCode;

  it('1: what cannot be read', () => {
    const driver = associated();
    expect(driver.es10Sw('BF5100')).toBe(0x6a80);
    expect(driver.es10Sw(hex(v.euiccPackageRequest.subarray(0, 100)))).toBe(0x6a80);
  });
  it('3: a wrong signature', () => {
    const driver = associated();
    const forged = packageOf({ psmo }, { counterValue: 1, key: v.euiccPrivateKey });
    expect(decode(EuiccPackageResult, driver.es10(forged)).euiccPackageErrorUnsigned?.eimId).toBe(v.eimId);
    const odd = concat([v.euiccPackageRequest.subarray(0, -64), unhex('00'.repeat(64))]);
    expect(decode(EuiccPackageResult, driver.es10(odd)).euiccPackageErrorUnsigned?.eimId).toBe(v.eimId);
    expect(driver.card.eims[0].counterValue).toBe(0);
  });
  it('3: a DER signature is accepted', () => {
    const driver = associated();
    const request = packageOf({ psmo }, { counterValue: 1 });
    const signature = p256.Signature.fromBytes(request.subarray(-64)).toBytes('der');
    const start = request[2] === 0x81 ? 4 : 3;
    const body = concat([
      request.subarray(start, request.length - 67),
      unhex('5F37'),
      Uint8Array.of(signature.length),
      signature,
    ]);
    expect(resultsOf(driver.es10(writeElement(0xbf51, body)))).toHaveLength(1);
  });
  it('4 before 5 and 6: another EID', () => {
    const driver = associated();
    expect(code(driver, packageOf({ psmo }, { counterValue: 0, eid: new Uint8Array(16) }))).toBe(3);
  });
  it('5: a counter out of range', () => {
    expect(code(associated(), packageOf({ psmo }, { counterValue: 0x800000 }))).toBe(6);
    expect(resultsOf(associated().es10(packageOf({ psmo }, { counterValue: 0x7fffff })))).toHaveLength(1);
  });
  it('6: a counter that is not above the stored one', () => {
    const driver = associated({}, { counterValue: 9 });
    expect(code(driver, packageOf({ psmo }, { counterValue: 9 }))).toBe(4);
    expect(code(driver, packageOf({ psmo }, { counterValue: 10 }))).toBe(undefined);
    expect(driver.card.eims[0].counterValue).toBe(10);
  });
  it('8: a result that does not fit changes nothing', () => {
    const driver = associated({ maxResultBytes: 200 });
    expect(code(driver, packageOf({ psmo: [setAddress, list] }, { counterValue: 1 }))).toBe(15);
    expect(driver.card.state.defaultDpAddress).toBe('');
    expect(driver.card.eims[0].counterValue).toBe(0);
    expect(driver.card.state.nextSeqNumber).toBe(1);
  });
  it('11: results stay until BF30, the oldest makes room', () => {
    const driver = associated({ resultCapacity: 3 });
    for (let counterValue = 1; counterValue <= 4; counterValue++)
      driver.es10(packageOf({ psmo }, { counterValue }));
    expect(driver.card.results.map((r) => r.seqNumber)).toEqual([2, 3, 4]);
    const stored = decode(RetrieveNotificationsListResponse, driver.es10(unhex('BF2B04A0028200')));
    expect(stored.euiccPackageResultList).toHaveLength(3);
    expect(hex(driver.es10(unhex('BF3003800103')))).toBe('BF3003800100');
    expect(hex(driver.es10(unhex('BF3003800103')))).toBe('BF3003800101');
    expect(driver.card.results.map((r) => r.seqNumber)).toEqual([2, 4]);
    driver.restart();
    expect(driver.card.results.map((r) => r.seqNumber)).toEqual([2, 4]);
  });
});

describe('enable', () => {
  it('is marked, notified, and effective after the reset', () => {
    const driver = associated();
    expect(run(driver, [enable(C)])).toEqual([{ enableResult: 0 }]);
    expect(driver.lastSw).toBe(0x910b);
    expect(enabled(driver)).toEqual([B]);
    expect(driver.send('801200000B')).toBe('D0098103010104820281829000');
    expect(driver.send('801400000C810301010482028281830100')).toBe('9000');
    driver.card.reset();
    expect(enabled(driver)).toEqual([C]);
    expect(driver.events.map((e) => ('what' in e ? e.what : ''))).toEqual([
      'eimAssociated',
      'notificationCreated',
      'notificationCreated',
      'packageExecuted',
      'profileSwitched',
      'reset',
    ]);
    driver.bringUp();
    const { notificationList } = decode(RetrieveNotificationsListResponse, driver.es10(unhex('BF2B00')));
    const metadata = notificationList!.map((n) => n.otherSignedNotification!.tbsOtherNotification.value);
    expect(metadata).toEqual([
      {
        seqNumber: 2,
        profileManagementOperation: ['notificationDisable'],
        notificationAddress: 'dp.example.com',
        iccid: iccidBytes(B),
      },
      {
        seqNumber: 3,
        profileManagementOperation: ['notificationEnable'],
        notificationAddress: 'c.example.com',
        iccid: iccidBytes(C),
      },
    ]);
    for (const { otherSignedNotification: n } of notificationList!) {
      const { bytes } = n!.tbsOtherNotification;
      expect(p256.verify(n!.euiccNotificationSignature, bytes, euiccPublicKey, { lowS: false })).toBe(true);
    }
    expect(() => decode(OtherSignedNotification, driver.card.notifications[0].bytes)).not.toThrow();
  });

  it('without a toolkit session asks for no REFRESH', () => {
    const driver = new CardDriver();
    driver.bringUp(false);
    driver.addInitialEim(eimConfiguration());
    run(driver, [enable(C)]);
    expect(driver.lastSw).toBe(0x9000);
    driver.card.reset();
    expect(enabled(driver)).toEqual([C]);
  });

  it.each([
    ['unknown', [enable('8999999999999999999')], [{ enableResult: 1 }]],
    ['enabled already', [enable(B)], [{ enableResult: 2 }]],
    ['twice in one package', [enable(A), enable(C)], [{ enableResult: 0 }, { enableResult: 127 }]],
    ['disable after enable', [enable(A), disable(B)], [{ enableResult: 0 }, { disableResult: 127 }]],
    ['enable after disable', [disable(B), enable(A)], [{ disableResult: 0 }, { enableResult: 0 }]],
    ['rollback after disable', [disable(B), enable(A, true)], [{ disableResult: 0 }, { enableResult: 20 }]],
    ['with rollback', [enable(A, true)], [{ enableResult: 0 }]],
    ['disable of a disabled one', [disable(A)], [{ disableResult: 2 }]],
    ['disable of an unknown one', [disable('8999999999999999999')], [{ disableResult: 1 }]],
    ['delete of the enabled one', [remove(B)], [{ deleteResult: 2 }]],
    ['delete of one marked', [enable(A), remove(A)], [{ enableResult: 0 }, { deleteResult: 2 }]],
    ['delete of an unknown one', [remove('8999999999999999999')], [{ deleteResult: 1 }]],
    ['delete under PPR2', [remove(D)], [{ deleteResult: 3 }]],
    ['stop at the first failure', [remove(D), remove(A)], [{ deleteResult: 3 }]],
    ['delete', [remove(A), remove(C)], [{ deleteResult: 0 }, { deleteResult: 0 }]],
    [
      'list after a change',
      [remove(A), list],
      [{ deleteResult: 0 }, { listProfileInfoResult: { profileInfoListError: 11 } }],
    ],
    ['RAT', [{ getRAT: {} }], [{ getRATResult: [] }]],
    ['an unknown operation', [{ unknownOrDamaged: unhex('AF00') }], [{ processingTerminated: 2 }]],
    [
      'immediate enable',
      [{ configureImmediateEnable: { immediateEnableFlag: true, defaultSmdpAddress: 'x.example' } }],
      [{ configureImmediateEnableResult: 0 }],
    ],
    [
      'default address',
      [{ setDefaultDpAddress: { defaultDpAddress: 'dp.example.com' } }],
      [{ setDefaultDpAddressResult: { setDefaultDpAddressResult: 0 } }],
    ],
    ['fallback', [{ setFallbackAttribute: { iccid: iccidBytes(C) } }], [{ setFallbackAttributeResult: 0 }]],
    [
      'fallback not allowed',
      [{ setFallbackAttribute: { iccid: iccidBytes(A) } }],
      [{ setFallbackAttributeResult: 2 }],
    ],
    [
      'fallback unknown',
      [{ setFallbackAttribute: { iccid: iccidBytes('8999999999999999999') } }],
      [{ setFallbackAttributeResult: 1 }],
    ],
    ['no fallback to unset', [{ unsetFallbackAttribute: {} }], [{ unsetFallbackAttributeResult: 2 }]],
    [
      'fallback set and unset',
      [{ setFallbackAttribute: { iccid: iccidBytes(C) } }, { unsetFallbackAttribute: {} }],
      [{ setFallbackAttributeResult: 0 }, { unsetFallbackAttributeResult: 0 }],
    ],
  ] satisfies [string, Psmo[], unknown[]][])('%s', (_title, psmo, results) => {
    expect(run(associated(), psmo)).toEqual(results);
  });

  it('PPR1 of the enabled profile forbids both ways out', () => {
    const profiles = [{ ...seeds[1], profilePolicyRules: ['ppr1' as const] }, seeds[0]];
    expect(run(associated({ profiles }), [enable(A)])).toEqual([{ enableResult: 3 }]);
    expect(run(associated({ profiles }), [disable(B)])).toEqual([{ disableResult: 3 }]);
  });

  it('rollback needs an enabled profile', () => {
    const profiles = [seeds[0]];
    expect(run(associated({ profiles }), [enable(A, true)])).toEqual([{ enableResult: 20 }]);
  });

  it('a second package before the reset finds the switch open', () => {
    const driver = associated();
    run(driver, [enable(A)]);
    expect(run(driver, [enable(C)])).toEqual([{ enableResult: 5 }]);
    expect(run(driver, [list])).toEqual([{ listProfileInfoResult: { profileInfoListError: 11 } }]);
  });

  it('the fallback profile, once enabled, keeps the attribute', () => {
    const driver = associated();
    run(driver, [{ setFallbackAttribute: { iccid: iccidBytes(C) } }]);
    run(driver, [enable(C)]);
    driver.card.reset();
    driver.bringUp();
    expect(run(driver, [{ unsetFallbackAttribute: {} }])).toEqual([{ unsetFallbackAttributeResult: 3 }]);
    expect(run(driver, [{ setFallbackAttribute: { iccid: iccidBytes(C) } }])).toEqual([
      { setFallbackAttributeResult: 3 },
    ]);
    const none = associated({ fallbackSupported: false });
    expect(run(none, [{ unsetFallbackAttribute: {} }])).toEqual([{ unsetFallbackAttributeResult: 7 }]);
  });

  it('lists with the tags of SGP.32', () => {
    const [{ listProfileInfoResult }] = run(associated(), [list]);
    expect(listProfileInfoResult?.profileInfoListOk).toHaveLength(4);
    expect(Object.keys(listProfileInfoResult!.profileInfoListOk![0])).toEqual([
      'iccid',
      'isdpAid',
      'profileState',
      'serviceProviderName',
      'profileName',
      'profileClass',
      'ecallIndication',
      'fallbackAttribute',
      'fallbackAllowed',
    ]);
    const one = run(associated(), [
      { listProfileInfo: { searchCriteria: { iccid: iccidBytes(B) }, tagList: [0x9f70] } },
    ]);
    expect(one).toEqual([{ listProfileInfoResult: { profileInfoListOk: [{ profileState: 1 }] } }]);
  });

  it('delete notifications come before the result in number', () => {
    const driver = associated();
    run(driver, [enable(A)]);
    driver.card.reset();
    driver.bringUp();
    run(driver, [remove(B)]);
    expect(driver.card.notifications.map((n) => [n.seqNumber, n.event])).toEqual([
      [2, 'notificationDisable'],
      [3, 'notificationDelete'],
    ]);
    expect(driver.card.results.map((r) => r.seqNumber)).toEqual([1, 4]);
  });
});

describe('rollback and fallback', () => {
  it('goes back once, with a new result', () => {
    const driver = associated();
    run(driver, [enable(C, true)]);
    driver.card.reset();
    driver.bringUp();
    expect(hex(driver.es10(unhex('BF58038001FF'))).startsWith('BF58')).toBe(true);
    expect(driver.lastSw >> 8).toBe(0x91);
    driver.card.reset();
    driver.bringUp();
    expect(enabled(driver)).toEqual([B]);
    expect(hex(driver.es10(unhex('BF58038001FF')))).toBe('BF5803020101');
    const last = driver.card.results[driver.card.results.length - 1];
    expect(resultsOf(last.bytes)).toEqual([{ rollbackResult: 0 }]);
  });

  it('the permission ends with the next package', () => {
    const driver = associated();
    run(driver, [enable(C, true)]);
    driver.card.reset();
    driver.bringUp();
    expect(run(driver, [remove(B)])).toEqual([{ deleteResult: 0 }]);
    expect(hex(driver.es10(unhex('BF58038001FF')))).toBe('BF5803020101');
  });

  it('falls back and returns', () => {
    const driver = associated();
    expect(hex(driver.es10(unhex('BF5D038001FF')))).toBe('BF5D03800106');
    run(driver, [{ setFallbackAttribute: { iccid: iccidBytes(C) } }]);
    expect(hex(driver.es10(unhex('BF5E038001FF')))).toBe('BF5E03800107');
    expect(hex(driver.es10(unhex('BF5D038001FF')))).toBe('BF5D03800100');
    driver.card.reset();
    driver.bringUp();
    expect(enabled(driver)).toEqual([C]);
    expect(hex(driver.es10(unhex('BF5D038001FF')))).toBe('BF5D03800102');
    expect(run(driver, [remove(B)])).toEqual([{ deleteResult: 21 }]);
    expect(hex(driver.es10(unhex('BF5E038001FF')))).toBe('BF5E03800100');
    driver.card.reset();
    expect(enabled(driver)).toEqual([B]);
  });
});

describe('eCO', () => {
  const other = spkiOf(v.euiccPrivateKey);
  const eco = (driver: CardDriver, list: Parameters<typeof packageOf>[0]['eco'], more = {}) => {
    const counterValue = driver.card.eims[0].counterValue + 1;
    return resultsOf(driver.es10(packageOf({ eco: list }, { counterValue, ...more })));
  };
  const second = eimConfiguration({ eimId: 'second', eimIdType: 3, associationToken: -1 });

  it('adds, lists, updates and deletes', () => {
    const driver = associated();
    expect(eco(driver, [{ addEim: second }, { listEim: {} }])).toEqual([
      { addEimResult: { associationToken: 1 } },
      { listEimResult: { eimIdList: [{ eimId: v.eimId, eimIdType: 2 }, { eimId: 'second' }] } },
    ]);
    expect(eco(driver, [{ updateEim: { eimId: 'second', eimFqdn: 'new.example' } }])).toEqual([
      { updateEimResult: 0 },
    ]);
    expect(driver.card.eims[1].configuration.eimFqdn).toBe('new.example');
    expect(driver.card.eims[1].configuration.eimIdType).toBe(3);
    expect(eco(driver, [{ deleteEim: { eimId: 'second' } }])).toEqual([{ deleteEimResult: 0 }]);
    expect(eco(driver, [{ addEim: second }])).toEqual([{ addEimResult: { associationToken: 2 } }]);
    expect(eco(driver, [{ deleteEim: { eimId: 'second' } }, { deleteEim: { eimId: v.eimId } }])).toEqual([
      { deleteEimResult: 0 },
      { deleteEimResult: 2 },
    ]);
    expect(driver.card.eims).toHaveLength(0);
  });

  it.each([
    ['present already', eimConfiguration(), 2],
    ['CI key unknown', { ...second, euiccCiPKId: unhex('00') }, 3],
    ['token of its own', { ...second, associationToken: 5 }, 5],
    ['counter out of range', { ...second, counterValue: 0x800000 }, 6],
    ['counter missing', { ...second, counterValue: undefined }, 7],
    ['key missing', { ...second, eimPublicKeyData: undefined }, 7],
    ['key unusable', { ...second, eimPublicKeyData: { eimPublicKey: unhex('3000') } }, 7],
  ])('addEim: %s', (_title, addEim, addEimResultCode) => {
    expect(eco(associated(), [{ addEim }])).toEqual([{ addEimResult: { addEimResultCode } }]);
  });

  it.each([
    ['unknown', { eimId: 'nobody' }, 1],
    ['token', { eimId: v.eimId, associationToken: -1 }, 7],
    ['lower counter, same key', { eimId: v.eimId, counterValue: 1 }, 7],
    [
      'lower counter, new key',
      { eimId: v.eimId, counterValue: 1, eimPublicKeyData: { eimPublicKey: other } },
      0,
    ],
    ['higher counter', { eimId: v.eimId, counterValue: 500 }, 0],
    ['counter out of range', { eimId: v.eimId, counterValue: 0x800000 }, 6],
    ['CI key unknown', { eimId: v.eimId, euiccCiPKId: unhex('00') }, 3],
  ])('updateEim: %s', (_title, updateEim, updateEimResult) => {
    expect(eco(associated({}, { counterValue: 9 }), [{ updateEim }])).toEqual([{ updateEimResult }]);
  });

  it('a new key counts from the next package on', () => {
    const driver = associated();
    eco(driver, [{ updateEim: { eimId: v.eimId, eimPublicKeyData: { eimPublicKey: other } } }]);
    expect(eco(driver, [{ listEim: {} }], { key: v.euiccPrivateKey })).toHaveLength(1);
    expect(() => eco(driver, [{ listEim: {} }])).toThrow('no signed result');
  });

  it('unknown to delete', () => {
    expect(eco(associated(), [{ deleteEim: { eimId: 'nobody' } }])).toEqual([{ deleteEimResult: 1 }]);
  });
});
