import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AuthenticateServerResponse,
  CancelSessionRequest,
  CancelSessionResponse,
  decode,
  encode,
  hex,
  type Infer,
  iccidBytes,
  iccidDigits,
  PendingNotification,
  PrepareDownloadResponse,
  ProfileInstallationResult,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { type Pki, publicKeyOf, verify } from '../../../host-sim/pki/index.js';
import {
  bindConfirmationCode,
  hashConfirmationCode,
  makeProfilePackage,
  readProfilePackage,
  segmentsOf,
} from '../../../host-sim/rsp/index.js';
import { thirdParty } from '../rsp/vectors.js';
import * as ex from './example-smdp.js';
import { B, type CardDriver } from './fixture.js';

let pki: Pki;
beforeAll(async () => {
  pki = await ex.makeHierarchy();
});

type FinalResult = Infer<
  typeof ProfileInstallationResult
>['profileInstallationResultData']['value']['finalResult'];

/** Verified. */
function resultOf(bytes: Uint8Array) {
  const { profileInstallationResultData: data, euiccSignPIR } = decode(ProfileInstallationResult, bytes);
  expect(verify(publicKeyOf(pki.euicc.certificate), euiccSignPIR, data.bytes)).toBe(true);
  return data.value;
}

/** [bppCommandId, errorReason], or 'success'. */
function outcome(bytes: Uint8Array): [number, number] | 'success' {
  const { successResult, errorResult }: FinalResult = resultOf(bytes).finalResult;
  return successResult ? 'success' : [errorResult!.bppCommandId, errorResult!.errorReason];
}

const listed = (driver: CardDriver) => driver.card.profiles.map(({ iccid }) => iccidDigits(iccid));

