import { expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import { concat, decode, encode, hex, unhex } from '../../../host-sim/asn1/index.js';
import * as s from './rsp-session.js';

const same = <T>(schema: m.Type<T>, bytes: Uint8Array): T => {
  const value = decode(schema, bytes);
  expect(hex(encode(schema, value))).toBe(hex(bytes));
  return value;
};

it('the session of crypto.md §7.2 reads and writes byte for byte', () => {
  expect(same(m.ServerSigned1, s.serverSigned1)).toEqual({
    transactionId: s.transactionId,
    euiccChallenge: s.euiccChallenge,
    serverAddress: 'smdp.example.com',
    serverChallenge: s.serverChallenge,
  });
  const { value: signed1 } = same(m.signed(m.EuiccSigned1), s.euiccSigned1);
  expect(signed1.serverChallenge).toEqual(s.serverChallenge);
  expect(same(m.SmdpSigned2, s.smdpSigned2)).toEqual({
    transactionId: s.transactionId,
    ccRequiredFlag: false,
  });
  const prepared = same(m.PrepareDownloadResponse, s.prepareDownloadResponse).downloadResponseOk;
  expect(prepared?.euiccSigned2.value).toEqual({ transactionId: s.transactionId, euiccOtpk: s.euiccOtpk });
  const result = decode(m.PendingNotification, s.profileInstallationResult).profileInstallationResult;
  const { notificationMetadata, finalResult } = result!.profileInstallationResultData.value;
  expect(notificationMetadata.notificationAddress).toBe('smdp.example.com');
  expect(finalResult.successResult).toBeDefined();
});

it('a bound profile package is made of its segments', () => {
  const crt = { keyType: unhex('88'), keyLen: unhex('10'), hostId: s.hostId };
  const bpp: m.BoundProfilePackage = {
    initialiseSecureChannelRequest: {
      remoteOpId: 1,
      transactionId: s.transactionId,
      controlRefTemplate: crt,
      smdpOtpk: s.smdpOtpk,
      smdpSign: s.smdpSign,
    },
    firstSequenceOf87: [s.segment1],
    sequenceOf88: [s.segment2],
    sequenceOf86: [s.segment3],
  };
  const bytes = encode(m.BoundProfilePackage, bpp);
  expect(hex(bytes)).toMatch(/^BF36820139BF2381AF/);
  expect(hex(bytes.subarray(5 + 4 + 0xaf))).toBe(
    `A01A${hex(s.segment1)}A13C${hex(s.segment2)}A32A${hex(s.segment3)}`,
  );
  expect(decode(m.BoundProfilePackage, bytes)).toEqual(bpp);
  expect(
    hex(
      concat([
        m.encode(m.tagged(0x82, m.integer('remoteOpId')), 1),
        m.tagged(0x80, m.TransactionId).write(s.transactionId),
        m.ControlRefTemplate.write(crt),
        m.OneTimeKey.write(s.smdpOtpk),
        m.OneTimeKey.write(s.euiccOtpk),
      ]),
    ),
  ).toBe(hex(s.smdpSignInput));
  expect(decode(m.StoreMetadataRequest, s.segment2.subarray(2, -8))).toMatchObject({
    serviceProviderName: 'euicc-rsp',
    profileName: 'euicc-rsp test profile',
  });
});

it('a cancel response stands under A1 in place of its own tag (T4)', () => {
  const cancel = unhex('BF41178010000102030405060708090A0B0C0D0E0FA103810105');
  expect(decode(m.CancelSessionRequestEs9, cancel).cancelSessionResponse).toEqual({
    cancelSessionResponseError: 5,
  });
  same(m.CancelSessionRequestEs9, cancel);
});

it('messages of ESipa read the worked examples of esipa.md §6', () => {
  expect(decode(m.GetBoundProfilePackageResponseEsipa, unhex('BF3A0381015F'))).toEqual({
    getBoundProfilePackageErrorEsipa: 95,
  });
  expect(decode(m.AuthenticateClientResponseEsipa, unhex('BF3B03820132'))).toEqual({
    authenticateClientErrorEsipa: 50,
  });
  expect(m.describe(unhex('BF3903810133'), 'toIpa').value).toEqual({
    initiateAuthenticationErrorEsipa: 'smdpOidMismatch',
  });
});

it('ES9+ messages travel inside A2', () => {
  const response = unhex('A206BF3B03810107');
  expect(decode(m.RemoteProfileProvisioningResponse, response).authenticateClientResponseEs9).toEqual({
    authenticateClientError: 7,
  });
  same(m.RemoteProfileProvisioningResponse, response);
});
