import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { urlHost } from '../address.js';
import { Asn1Error, hex, readElement } from '../asn1/index.js';
import type { Eim } from './eim.js';
import { EimError } from './error.js';
import { ask } from './exchange.js';
import { answerOf, failed, type JsonAnswer, type JsonFunction, jsonFunctions, requestOf } from './json.js';

// ESipa over HTTP(S): SGP.32 §6.1, §6.4.1; esipa.md §7, §8.

export interface HttpEimOptions {
  eim: Eim;
  /** 0 (default): any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** PEM; absent: plain HTTP, for loopback and tests. `minVersion` and the like are passed on to node:tls. */
  tls?: { cert: string; key: string } & Pick<ServerOptions, 'minVersion' | 'maxVersion'>;
  /** Longest request body, bytes. Default 256 KB. */
  largestBody?: number;
  /** Bytes of a package between two writes. Default 16 KB. */
  pieceBytes?: number;
  /** Told of requests that were turned away. */
  onProblem?: (problem: EimError) => void;
}

export interface RunningHttpEim {
  /** https://127.0.0.1:port */
  readonly url: string;
  readonly port: number;
  /** Connections that were made so far. */
  readonly connections: number;
  /** Idempotent. */
  close(): Promise<void>;
}

export const asn1Path = '/gsma/rsp2/asn1';
const jsonPath = /^\/gsma\/rsp2\/esipa\/(\w+)$/;
const asn1Type = 'application/x-gsma-rsp-asn1';
const jsonType = 'application/json;charset=UTF-8';
const notification = 0xbf3d;

/** @throws EimError 'network' when the port is taken */
export async function serveHttp(options: HttpEimOptions): Promise<RunningHttpEim> {
  const { tls, host = '127.0.0.1', port = 0 } = options;
  let connections = 0;
  const speakers = new WeakMap<object, string>();
  const handle = (incoming: IncomingMessage, answer: ServerResponse) => {
    respond(options, speakers, incoming, answer).catch((error: unknown) =>
      turnAway(options, incoming, answer, error),
    );
  };
  const server: Server = tls ? createTlsServer(tls, handle) : createServer(handle);
  // Several exchanges are to follow each other on one connection, and an eUICC may work for a while in between.
  server.keepAliveTimeout = 65_000;
  server.on(tls ? 'secureConnection' : 'connection', () => connections++);
  server.on('tlsClientError', (cause: Error) => {
    options.onProblem?.(new EimError('network', `a TLS handshake failed: ${cause.message}`, { cause }));
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new EimError('network', `no server on ${host}:${port}: ${cause.message}`, { cause })),
    );
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
  let closing: Promise<void> | undefined;
  return {
    url: `${tls ? 'https' : 'http'}://${urlHost(host)}:${bound}`,
    port: bound,
    get connections() {
      return connections;
    },
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

/** Ends an exchange with an HTTP status. */
class HttpProblem extends EimError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('network', message);
    this.status = status;
  }
}

/** An answer of either binding; none is HTTP status 204. */
export type HttpAnswer = { asn1: Uint8Array } | { json: JsonAnswer } | undefined;

/**
 * Takes the body of one request to `path` and gives what its response holds; for servers without a socket, too.
 * @param eid of whoever speaks on this connection, where that is known: some messages do not say it
 * @throws EimError with `status`
 */
export async function handleHttp(
  eim: Eim,
  path: string,
  body: Uint8Array,
  eid?: string,
): Promise<HttpAnswer> {
  const called = functionOf(path);
  if (!called) {
    const answer = await answerTo(eim, body, eid);
    return answer && { asn1: answer };
  }
  let request: Uint8Array;
  try {
    request = requestOf(called, parsed(body));
  } catch (error) {
    if (!(error instanceof Asn1Error)) throw error;
    return { json: failed(called, error.message) };
  }
  const answer = await answerTo(eim, request, eid);
  return answer && { json: answerOf(called, answer) };
}

/** The EID that a request of either binding names. */
export function speakerOf(path: string, body: Uint8Array): string | undefined {
  try {
    const called = functionOf(path);
    return eidOf(called ? requestOf(called, parsed(body)) : body);
  } catch {
    return undefined;
  }
}

function functionOf(path: string): JsonFunction | undefined {
  const name = jsonPath.exec(path)?.[1];
  return name !== undefined && Object.hasOwn(jsonFunctions, name) ? (name as JsonFunction) : undefined;
}

async function answerTo(
  eim: Eim,
  message: Uint8Array,
  speaker: string | undefined,
): Promise<Uint8Array | undefined> {
  if (!tags.includes(tagOf(message))) throw new HttpProblem(400, 'the body is no message of ESipa to an eIM');
  // One connection may carry the messages of several devices: who speaks is asked only where a message does not say it.
  const eid = eidOf(message) === undefined ? speaker : undefined;
  const reply = await ask(eim, message, { eid, link: 'https' });
  if (reply.kind === 'unknown') throw new HttpProblem(400, reply.why);
  return reply.kind === 'answer' ? reply.message : undefined;
}