describe('a download', () => {
  it('installs a profile, disabled, and reports it once', () => {
    const driver = ex.cardFor(pki);
    const bytes = ex.download(driver, new ex.ExampleSmdp(pki));
    const value = resultOf(bytes);
    expect(value).toMatchObject({ smdpOid: '2.999.10', notificationMetadata: { seqNumber: 1 } });
    expect(hex(value.finalResult.successResult!.simaResponse)).toBe('3007A0053003800100');
    expect(value.notificationMetadata).toEqual({
      seqNumber: 1,
      profileManagementOperation: ['notificationInstall'],
      notificationAddress: 'smdp.example.com',
      iccid: ex.downloadedIccid,
    });
    const profile = driver.card.profiles.at(-1)!;
    expect(iccidDigits(profile.iccid)).toBe('8900000000000000052');
    expect(profile).toMatchObject({ imsi: ex.imsi, enabled: false, profileName: 'Downloaded' });
    expect(profile.isdpAid).toEqual(value.finalResult.successResult!.aid);
    const pending = driver.card.notifications;
    expect(pending).toHaveLength(1);
    expect(hex(pending[0].bytes)).toBe(hex(bytes));
    expect(decode(PendingNotification, pending[0].bytes).profileInstallationResult).toBeDefined();
    expect(hex(driver.es10(unhex('BF2B00')))).toContain(hex(bytes));
    expect(hex(driver.es10(unhex('BF280481020780')))).toContain('BF2F');
    expect(hex(driver.es10(unhex('BF3003800101')))).toBe('BF3003800100');
    expect(driver.card.state.installing).toBeUndefined();
    expect(driver.card.state.oneTimeKeys).toEqual([]);
  });

  it('with keys of its own for the profile elements, and metadata in several segments', () => {
    const driver = ex.cardFor(pki);
    const icon = new Uint8Array(1024).fill(7);
    const smdp = new ex.ExampleSmdp(pki, {
      profileKeys: thirdParty.agreements[0].keys,
      metadata: { iconType: 1, icon },
      profile: makeProfilePackage({ iccid: ex.downloadedIccid, imsi: ex.imsi, bytes: 12_288 }),
    });
    expect(outcome(ex.download(driver, smdp))).toBe('success');
    const profile = driver.card.profiles.at(-1)!;
    expect(profile.icon).toEqual(icon);
    expect(profile.memoryBytes).toBe(12_288);
    expect(hex(driver.es10(unhex(`BF2D11A00C5A0A${hex(ex.downloadedIccid)}5C0194`)))).toContain(hex(icon));
  });

  it('takes the place in memory that the profile has', () => {
    const driver = ex.cardFor(pki, { memoryBytes: 4 * 65_536 + 30_000 });
    const profile = (bytes: number) =>
      makeProfilePackage({ iccid: ex.downloadedIccid, imsi: ex.imsi, bytes });
    const free = () => /8204([0-9A-F]{8})/.exec(hex(driver.es10(unhex('BF2200'))))?.[1];
    expect(Number.parseInt(free()!, 16)).toBe(30_000);
    const tooLarge = new ex.ExampleSmdp(pki, { profile: profile(30_001) });
    expect(outcome(ex.download(driver, tooLarge))).toEqual([5, 10]);
    expect(outcome(ex.download(driver, new ex.ExampleSmdp(pki, { profile: profile(30_000) })))).toBe(
      'success',
    );
    expect(Number.parseInt(free()!, 16)).toBe(0);
    const remove = encodeHex('BF330C5A0A', ex.downloadedIccid);
    expect(driver.es10Sw(remove)).toBe(0x6a88);
  });

  it('500 KB in 1,020 byte segments', () => {
    const driver = ex.cardFor(pki);
    const profile = makeProfilePackage({ iccid: ex.downloadedIccid, imsi: ex.imsi, bytes: 500_000 });
    expect(outcome(ex.download(driver, new ex.ExampleSmdp(pki, { profile })))).toBe('success');
  });

  it('tells other addresses of the installation in notifications of their own', () => {
    const driver = ex.cardFor(pki);
    const install = 'notificationInstall' as const;
    const smdp = new ex.ExampleSmdp(pki, {
      metadata: {
        notificationConfigurationInfo: [
          { profileManagementOperation: [install], notificationAddress: 'SMDP.example.com' },
          { profileManagementOperation: [install], notificationAddress: 'else.example.com' },
        ],
      },
    });
    ex.download(driver, smdp);
    const addresses = driver.card.notifications.map(({ bytes }) => {
      const { profileInstallationResult: result, otherSignedNotification: other } = decode(
        PendingNotification,
        bytes,
      );
      const metadata =
        result?.profileInstallationResultData.value.notificationMetadata ?? other!.tbsOtherNotification.value;
      return [metadata.seqNumber, metadata.notificationAddress];
    });
    expect(addresses).toEqual([
      [1, 'smdp.example.com'],
      [2, 'else.example.com'],
    ]);
  });

  it('carries matching id, device and confirmation code into what is signed', () => {
    const driver = ex.cardFor(pki);
    const smdp = new ex.ExampleSmdp(pki, { matchingId: 'MATCH' });
    const authenticated = driver.es10(smdp.authenticateServer(driver.es10(unhex('BF2E00'))));
    const signed1 = decode(AuthenticateServerResponse, authenticated).authenticateResponseOk!.euiccSigned1
      .value;
    expect(signed1.ctxParams1.ctxParamsForCommonAuthentication).toEqual({
      matchingId: 'MATCH',
      deviceInfo: ex.deviceInfo,
    });
    expect(signed1.euiccInfo2.iotSpecificInfo).toBeDefined();
    const hashCc = bindConfirmationCode(hashConfirmationCode('1234'), smdp.transactionId);
    const prepared = driver.es10(smdp.prepareDownload(authenticated, {}, hashCc));
    const signed2 = decode(PrepareDownloadResponse, prepared).downloadResponseOk!.euiccSigned2.value;
    expect(signed2.hashCc).toEqual(hashCc);
    expect(outcome(ex.load(driver, smdp.boundProfilePackage(prepared)))).toBe('success');
  });

  const otpkOf = (prepared: Uint8Array) =>
    decode(PrepareDownloadResponse, prepared).downloadResponseOk!.euiccSigned2.value.euiccOtpk;

  it('goes on with the key of an earlier try, also after a reset', () => {
    const driver = ex.cardFor(pki);
    const prepare = (bppEuiccOtpk?: Uint8Array) => {
      const smdp = new ex.ExampleSmdp(pki);
      const authenticated = driver.es10(smdp.authenticateServer(driver.es10(unhex('BF2E00'))));
      return driver.es10(smdp.prepareDownload(authenticated, { bppEuiccOtpk }));
    };
    const first = otpkOf(prepare());
    driver.restart();
    driver.bringUp();
    expect(otpkOf(prepare(first))).toEqual(first);
    expect(driver.card.state.oneTimeKeys).toHaveLength(1);
    expect(otpkOf(prepare(ex.somePoint))).not.toEqual(ex.somePoint);
  });
});

