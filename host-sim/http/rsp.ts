import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { urlHost } from '../address.js';
import { contentTypeOf, pathOf, readBody } from './body.js';
import { bytePieces, type JsonAnswer, jsonPieces } from './json.js';
import { type Listening, listen } from './listen.js';
import { HttpProblem } from './problem.js';

// HTTP(S) of every server that provisions: SGP.22 §6.2 to §6.5 for SM-DP+ and SM-DS, SGP.32 §6.1 for the eIM.

export interface RspHttpOptions {
  /** 0 (default): any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Absent: plain HTTP, for loopback and tests. */
  tls?: ServerOptions;
  /** Longest request body, bytes. Default 256 KB. */
  largestBody?: number;
  /** Bytes of a package between two writes. Default 16 KB. */
  pieceBytes?: number;
  /** How long a request may take to come, milliseconds. Default 5 minutes; then it is answered with 408. */
  requestTime?: number;
  /** Told of requests that were turned away. */
  onProblem?: (problem: HttpProblem) => void;
}

export interface RunningRspHttp extends Listening {
  /** https://127.0.0.1:port */
  readonly url: string;
  /** Connections that were made so far. */
  readonly connections: number;
}

/** A request of either binding that passed all that HTTP asks of it. */
export interface RspRequest {
  readonly path: string;
  /** Of the JSON binding; undefined: ASN.1. */
  readonly called: string | undefined;
  readonly body: Uint8Array;
  /** The same object for all requests of one connection. */
  readonly connection: object;
}

/** An answer of either binding; none is HTTP status 204. */
export type RspAnswer = { asn1: Uint8Array } | { json: JsonAnswer } | undefined;

/** What answers behind HTTP. */
export interface RspService {
  /** The function that a path of the JSON binding names. */
  functionOf(path: string): string | undefined;
  /** @throws HttpProblem; anything else ends in 500 */
  answer(request: RspRequest): RspAnswer | Promise<RspAnswer>;
  /** X-Admin-Protocol of answers; absent: as the request has it. */
  adminProtocol?: string;
  /** How the JSON binding says a problem; where it has no words for it, the body is plain text. */
  explain?(problem: HttpProblem): JsonAnswer | undefined;
}

/** It stands in each session ticket, twice in a handshake; Node's own has 32 bytes. */
export const shortTickets = { sessionIdContext: '1' } as const;

export const asn1Path = '/gsma/rsp2/asn1';
const asn1Type = 'application/x-gsma-rsp-asn1';
const jsonType = 'application/json;charset=UTF-8';

/** @throws HttpError 'network' when the port cannot be had */
export async function serveRspHttp(service: RspService, options: RspHttpOptions): Promise<RunningRspHttp> {
  const { tls, host = '127.0.0.1', port = 0, requestTime = 300_000, onProblem } = options;
  let connections = 0;
  const handle = (incoming: IncomingMessage, answer: ServerResponse) => {
    respond(service, options, incoming, answer).catch((error: unknown) =>
      turnAway(service, options, incoming, answer, error),
    );
  };
  const connectionsCheckingInterval = Math.min(30_000, requestTime / 4);
  const server = tls
    ? createTlsServer({ ...shortTickets, ...tls, connectionsCheckingInterval }, handle)
    : createServer({ connectionsCheckingInterval }, handle);
  server.requestTimeout = requestTime;
  server.headersTimeout = Math.min(60_000, requestTime);
  // Several exchanges are to follow each other on one connection, and an eUICC may work for a while in between.
  server.keepAliveTimeout = 65_000;
  // A body that is not wanted is not asked for.
  server.on('checkContinue', handle);
  server.on(tls ? 'secureConnection' : 'connection', () => connections++);
  // OpenSSL's message has numbers and paths around the reason.
  server.on('tlsClientError', (cause: Error & { reason?: string }) => {
    onProblem?.(
      new HttpProblem('brokenOff', `a TLS handshake failed: ${cause.reason ?? cause.message}`, { cause }),
    );
  });
  const listening = await listen(server, 'server', host, port);
  return {
    ...listening,
    url: `${tls ? 'https' : 'http'}://${urlHost(host)}:${listening.port}`,
    get connections() {
      return connections;
    },
  };
}

async function respond(
  service: RspService,
  { largestBody = 256 * 1024, pieceBytes = 16 * 1024 }: RspHttpOptions,
  incoming: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  // HTTP/1.1 keeps a connection unless somebody says otherwise.
  if (answer.shouldKeepAlive) answer.removeHeader('connection');
  const path = pathOf(incoming);
  const called = service.functionOf(path);
  const admin = check(incoming, path, called === undefined ? asn1Type : 'application/json');
  if (Number(incoming.headers['content-length'] ?? 0) <= largestBody && incoming.headers.expect)
    answer.writeContinue();
  const body = await readBody(incoming, largestBody);
  const made = await service.answer({ path, called, body, connection: incoming.socket });
  const protocol = { 'x-admin-protocol': service.adminProtocol ?? admin };
  if (!made) {
    answer.writeHead(204, protocol);
    answer.end();
    return;
  }
  const [length, pieces] =
    'asn1' in made ? bytePieces(made.asn1, pieceBytes) : jsonPieces(made.json, pieceBytes);
  const contentType = 'asn1' in made ? asn1Type : jsonType;
  answer.writeHead(200, { 'content-type': contentType, 'content-length': length, ...protocol });
  await pipeline(Readable.from(pieces), answer);
}

/** @returns X-Admin-Protocol */
function check(incoming: IncomingMessage, path: string, wanted: string): string {
  if (wanted === asn1Type && path !== asn1Path) throw new HttpProblem('path', `there is no ${path}`);
  if (incoming.method !== 'POST') throw new HttpProblem('method', `${incoming.method} is not POST`);
  const type = contentTypeOf(incoming);
  if (type !== wanted)
    throw new HttpProblem('contentType', `the Content-Type is "${type}", and not ${wanted}`);
  const admin = String(incoming.headers['x-admin-protocol'] ?? '');
  if (!/^gsma\/rsp\/v\d/.test(admin))
    throw new HttpProblem('adminProtocol', `the X-Admin-Protocol is "${admin}", and not gsma/rsp/v…`);
  return admin;
}

function turnAway(
  service: RspService,
  { onProblem }: RspHttpOptions,
  incoming: IncomingMessage,
  answer: ServerResponse,
  error: unknown,
): void {
  const problem = HttpProblem.of(error);
  const { code, status, message, retryAfter } = problem;
  onProblem?.(new HttpProblem(code, `${incoming.method} ${incoming.url}: ${message}`, { cause: error }));
  if (answer.headersSent) {
    answer.destroy();
    return;
  }
  // A body that is too large is not read to its end.
  if (code === 'tooLarge') answer.setHeader('connection', 'close');
  if (code === 'method') answer.setHeader('allow', 'POST');
  if (retryAfter !== undefined) answer.setHeader('retry-after', retryAfter);
  if (service.adminProtocol) answer.setHeader('x-admin-protocol', service.adminProtocol);
  const isJson = service.functionOf(pathOf(incoming)) !== undefined;
  const said = isJson ? service.explain?.(problem) : undefined;
  const text = said ? JSON.stringify(said.body) : `${code === 'internal' ? 'internal error' : message}\n`;
  answer.writeHead(status, {
    'content-type': said ? jsonType : 'text/plain;charset=UTF-8',
    'content-length': Buffer.byteLength(text),
  });
  answer.end(text);
}