const tags: readonly number[] = Object.values(jsonFunctions);

function tagOf(message: Uint8Array): number {
  return message.length > 1 ? (message[0] << 8) | message[1] : 0;
}

/** 5A of the message, or of the BF50 in a BF3D. */
function eidOf(message: Uint8Array): string | undefined {
  try {
    const { tag, children } = readElement(message);
    const holder =
      tag === notification ? (children.find((one) => one.tag === 0xbf50)?.children ?? []) : children;
    const found = holder.find((one) => one.tag === 0x5a);
    return found && hex(found.content);
  } catch {
    return undefined;
  }
}

async function respond(
  { eim, largestBody = 256 * 1024, pieceBytes = 16 * 1024 }: HttpEimOptions,
  speakers: WeakMap<object, string>,
  incoming: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(incoming.url ?? '/', 'http://localhost');
  const isJson = functionOf(pathname) !== undefined;
  if (!isJson && pathname !== asn1Path) throw new HttpProblem(404, `there is no ${pathname}`);
  if (incoming.method !== 'POST') throw new HttpProblem(405, `${incoming.method} is not POST`);
  const type = (incoming.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (type !== (isJson ? 'application/json' : asn1Type))
    throw new HttpProblem(415, `the Content-Type is "${type}"`);
  const admin = String(incoming.headers['x-admin-protocol'] ?? '');
  if (!/^gsma\/rsp\/v\d/.test(admin)) throw new HttpProblem(400, `the X-Admin-Protocol is "${admin}"`);
  const body = await read(incoming, largestBody);
  const { socket } = incoming;
  const speaker = speakerOf(pathname, body);
  if (speaker !== undefined) speakers.set(socket, speaker);
  const made = await handleHttp(eim, pathname, body, speakers.get(socket));
  const protocol = { 'x-admin-protocol': admin };
  if (!made) {
    answer.writeHead(204, protocol);
    answer.end();
  } else {
    const [length, pieces] =
      'asn1' in made ? asn1Pieces(made.asn1, pieceBytes) : jsonPieces(made.json, pieceBytes);
    const contentType = isJson ? jsonType : asn1Type;
    answer.writeHead(200, { 'content-type': contentType, 'content-length': length, ...protocol });
    await pipeline(Readable.from(pieces), answer);
  }
}

function parsed(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new HttpProblem(400, 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HttpProblem(400, 'the body is not a JSON object');
  return value as Record<string, unknown>;
}

async function read(incoming: IncomingMessage, most: number): Promise<Uint8Array> {
  const tooLarge = () => new HttpProblem(413, `the body is larger than ${most} bytes`);
  if (Number(incoming.headers['content-length'] ?? 0) > most) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length;
    if (length > most) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

function asn1Pieces(body: Uint8Array, piece: number): [length: number, pieces: Iterable<Buffer>] {
  return [
    body.length,
    (function* () {
      for (let at = 0; at < body.length; at += piece) yield Buffer.from(body.subarray(at, at + piece));
    })(),
  ];
}

/** A package is put into base64 piece by piece. */
export function jsonPieces(
  { body, large }: JsonAnswer,
  piece: number,
): [length: number, pieces: Iterable<Buffer>] {
  const text = JSON.stringify(body);
  if (!large) return [Buffer.byteLength(text), [Buffer.from(text)]];
  const { name, bytes } = large;
  const head = `${text.slice(0, -1)},${JSON.stringify(name)}:"`;
  const length = Buffer.byteLength(head) + 4 * Math.ceil(bytes.length / 3) + 2;
  // Pieces of whole groups of three bytes are base64 by themselves.
  const step = 3 * Math.max(1, Math.floor(piece / 3));
  return [
    length,
    (function* () {
      yield Buffer.from(head);
      for (let at = 0; at < bytes.length; at += step)
        yield Buffer.from(Buffer.from(bytes.subarray(at, at + step)).toString('base64'));
      yield Buffer.from('"}');
    })(),
  ];
}

function turnAway(
  { onProblem }: HttpEimOptions,
  incoming: IncomingMessage,
  answer: ServerResponse,
  error: unknown,
): void {
  const problem = error instanceof HttpProblem ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  onProblem?.(new EimError('network', `${incoming.method} ${incoming.url}: ${message}`, { cause: error }));
  if (answer.headersSent) {
    answer.destroy();
    return;
  }
  // A body that is too large is not read to its end.
  if (problem?.status === 413) answer.setHeader('connection', 'close');
  if (problem?.status === 405) answer.setHeader('allow', 'POST');
  const text = Buffer.from(problem ? `${message}\n` : 'internal error\n');
  answer.writeHead(problem?.status ?? 500, {
    'content-type': 'text/plain;charset=UTF-8',
    'content-length': text.length,
  });
  answer.end(text);
}
