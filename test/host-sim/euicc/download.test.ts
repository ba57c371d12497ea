import { beforeAll, describe, expect, it } from 'vitest';
import {
  decode,
  hex,
  iccidDigits,
  PendingNotification,
  ProfileInstallationResult,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { type Pki, publicKeyOf, verify } from '../../../host-sim/pki/index.js';
import * as ex from './example-smdp.js';

let pki: Pki;
beforeAll(async () => {
  pki = await ex.makeHierarchy();
});

describe('download', () => {
  it('installs a profile and reports it once', () => {
    const driver = ex.cardFor(pki);
    const result = ex.download(driver, new ex.ExampleSmdp(pki));
    const { profileInstallationResultData: data, euiccSignPIR } = decode(ProfileInstallationResult, result);
    expect(verify(publicKeyOf(pki.euicc.certificate), euiccSignPIR, data.bytes)).toBe(true);
    expect(data.value.finalResult.successResult).toBeDefined();
    expect(data.value.notificationMetadata).toEqual({
      seqNumber: 1,
      profileManagementOperation: ['notificationInstall'],
      notificationAddress: 'smdp.example.com',
      iccid: ex.downloadedIccid,
    });
    const profile = driver.card.profiles.at(-1)!;
    expect(iccidDigits(profile.iccid)).toBe('8900000000000000052');
    expect(profile).toMatchObject({ imsi: ex.imsi, enabled: false, profileName: 'Downloaded' });
    const pending = driver.card.notifications;
    expect(pending).toHaveLength(1);
    expect(hex(pending[0].bytes)).toBe(hex(result));
    expect(decode(PendingNotification, pending[0].bytes).profileInstallationResult).toBeDefined();
    expect(hex(driver.es10(unhex('BF2B00')))).toContain(hex(result));
    expect(hex(driver.es10(unhex('BF3003800101')))).toBe('BF3003800100');
  });
});
