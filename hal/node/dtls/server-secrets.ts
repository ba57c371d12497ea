import { createPrivateKey, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { certificatesOf } from '../trust.js';
import { type Suite, suitesOf } from './crypto.js';
import { DtlsError } from './error.js';
import {
  GROUP,
  parametersOf,
  readIdentity,
  readPoint,
  writeChain,
  writeRawKey,
  writeServerKey,
} from './exchange.js';
import { CertificateType, type ClientHello } from './hello.js';
import { Handshake } from './messages.js';
import { Agreement, pskPremaster } from './secrets.js';

/** What a server shows to clients without a pre-shared key. */
export interface DtlsCertificate {
  /** DER, its own first. */
  chain: readonly Uint8Array[];
  /** Its private key, of secp256r1. */
  key: KeyObject;
}

/** How a server proves who it is; one of them at least. */
export interface ServerSecrets {
  /** The key of an identity; undefined for one that is not known. */
  psk?: (identity: string) => Uint8Array | undefined;
  certificate?: DtlsCertificate;
}

/** What a server says and hears of it in one handshake. */
export interface ServerExchange {
  readonly suite: Suite;
  readonly certificateType?: number;
  /** Of a pre-shared key, when it is known. */
  readonly identity: string;
  /** Between ServerHello and ServerHelloDone. */
  messages(randoms: Buffer): { type: number; body: Buffer }[];
  /** The premaster secret, by ClientKeyExchange. @throws DtlsError */
  take(body: Buffer): Buffer;
}

const UNKNOWN_IDENTITY = 115;
const UNSUPPORTED_CERTIFICATE = 43;
/** ecdsa_secp256r1_sha256 (RFC 5246 §7.4.1.4.1). */
const ECDSA_SHA256 = 0x0403;

/** PEM of a certificate, with those between it and the root behind it, and of its key. @throws DtlsError 'protocol' */
export function dtlsCertificate(cert: string, key: string): DtlsCertificate {
  const chain = certificatesOf(cert).map((one) => new X509Certificate(one));
  const privateKey = createPrivateKey(key);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new DtlsError('protocol', 'DTLS needs a key of the curve secp256r1 (P-256)');
  if (!chain[0].checkPrivateKey(privateKey))
    throw new DtlsError('protocol', 'the key is not that of the certificate');
  return { chain: chain.map(({ raw }) => raw), key: privateKey };
}

/** What both sides can do. @throws DtlsError 'protocol' */
export function exchangeFor(
  hello: ClientHello,
  { psk, certificate }: ServerSecrets,
  randomBytes: (count: number) => Buffer,
): ServerExchange {
  const own = [...(psk ? suitesOf('psk') : []), ...(certificate ? suitesOf('ecdhe') : [])];
  const suite = own.find(({ id }) => hello.suites.includes(id));
  if (!suite)
    throw new DtlsError('protocol', `the client has none of ${own.map(({ name }) => name).join(', ')}`);
  if (suite.exchange === 'psk') return new PskSide(suite, psk!);
  if (hello.groups && !hello.groups.includes(GROUP))
    throw new DtlsError('protocol', 'the client does not have the curve secp256r1');
  if (!hello.signatures?.includes(ECDSA_SHA256))
    throw new DtlsError('protocol', 'the client does not take signatures by ECDSA with SHA-256');
  const { certificateTypes = [CertificateType.x509] } = hello;
  // Whoever takes a bare key knows it, and it is shorter. GnuTLS names certificates first even where it has only the key.
  const type = [CertificateType.rawPublicKey, CertificateType.x509].find((one) =>
    certificateTypes.includes(one),
  );
  if (type === undefined)
    throw new DtlsError(
      'protocol',
      'the client takes neither certificates nor raw public keys',
      UNSUPPORTED_CERTIFICATE,
    );
  return new CertificateSide(suite, certificate!, hello.certificateTypes && type, randomBytes);
}

class PskSide implements ServerExchange {
  identity = '';
  readonly #psk: NonNullable<ServerSecrets['psk']>;

  constructor(
    readonly suite: Suite,
    psk: NonNullable<ServerSecrets['psk']>,
  ) {
    this.#psk = psk;
  }

  messages() {
    return [];
  }

  take(body: Buffer): Buffer {
    this.identity = readIdentity(body);
    const key = this.#psk(this.identity);
    if (key) return pskPremaster(key);
    const text = `no key for the identity ${JSON.stringify(this.identity)}`;
    throw new DtlsError('refused', text, UNKNOWN_IDENTITY);
  }
}

class CertificateSide implements ServerExchange {
  readonly identity = '';
  readonly #certificate: DtlsCertificate;
  readonly #agreement: Agreement;

  constructor(
    readonly suite: Suite,
    certificate: DtlsCertificate,
    readonly certificateType: number | undefined,
    randomBytes: (count: number) => Buffer,
  ) {
    this.#certificate = certificate;
    this.#agreement = new Agreement(randomBytes);
  }

  messages(randoms: Buffer) {
    const { chain, key } = this.#certificate;
    const isRaw = this.certificateType === CertificateType.rawPublicKey;
    const parameters = parametersOf(this.#agreement.point);
    const signature = sign('sha256', Buffer.concat([randoms, parameters]), key);
    return [
      {
        type: Handshake.certificate,
        body: isRaw
          ? writeRawKey(createPublicKey(key).export({ type: 'spki', format: 'der' }))
          : writeChain(chain),
      },
      {
        type: Handshake.serverKeyExchange,
        body: writeServerKey({ parameters, scheme: ECDSA_SHA256, signature }),
      },
    ];
  }

  take(body: Buffer): Buffer {
    return this.#agreement.premaster(readPoint(body));
  }
}
