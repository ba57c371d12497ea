import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type IncomingMessage, type OutgoingMessage, type Server } from 'coap';
import { CoapGate } from './coap-gate.js';
import type { Eim } from './eim.js';
import { EimError } from './error.js';
import { ask } from './exchange.js';

export interface CoapEimOptions {
  eim: Eim;
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  address?: string;
  /** Longest request that is taken, bytes; more is answered with 4.13. Default 65536. */
  limit?: number;
  /** A message that could not be taken. */
  onProblem?: (problem: EimError) => void;
}

/** Path of the ASN.1 binding (esipa.md §9). */
const PATH = '/gsma/rsp2/asn1';
const LIMIT = 65_536;

/**
 * Serves an eIM over CoAP (esipa.md §9): POST, a message in the body, the answer in the response; block-wise in both directions.
 * 2.05 with an answer, 2.04 without; 4.05 for other methods, 4.04 for other paths, 4.00 for what is no message, 4.13 for
 * what is too long.
 */
export class CoapEim {
  readonly #options: CoapEimOptions;
  #server: Server | undefined;
  #socket: Socket | undefined;
  #port = 0;

  constructor(options: CoapEimOptions) {
    this.#options = options;
  }

  /** Of the open socket. */
  get port(): number {
    return this.#port;
  }

  /** @throws EimError 'network' when the port cannot be had */
  async open(): Promise<void> {
    const { port, address = '127.0.0.1', limit = LIMIT } = this.#options;
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) => {
        const message = `CoAP cannot listen on ${address}, port ${port}: ${cause.message}`;
        reject(new EimError('network', message, { cause }));
      });
      socket.bind(port, address, resolve);
    });
    socket.removeAllListeners('error');
    this.#port = socket.address().port;
    this.#socket = socket;
    const gate = new CoapGate(limit, (bytes, to) => socket.send(bytes, to.port, to.address, () => {}));
    // The package would take uploads of any length, and fails on blocks that are missing: what it gets passes the gate.
    const admitted = Object.create(socket, {
      on: {
        value: (event: string, listener: (bytes: Buffer, from: RemoteInfo) => void) =>
          socket.on(
            event,
            event === 'message'
              ? (bytes: Buffer, from: RemoteInfo) => {
                  if (gate.admits(bytes, from)) listener(bytes, from);
                }
              : listener,
          ),
      },
    }) as Socket;
    const server = createServer((request, response) => void this.#take(request, response));
    server.on('error', (cause) => this.#problem('the socket failed', cause));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(admitted, () => resolve()));
  }

  async #take(request: IncomingMessage, response: OutgoingMessage): Promise<void> {
    // The other side resets what it does not await any more.
    response.on('error', (cause: unknown) => this.#problem('a response was not delivered', cause));
    if (request.url.split('?')[0] !== PATH) end(response, '4.04');
    else if (request.method !== 'POST') end(response, '4.05');
    else {
      try {
        const reply = await ask(this.#options.eim, Uint8Array.from(request.payload), { link: 'coap' });
        if (reply.kind === 'answer') end(response, '2.05', reply.message);
        else end(response, reply.kind === 'taken' ? '2.04' : '4.00');
      } catch (cause) {
        this.#problem('a message could not be taken', cause);
        end(response, '5.00');
      }
    }
  }

  #problem(what: string, cause: unknown): void {
    const detail = cause instanceof Error ? cause.message : String(cause);
    this.#options.onProblem?.(new EimError('network', `CoAP: ${what}: ${detail}`, { cause }));
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const socket = this.#socket;
    const server = this.#server;
    this.#socket = this.#server = undefined;
    if (!socket) return;
    server?.close();
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}

function end(response: OutgoingMessage, code: string, message?: Uint8Array): void {
  response.code = code;
  response.end(message && Buffer.from(message));
}
