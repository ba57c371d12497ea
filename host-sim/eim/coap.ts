import { createSocket, type Socket } from 'node:dgram';
import { type Clock, RealClock } from '../clock.js';
import { CoapBlocks, type WholeRequest } from './coap-blocks.js';
import { CoapEndpoint, type Peer } from './coap-endpoint.js';
import type { Eim } from './eim.js';
import { EimError } from './error.js';
import { ask } from './exchange.js';

export interface CoapBindingOptions {
  eim: Eim;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  send: (datagram: Buffer, to: Peer) => void;
  /** Longest request that is taken, bytes; more is answered with 4.13. Default 65536. */
  limit?: number;
  /** A message that could not be taken. */
  onProblem?: (problem: EimError) => void;
}

/** Path of the ASN.1 binding (esipa.md §9). */
const PATH = ['gsma', 'rsp2', 'asn1'] as const;
const LIMIT = 65_536;

/**
 * Binds an eIM to CoAP (esipa.md §9), without a socket: POST, a message in the body, the answer in the response; block-wise in
 * both directions. 2.05 with an answer, 2.04 without; 4.04 for other paths, 4.05 for other methods, 4.00 for what is no
 * message, 4.13 for what is too long, 5.00 for what could not be saved.
 */
export class CoapBinding {
  readonly #options: CoapBindingOptions;
  readonly #endpoint: CoapEndpoint;

  constructor(options: CoapBindingOptions) {
    this.#options = options;
    const { clock, random, send, limit = LIMIT } = options;
    const blocks = new CoapBlocks(limit, (request) => this.#take(request));
    this.#endpoint = new CoapEndpoint({
      clock,
      random,
      send,
      onRequest: (packet, from) => blocks.request(packet, from),
    });
  }

  take(datagram: Uint8Array, from: Peer): void {
    this.#endpoint.take(datagram, from);
  }

  close(): void {
    this.#endpoint.close();
  }

  async #take({ method, path, payload }: WholeRequest): Promise<{ code: string; payload?: Uint8Array }> {
    if (path !== `/${PATH.join('/')}`) return { code: '4.04' };
    if (method !== 'POST') return { code: '4.05' };
    try {
      const reply = await ask(this.#options.eim, Uint8Array.from(payload), { link: 'coap' });
      if (reply.kind === 'answer') return { code: '2.05', payload: reply.message };
      return { code: reply.kind === 'taken' ? '2.04' : '4.00' };
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      const text = `CoAP: a message could not be taken: ${detail}`;
      this.#options.onProblem?.(new EimError('network', text, { cause }));
      return { code: '5.00' };
    }
  }
}

export interface CoapEimOptions {
  eim: Eim;
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  address?: string;
  /** As in CoapBindingOptions. */
  limit?: number;
  onProblem?: (problem: EimError) => void;
}

/** CoapBinding on a socket of Node. */
export class CoapEim {
  readonly #options: CoapEimOptions;
  #socket: Socket | undefined;
  #binding: CoapBinding | undefined;
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
    const { port, address = '127.0.0.1', eim, limit, onProblem } = this.#options;
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) => {
        const text = `CoAP cannot listen on ${address}, port ${port}: ${cause.message}`;
        reject(new EimError('network', text, { cause }));
      });
      socket.bind(port, address, resolve);
    });
    socket.removeAllListeners('error');
    socket.on('error', (cause) => onProblem?.(new EimError('network', `CoAP: ${cause.message}`, { cause })));
    this.#port = socket.address().port;
    this.#socket = socket;
    const binding = new CoapBinding({
      eim,
      clock: new RealClock(),
      random: Math.random,
      send: (datagram, to) => {
        if (this.#socket) socket.send(datagram, to.port, to.address, () => {});
      },
      limit,
      onProblem,
    });
    this.#binding = binding;
    socket.on('message', (bytes, { address, port }) => binding.take(bytes, { address, port }));
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    this.#binding?.close();
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}
