import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concat,
  decode,
  hex,
  PrepareDownloadResponse,
  ProfileInstallationResult,
  Signature,
  unhex,
  writeElement,
} from '../../../host-sim/asn1/index.js';
import { keyIdOf, publicKeyOf, publicPoint, verify, verifyServerChain } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import * as rsp from '../../../host-sim/rsp/index.js';
import { cardFor, download, ExampleSmdp, load } from '../euicc/example-smdp.js';
import * as v from './vectors.js';

describe('the recorded session', () => {
  it('agrees on its keys', () => {
    expect(publicPoint(v.smdpOtsk)).toEqual(v.smdpOtpk);
    expect(rsp.sharedSecret(v.smdpOtsk, v.euiccOtpk)).toEqual(v.sharedSecret);
    expect(
      rsp.deriveSessionKeys({ privateKey: v.smdpOtsk, publicKey: v.euiccOtpk, hostId: v.hostId, eid: v.eid }),
    ).toEqual(v.sessionKeys);
  });

  it('is made byte for byte', () => {
    const bpp = rsp.bindProfile({
      initialiseSecureChannel: v.initialiseSecureChannel,
      sessionKeys: v.sessionKeys,
      metadata: v.metadata,
      profile: v.profile,
    });
    expect(hex(bpp)).toBe(hex(v.boundProfilePackage));
  });

  it('is opened', () => {
    const opener = new rsp.SegmentOpener(v.sessionKeys);
    expect(opener.open(0x87, v.segment1)).toEqual(v.configureIsdp);
    expect(opener.open(0x88, v.segment2)).toEqual(v.metadata);
    expect(opener.open(0x86, v.segment3)).toEqual(v.profile);
  });

  it('comes in its STORE DATA chains', () => {
    const chains = rsp.segmentsOf(v.boundProfilePackage);
    expect(chains.map((chain) => hex(chain.subarray(0, 4)))).toEqual([
      'BF368201',
      'A01A8718',
      'A13C',
      '883ABF25',
      'A32A',
      '8628B139',
    ]);
    expect(chains[0]).toHaveLength(5 + 179);
    expect(concat(chains)).toEqual(v.boundProfilePackage);
  });
});

describe('segments of a commercial SM-DP+', () => {
  const { agreements, segments, hostId } = v.thirdParty;

  it.each(agreements)('keys from Z', ({ z, eid, keys }) => {
    expect(rsp.keysFromSecret(z, hostId, eid)).toEqual(keys);
  });

  it('both ways, the MAC-only one counting', () => {
    const protector = new rsp.SegmentProtector(agreements[1].keys);
    const opener = new rsp.SegmentOpener(agreements[1].keys);
    for (const { tag, plain, wire } of segments) {
      expect(hex(protector.protect(tag, plain))).toBe(hex(wire));
      expect(opener.open(tag, wire)).toEqual(plain);
    }
  });

  it('ReplaceSessionKeys both ways', () => {
    const { plain } = segments[2];
    const keys = rsp.readReplaceSessionKeys(plain);
    expect(hex(keys.sMac)).toBe('020102030405060708090A0B0C0D0E0F');
    expect(rsp.replaceSessionKeysRequest(keys)).toEqual(plain);
    for (const bad of ['BF2600', '30', 'BF2506800101810101', `BF2612810${'0'.repeat(33)}`])
      expect(() => rsp.readReplaceSessionKeys(unhex(bad))).toThrow(rsp.RspError);
  });
});

