import { type KeyObject, verify } from 'node:crypto';
import { expectation, isName, type TlsTrust } from '../trust.js';
import { type Suite, suitesOf } from './crypto.js';
import { DtlsError } from './error.js';
import {
  GROUP,
  readChain,
  readRawKey,
  readServerKey,
  writeChain,
  writeIdentity,
  writePoint,
} from './exchange.js';
import { CertificateType, type ClientHello, type ServerHello } from './hello.js';
import { Handshake, type Message } from './messages.js';
import { Agreement, pskPremaster } from './secrets.js';
import { checkChain, checkRawKey } from './server-certificate.js';

export interface DtlsPsk {
  identity: string;
  key: Uint8Array;
}

/** Who a server has to be. */
export interface DtlsExpectation {
  trust: TlsTrust;
  /** Its name: for SNI and the check of a certificate. */
  name: string;
}

/** How client and server come to a secret, and how the client knows the server. One for each handshake. */
export interface ClientExchange {
  /** For messages: whom the session is with, or as. */
  readonly label: string;
  readonly expected: string;
  /** Why a server may not like the client's answer; empty where there is nothing to say. */
  readonly hint: string;
  readonly suites: readonly Suite[];
  /** What the first message says of it. */
  readonly hello: Pick<ClientHello, 'serverName' | 'groups' | 'signatures' | 'certificateTypes'>;
  begin(hello: ServerHello, clientRandom: Buffer): void;
  /** A message between ServerHello and ServerHelloDone. @throws DtlsError */
  take(one: Message): void;
  /** @throws DtlsError */
  finish(): { premaster: Buffer; messages: { type: number; body: Buffer }[] };
}

/** A pre-shared key (RFC 4279): who has it is the one. */
export class PskExchange implements ClientExchange {
  readonly label: string;
  readonly expected: string;
  readonly hint = 'it may not know this identity, or have another key for it';
  readonly suites = suitesOf('psk');
  readonly hello = {};
  readonly #psk: DtlsPsk;

  constructor(psk: DtlsPsk) {
    this.#psk = psk;
    this.label = `DTLS as ${psk.identity}`;
    this.expected = `DTLS 1.2 with the pre-shared key of ${psk.identity}`;
  }

  begin(): void {}

  take(one: Message): void {
    // A hint which key to take: there is one only.
    if (one.type !== Handshake.serverKeyExchange)
      throw new DtlsError('protocol', `the server asks for more than a pre-shared key (type ${one.type})`);
  }

  finish() {
    const { identity, key } = this.#psk;
    return {
      premaster: pskPremaster(key),
      messages: [{ type: Handshake.clientKeyExchange, body: writeIdentity(identity) }],
    };
  }
}

/** Pairs of hash and signature (RFC 5246 §7.4.1.4.1), for ServerKeyExchange. */
export const Scheme = { ecdsaSha256: 0x0403, ecdsaSha384: 0x0503 } as const;
/** And RSA, in certificates above the server's. */
const SIGNATURES = [Scheme.ecdsaSha256, Scheme.ecdsaSha384, 0x0401, 0x0501] as const;
const DECRYPT_ERROR = 51;
const UNSUPPORTED_CERTIFICATE = 43;

/** ECDHE_ECDSA (RFC 8422): the server shows a certificate, or only its key, and signs with it. The client shows nothing. */
export class CertificateExchange implements ClientExchange {
  readonly label: string;
  readonly expected: string;
  readonly suites = suitesOf('ecdhe');
  readonly hello: ClientExchange['hello'];
  readonly #server: DtlsExpectation;
  readonly #now: () => number;
  readonly #agreement: Agreement;
  #randoms: Buffer = Buffer.alloc(0);
  #isRaw = false;
  #key: KeyObject | undefined;
  #point: Buffer | undefined;
  #isAsked = false;

  constructor(server: DtlsExpectation, randomBytes: (count: number) => Buffer, now: () => number) {
    const { trust, name } = server;
    this.#server = server;
    this.#now = now;
    this.#agreement = new Agreement(randomBytes);
    this.label = `DTLS with ${name}`;
    this.expected = expectation(trust, name, 'DTLS');
    this.hello = {
      ...(isName(name) && { serverName: name }),
      groups: [GROUP],
      signatures: [...SIGNATURES],
      // Whose key is known need not show a certificate.
      ...('pin' in trust && { certificateTypes: [CertificateType.rawPublicKey, CertificateType.x509] }),
    };
  }

  get hint(): string {
    return this.#isAsked ? 'it asked for a certificate of this client, which has none' : '';
  }

  begin({ random, certificateType = CertificateType.x509 }: ServerHello, clientRandom: Buffer): void {
    const { certificateTypes = [CertificateType.x509] } = this.hello;
    if (!certificateTypes.includes(certificateType))
      throw new DtlsError('protocol', 'the server chose a form of certificate that was not offered');
    this.#isRaw = certificateType === CertificateType.rawPublicKey;
    this.#randoms = Buffer.concat([clientRandom, random]);
  }

  take({ type, body }: Message): void {
    if (type === Handshake.certificate && !this.#key) this.#key = this.#keyOf(body);
    else if (type === Handshake.serverKeyExchange && this.#key && !this.#point)
      this.#point = this.#signed(this.#key, body);
    else if (type === Handshake.certificateRequest && this.#point && !this.#isAsked) this.#isAsked = true;
    else throw new DtlsError('protocol', `a message of type ${type} out of turn`);
  }

  finish() {
    if (!this.#point) throw new DtlsError('protocol', 'the server has shown neither certificate nor key');
    const point = { type: Handshake.clientKeyExchange, body: writePoint(this.#agreement.point) };
    const none = { type: Handshake.certificate, body: writeChain([]) };
    return {
      premaster: this.#agreement.premaster(this.#point),
      messages: this.#isAsked ? [none, point] : [point],
    };
  }

  #keyOf(body: Buffer): KeyObject {
    const { trust, name } = this.#server;
    const key = this.#isRaw
      ? checkRawKey(readRawKey(body), trust)
      : checkChain(readChain(body), trust, name, this.#now());
    if (key.asymmetricKeyType === 'ec') return key;
    const text = `the server shows a key for ${key.asymmetricKeyType} where it agreed on ECDSA`;
    throw new DtlsError('protocol', text, UNSUPPORTED_CERTIFICATE);
  }

  /** The server's point, which nobody else can have signed. */
  #signed(key: KeyObject, body: Buffer): Buffer {
    const { point, parameters, scheme, signature } = readServerKey(body);
    if (scheme !== Scheme.ecdsaSha256 && scheme !== Scheme.ecdsaSha384)
      throw new DtlsError('protocol', 'the server signs in a way that was not offered');
    const hash = scheme === Scheme.ecdsaSha256 ? 'sha256' : 'sha384';
    if (!verify(hash, Buffer.concat([this.#randoms, parameters]), key, signature))
      throw new DtlsError('untrusted', 'the server does not have the key that it shows', DECRYPT_ERROR);
    return Buffer.from(point);
  }
}
