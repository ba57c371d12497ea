import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { PkiError } from './error.js';
import { publicPoint } from './signature.js';

/** Uncompressed point in a SubjectPublicKeyInfo. @throws PkiError */
export function pointOfSpki(spki: Uint8Array): Uint8Array {
  const key = attempt(() => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
  return pointOf(key);
}

/** Uncompressed point, 65 bytes. @throws PkiError */
export function pointOf(key: KeyObject | undefined): Uint8Array {
  const { x, y } = parametersOf(key, 'the public key cannot be read');
  return Uint8Array.from([4, ...bytesOf(x), ...bytesOf(y)]);
}

/** SubjectPublicKeyInfo around an uncompressed P-256 point. */
export function spkiOfPoint(point: Uint8Array): Uint8Array {
  return spkiOfKey(createPublicKey({ key: jwk(point), format: 'jwk' }));
}

export function spkiOfKey(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }));
}

/** A private key in PKCS#8 or SEC1; undefined for anything else. */
export function readPrivateKey(der: Uint8Array): KeyObject | undefined {
  const key = Buffer.from(der);
  return (
    attempt(() => createPrivateKey({ key, format: 'der', type: 'pkcs8' })) ??
    attempt(() => createPrivateKey({ key, format: 'der', type: 'sec1' }))
  );
}

/** Scalar of what {@link readPrivateKey} found. @throws PkiError */
export function scalarOf(key: KeyObject | undefined): Uint8Array {
  return bytesOf(parametersOf(key, 'neither a PKCS#8 nor a SEC1 private key').d);
}

/** PKCS#8 around a P-256 scalar, whole DER. */
export function pkcs8(privateKey: Uint8Array): Uint8Array {
  return Uint8Array.from(keyOf(privateKey).export({ format: 'der', type: 'pkcs8' }));
}

/** SEC1 around a P-256 scalar, whole DER. */
export function sec1(privateKey: Uint8Array): Uint8Array {
  return Uint8Array.from(keyOf(privateKey).export({ format: 'der', type: 'sec1' }));
}

function keyOf(privateKey: Uint8Array): KeyObject {
  const key = { ...jwk(publicPoint(privateKey)), d: Buffer.from(privateKey).toString('base64url') };
  return createPrivateKey({ key, format: 'jwk' });
}

function jwk(point: Uint8Array): JsonWebKey {
  const half = (from: number) => Buffer.from(point.subarray(from, from + 32)).toString('base64url');
  return { kty: 'EC', crv: 'P-256', x: half(1), y: half(33) };
}

function parametersOf(key: KeyObject | undefined, otherwise: string): JsonWebKey {
  if (!key) throw new PkiError('malformed', otherwise);
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new PkiError('unsupportedKey', 'only NIST P-256 keys are supported');
  return key.export({ format: 'jwk' });
}

const bytesOf = (base64url = ''): Uint8Array => Uint8Array.from(Buffer.from(base64url, 'base64url'));

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