describe('protection', () => {
  const keys = v.sessionKeys;
  const other = v.thirdParty.agreements[0].keys;

  it('any lengths, with and without new keys', () => {
    const piece = fc.record({
      tag: fc.constantFrom(0x86 as const, 0x87 as const, 0x88 as const),
      plain: fc.uint8Array({ maxLength: rsp.maxEncryptedBytes }),
      replace: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const protector = new rsp.SegmentProtector(keys);
        const opener = new rsp.SegmentOpener(keys);
        for (const { tag, plain, replace } of pieces) {
          const segment = protector.protect(tag, plain);
          expect(segment.length).toBeLessThanOrEqual(rsp.maxSegmentBytes);
          expect(opener.open(tag, segment)).toEqual(plain);
          if (!replace) continue;
          protector.replaceSessionKeys(other);
          opener.replaceSessionKeys(other);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('any changed bit is a wrong MAC or no segment', () => {
    for (let bit = 0; bit < 8 * v.segment1.length; bit++) {
      const changed = v.segment1.slice();
      changed[bit >> 3] ^= 0x80 >> (bit & 7);
      expect(() => new rsp.SegmentOpener(keys).open(0x87, changed)).toThrow(rsp.RspError);
    }
  });

  it('the largest and one too large', () => {
    const protector = new rsp.SegmentProtector(keys);
    const largest = protector.protect(0x86, new Uint8Array(rsp.maxEncryptedBytes));
    expect(largest).toHaveLength(rsp.maxSegmentBytes);
    const more = new rsp.SegmentProtector(keys).protect(0x86, new Uint8Array(rsp.maxEncryptedBytes + 1));
    expect(() => new rsp.SegmentOpener(keys).open(0x86, more)).toThrow(/1020/);
  });

  it('padding must be there', () => {
    // A right MAC over a body without padding: what a faulty SM-DP+ would send.
    class Careless extends rsp.SegmentProtector {
      bare(body: Uint8Array): Uint8Array {
        const mac = this.mac(0x86, body);
        return writeElement(0x86, concat([body, mac.subarray(0, 8)]));
      }
    }
    const body = new Careless(keys).bare(new Uint8Array(16));
    expect(() => new rsp.SegmentOpener(keys).open(0x86, body)).toThrow(/padding/);
    const odd = new Careless(keys).bare(new Uint8Array(15));
    expect(() => new rsp.SegmentOpener(keys).open(0x86, odd)).toThrow(/whole blocks/);
  });
});

it('a profile of any size is cut and put together again', () => {
  const random = seeded(7);
  const a = rsp.makeOneTimeKey(random);
  const b = rsp.makeOneTimeKey(random);
  const side = (own: rsp.OneTimeKey, peer: rsp.OneTimeKey) =>
    rsp.deriveSessionKeys({
      privateKey: own.privateKey,
      publicKey: peer.publicKey,
      hostId: v.hostId,
      eid: v.eid,
    });
  expect(side(a, b)).toEqual(side(b, a));
  const profileKeys = v.thirdParty.agreements[0].keys;
  for (const size of [1, 1006, 1007, 1008, 5000]) {
    const profile = Uint8Array.from({ length: size }, (_, i) => i & 0xff);
    const bpp = rsp.bindProfile({
      initialiseSecureChannel: v.initialiseSecureChannel,
      sessionKeys: side(a, b),
      metadata: v.metadata,
      profileKeys,
      profile,
    });
    const chains = rsp.segmentsOf(bpp);
    expect(concat(chains)).toEqual(bpp);
    const opener = new rsp.SegmentOpener(side(b, a));
    expect(opener.open(0x87, chains[1].subarray(2))).toEqual(v.configureIsdp);
    expect(opener.open(0x88, chains[3])).toEqual(v.metadata);
    opener.replaceSessionKeys(rsp.readReplaceSessionKeys(opener.open(0x87, chains[4].subarray(2))));
    const plain = concat(chains.slice(6).map((chain) => opener.open(0x86, chain)));
    expect(plain).toEqual(profile);
  }
});

it('a point beside the curve is refused', () => {
  const point = v.euiccOtpk.slice();
  point[64] ^= 1;
  expect(() => rsp.sharedSecret(v.smdpOtsk, point)).toThrow(rsp.RspError);
});

it('what is no package is said so', () => {
  expect(() => rsp.segmentsOf(unhex('BF3603A00100'))).toThrow(rsp.RspError);
  expect(() => rsp.segmentsOf(unhex('BF36'))).toThrow(/BER/);
});

it('confirmation code', () => {
  const hash = rsp.bindConfirmationCode(
    rsp.hashConfirmationCode('1234'),
    unhex('000102030405060708090A0B0C0D0E0F'),
  );
  expect(hex(hash)).toBe('E62ED88864CCF99EBCC7C57C5A37641A99315C87F6151C3F4B77C920332E1177');
});

// Not part of the repository: without the files there is nothing to test, and no test.
const sgp26 = process.env.XS_IPA_SGP26 ?? resolve(import.meta.dirname, '../../../../shared/sgp26');

if (process.env.XS_IPA_SGP26 !== undefined || existsSync(sgp26)) {
  const { keys } = JSON.parse(readFileSync(join(sgp26, 'keys.json'), 'utf8')) as {
    keys: Record<string, string>;
  };
  const certificate = (role: string) =>
    Uint8Array.from(readFileSync(join(sgp26, `CERT_${role}_ECDSA_NIST.der`)));
  const credential = (role: string) => ({
    privateKey: unhex(keys[`${role}_ECDSA_NIST`]),
    certificate: certificate(role),
  });
  const ci = certificate('CI');
  const auth = credential('S_SM_DPauth');
  const pb = credential('S_SM_DPpb');
  const euicc = {
    ...credential('EUICC'),
    eid: v.eid,
    eumCertificate: certificate('EUM'),
    ciKeyId: keyIdOf(publicKeyOf(ci)),
  };

  describe('the session of crypto.md §7.2 under the certificates of SGP.26', () => {
    const dpAuth = publicKeyOf(auth.certificate);
    const dpPb = publicKeyOf(pb.certificate);
    const euiccKey = publicKeyOf(euicc.certificate);

    it('has six good signatures', () => {
      expect(verify(dpAuth, v.serverSignature1, v.serverSigned1)).toBe(true);
      expect(verify(euiccKey, v.euiccSignature1, v.euiccSigned1)).toBe(true);
      expect(verify(dpPb, v.smdpSignature2, v.smdpSigned2, Signature.write(v.euiccSignature1))).toBe(true);
      const { euiccSigned2, euiccSignature2 } = decode(PrepareDownloadResponse, v.prepareDownloadResponse)
        .downloadResponseOk!;
      const signature2 = Signature.write(v.smdpSignature2);
      expect(verify(euiccKey, euiccSignature2, euiccSigned2.bytes, signature2)).toBe(true);
      expect(verify(dpPb, v.smdpSign, rsp.smdpSignInput(v.initialiseFields, v.euiccOtpk))).toBe(true);
      const { profileInstallationResultData, euiccSignPIR } = decode(
        ProfileInstallationResult,
        v.profileInstallationResult,
      );
      expect(verify(euiccKey, euiccSignPIR, profileInstallationResultData.bytes)).toBe(true);
    });

    it('the keys are those of the certificates, and the servers hang from the CI', () => {
      for (const { privateKey, certificate: der } of [auth, pb, euicc])
        expect(publicPoint(privateKey)).toEqual(publicKeyOf(der));
      for (const [role, der] of [
        ['dpAuth', auth.certificate],
        ['dpPb', pb.certificate],
      ] as const) {
        const chain = { certificate: der, role, cis: [ci], ciKeyId: euicc.ciKeyId };
        expect(verifyServerChain(chain).oid).toBe('2.999.10');
      }
    });
  });

  describe('our eUICC with the keys of SGP.26', () => {
    const names = { address: 'testsmdpplus1.example.com', oid: '2.999.10' };
    const smdp = { ...names, ciKeyId: euicc.ciKeyId, auth, pb, tls: auth };
    const hierarchy = { ciCertificates: [ci], euicc, eims: [], smdps: [smdp], smdss: [] };

    it('downloads from an SM-DP+ with the keys of SGP.26', () => {
      const driver = cardFor(hierarchy, { clock: undefined });
      const result = decode(ProfileInstallationResult, download(driver, new ExampleSmdp(hierarchy)));
      const { value } = result.profileInstallationResultData;
      expect(value.finalResult.successResult).toBeDefined();
      expect(value.smdpOid).toBe('2.999.10');
    });

    it('does not take the recorded package: it is bound to another one-time key', () => {
      const driver = cardFor(hierarchy, { clock: undefined });
      const recorded = new ExampleSmdp(hierarchy, { transactionId: v.transactionId });
      const authenticated = driver.es10(recorded.authenticateServer(driver.es10(unhex('BF2E00'))));
      driver.es10(recorded.prepareDownload(authenticated));
      const { finalResult } = decode(ProfileInstallationResult, load(driver, v.boundProfilePackage))
        .profileInstallationResultData.value;
      expect(finalResult.errorResult).toEqual({ bppCommandId: 0, errorReason: 2 });
    });
  });
}