function encodeHex(head: string, iccid: Uint8Array): string {
  return head + hex(iccid);
}

describe('a package that is refused', () => {
  const cases: [string, ex.DownloadOptions, [number, number]][] = [
    ['another operation', { initialise: { remoteOpId: 2 } }, [0, 5]],
    ['another transaction', { initialise: { transactionId: unhex('01') } }, [0, 3]],
    [
      'another cipher',
      {
        initialise: {
          controlRefTemplate: { keyType: unhex('80'), keyLen: unhex('10'), hostId: unhex('01') },
        },
      },
      [0, 4],
    ],
    [
      'another key length',
      {
        initialise: {
          controlRefTemplate: { keyType: unhex('88'), keyLen: unhex('20'), hostId: unhex('01') },
        },
      },
      [0, 4],
    ],
    ['an ICCID that is here', { metadata: { iccid: iccidBytes(B) } }, [2, 9]],
    ['an unknown profile class', { metadata: { profileClass: 7 } }, [2, 6]],
    ['a rule that the RAT does not have', { metadata: { profilePolicyRules: ['ppr2'] } }, [2, 15]],
    [
      'another ICCID inside',
      { profile: makeProfilePackage({ iccid: iccidBytes(B), imsi: '001010' }) },
      [5, 13],
    ],
    ['an owner of another network', { metadata: { profileOwner: { mccMnc: unhex('62F210') } } }, [5, 13]],
    ['something that is no profile', { profile: unhex('7468652D7575') }, [5, 12]],
    ['nothing', { profile: new Uint8Array(0) }, [5, 12]],
  ];

  it.each(cases)('%s', (_name, options, expected) => {
    const driver = ex.cardFor(pki);
    const before = driver.card.state;
    const bytes = ex.download(driver, new ex.ExampleSmdp(pki, options));
    expect(outcome(bytes)).toEqual(expected);
    expect(driver.card.notifications.map((pending) => hex(pending.bytes))).toEqual([hex(bytes)]);
    expect(driver.card.profiles).toEqual(before.profiles);
    expect(driver.card.state.nextIsdp).toBe(before.nextIsdp);
    // The session is over: nothing more is taken, and a new one works.
    expect(driver.es10Sw('8803010203')).toBe(0x6a88);
    expect(driver.es10Sw('BF3600')).toBe(0x6985);
    expect(outcome(ex.download(driver, new ex.ExampleSmdp(pki)))).toBe('success');
  });

  it('names the ICCID in its result as soon as it is known', () => {
    const iccidOf = (options: ex.DownloadOptions) =>
      resultOf(ex.download(ex.cardFor(pki), new ex.ExampleSmdp(pki, options))).notificationMetadata.iccid;
    expect(iccidOf({ initialise: { remoteOpId: 2 } })).toBeUndefined();
    expect(iccidOf({ metadata: { profileClass: 7 } })).toEqual(ex.downloadedIccid);
    expect(iccidOf({ profile: unhex('00') })).toEqual(ex.downloadedIccid);
  });
});

