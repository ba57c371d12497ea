import { p256 } from '@noble/curves/nist.js';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  concat,
  type RemoteProfileProvisioningRequest,
  readElement,
  writeElement,
} from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import type { EuiccCredentials, Pki } from '../../../host-sim/pki/index.js';
import { spkiOfPoint } from '../../../host-sim/pki/keys.js';
import type { SmdpOptions } from '../../../host-sim/smdp/index.js';
import { cardFor, makeHierarchy, now } from '../euicc/example-smdp.js';
import { DownloadClient, smdpOf } from './client.js';

// eUICCs that are none, and requests of other sessions: the SM-DP+ refuses them with the code of SGP.22, and the order is
// as it was.

const matchingId = 'MATCH-1';
const year = 365 * 86_400_000;

let pki: Pki;
let stranger: Pki;
/** An EUM with a certificate of the CI, whose key is known here. */
let eum: { certificate: Uint8Array; privateKey: Uint8Array };

beforeAll(async () => {
  pki = await makeHierarchy();
  stranger = await makeHierarchy(2);
  const privateKey = p256.utils.randomSecretKey(new Uint8Array(48).fill(7));
  const spki = spkiOfPoint(p256.getPublicKey(privateKey, false));
  eum = { privateKey, certificate: rebuilt(pki.euicc.eumCertificate, { 6: spki }, pki.ci!.privateKey) };
});

/** A certificate with other fields of its body (4 validity, 6 key), signed anew. */
function rebuilt(certificate: Uint8Array, change: Record<number, Uint8Array>, key: Uint8Array): Uint8Array {
  const [body, algorithm] = readElement(certificate).children;
  const tbs = writeElement(0x30, concat(body.children.map(({ bytes }, at) => change[at] ?? bytes)));
  const signature = p256.sign(tbs, key, { lowS: false, format: 'der' });
  const bits = writeElement(0x03, concat([Uint8Array.of(0), signature]));
  return writeElement(0x30, concat([tbs, algorithm.bytes, bits]));
}

function validity(from: number, to: number): Uint8Array {
  const time = (at: number) =>
    writeElement(0x17, Buffer.from(new Date(at).toISOString().replace(/\D/g, '').slice(2, 14).concat('Z')));
  return writeElement(0x30, concat([time(from), time(to)]));
}

/** What the SM-DP+ says to a card with other credentials; the order stays as it was. */
function refusal(change: Partial<EuiccCredentials>, options: Partial<SmdpOptions> = {}): unknown[] {
  const server = smdpOf(pki, options);
  server.smdp.order({ iccid: '8900000000000000052', matchingId });
  const before = server.smdp.orders();
  const card = cardFor({ ...pki, euicc: { ...pki.euicc, ...change } });
  const { result } = new DownloadClient(card, server.exchange).download({ matchingId });
  if (!result) expect(server.smdp.orders()).toEqual(before);
  return server.told('refused').map((detail) => (detail as { status: string }).status);
}

describe('certificates of an eUICC', () => {
  it('an EUM of another CI', () => {
    const { eumCertificate, certificate, privateKey } = stranger.euicc;
    expect(refusal({ eumCertificate, certificate, privateKey })).toEqual(['8.11.1/3.9']);
    expect(refusal({ eumCertificate })).toEqual(['8.11.1/3.9']);
  });

  it('an eUICC of another EUM', () => {
    const { certificate, privateKey } = stranger.euicc;
    expect(refusal({ certificate, privateKey })).toEqual(['8.1.3/6.1']);
  });

  it('forged by somebody who has the names right', () => {
    const forger = stranger.ci!.privateKey;
    expect(refusal({ eumCertificate: rebuilt(pki.euicc.eumCertificate, {}, forger) })).toEqual(['8.1.2/6.1']);
    expect(refusal({ certificate: rebuilt(pki.euicc.certificate, {}, forger) })).toEqual(['8.1.3/6.1']);
  });

  it('certificates of other roles', () => {
    const { auth, pb } = pki.smdps[0];
    const signedBy = (issuer: { certificate: Uint8Array; privateKey: Uint8Array }) => ({
      eumCertificate: issuer.certificate,
      certificate: rebuilt(pki.euicc.certificate, {}, issuer.privateKey),
    });
    expect(refusal(signedBy(eum))).toEqual([]);
    expect(refusal(signedBy(auth))).toEqual(['8.1.2/6.1']);
    // A CI names no CI above it.
    expect(refusal(signedBy(pki.ci!))).toEqual(['8.11.1/3.9']);
    expect(refusal({ eumCertificate: auth.certificate })).toEqual(['8.1.3/6.1']);
    expect(refusal({ certificate: pb.certificate, privateKey: pb.privateKey })).toEqual(['8.1.3/6.1']);
    expect(refusal({ certificate: pki.euicc.eumCertificate })).toEqual(['8.1.3/6.1']);
  });

  it('expired, or not valid yet', () => {
    const { euicc } = pki;
    const whole = (from: number, to: number) => ({
      eumCertificate: eum.certificate,
      certificate: rebuilt(euicc.certificate, { 4: validity(from, to) }, eum.privateKey),
    });
    expect(refusal(whole(now - 2 * year, now - 1))).toEqual(['8.1.3/6.3']);
    expect(refusal(whole(now + year, now + 2 * year))).toEqual(['8.1.3/6.3']);
    const old = validity(now - 2 * year, now - year);
    expect(
      refusal({ eumCertificate: rebuilt(euicc.eumCertificate, { 4: old }, pki.ci!.privateKey) }),
    ).toEqual(['8.1.2/6.3']);
    // And with time alone.
    expect(refusal({}, { clock: new VirtualClock(now + 40 * year) })).toEqual(['8.1.2/6.3']);
  });

  it('the key of somebody else', () => {
    expect(refusal({ privateKey: stranger.euicc.privateKey })).toEqual(['8.1/6.1']);
  });
});

