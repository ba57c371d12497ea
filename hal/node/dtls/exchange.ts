import { Reader, uint, vector } from './bytes.js';
import { DtlsError } from './error.js';

/** secp256r1, the one curve for key agreement (RFC 8422 §5.1.1). */
export const GROUP = 23;
const NAMED_CURVE = 3;
const HANDSHAKE_FAILURE = 40;

/** PSK: whose key it is. */
export function writeIdentity(identity: string): Buffer {
  return vector(Buffer.from(identity, 'utf8'), 2);
}

/** @throws DtlsError 'protocol' */
export function readIdentity(body: Buffer): string {
  return new Reader(body).vector(2).toString('utf8');
}

/** A chain of X.509 certificates, that of the sender first (RFC 5246 §7.4.2). */
export function writeChain(chain: readonly Uint8Array[]): Buffer {
  return vector(Buffer.concat(chain.map((certificate) => vector(certificate, 3))), 3);
}

/** @throws DtlsError 'protocol' */
export function readChain(body: Buffer): Buffer[] {
  const reader = new Reader(body);
  const list = new Reader(reader.vector(3));
  reader.end();
  const chain: Buffer[] = [];
  while (list.left > 0) chain.push(list.vector(3));
  return chain;
}

/** A SubjectPublicKeyInfo instead of certificates (RFC 7250 §3). */
export function writeRawKey(spki: Uint8Array): Buffer {
  return vector(spki, 3);
}

/** @throws DtlsError 'protocol' */
export function readRawKey(body: Buffer): Buffer {
  const reader = new Reader(body);
  const spki = reader.vector(3);
  reader.end();
  return spki;
}

/** A point of the curve, as ClientKeyExchange has it (RFC 8422 §5.7). */
export function writePoint(point: Uint8Array): Buffer {
  return vector(point, 1);
}

/** @throws DtlsError 'protocol' */
export function readPoint(body: Buffer): Buffer {
  const reader = new Reader(body);
  const point = reader.vector(1);
  reader.end();
  return point;
}

/** ServerKeyExchange of ECDHE_ECDSA (RFC 8422 §5.4). */
export interface ServerKey {
  point: Buffer;
  /** Curve and point, which are signed. */
  parameters: Buffer;
  /** Hash and signature, as in signature_algorithms. */
  scheme: number;
  signature: Buffer;
}

export function parametersOf(point: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([NAMED_CURVE]), uint(GROUP, 2), writePoint(point)]);
}

export function writeServerKey({ parameters, scheme, signature }: Omit<ServerKey, 'point'>): Buffer {
  return Buffer.concat([parameters, uint(scheme, 2), vector(signature, 2)]);
}

/** @throws DtlsError 'protocol' */
export function readServerKey(body: Buffer): ServerKey {
  const reader = new Reader(body);
  if (reader.uint(1) !== NAMED_CURVE || reader.uint(2) !== GROUP)
    throw new DtlsError('protocol', 'the server chose a curve that was not offered', HANDSHAKE_FAILURE);
  const point = reader.vector(1);
  const parameters = body.subarray(0, 4 + point.length);
  const scheme = reader.uint(2);
  const signature = reader.vector(2);
  reader.end();
  return { point, parameters, scheme, signature };
}
