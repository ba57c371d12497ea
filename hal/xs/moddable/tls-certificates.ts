/// <reference path="./typings/tls.d.ts" />
import BER from 'ber';
import { Digest } from 'crypt';
import ECDSA, { type Curve } from 'ecdsa';
import PKCS1_5 from 'pkcs1_5';
import CertificateManager from 'ssl/cert';
import X509, { type PublicKey } from 'x509';
import { type SecurePeer, XsIpaError } from '../../contracts/index.js';
import { isSoundSignature } from './tls-signature.js';
import { type Certificate, type Certificates, refusal, type Trust } from './tls-trust.js';

const BASIC_CONSTRAINTS = [2, 5, 29, 19];
const DNS_NAME = 2;
const IP_ADDRESS = 7;
const ECDSA_WITH = '1,2,840,10045,4,3,';
const RSA_WITH = '1,2,840,113549,1,1,';
const F4 = 65_537n;

/** Certificates by the SDK's own parsers and cryptography. */
class SdkCertificates implements Certificates {
  read(der: Uint8Array): Certificate {
    const { validity, subjectPublicKeyInfo } = X509.decodeTBS(X509.decode(der).tbs);
    const names: string[] = [];
    for (const { tag, value } of X509.decodeSAN(der) ?? []) {
      if (tag === DNS_NAME && typeof value === 'string') names.push(value);
      else if (tag === IP_ADDRESS && typeof value !== 'string' && value.byteLength === 4)
        names.push(new Uint8Array(value).join('.'));
    }
    return { key: subjectPublicKeyInfo, from: validity.from, to: validity.to, isCa: isCa(der), names };
  }

  isSigned(der: Uint8Array, issuer: Uint8Array): boolean {
    return isSignedWith(X509.decode(issuer).spki, der);
  }

  isSignedByRoot(der: Uint8Array): boolean {
    const root = new CertificateManager({}).findCert('ca.ski', X509.decodeAKI(der));
    return root !== undefined && isSignedWith(root, der);
  }
}

/**
 * What the SDK's session asks about certificates, for one handshake with a server. Its own manager does not look whether an
 * issuer is a CA, refuses chains of one certificate, and knows no pins.
 */
export class ServerCertificates {
  /** The server has signed this handshake with the key of its certificate. The session itself does not insist on that. */
  isProved = false;
  readonly #trust: Trust;
  readonly #serverName: string;
  #key: PublicKey | undefined;

  constructor(trust: Trust, serverName: string) {
    this.#trust = trust;
    this.#serverName = serverName;
  }

  verify(chain: readonly Uint8Array[]): boolean {
    const reason = refusal(chain, this.#trust, this.#serverName, Date.now(), new SdkCertificates());
    if (reason !== undefined) throw new XsIpaError('untrusted', reason);
    this.#key = X509.decode(chain[0]).spki;
    return true;
  }

  register(): void {}

  /** Asked for when a signature of the handshake is to be checked: what comes of it is watched. */
  getKey(): PublicKey {
    this.isProved = false;
    const { pub, curve } = this.#key ?? {};
    if (!pub || !curve) throw new XsIpaError('untrusted', 'the server has no key for ECDSA');
    return {
      pub,
      curve: watched(curve, () => {
        this.isProved = true;
      }),
    };
  }

  /** No certificates of our own. */
  findPreferredCert(): [] {
    return [];
  }
}

/**
 * A server's trust as it is kept: of a certificate that is no CA's only the key.
 * @throws {XsIpaError} `badTrust` for a certificate that cannot be read
 */
export function trustOf(trust: SecurePeer['trust']): Trust {
  if (!trust) return undefined;
  if (trust.kind === 'publicKey') return { key: trust.der };
  try {
    return isCa(trust.der) ? { ca: trust.der } : { key: new SdkCertificates().read(trust.der).key.slice() };
  } catch (cause) {
    throw new XsIpaError('badTrust', 'the certificate to be trusted cannot be read', { cause });
  }
}

function isCa(der: Uint8Array): boolean {
  const extension = X509.decodeExtension(der, BASIC_CONSTRAINTS);
  if (!extension) return false;
  const ber = new BER(extension);
  return (
    ber.getTag() === 0x30 &&
    ber.getLength() >= 3 &&
    ber.getTag() === 1 &&
    ber.getLength() === 1 &&
    ber.getTag() !== 0
  );
}

function isSignedWith({ pub, curve, exponent, modulus }: PublicKey, der: Uint8Array): boolean {
  const { tbs, algo, sig } = X509.decode(der);
  const name = algo.toString();
  const number = algo[algo.length - 1];
  if (pub && curve && name.startsWith(ECDSA_WITH)) {
    const hash = ([undefined, undefined, 'SHA256', 'SHA384', 'SHA512'] as const)[number];
    if (!hash || !isSoundSignature(sig)) return false;
    const digest = digestOf(hash, tbs).slice(0, curve.orderSize);
    return new ECDSA(pub, curve, false).verify(digest, sig, true);
  }
  // With a small exponent a signature can be made up for the SDK's check, which leaves room behind the digest.
  if (!exponent || !modulus || exponent < F4 || !name.startsWith(RSA_WITH)) return false;
  const hash = number === 11 ? 'SHA256' : number === 12 ? 'SHA384' : number === 13 ? 'SHA512' : undefined;
  if (!hash) return false;
  return new PKCS1_5({ exponent, modulus }, false, []).verify(digestOf(hash, tbs), sig);
}

function digestOf(hash: 'SHA256' | 'SHA384' | 'SHA512', bytes: Uint8Array): ArrayBuffer {
  const digest = new Digest(hash);
  // A copy: the native code takes whole buffers.
  digest.write(bytes.slice().buffer);
  return digest.close();
}

/** A curve that tells when a signature is checked with it. */
function watched({ G, n, orderSize, ec }: Curve, used: () => void): Curve {
  return {
    G,
    n,
    orderSize,
    ec: {
      mul2: (point, by, other, otherBy) => {
        used();
        return ec.mul2(point, by, other, otherBy);
      },
    },
  };
}
