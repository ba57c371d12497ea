import {
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  concat,
  decode,
  encode,
  InitialiseSecureChannelRequest,
  iccidBytes,
  PrepareDownloadRequest,
  PrepareDownloadResponse,
  readElement,
  ServerSigned1,
  Signature,
  SmdpSigned2,
  StoreMetadataRequest,
  toSign,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import {
  makePki,
  type Pki,
  publicKeyOf,
  type SmdpCredentials,
  sign,
  verify,
} from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import {
  bindProfile,
  deriveSessionKeys,
  makeOneTimeKey,
  makeProfilePackage,
  type SessionKeys,
  segmentsOf,
  smdpSignInput,
} from '../../../host-sim/rsp/index.js';
import * as v from '../asn1/vectors.js';
import { CardDriver } from './fixture.js';

/** Certificates of this test hierarchy are valid from here. */
export const now = Date.UTC(2026, 0, 1);

export const makeHierarchy = (seed = 1): Promise<Pki> =>
  makePki({
    eid: v.eid,
    now,
    eims: [],
    smdps: [
      { address: 'smdp.example.com', oid: '2.999.10' },
      { address: 'other.example.com', oid: '2.999.11' },
    ],
    random: seeded(seed),
  });

export const deviceInfo = {
  tac: unhex('35290611'),
  deviceCapabilities: unhex('A10581030E0000'),
};

export const downloadedIccid = iccidBytes('8900000000000000052');
export const imsi = '001010000000052';
/** A public key that nobody here has made. */
export const somePoint = v.eimPublicPoint;

/** What one download is made of, the faults of a test among it. */
export interface DownloadOptions {
  transactionId?: Uint8Array;
  serverAddress?: string;
  matchingId?: string;
  metadata?: Partial<StoreMetadataRequest>;
  profile?: Uint8Array;
  profileKeys?: SessionKeys;
  /** CRT and operation of InitialiseSecureChannel. */
  initialise?: Partial<
    Pick<InitialiseSecureChannelRequest, 'remoteOpId' | 'transactionId' | 'controlRefTemplate'>
  >;
}

/** Enough of an SM-DP+ to make what an eUICC receives, without network, orders or state. */
export class ExampleSmdp {
  readonly credentials: SmdpCredentials;
  readonly options: DownloadOptions;
  readonly #random = seeded(42);
  readonly #euicc: Pki['euicc'];
  readonly transactionId: Uint8Array;

  constructor(pki: Pki, options: DownloadOptions = {}, credentials = pki.smdps[0]) {
    this.credentials = credentials;
    this.options = options;
    this.#euicc = pki.euicc;
    this.transactionId = options.transactionId ?? v.txid;
  }

  /** AuthenticateServerRequest as the IPA sends it to the eUICC. */
  authenticateServer(challengeAnswer: Uint8Array): Uint8Array {
    const euiccChallenge = readElement(challengeAnswer).children[0].content;
    const { auth, address, ciKeyId } = this.credentials;
    const serverSigned1 = toSign(ServerSigned1, {
      transactionId: this.transactionId,
      euiccChallenge,
      serverAddress: this.options.serverAddress ?? address,
      serverChallenge: unhex('F0E1D2C3B4A5968778695A4B3C2D1E0F'),
    });
    const { matchingId } = this.options;
    return encode(AuthenticateServerRequest, {
      serverSigned1,
      serverSignature1: sign(auth.privateKey, serverSigned1.bytes),
      euiccCiPKIdToBeUsed: ciKeyId,
      serverCertificate: auth.certificate,
      ctxParams1: { ctxParamsForCommonAuthentication: { matchingId, deviceInfo } },
    });
  }

  /** Verifies what the eUICC says, and asks it to prepare the download. */
  prepareDownload(
    authenticated: Uint8Array,
    smdpSigned2: Partial<SmdpSigned2> = {},
    hashCc?: Uint8Array,
  ): Uint8Array {
    const { authenticateResponseOk: ok } = decode(AuthenticateServerResponse, authenticated);
    if (!ok) throw new Error('the eUICC did not authenticate the server');
    const key = publicKeyOf(ok.euiccCertificate);
    if (!verify(key, ok.euiccSignature1, ok.euiccSigned1.bytes)) throw new Error('euiccSignature1');
    const signed = toSign(SmdpSigned2, {
      transactionId: this.transactionId,
      ccRequiredFlag: hashCc !== undefined,
      ...smdpSigned2,
    });
    return encode(PrepareDownloadRequest, {
      smdpSigned2: signed,
      smdpSignature2: sign(this.credentials.pb.privateKey, signed.bytes, Signature.write(ok.euiccSignature1)),
      hashCc,
      smdpCertificate: this.credentials.pb.certificate,
    });
  }

  get metadata(): StoreMetadataRequest {
    return {
      iccid: downloadedIccid,
      serviceProviderName: 'Operator',
      profileName: 'Downloaded',
      profileClass: 2,
      ...this.options.metadata,
    };
  }

  /** The Bound Profile Package for the eUICC that answered. */
  boundProfilePackage(prepared: Uint8Array): Uint8Array {
    const { downloadResponseOk: ok } = decode(PrepareDownloadResponse, prepared);
    if (!ok) throw new Error('the eUICC did not prepare the download');
    const { euiccOtpk } = ok.euiccSigned2.value;
    const hostId = unhex('0102030405060708');
    const oneTime = makeOneTimeKey(this.#random);
    const unsigned = {
      remoteOpId: 1,
      transactionId: this.transactionId,
      controlRefTemplate: { keyType: unhex('88'), keyLen: unhex('10'), hostId },
      smdpOtpk: oneTime.publicKey,
      ...this.options.initialise,
    };
    const fields = readElement(
      encode(InitialiseSecureChannelRequest, { ...unsigned, smdpSign: new Uint8Array(64) }),
    ).children.slice(0, 4);
    const input = smdpSignInput(
      fields.map(({ bytes }) => bytes),
      euiccOtpk,
    );
    const smdpSign = sign(this.credentials.pb.privateKey, input);
    const { metadata } = this;
    return bindProfile({
      initialiseSecureChannel: encode(InitialiseSecureChannelRequest, { ...unsigned, smdpSign }),
      sessionKeys: deriveSessionKeys({
        privateKey: oneTime.privateKey,
        publicKey: euiccOtpk,
        hostId,
        eid: this.#euicc.eid,
      }),
      metadata: encode(StoreMetadataRequest, metadata),
      profileKeys: this.options.profileKeys,
      profile: this.options.profile ?? makeProfilePackage({ iccid: metadata.iccid, imsi }),
    });
  }
}

/** A card of that hierarchy, brought up. */
export function cardFor(hierarchy: Pki, options: ConstructorParameters<typeof CardDriver>[0] = {}) {
  const driver = new CardDriver({
    credentials: hierarchy.euicc,
    ciCertificates: hierarchy.ciCertificates,
    clock: new VirtualClock(now),
    ...options,
  });
  driver.bringUp();
  return driver;
}

/** What has to carry ES10 commands to a card. */
export interface Es10 {
  es10(command: Uint8Array): Uint8Array;
}

/** A session up to the point where the package may come. @returns the package */
export function upToPackage(driver: Es10, smdp: ExampleSmdp): Uint8Array {
  const challenge = driver.es10(unhex('BF2E00'));
  const authenticated = driver.es10(smdp.authenticateServer(challenge));
  return smdp.boundProfilePackage(driver.es10(smdp.prepareDownload(authenticated)));
}

/** @returns the first answer that is not empty: the ProfileInstallationResult */
export function load(driver: Es10, boundProfilePackage: Uint8Array): Uint8Array {
  for (const chain of segmentsOf(boundProfilePackage)) {
    const answer = driver.es10(chain);
    if (answer.length > 0) return answer;
  }
  return new Uint8Array(0);
}

export function download(driver: Es10, smdp: ExampleSmdp): Uint8Array {
  return load(driver, upToPackage(driver, smdp));
}

/** A package put together again from chains that a test has tampered with. */
export const rejoin = (chains: readonly Uint8Array[]): Uint8Array => concat(chains);
