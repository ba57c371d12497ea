import { beforeAll, describe, expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import { decode, encode, hex, iccidBytes, iccidDigits, unhex } from '../../../host-sim/asn1/index.js';
import type { Pki } from '../../../host-sim/pki/index.js';
import { connectivityParameters, makeProfilePackage, segmentsOf } from '../../../host-sim/rsp/index.js';
import { MemoryStore } from '../../../host-sim/store.js';
import * as ex from './example-smdp.js';
import { B, C, CardDriver, eimConfiguration, packageOf, seeds } from './fixture.js';

let pki: Pki;
beforeAll(async () => {
  pki = await ex.makeHierarchy();
});

const ask = (driver: CardDriver, text: string) => hex(driver.es10(unhex(text)));
const enabled = (driver: CardDriver) =>
  driver.card.profiles.filter((p) => p.enabled).map((p) => iccidDigits(p.iccid));
/** What of each pending notification. */
const events = (driver: CardDriver) => driver.card.notifications.map(({ event }) => event?.slice(12));
const reset = (driver: CardDriver) => {
  driver.card.reset();
  driver.bringUp();
};
const downloaded = '8900000000000000052';
const all = { notificationConfigurationInfo: [] as m.StoreMetadataRequest['notificationConfigurationInfo'] };
all.notificationConfigurationInfo = [
  {
    profileManagementOperation: [...m.NotificationEventNames],
    notificationAddress: 'smdp.example.com',
  },
];

describe('immediate enabling', () => {
  const configured = (configuration: string) => {
    const driver = ex.cardFor(pki);
    expect(ask(driver, configuration)).toBe('BF5903800100');
    return driver;
  };
  const any = 'BF59028000';

  it('enables what was just installed, with its notifications', () => {
    const driver = configured(any);
    ex.download(driver, new ex.ExampleSmdp(pki, { metadata: all }));
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800100');
    expect(driver.lastSw >> 8).toBe(0x91);
    expect(enabled(driver)).toEqual([B]);
    expect(events(driver)).toEqual(['Install', 'Disable', 'Enable']);
    reset(driver);
    expect(enabled(driver)).toEqual([downloaded]);
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800104');
  });

  it('without REFRESH it is effective at once', () => {
    const driver = configured(any);
    ex.download(driver, new ex.ExampleSmdp(pki));
    expect(ask(driver, 'BF5A03800100')).toBe('BF5A03800100');
    expect(driver.lastSw).toBe(0x9000);
    expect(enabled(driver)).toEqual([downloaded]);
  });

  it('is not available unless configured: 1', () => {
    const driver = ex.cardFor(pki);
    ex.download(driver, new ex.ExampleSmdp(pki));
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800101');
  });

  it('needs the session: 4', () => {
    const driver = configured(any);
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800104');
    ex.download(driver, new ex.ExampleSmdp(pki));
    reset(driver);
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800104');
    ex.download(driver, new ex.ExampleSmdp(pki));
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800104');
    ex.download(driver, new ex.ExampleSmdp(pki, { metadata: { iccid: iccidBytes('8900000000000000060') } }));
    driver.es10(unhex('BF2E00'));
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A03800104');
  });

  it('is for the configured SM-DP+ only: 4', () => {
    const configuration = (smdp: { defaultSmdpOid?: string; defaultSmdpAddress?: string }) =>
      hex(encode(m.ConfigureImmediateProfileEnablingRequest, { immediateEnableFlag: true, ...smdp }));
    const codeOf = (smdp: Parameters<typeof configuration>[0]) => {
      const driver = configured(configuration(smdp));
      ex.download(driver, new ex.ExampleSmdp(pki));
      return ask(driver, 'BF5A038001FF').slice(-2);
    };
    expect(codeOf({ defaultSmdpOid: '2.999.10', defaultSmdpAddress: 'SMDP.example.com' })).toBe('00');
    expect(codeOf({ defaultSmdpOid: '2.999.11' })).toBe('04');
    expect(codeOf({ defaultSmdpAddress: 'other.example.com' })).toBe('04');
  });

  it('leaves a profile that must not be disabled alone: 127', () => {
    const driver = ex.cardFor(pki, {
      profiles: [{ iccid: B, imsi: '001010000000001', enabled: true, profilePolicyRules: ['ppr1'] }],
    });
    ask(driver, any);
    ex.download(driver, new ex.ExampleSmdp(pki));
    expect(ask(driver, 'BF5A038001FF')).toBe('BF5A0380017F');
    reset(driver);
    expect(enabled(driver)).toEqual([B]);
  });

  it('ends a permission to roll back', () => {
    const driver = ex.cardFor(pki);
    ask(driver, any);
    driver.addInitialEim(eimConfiguration());
    const enable = { enable: { iccid: iccidBytes(C), rollbackFlag: true as const } };
    driver.es10(packageOf({ psmo: [enable] }, { counterValue: 1, eid: pki.euicc.eid }));
    reset(driver);
    expect(driver.card.state.rollback).toBeDefined();
    ex.download(driver, new ex.ExampleSmdp(pki));
    ask(driver, 'BF5A038001FF');
    reset(driver);
    expect(ask(driver, 'BF58038001FF')).toBe('BF5803020101');
    expect(enabled(driver)).toEqual([downloaded]);
  });
});

it('the result of a rollback takes the place of the first one', () => {
  const driver = ex.cardFor(pki);
  driver.addInitialEim(eimConfiguration());
  const psmo = [{ enable: { iccid: iccidBytes(C), rollbackFlag: true as const } }];
  driver.es10(packageOf({ psmo }, { counterValue: 1, eid: pki.euicc.eid }));
  reset(driver);
  const [first] = driver.card.results;
  driver.es10(unhex('BF58038001FF'));
  reset(driver);
  const { results } = driver.card;
  expect(results).toHaveLength(1);
  expect(results[0].seqNumber).toBeGreaterThan(first.seqNumber);
  expect(enabled(driver)).toEqual([B]);
  // B was disabled and enabled again; C has no address for its disabling.
  expect(events(driver)).toEqual(['Disable', 'Enable', 'Enable']);
});

it('a downloaded fallback profile takes over and gives back', () => {
  const driver = ex.cardFor(pki);
  driver.addInitialEim(eimConfiguration());
  ex.download(driver, new ex.ExampleSmdp(pki, { metadata: { fallbackAllowed: true, ...all } }));
  const target = { iccid: ex.downloadedIccid };
  const set = (iccid: Uint8Array, counterValue: number) =>
    driver.es10(
      packageOf({ psmo: [{ setFallbackAttribute: { iccid } }] }, { counterValue, eid: pki.euicc.eid }),
    );
  expect(hex(set(iccidBytes(B), 1))).toContain('8D0102');
  expect(hex(set(target.iccid, 2))).toContain('8D0100');
  expect(ask(driver, 'BF5D038001FF')).toBe('BF5D03800100');
  reset(driver);
  expect(enabled(driver)).toEqual([downloaded]);
  expect(ask(driver, 'BF5D038001FF')).toBe('BF5D03800102');
  expect(ask(driver, 'BF5E038001FF')).toBe('BF5E03800100');
  reset(driver);
  expect(enabled(driver)).toEqual([B]);
  expect(events(driver)).toEqual(['Install', 'Disable', 'Enable', 'Disable', 'Enable']);
});

describe('emergency profile', () => {
  it('downloaded as one; everything is as before once it is disabled', () => {
    const driver = ex.cardFor(pki, { ecallSupported: true });
    ex.download(driver, new ex.ExampleSmdp(pki, { metadata: { ecallIndication: true, ...all } }));
    expect(ask(driver, 'BF5C038001FF')).toBe('BF5C03800102');
    expect(ask(driver, 'BF5B038001FF')).toBe('BF5B03800100');
    reset(driver);
    expect(enabled(driver)).toEqual([downloaded]);
    expect(events(driver)).toEqual(['Install']);
    expect(ask(driver, 'BF64048202028C')).toBe('BF64038001' + '68');
    expect(ask(driver, 'BF5C038001FF')).toBe('BF5C03800100');
    reset(driver);
    expect(enabled(driver)).toEqual([B]);
    expect(events(driver)).toEqual(['Install', 'Disable', 'Enable']);
  });
});

describe('connectivity parameters', () => {
  it('are those of the enabled profile', () => {
    const httpParams = connectivityParameters({ apn: 'iot.example', login: 'me', password: 'pw' });
    expect(hex(httpParams)).toBe('350103470C03696F74076578616D706C650D03046D650D03047077');
    const driver = ex.cardFor(pki, {
      profiles: [
        {
          iccid: B,
          imsi: '001010000000001',
          enabled: true,
          connectivity: { apn: 'iot.example', login: 'me', password: 'pw' },
        },
      ],
    });
    const answer = decode(m.GetConnectivityParametersResponse, driver.es10(unhex('BF5F00')));
    expect(answer).toEqual({ connectivityParameters: { httpParams } });
    ask(driver, 'BF59028000');
    const profile = makeProfilePackage({
      iccid: ex.downloadedIccid,
      imsi: ex.imsi,
      connectivity: { apn: 'other' },
    });
    ex.download(driver, new ex.ExampleSmdp(pki, { profile }));
    ask(driver, 'BF5A038001FF');
    reset(driver);
    expect(hex(driver.es10(unhex('BF5F00')))).toContain(hex(connectivityParameters({ apn: 'other' })));
  });

  it('are not always there: 1', () => {
    expect(ask(ex.cardFor(pki), 'BF5F00')).toBe('BF5F03810101');
  });

  it('need an APN that can be one', () => {
    expect(() => connectivityParameters({ apn: 'a..b' })).toThrow(/APN/);
  });
});

it('a memory reset deletes what was downloaded, and tells its SM-DP+', () => {
  const driver = ex.cardFor(pki);
  ex.download(driver, new ex.ExampleSmdp(pki, { metadata: { profileClass: 0, ...all } }));
  const option = (name: string) =>
    encode(m.EuiccMemoryResetRequest, { resetOptions: [name as 'deleteFieldLoadedTestProfiles'] });
  expect(hex(driver.es10(option('deletePreLoadedTestProfiles')))).toBe('BF6403800101');
  expect(hex(driver.es10(option('deleteFieldLoadedTestProfiles')))).toBe('BF6403800100');
  expect(driver.card.profiles).toHaveLength(seeds.length);
  expect(events(driver)).toEqual(['Install', 'Delete']);
});

describe('kinds of cards', () => {
  const upAs = (kind: 'consumer' | 'm2m' | 'none') =>
    new CardDriver({ kind, credentials: pki.euicc, ciCertificates: pki.ciCertificates });
  const select = '01A4040010A0000005591010FFFFFFFF8900000100';

  it('consumer: the template says so, ES10c is offered, SGP.32 is not', () => {
    const driver = upAs('consumer');
    driver.send('0070000001');
    expect(driver.send(select).slice(0, 2)).toBe('61');
    expect(driver.send('01C0000000')).toContain('E0058203020500');
    driver.channel = 1;
    const info2 = decode(m.EuiccInfo2, driver.es10(unhex('BF2200')));
    expect(info2.iotSpecificInfo).toBeUndefined();
    expect(info2.ipaMode).toBeUndefined();
    for (const tag of ['51', '55', '56', '57', '58', '59', '5A', '5B', '5D', '5F', '64', '65'])
      expect(driver.es10Sw(`BF${tag}00`)).toBe(0x6a88);
    const result = ex.download(driver, new ex.ExampleSmdp(pki, { metadata: all }));
    expect(hex(result).startsWith('BF37')).toBe(true);
    const identified = `A00C5A0A${hex(ex.downloadedIccid)}`;
    expect(ask(driver, `BF3111${identified}810100`)).toBe('BF3103800100');
    expect(enabled(driver)).toEqual([downloaded]);
    expect(ask(driver, `BF3211${identified}810100`)).toBe('BF3203800100');
    expect(ask(driver, `BF290F5A0A${hex(ex.downloadedIccid)}900141`)).toBe('BF2903800100');
    expect(ask(driver, 'BF3404820206C0')).toBe('BF3403800100');
    expect(driver.card.profiles).toEqual([]);
    expect(ask(driver, 'BF3404820206C0')).toBe('BF3403800101');
  });

  it('M2M: an ISD-R that listens to its SM-SR only', () => {
    const driver = upAs('m2m');
    driver.send('0070000001');
    expect(driver.send(select).slice(0, 2)).toBe('61');
    const fci = driver.send('01C0000000');
    expect(fci.slice(0, 2)).toBe('6F');
    expect(fci).not.toContain('E005');
    expect(fci).not.toContain('E104');
    expect(driver.send('81E2910006BF3E035C015A')).toBe('6982');
  });

  it('none: no ISD-R, but files', () => {
    const driver = upAs('none');
    driver.send('0070000001');
    expect(driver.send(select)).toBe('6A82');
    expect(driver.send('81E2910006BF3E035C015A')).toBe('6D00');
    expect(driver.send('00A4000C022FE2')).toBe('9000');
  });
});

class PowerCut extends Error {}

/** Dies at the n-th save, before or after it is durable. */
class CuttingStore extends MemoryStore {
  saves = 0;
  readonly #cutAt: number;
  readonly #when: 'before' | 'after';

  constructor(cutAt = Number.POSITIVE_INFINITY, when: 'before' | 'after' = 'before') {
    super();
    this.#cutAt = cutAt;
    this.#when = when;
  }

  override save(bytes: Uint8Array): void {
    const dies = this.saves++ === this.#cutAt;
    if (dies && this.#when === 'before') throw new PowerCut();
    super.save(bytes);
    if (dies) throw new PowerCut();
  }
}

describe('a power cut during a download', () => {
  function life(store: CuttingStore): CardDriver {
    const driver = ex.cardFor(pki, { store });
    const chains = segmentsOf(ex.upToPackage(driver, new ex.ExampleSmdp(pki)));
    for (const chain of chains) driver.es10(chain);
    return driver;
  }

  it('leaves the profile installed and reported, or not installed and reported as interrupted', () => {
    const whole = new CuttingStore();
    life(whole);
    // One-time key; BF23, A0, A1, A3; the profile with its result.
    expect(whole.saves).toBe(6);
    for (let n = 0; n < whole.saves; n++) {
      for (const when of ['before', 'after'] as const) {
        const store = new CuttingStore(n, when);
        expect(() => life(store)).toThrow(PowerCut);
        const left = new MemoryStore();
        const bytes = store.load();
        if (bytes) left.save(bytes);
        const driver = ex.cardFor(pki, { store: left });
        const installed = driver.card.profiles.length > seeds.length;
        expect(installed).toBe(n === 5 && when === 'after');
        const begun = n > 1 || (n === 1 && when === 'after');
        const results = driver.card.notifications.map(
          ({ bytes: result }) =>
            decode(m.ProfileInstallationResult, result).profileInstallationResultData.value.finalResult,
        );
        expect(results).toHaveLength(begun ? 1 : 0);
        if (begun && !installed) expect(results[0].errorResult?.errorReason).toBe(11);
        if (installed) expect(results[0].successResult).toBeDefined();
        expect(driver.card.state.installing).toBeUndefined();
        // And nothing stands in the way of another try.
        if (installed) continue;
        ex.download(driver, new ex.ExampleSmdp(pki));
        expect(driver.card.profiles).toHaveLength(seeds.length + 1);
      }
    }
  });
});