describe('policy rules', () => {
  const anyone = unhex('EEEEEE');
  const owner = { mccMnc: unhex('00F110') };
  const rat = (mccMnc: Uint8Array, gid1?: Uint8Array) => [
    { pprIds: ['ppr1' as const, 'ppr2' as const], allowedOperators: [{ mccMnc, gid1 }], pprFlags: [] },
  ];
  const attempt = (
    rules: ('ppr1' | 'ppr2')[],
    card: Parameters<typeof ex.cardFor>[1],
    profileOwner: ex.DownloadOptions['metadata'] = { profileOwner: owner },
  ) =>
    outcome(
      ex.download(
        ex.cardFor(pki, card),
        new ex.ExampleSmdp(pki, { metadata: { profilePolicyRules: rules, ...profileOwner } }),
      ),
    );

  it('are allowed to the operators of the RAT', () => {
    expect(attempt(['ppr2'], { rat: rat(anyone) })).toBe('success');
    expect(attempt(['ppr2'], { rat: rat(owner.mccMnc) })).toBe('success');
    expect(attempt(['ppr2'], { rat: rat(unhex('00F120')) })).toEqual([2, 15]);
    expect(attempt(['ppr2'], { rat: rat(anyone), forbiddenPolicyRules: ['ppr2'] })).toEqual([2, 15]);
    expect(attempt(['ppr2'], { rat: rat(anyone) }, {})).toEqual([2, 15]);
    expect(attempt(['ppr2'], { rat: rat(anyone, unhex('01')) })).toEqual([2, 15]);
    expect(
      attempt(['ppr2'], { rat: rat(anyone, unhex('01')) }, { profileOwner: { ...owner, gid1: unhex('01') } }),
    ).toBe('success');
  });

  it('PPR1 only while there is no operational profile', () => {
    expect(attempt(['ppr1'], { rat: rat(anyone) })).toEqual([2, 15]);
    expect(attempt(['ppr1'], { rat: rat(anyone), profiles: [] })).toBe('success');
  });
});

describe('the order of the chains', () => {
  function chainsOf(driver: CardDriver) {
    const smdp = new ex.ExampleSmdp(pki, { profileKeys: thirdParty.agreements[0].keys });
    return segmentsOf(ex.upToPackage(driver, smdp));
  }

  it('is kept', () => {
    const count = chainsOf(ex.cardFor(pki)).length;
    const expected = [0, 1, 2, 2, 5, 5];
    for (let left = 1; left < count; left++) {
      const driver = ex.cardFor(pki);
      const chains = chainsOf(driver);
      chains.splice(left, 1);
      const answers = chains.map((chain) => {
        try {
          return driver.es10(chain);
        } catch {
          return new Uint8Array(0);
        }
      });
      const results = answers.filter((answer) => answer.length > 0);
      if (left === count - 1) expect(results).toEqual([]);
      else expect(outcome(results[0])[0]).toBe(expected[left]);
      expect(listed(driver)).toHaveLength(4);
    }
  });

  it('each chain twice ends the loading', () => {
    const count = chainsOf(ex.cardFor(pki)).length;
    for (let twice = 0; twice < count - 1; twice++) {
      const driver = ex.cardFor(pki);
      const chains = chainsOf(driver).slice(0, twice + 1);
      for (const chain of chains) expect(driver.es10(chain)).toHaveLength(0);
      const again = chains[twice];
      const answer = driver.es10(again);
      expect([7, 8]).toContain(outcome(answer)[1]);
    }
  });

  it('other commands may come in between', () => {
    const driver = ex.cardFor(pki);
    let answer = new Uint8Array(0) as Uint8Array;
    for (const chain of chainsOf(driver)) {
      answer = driver.es10(chain);
      driver.es10(unhex('BF2B00'));
    }
    expect(outcome(answer)).toBe('success');
  });
});