describe('requests of another session', () => {
  const cardOf = () => cardFor(pki);

  /** Two sessions; `swap` puts into a request of the second one what the first one sent. */
  function second(
    swap: (request: RemoteProfileProvisioningRequest, before: RemoteProfileProvisioningRequest) => void,
  ): unknown[] {
    const server = smdpOf(pki);
    server.smdp.order({ iccid: '8900000000000000052', matchingId });
    const first: RemoteProfileProvisioningRequest[] = [];
    new DownloadClient(cardOf(), server.exchange).download({
      matchingId,
      tamper: (request) => {
        first.push(structuredClone(request));
        return request;
      },
    });
    const told = server.told('refused').length;
    let at = 0;
    new DownloadClient(cardOf(), server.exchange).download({
      matchingId,
      tamper: (request) => {
        swap(request, first[at++]);
        return request;
      },
    });
    expect(server.smdp.orders()).toMatchObject([{ state: 'downloaded' }]);
    return server
      .told('refused')
      .slice(told)
      .map((detail) => (detail as { status: string }).status);
  }

  const authenticated = ({ authenticateClientRequest }: RemoteProfileProvisioningRequest) =>
    authenticateClientRequest?.authenticateServerResponse.value.authenticateResponseOk;
  const prepared = ({ getBoundProfilePackageRequest }: RemoteProfileProvisioningRequest) =>
    getBoundProfilePackageRequest?.prepareDownloadResponse.value.downloadResponseOk;

  it('AuthenticateServerResponse, whole', () => {
    const statuses = second((request, before) => {
      if (request.authenticateClientRequest)
        request.authenticateClientRequest.authenticateServerResponse =
          before.authenticateClientRequest!.authenticateServerResponse;
    });
    expect(statuses).toEqual(['8.1/6.1']);
  });

  it('its signature alone', () => {
    const statuses = second((request, before) => {
      const ok = authenticated(request);
      if (ok) ok.euiccSignature1 = authenticated(before)!.euiccSignature1;
    });
    expect(statuses).toEqual(['8.1/6.1']);
  });

  it('PrepareDownloadResponse, whole', () => {
    const statuses = second((request, before) => {
      if (request.getBoundProfilePackageRequest)
        request.getBoundProfilePackageRequest.prepareDownloadResponse =
          before.getBoundProfilePackageRequest!.prepareDownloadResponse;
    });
    expect(statuses).toEqual(['8.1/6.1']);
  });

  it('its signature alone', () => {
    const statuses = second((request, before) => {
      const ok = prepared(request);
      if (ok) ok.euiccSignature2 = prepared(before)!.euiccSignature2;
    });
    expect(statuses).toEqual(['8.1/6.1']);
  });

  it('the signatures of the two functions swapped', () => {
    let signature: Uint8Array | undefined;
    const statuses = second((request) => {
      signature ??= authenticated(request)?.euiccSignature1;
      const ok = prepared(request);
      if (ok && signature) ok.euiccSignature2 = signature;
    });
    expect(statuses).toEqual(['8.1/6.1']);
  });

  it('the transactionId of the first one', () => {
    const statuses = second((request, before) => {
      if (request.authenticateClientRequest)
        request.authenticateClientRequest.transactionId = before.authenticateClientRequest!.transactionId;
    });
    expect(statuses).toEqual(['8.10.1/3.9']);
  });
});
