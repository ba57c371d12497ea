import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Asn1Error } from '../asn1/index.js';
import { type Credential, pem, pkcs8 } from '../pki/index.js';
import { handleAsn1, type RspServer } from './bindings.js';
import { SmdpError } from './error.js';
import { failed, handleJson, type JsonAnswer } from './json.js';
import { Refusal, type RspFunction } from './refusal.js';

// HTTP(S) of SM-DP+ and SM-DS: SGP.22 §6, procedures.md §6.

export interface RspHttpOptions {
  server: RspServer;
  /** 0 (default): any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Absent: plain HTTP, for loopback and tests. */
  tls?: Credential;
  /** Longest request body, bytes. Default 256 KB. */
  largestBody?: number;
  /** Bytes of a package between two writes. Default 16 KB. */
  pieceBytes?: number;
  /** Told of requests that were turned away. */
  onProblem?: (problem: SmdpError) => void;
}

export interface RunningRspServer {
  /** https://127.0.0.1:port */
  readonly url: string;
  readonly port: number;
  /** Idempotent. */
  close(): Promise<void>;
}

const functions: readonly string[] = [
  'initiateAuthentication',
  'authenticateClient',
  'getBoundProfilePackage',
  'cancelSession',
  'handleNotification',
];

const asn1Path = '/gsma/rsp2/asn1';
const jsonPath = /^\/gsma\/rsp2\/(?:es9plus|es11)\/(\w+)$/;
const asn1Type = 'application/x-gsma-rsp-asn1';
const protocol = 'gsma/rsp/v2.5.0';

/** @throws SmdpError 'network' when the port is taken */
export async function serveRsp(options: RspHttpOptions): Promise<RunningRspServer> {
  const { tls, host = '127.0.0.1', port = 0 } = options;
  const handle = (incoming: IncomingMessage, answer: ServerResponse) => {
    respond(options, incoming, answer).catch((error: unknown) => turnAway(options, incoming, answer, error));
  };
  const server: Server = tls
    ? createTlsServer(
        { cert: pem('CERTIFICATE', tls.certificate), key: pem('PRIVATE KEY', pkcs8(tls.privateKey)) },
        handle,
      )
    : createServer(handle);
  const bound = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new SmdpError('network', `no server on ${host}:${port}: ${cause.message}`, { cause })),
    );
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
  let closing: Promise<void> | undefined;
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${bound}`,
    port: bound,
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
class HttpProblem extends SmdpError {
  readonly status: number;
  /** What the JSON binding says beside the status. */
  readonly refusal?: Refusal;

  constructor(status: number, message: string, refusal?: Refusal) {
    super('network', message);
    this.status = status;
    this.refusal = refusal;
  }
}

async function respond(
  { server, largestBody = 256 * 1024, pieceBytes = 16 * 1024 }: RspHttpOptions,
  incoming: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(incoming.url ?? '/', 'http://localhost');
  const called = jsonPath.exec(pathname)?.[1];
  const isJson = called !== undefined && functions.includes(called);
  if (!isJson && pathname !== asn1Path) throw new HttpProblem(404, `there is no ${pathname}`);
  if (incoming.method !== 'POST') throw new HttpProblem(405, `${incoming.method} is not POST`);
  const type = (incoming.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (type !== (isJson ? 'application/json' : asn1Type))
    throw new HttpProblem(415, `the Content-Type is "${type}"`, new Refusal('1.2.1/2.1'));
  const admin = String(incoming.headers['x-admin-protocol'] ?? '');
  if (!/^gsma\/rsp\/v\d/.test(admin))
    throw new HttpProblem(400, `the X-Admin-Protocol is "${admin}"`, new Refusal('1.2.2/2.1'));
  const body = await read(incoming, largestBody);
  if (isJson) await sendJson(answer, handleJson(server, called as RspFunction, parsed(body)), pieceBytes);
  else await sendAsn1(answer, asn1(server, body), pieceBytes);
}

function parsed(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new HttpProblem(400, 'the body is not JSON', new Refusal('1.6/4.2'));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HttpProblem(400, 'the body is not a JSON object', new Refusal('1.6/4.2'));
  return value as Record<string, unknown>;
}

function asn1(server: RspServer, body: Uint8Array): Uint8Array | undefined {
  try {
    return handleAsn1(server, body);
  } catch (error) {
    if (error instanceof Asn1Error) throw new HttpProblem(400, `the body is no request: ${error.message}`);
    throw error;
  }
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

async function sendJson(answer: ServerResponse, made: JsonAnswer | undefined, piece: number): Promise<void> {
  if (!made) return empty(answer);
  const text = JSON.stringify(made.body);
  if (!made.large) return whole(answer, 200, 'application/json;charset=UTF-8', Buffer.from(text));
  const { name, bytes } = made.large;
  const head = `${text.slice(0, -1)},${JSON.stringify(name)}:"`;
  const length = Buffer.byteLength(head) + 4 * Math.ceil(bytes.length / 3) + 2;
  answer.writeHead(200, headers('application/json;charset=UTF-8', length));
  // Pieces of whole groups of three bytes are base64 by themselves.
  const step = 3 * Math.max(1, Math.floor(piece / 3));
  await pipeline(
    Readable.from(
      (function* () {
        yield head;
        for (let at = 0; at < bytes.length; at += step)
          yield Buffer.from(bytes.subarray(at, at + step)).toString('base64');
        yield '"}';
      })(),
    ),
    answer,
  );
}

async function sendAsn1(answer: ServerResponse, body: Uint8Array | undefined, piece: number): Promise<void> {
  if (!body) return empty(answer);
  answer.writeHead(200, headers(asn1Type, body.length));
  await pipeline(
    Readable.from(
      (function* () {
        for (let at = 0; at < body.length; at += piece) yield Buffer.from(body.subarray(at, at + piece));
      })(),
    ),
    answer,
  );
}

function headers(type: string, length: number): Record<string, string | number> {
  return { 'content-type': type, 'content-length': length, 'x-admin-protocol': protocol };
}

function empty(answer: ServerResponse): void {
  answer.writeHead(204, { 'x-admin-protocol': protocol });
  answer.end();
}

function whole(answer: ServerResponse, status: number, type: string, body: Buffer): void {
  answer.writeHead(status, headers(type, body.length));
  answer.end(body);
}

function turnAway(
  { onProblem }: RspHttpOptions,
  incoming: IncomingMessage,
  answer: ServerResponse,
  error: unknown,
): void {
  const problem = error instanceof HttpProblem ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  onProblem?.(new SmdpError('network', `${incoming.method} ${incoming.url}: ${message}`, { cause: error }));
  if (answer.headersSent) {
    answer.destroy();
    return;
  }
  // A body that is too large is not read to its end.
  if (problem?.status === 413) answer.setHeader('connection', 'close');
  if (problem?.status === 405) answer.setHeader('allow', 'POST');
  const status = problem?.status ?? 500;
  if (problem?.refusal && jsonPath.test(incoming.url ?? ''))
    whole(
      answer,
      status,
      'application/json;charset=UTF-8',
      Buffer.from(JSON.stringify(failed(problem.refusal).body)),
    );
  else
    whole(
      answer,
      status,
      'text/plain;charset=UTF-8',
      Buffer.from(problem ? `${message}\n` : 'internal error\n'),
    );
}