describe('sessions', () => {
  const cancel = (transactionId: Uint8Array, reason = 0) =>
    encode(CancelSessionRequest, { transactionId, reason });

  it('are cancelled at any point, once', () => {
    for (const steps of [1, 2, 3]) {
      const driver = ex.cardFor(pki);
      const smdp = new ex.ExampleSmdp(pki);
      const authenticated = driver.es10(smdp.authenticateServer(driver.es10(unhex('BF2E00'))));
      const prepared = steps > 1 ? driver.es10(smdp.prepareDownload(authenticated)) : undefined;
      if (steps > 2) {
        for (const chain of segmentsOf(smdp.boundProfilePackage(prepared!)).slice(0, 3)) driver.es10(chain);
        expect(driver.card.state.installing).toBeDefined();
      }
      expect(hex(driver.es10(cancel(unhex('FF'))))).toBe('BF4103810105');
      const { cancelSessionResponseOk: ok } = decode(
        CancelSessionResponse,
        driver.es10(cancel(smdp.transactionId, 5)),
      );
      expect(ok?.euiccCancelSessionSigned.value).toEqual({
        transactionId: smdp.transactionId,
        smdpOid: '2.999.10',
        reason: 5,
      });
      const key = publicKeyOf(pki.euicc.certificate);
      expect(verify(key, ok!.euiccCancelSessionSignature, ok!.euiccCancelSessionSigned.bytes)).toBe(true);
      expect(hex(driver.es10(cancel(smdp.transactionId)))).toBe('BF4103810105');
      driver.restart();
      expect(driver.card.notifications).toEqual([]);
    }
  });

  it('end with a reset; what was being loaded is told of as interrupted', () => {
    const driver = ex.cardFor(pki);
    const chains = segmentsOf(ex.upToPackage(driver, new ex.ExampleSmdp(pki)));
    const expected = [
      [0, 11],
      [1, 11],
      [2, 11],
      [2, 11],
      [5, 11],
    ];
    for (let taken = 1; taken < chains.length; taken++) {
      const fresh = ex.cardFor(pki);
      for (const chain of segmentsOf(ex.upToPackage(fresh, new ex.ExampleSmdp(pki))).slice(0, taken)) {
        expect(fresh.es10(chain)).toHaveLength(0);
      }
      fresh.restart();
      fresh.bringUp();
      expect(fresh.card.notifications.map(({ bytes }) => outcome(bytes))).toEqual([expected[taken - 1]]);
      expect(fresh.es10Sw(hex(chains[2]))).toBe(0x6a88);
      fresh.card.reset();
      expect(fresh.card.notifications).toHaveLength(1);
      expect(listed(fresh)).toHaveLength(4);
    }
  });

  it('end with a new challenge', () => {
    const driver = ex.cardFor(pki);
    const chains = segmentsOf(ex.upToPackage(driver, new ex.ExampleSmdp(pki)));
    driver.es10(chains[0]);
    driver.es10(unhex('BF2E00'));
    expect(driver.card.notifications.map(({ bytes }) => outcome(bytes))).toEqual([[0, 11]]);
    expect(driver.es10Sw(hex(chains[1].subarray(0, 200)))).toBe(0x6a88);
  });

  it('of an SM-DS authenticate, and download nothing', () => {
    const driver = ex.cardFor(pki);
    const [smds] = pki.smdss;
    const smdp = new ex.ExampleSmdp(pki, {}, { ...pki.smdps[0], ...smds });
    const authenticated = driver.es10(smdp.authenticateServer(driver.es10(unhex('BF2E00'))));
    const refused = driver.es10(smdp.prepareDownload(authenticated));
    expect(decode(PrepareDownloadResponse, refused).downloadResponseError?.downloadErrorCode).toBe(4);
  });
});

const shared = resolve(import.meta.dirname, '../../../../shared');
const profiles = process.env.XS_IPA_PROFILES ?? join(shared, 'profiles');
if (existsSync(profiles)) {
  it.each(['TS48v1_A.der', 'TS48v5_SAIP2.3_NoBERTLV.der'])('the GSMA test profile %s', (file) => {
    const profile = new Uint8Array(readFileSync(join(profiles, file)));
    const { iccid } = readProfilePackage(profile);
    const driver = ex.cardFor(pki, { profiles: [] });
    expect(outcome(ex.download(driver, new ex.ExampleSmdp(pki, { profile, metadata: { iccid } })))).toBe(
      'success',
    );
    expect(driver.card.profiles[0].imsi).toBe('001010123456063');
  });
}
