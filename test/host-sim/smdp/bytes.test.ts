import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import {
  Asn1Error,
  decode,
  EuiccInfo1,
  encode,
  hex,
  RemoteProfileProvisioningRequest,
  unhex,
} from '../../../host-sim/asn1/index.js';
import type { Pki } from '../../../host-sim/pki/index.js';
import { makeBoundProfilePackage } from '../../../host-sim/smdp/bind.js';
import { handleAsn1, handleJson, type RspFunction } from '../../../host-sim/smdp/index.js';
import * as s from '../asn1/rsp-session.js';
import { cardFor, makeHierarchy } from '../euicc/example-smdp.js';
import { DownloadClient, smdpOf } from './client.js';

const matchingId = 'MATCH-1';
let pki: Pki;
beforeAll(async () => {
  pki = await makeHierarchy();
});

it('the package of crypto.md §7.2 comes out byte for byte, but for the signature', () => {
  const bpp = makeBoundProfilePackage({
    transactionId: s.transactionId,
    hostId: s.hostId,
    eid: s.eid,
    euiccOtpk: s.euiccOtpk,
    // The key that signed the session is not known.
    signingKey: pki.smdps[0].pb.privateKey,
    metadata: s.segment2.subarray(2, -8),
    profile: s.profile,
    oneTimeKey: { privateKey: s.smdpOtsk, publicKey: s.smdpOtpk },
  });
  const fields = `82010180100102030405060708090A0B0C0D0E0F10A611800188810110840965756963632D727370`;
  expect(hex(bpp)).toMatch(new RegExp(`^BF36820139BF2381AF${fields}5F4941${hex(s.smdpOtpk)}5F3740`));
  const segments = `A01A${hex(s.segment1)}A13C${hex(s.segment2)}A32A${hex(s.segment3)}`;
  expect(hex(bpp).endsWith(segments)).toBe(true);
});

it('a thousand mutations of each request are refused, and leave the order as it was', () => {
  const server = smdpOf(pki);
  server.smdp.order({ iccid: '8900000000000000052', matchingId, maxAttempts: 1_000_000 });
  const requests: Uint8Array[] = [];
  const recording = new DownloadClient(cardFor(pki), (request) => {
    requests.push(encode(RemoteProfileProvisioningRequest, request));
    // The package is not made: everything up to there stays repeatable.
    return request.getBoundProfilePackageRequest ? undefined : server.exchange(request);
  });
  recording.download({ matchingId });
  expect(requests).toHaveLength(3);
  for (const request of requests.slice(1)) {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
        const changed = request.slice(0, cut ? at % request.length : undefined);
        if (!cut) changed[at % changed.length] ^= change;
        let answer: Uint8Array | undefined;
        try {
          answer = handleAsn1(server.smdp, changed);
        } catch (error) {
          expect(error).toBeInstanceOf(Asn1Error);
          return;
        }
        // A success would have to be for the same request: in fields that nobody signs there is nothing but lengths.
        const { succeeded } = decodeAnswer(answer!);
        expect(succeeded).toBe(false);
      }),
      { numRuns: 1000, seed: 1 },
    );
    // Unchanged it is still good.
    expect(decodeAnswer(handleAsn1(server.smdp, request)!).succeeded).toBe(true);
  }
  expect(server.smdp.orders()).toMatchObject([{ state: 'downloaded' }]);
});

function decodeAnswer(answer: Uint8Array): { succeeded: boolean } {
  // A2 { BF3B or BF3A { A0 … } }: A0 is success.
  const inner = answer.subarray(answer.indexOf(0xbf));
  const body = inner[2] < 0x80 ? 3 : 3 + (inner[2] & 15);
  return { succeeded: inner[body] === 0xa0 };
}

it('JSON from anywhere is answered', () => {
  const { smdp } = smdpOf(pki);
  const card = cardFor(pki);
  const good = Buffer.from(encode(EuiccInfo1, decode(EuiccInfo1, card.es10(unhex('BF2000'))))).toString(
    'base64',
  );
  const functions: RspFunction[] = [
    'initiateAuthentication',
    'authenticateClient',
    'getBoundProfilePackage',
    'cancelSession',
    'handleNotification',
  ];
  const text = fc.oneof(fc.string(), fc.base64String(), fc.constant(good), fc.integer(), fc.constant(null));
  const names = [
    'transactionId',
    'smdpAddress',
    'euiccChallenge',
    'euiccInfo1',
    'authenticateServerResponse',
    'prepareDownloadResponse',
    'cancelSessionResponse',
    'pendingNotification',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...functions),
      fc.dictionary(fc.constantFrom(...names), text),
      (called, body) => {
        const answer = handleJson(smdp, called, body);
        expect(JSON.stringify(answer?.body)).toContain('"Failed"');
      },
    ),
    { numRuns: 1000 },
  );
});
