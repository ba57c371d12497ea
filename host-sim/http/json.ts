import { Asn1Error } from '../asn1/index.js';

// What the JSON bindings of ES9+, ES11 (SGP.22 §6.5.2) and ESipa (SGP.32 §6.4.1) share.

export type JsonBody = Readonly<Record<string, unknown>>;

/** An answer; the package is apart, so that it can be streamed. */
export interface JsonAnswer {
  body: Record<string, unknown>;
  /** Goes into the body as base64 under this name, last. */
  large?: { name: string; bytes: Uint8Array };
}

/** functionExecutionStatus "Executed-Success". */
export function success(members: Record<string, unknown>): JsonAnswer {
  return { body: { header: { functionExecutionStatus: { status: 'Executed-Success' } }, ...members } };
}

/** functionExecutionStatus "Failed". */
export function failure(statusCodeData: {
  subjectCode: string;
  reasonCode: string;
  subjectIdentifier: string;
  message: string;
}): JsonAnswer {
  return { body: { header: { functionExecutionStatus: { status: 'Failed', statusCodeData } } } };
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** @throws Asn1Error */
export function textOf(body: JsonBody, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new Asn1Error('missing', `${name} is missing, or is no string`);
  return value;
}

/** From base64. @throws Asn1Error */
export function bytesOf(body: JsonBody, name: string): Uint8Array {
  const value = textOf(body, name).replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 === 1)
    throw new Asn1Error('unexpected', `${name} is not base64`);
  return Uint8Array.from(Buffer.from(value, 'base64'));
}

/** A body and its length; where it has a package, that is put into base64 piece by piece. */
export function jsonPieces(
  { body, large }: JsonAnswer,
  piece: number,
): [length: number, pieces: Iterable<Buffer>] {
  const text = JSON.stringify(body);
  if (!large) return [Buffer.byteLength(text), [Buffer.from(text)]];
  const { name, bytes } = large;
  const head = Buffer.from(`${text.slice(0, -1)},${JSON.stringify(name)}:"`);
  // Pieces of whole groups of three bytes are base64 by themselves.
  const step = 3 * Math.max(1, Math.floor(piece / 3));
  return [
    head.length + 4 * Math.ceil(bytes.length / 3) + 2,
    (function* () {
      yield head;
      for (let at = 0; at < bytes.length; at += step)
        yield Buffer.from(base64(bytes.subarray(at, at + step)));
      yield Buffer.from('"}');
    })(),
  ];
}

export function bytePieces(body: Uint8Array, piece: number): [length: number, pieces: Iterable<Buffer>] {
  return [
    body.length,
    (function* () {
      for (let at = 0; at < body.length; at += piece) yield Buffer.from(body.subarray(at, at + piece));
    })(),
  ];
}
