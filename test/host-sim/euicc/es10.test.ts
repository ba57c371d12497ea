import { describe, expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import {
  decode,
  encode,
  hex,
  iccidBytes,
  iccidDigits,
  type NotificationEventName,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { makePki } from '../../../host-sim/pki/index.js';
import * as v from '../asn1/vectors.js';
import {
  A,
  associated,
  B,
  C,
  CardDriver,
  credentials,
  D,
  eimConfiguration,
  packageOf,
  resultsOf,
  seeds,
} from './fixture.js';

const up = (options: ConstructorParameters<typeof CardDriver>[0] = {}) => {
  const driver = new CardDriver(options);
  driver.bringUp();
  return driver;
};
const ask = (driver: CardDriver, text: string) => hex(driver.es10(unhex(text)));
const enabled = (driver: CardDriver) =>
  driver.card.profiles.filter((p) => p.enabled).map((p) => iccidDigits(p.iccid));
const iccids = (driver: CardDriver) => driver.card.profiles.map((p) => iccidDigits(p.iccid));

describe('identity', () => {
  it('EUICCInfo1 and EUICCInfo2', () => {
    const driver = up({ ecallSupported: true });
    const info1 = decode(m.EuiccInfo1, driver.es10(unhex('BF2000')));
    expect(info1.euiccCiPKIdListForSigning).toEqual([credentials.ciKeyId]);
    const info2 = decode(m.EuiccInfo2, driver.es10(unhex('BF2200')));
    expect(info2.ipaMode).toBe(0);
    expect(info2.iotSpecificInfo).toEqual({
      iotVersion: [unhex('010200')],
      ecallSupported: true,
      fallbackSupported: true,
    });
    expect(info2.uiccCapability).toContain('usimSupport');
    expect(info2.svn).toEqual(info1.svn);
  });

  it('certificates by CI key', () => {
    const driver = up();
    const certs = { eumCertificate: credentials.eumCertificate, euiccCertificate: credentials.certificate };
    expect(decode(m.GetCertsResponse, driver.es10(unhex('BF5600')))).toEqual({ certs });
    const byKey = encode(m.GetCertsRequest, { euiccCiPKId: credentials.ciKeyId });
    expect(decode(m.GetCertsResponse, driver.es10(byKey))).toEqual({ certs });
    expect(ask(driver, 'BF5603800100')).toBe('BF5603810101');
  });

  it('challenge, RAT, addresses', () => {
    const driver = up({ defaultDpAddress: 'dp.example.com', rootDsAddress: 'ds.example.com' });
    expect(ask(driver, 'BF2E00')).toBe(`BF2E128010${'80'.repeat(16)}`);
    expect(ask(driver, 'BF4300')).toBe('BF4302A000');
    const addresses = () => decode(m.EuiccConfiguredAddressesResponse, driver.es10(unhex('BF3C00')));
    expect(addresses()).toEqual({ defaultDpAddress: 'dp.example.com', rootDsAddress: 'ds.example.com' });
    expect(ask(driver, 'BF6506800461626364')).toBe('BF6503800100');
    expect(addresses().defaultDpAddress).toBe('abcd');
    expect(ask(driver, 'BF3F028000')).toBe('BF3F03800100');
    expect(addresses()).toEqual({ rootDsAddress: 'ds.example.com' });
    expect(driver.es10Sw('BF3E035C0199')).toBe(0x6a80);
  });

  it('profile lists by criteria', () => {
    const driver = up();
    const list = (text: string) =>
      decode(m.ProfileInfoListResponse, driver.es10(unhex(text))).profileInfoListOk;
    expect(list('BF2D00')).toHaveLength(4);
    expect(list('BF2D05A003950102')).toHaveLength(4);
    expect(list('BF2D05A003950100')).toEqual([]);
    expect(list(`BF2D12A00C5A0A${hex(iccidBytes(C))}5C025AB6`)).toEqual([
      {
        iccid: iccidBytes(C),
        notificationConfigurationInfo: [
          { profileManagementOperation: ['notificationEnable'], notificationAddress: 'c.example.com' },
        ],
      },
    ]);
    expect(driver.es10Sw('BF2D05A003960100')).toBe(0x6a80);
  });
});

describe('association', () => {
  it('AddInitialEim works once, and the vector gets its token', () => {
    const driver = up();
    expect(ask(driver, hex(v.addInitialEim))).toBe('BF5705A003840101');
    expect(ask(driver, hex(v.addInitialEim))).toBe('BF5703810102');
    const { eimConfigurationDataList } = decode(
      m.GetEimConfigurationDataResponse,
      driver.es10(unhex('BF5500')),
    );
    const { counterValue, ...shown } = decode(m.AddInitialEimRequest, v.addInitialEim)
      .eimConfigurationDataList[0];
    expect(counterValue).toBe(0);
    expect(eimConfigurationDataList).toEqual([{ ...shown, associationToken: 1 }]);
  });

  it('one wrong entry and nothing is stored', () => {
    const driver = up();
    const list = [
      eimConfiguration({ associationToken: -1 }),
      eimConfiguration({ eimId: 'b', counterValue: 0x800000 }),
    ];
    const request = encode(m.AddInitialEimRequest, { eimConfigurationDataList: list });
    expect(hex(driver.es10(request))).toBe('BF5703810106');
    expect(ask(driver, 'BF5500')).toBe('BF5502A000');
    expect(driver.card.state.nextAssociationToken).toBe(1);
    expect(driver.store.load()).toBeUndefined();
    expect(ask(driver, 'BF5702A000')).toBe('BF5703810107');
  });

  it('finds one eIM by its id', () => {
    const driver = associated();
    expect(ask(driver, 'BF5506A00480026162')).toBe('BF5502A000');
    const found = ask(driver, 'BF5513A011800F65696D2E6578616D706C652E636F6D');
    expect(decode(m.GetEimConfigurationDataResponse, unhex(found)).eimConfigurationDataList).toHaveLength(1);
  });

  it('survives a restart', () => {
    const driver = associated({}, { associationToken: -1 });
    const before = driver.card.state;
    driver.restart();
    expect(driver.card.state).toEqual(before);
    driver.bringUp();
    const answer = driver.es10(packageOf({ psmo: [{ getRAT: {} }] }, { counterValue: 1, token: 1 }));
    expect(resultsOf(answer, 1)).toEqual([{ getRATResult: [] }]);
  });

  it('immediate enabling is configured before any eIM only', () => {
    const driver = up();
    expect(ask(driver, 'BF59028000')).toBe('BF5903800100');
    expect(driver.card.state.immediateEnable).toEqual({});
    expect(ask(driver, 'BF5900')).toBe('BF5903800100');
    expect(driver.card.state.immediateEnable).toBeUndefined();
    driver.addInitialEim(eimConfiguration());
    expect(ask(driver, 'BF59028000')).toBe('BF5903800102');
  });

  it('works with a whole test hierarchy', async () => {
    const pki = await makePki({
      eid: v.eid,
      now: Date.UTC(2026, 0, 1),
      eims: [{ eimId: 'e', eimIdType: 3, eimFqdn: 'e.example' }],
    });
    const driver = new CardDriver({ credentials: pki.euicc });
    driver.bringUp();
    const [eim] = pki.eims;
    driver.addInitialEim({
      eimId: eim.eimId,
      counterValue: 0,
      eimPublicKeyData: { eimCertificate: eim.certificate },
    });
    const bytes = packageOf(
      { psmo: [{ listProfileInfo: {} }] },
      { eimId: eim.eimId, eid: pki.euicc.eid, counterValue: 1, key: eim.privateKey },
    );
    const { euiccPackageResultSigned } = decode(m.EuiccPackageResult, driver.es10(bytes));
    expect(euiccPackageResultSigned?.euiccPackageResultDataSigned.value.euiccResult).toHaveLength(1);
  });
});

describe('notifications', () => {
  function withNotifications() {
    const driver = associated();
    const enable = { enable: { iccid: iccidBytes(C) } };
    driver.es10(packageOf({ psmo: [enable] }, { counterValue: 1 }));
    driver.card.reset();
    driver.bringUp();
    return driver;
  }

  it('are listed by event', () => {
    const driver = withNotifications();
    const list = (text: string) =>
      decode(m.ListNotificationResponse, driver.es10(unhex(text))).notificationMetadataList?.map(
        (n) => n.seqNumber,
      );
    expect(list('BF2800')).toEqual([2, 3]);
    expect(list('BF280481020640')).toEqual([3]);
    expect(list('BF280481020780')).toEqual([]);
  });

  it('are retrieved by number and event, results only when asked for', () => {
    const driver = withNotifications();
    const list = (text: string) =>
      decode(m.RetrieveNotificationsListResponse, driver.es10(unhex(text))).notificationList?.map(
        (n) => n.otherSignedNotification?.tbsOtherNotification.value.seqNumber,
      );
    expect(list('BF2B00')).toEqual([2, 3]);
    expect(list('BF2B05A003800102')).toEqual([2]);
    expect(list('BF2B05A003800109')).toEqual([]);
    const byNumber = decode(m.RetrieveNotificationsListResponse, driver.es10(unhex('BF2B05A003800101')));
    expect(byNumber.euiccPackageResultList).toHaveLength(1);
    expect(list('BF2B06A00481020560')).toEqual([2, 3]);
    const results = decode(m.RetrieveNotificationsListResponse, driver.es10(unhex('BF2B04A0028200')));
    expect(results.euiccPackageResultList).toHaveLength(1);
    expect(results.notificationList).toBeUndefined();
  });

  it('go to every address that wants the event', () => {
    const events: NotificationEventName[] = ['notificationDelete'];
    const notifications = [
      { events, address: 'one' },
      { events, address: 'two' },
      { events: ['notificationEnable' as const], address: 'three' },
    ];
    const driver = associated({ profiles: [seeds[1], { ...seeds[0], notifications }] });
    driver.es10(packageOf({ psmo: [{ delete: { iccid: iccidBytes(A) } }] }, { counterValue: 1 }));
    const { notificationMetadataList } = decode(m.ListNotificationResponse, driver.es10(unhex('BF2800')));
    expect(notificationMetadataList?.map((n) => n.notificationAddress)).toEqual(['one', 'two']);
  });
});

describe('ES10c, where it is offered', () => {
  const enable = (iccid: string, refresh: boolean) =>
    `BF3111A00C5A0A${hex(iccidBytes(iccid))}8101${refresh ? 'FF' : '00'}`;
  const disable = (iccid: string) => `BF3211A00C5A0A${hex(iccidBytes(iccid))}810100`;
  const remove = (iccid: string) => `BF330C5A0A${hex(iccidBytes(iccid))}`;

  it('switches with a REFRESH, or at once', () => {
    const driver = up({ es10c: true });
    expect(ask(driver, enable(C, true))).toBe('BF3103800100');
    expect(driver.lastSw).toBe(0x910b);
    expect(enabled(driver)).toEqual([B]);
    expect(ask(driver, enable(A, true))).toBe('BF3103800105');
    driver.card.reset();
    driver.bringUp();
    expect(enabled(driver)).toEqual([C]);
    expect(ask(driver, enable(A, false))).toBe('BF3103800100');
    expect(driver.lastSw).toBe(0x9000);
    expect(enabled(driver)).toEqual([A]);
    expect(ask(driver, enable(A, false))).toBe('BF3103800102');
    expect(ask(driver, enable('8999999999999999999', false))).toBe('BF3103800101');
    expect(ask(driver, disable(B))).toBe('BF3203800102');
    expect(ask(driver, disable(A))).toBe('BF3203800100');
    expect(enabled(driver)).toEqual([]);
    expect(ask(driver, remove(D))).toBe('BF3303800103');
    expect(ask(driver, remove(C))).toBe('BF3303800100');
    expect(ask(driver, remove(C))).toBe('BF3303800101');
    expect(iccids(driver)).toEqual([A, B, D]);
  });

  it('asks for no TERMINAL CAPABILITY', () => {
    const driver = new CardDriver({ es10c: true });
    driver.send('00A4040C10A0000005591010FFFFFFFF8900000100');
    expect(driver.send('80E2910003BF2000').slice(0, 2)).toBe('61');
  });

  it('finds profiles by AID and names them', () => {
    const driver = up({ es10c: true });
    const aid = hex(driver.card.profiles[0].isdpAid);
    expect(ask(driver, `BF3114A0124F10${aid}`)).toBe('BF3103800100');
    expect(ask(driver, `BF29105A0A${hex(iccidBytes(A))}90026869`)).toBe('BF2903800100');
    expect(ask(driver, `BF29105A0A${'00'.repeat(10)}90026869`)).toBe('BF2903800101');
    expect(driver.card.profiles[0].profileNickname).toBe('hi');
  });
});

describe('memory reset', () => {
  it('deletes by class, oldest ICCID first, and asks for a REFRESH', () => {
    const profiles = [
      ...seeds,
      { iccid: '8900000000000000045', imsi: '001010000000003', profileClass: 'test' as const },
    ];
    const driver = associated({ profiles });
    expect(ask(driver, 'BF640482020284')).toBe('BF6406800100810100');
    expect(driver.lastSw).toBe(0x910b);
    expect(iccids(driver)).toEqual(['8900000000000000045']);
    expect(driver.card.eims).toHaveLength(0);
    expect(driver.card.notifications.map((n) => n.event)).toEqual(['notificationDelete']);
    driver.card.reset();
    expect(driver.events.filter((e) => 'what' in e && e.what === 'profileSwitched')).toEqual([
      { event: 'card', what: 'profileSwitched', detail: { enabled: null, disabled: B } },
    ]);
    driver.bringUp();
    expect(ask(driver, 'BF640482020284')).toBe('BF6406800101810101');
    expect(ask(driver, 'BF640482020640')).toBe('BF6403800100');
    expect(iccids(driver)).toEqual([]);
    driver.addInitialEim(eimConfiguration());
  });

  it('default address and immediate enabling', () => {
    const driver = up({ defaultDpAddress: 'dp.example.com' });
    ask(driver, 'BF59028000');
    expect(ask(driver, 'BF640482020122')).toBe('BF6406800100820100');
    expect(driver.card.state.defaultDpAddress).toBe('');
    expect(driver.card.state.immediateEnable).toBeUndefined();
    expect(ask(driver, 'BF640482020520')).toBe('BF6403800101');
  });
});

describe('emergency profile', () => {
  const profiles = [seeds[1], { ...seeds[0], ecallIndication: true }];

  it('blocks everything else while it is enabled', () => {
    const driver = associated({ profiles, ecallSupported: true });
    expect(ask(driver, 'BF5C038001FF')).toBe('BF5C03800102');
    expect(ask(driver, 'BF5B038001FF')).toBe('BF5B03800100');
    driver.card.reset();
    driver.bringUp();
    expect(enabled(driver)).toEqual([A]);
    expect(driver.card.notifications).toEqual([]);
    expect(ask(driver, 'BF5B038001FF')).toBe('BF5B03800102');
    const answer = driver.es10(packageOf({ psmo: [{ getRAT: {} }] }, { counterValue: 1 }));
    expect(
      decode(m.EuiccPackageResult, answer).euiccPackageErrorSigned?.euiccPackageErrorDataSigned.value
        .euiccPackageErrorCode,
    ).toBe(104);
    expect(ask(driver, 'BF640482020284')).toBe('BF6403800168');
    driver.restart();
    driver.bringUp();
    expect(ask(driver, 'BF5C038001FF')).toBe('BF5C03800100');
    driver.card.reset();
    expect(enabled(driver)).toEqual([B]);
    expect(driver.card.notifications.map((n) => n.event)).toEqual(['notificationEnable']);
  });

  it('is not there without such a profile', () => {
    const driver = up({ ecallSupported: true });
    expect(ask(driver, 'BF5B038001FF')).toBe('BF5B03800108');
  });
});

describe('factory content', () => {
  it('is checked', () => {
    const one = { iccid: A, imsi: '001010000000001' };
    expect(() => new CardDriver({ profiles: [{ ...one, imsi: 'x' }] })).toThrow(/IMSI/);
    expect(() => new CardDriver({ profiles: [{ ...one, iccid: '1' }] })).toThrow(/ICCID/);
    const both = [
      { ...one, enabled: true },
      { ...one, iccid: B, enabled: true },
    ];
    expect(() => new CardDriver({ profiles: both })).toThrow(/only one/);
  });
});
