import { createSocket, type Socket } from 'node:dgram';
import {
  GetEimPackageRequest,
  HandleNotification,
  hex,
  readElement,
  TransferEimPackageResponse,
} from '../asn1/index.js';
import { type Clock, RealClock } from '../clock.js';
import { CoapBlocks, postInBlocks, type WholeAnswer, type WholeRequest } from './coap-blocks.js';
import { CoapEndpoint, type Peer } from './coap-endpoint.js';
import type { Eim } from './eim.js';
import { EimError } from './error.js';
import { ask } from './exchange.js';
import { acknowledgement, attempt } from './messages.js';

export interface CoapBindingOptions {
  eim: Eim;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  send: (datagram: Buffer, to: Peer) => void;
  /** As in CoapEndpointOptions. */
  tokenLength?: number;
  /** Longest request that is taken, bytes; more is answered with 4.13. Default 65536. */
  limit?: number;
  /** A message that could not be taken. */
  onProblem?: (problem: EimError) => void;
}

/** Path of the ASN.1 binding (esipa.md §9). */
const PATH = ['gsma', 'rsp2', 'asn1'] as const;
const LIMIT = 65_536;
/** So long after its last message a device is taken to be where it was: longer no NAT keeps its way open. Milliseconds. */
const REACHABLE = 300_000;
/** A device that is there has mostly answered by then, milliseconds. */
const ANSWERS = 2_000;
/** Results of a device that are acknowledged together: the eUICC keeps them until then. */
const TOGETHER = 8;
/** Devices whose addresses are known at a time. */
const DEVICES = 10_000;

/**
 * Binds an eIM to CoAP (esipa.md §9), without a socket: POST, a message in the body, the answer in the response; block-wise in
 * both directions. 2.05 with an answer, 2.04 without; 4.04 for other paths, 4.05 for other methods, 4.00 for what is no
 * message, 4.13 for what is too long, 5.03 with Max-Age for what could not be saved.
 *
 * Packages to be injected go to the address of the device's last poll, while it is heard from there; other links get them
 * where there is none. One that does not arrive there is given to the device with its next poll. Their results are
 * acknowledged when nothing else is to be injected, several with one message; what a device does not hear of, it sends again.
 */
export class CoapBinding {
  readonly #options: CoapBindingOptions;
  readonly #endpoint: CoapEndpoint;
  readonly #others: ((eid: string, message: Uint8Array) => void) | undefined;
  /** By EID; the one that was heard last comes last. */
  readonly #devices = new Map<string, { peer: Peer; at: number }>();
  readonly #eids = new Map<string, string>();
  /** What is being sent to a device; one after the other. */
  readonly #sending = new Map<string, Promise<void>>();
  /** The one of these that waits for its response. */
  readonly #pushed = new Map<string, { to: Peer; message: Uint8Array; at: number }>();
  /** Sequence numbers of results that are to be acknowledged. */
  readonly #owed = new Map<string, number[]>();
  #tag = 0;
  #closed = false;

  constructor(options: CoapBindingOptions) {
    this.#options = options;
    const { clock, random, send, limit = LIMIT } = options;
    const blocks = new CoapBlocks(limit, (request) => this.#take(request));
    this.#endpoint = new CoapEndpoint({
      clock,
      random,
      send,
      tokenLength: options.tokenLength,
      onRequest: (packet, from) => blocks.request(packet, from),
    });
    this.#others = options.eim.onInjection;
    options.eim.onInjection = (eid, message) => {
      const to = this.#peerOf(eid);
      if (to) this.#inject(eid, to, message);
      else if (this.#others) this.#others(eid, message);
      else options.eim.undelivered(eid, message);
    };
  }

  take(datagram: Uint8Array, from: Peer): void {
    // Whatever a device says keeps its way open.
    const device = this.#devices.get(this.#eids.get(keyOf(from)) ?? '');
    if (device) device.at = this.#options.clock.ticks;
    this.#endpoint.take(datagram, from);
  }

  /** There is nobody any more: whoever is there later is somebody else. */
  forget(peer: Peer): void {
    const eid = this.#eids.get(keyOf(peer));
    if (eid === undefined) return;
    const pushed = this.#pushed.get(eid);
    if (pushed) this.#options.eim.undelivered(eid, pushed.message);
    this.#devices.delete(eid);
    this.#eids.delete(keyOf(peer));
    this.#endpoint.giveUp(peer);
  }

  /** Ends all timers. */
  close(): void {
    this.#closed = true;
    this.#options.eim.onInjection = this.#others;
    this.#endpoint.close();
  }

  // Injection -------------------------------------------------------------------------------------------------------

  #note(message: Buffer, from: Peer): void {
    const field = attempt(() => readElement(message))?.children?.find(({ tag }) => tag === 0x5a);
    if (field?.content.length !== 16) return;
    const eid = hex(field.content);
    this.#doubt(eid, from);
    const before = this.#devices.get(eid)?.peer;
    if (before) this.#eids.delete(keyOf(before));
    this.#devices.delete(eid);
    this.#devices.set(eid, { peer: from, at: this.#options.clock.ticks });
    this.#eids.set(keyOf(from), eid);
    if (this.#devices.size <= DEVICES) return;
    const [[oldest, { peer }]] = this.#devices;
    this.#devices.delete(oldest);
    this.#eids.delete(keyOf(peer));
  }

  /** A device that polls from elsewhere, or a while after it was sent something, may not have got that. */
  #doubt(eid: string, { address, port }: Peer): void {
    const pushed = this.#pushed.get(eid);
    if (!pushed) return;
    const { to, at, message } = pushed;
    const isThere = to.address === address && to.port === port;
    if (isThere && this.#options.clock.ticks - at <= ANSWERS) return;
    this.#options.eim.undelivered(eid, message);
    this.#endpoint.giveUp(to);
  }

  #peerOf(eid: string): Peer | undefined {
    const known = this.#devices.get(eid);
    return known && this.#options.clock.ticks - known.at < REACHABLE ? known.peer : undefined;
  }

  #inject(eid: string, to: Peer, message: Uint8Array): void {
    const before = this.#sending.get(eid) ?? Promise.resolve();
    const sending = before.then(() => this.#send(eid, to, Buffer.from(message)));
    this.#sending.set(eid, sending);
    void sending.then(() => {
      // By then the eIM has injected what is next.
      if (this.#sending.get(eid) !== sending) return;
      this.#sending.delete(eid);
      this.#acknowledge(eid, to);
    });
  }

  #acknowledge(eid: string, to: Peer): void {
    const owed = this.#owed.get(eid);
    this.#owed.delete(eid);
    if (owed && !this.#closed) this.#inject(eid, to, acknowledgement(owed));
  }

  async #send(eid: string, to: Peer, message: Buffer): Promise<void> {
    if (this.#closed) return;
    this.#tag = (this.#tag + 1) & 0xffff;
    this.#pushed.set(eid, { to, message, at: this.#options.clock.ticks });
    const response = await postInBlocks(this.#endpoint, to, PATH, message, this.#tag);
    this.#pushed.delete(eid);
    if (this.#closed) return;
    if (!response?.code.startsWith('2.')) {
      this.#options.eim.undelivered(eid, message);
      // It sends those results again.
      this.#owed.delete(eid);
      const answer = response ? `answered ${response.code}` : 'did not answer';
      this.#problem(`the device ${eid} ${answer} to an injected package`, undefined);
    } else if (response.payload.length > 0) {
      try {
        const acknowledge = (seqNumbers: readonly number[]) => {
          const owed = [...(this.#owed.get(eid) ?? []), ...seqNumbers];
          this.#owed.set(eid, owed);
          if (owed.length >= TOGETHER) this.#acknowledge(eid, to);
        };
        const context = { eid, link: 'coap', acknowledge };
        const more = this.#options.eim.handle(Uint8Array.from(response.payload), context);
        if (more) this.#inject(eid, to, more);
      } catch (cause) {
        this.#problem('a message could not be taken', cause);
      }
    }
  }

  #problem(what: string, cause: unknown): void {
    const detail = cause === undefined ? '' : `: ${cause instanceof Error ? cause.message : String(cause)}`;
    this.#options.onProblem?.(new EimError('network', `CoAP: ${what}${detail}`, { cause }));
  }

  // Messages --------------------------------------------------------------------------------------------------------

  async #take({ method, path, payload, from }: WholeRequest): Promise<WholeAnswer> {
    if (path !== `/${PATH.join('/')}`) return { code: '4.04' };
    if (method !== 'POST') return { code: '4.05' };
    try {
      const tag = payload.length > 1 ? payload.readUInt16BE(0) : 0;
      if (tag === GetEimPackageRequest.tag) this.#note(payload, from);
      // These do not say who sends them.
      const isNameless = tag === HandleNotification.tag || tag === TransferEimPackageResponse.tag;
      const eid = isNameless ? this.#eids.get(keyOf(from)) : undefined;
      const reply = await ask(this.#options.eim, Uint8Array.from(payload), { link: 'coap', eid });
      if (reply.kind === 'answer') return { code: '2.05', payload: reply.message };
      if (reply.kind === 'unsaved') {
        this.#problem(reply.why, undefined);
        return { code: '5.03', maxAge: reply.retryAfter };
      }
      return { code: reply.kind === 'taken' ? '2.04' : '4.00' };
    } catch (cause) {
      this.#problem('a message could not be taken', cause);
      return { code: '5.00' };
    }
  }
}

function keyOf({ address, port }: Peer): string {
  return `${address} ${port}`;
}

export interface CoapEimOptions {
  eim: Eim;
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  address?: string;
  /** Real time when absent. */
  clock?: Clock;
  /** As in CoapBindingOptions. */
  limit?: number;
  tokenLength?: number;
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
    const { port, address = '127.0.0.1', eim, clock = new RealClock(), limit, onProblem } = this.#options;
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
      clock,
      random: Math.random,
      send: (datagram, to) => {
        if (this.#socket) socket.send(datagram, to.port, to.address, () => {});
      },
      limit,
      tokenLength: this.#options.tokenLength,
      onProblem,
    });
    this.#binding = binding;
    socket.on('message', (bytes, { address, port }) => binding.take(bytes, { address, port }));
  }

  /** As CoapBinding.forget(). */
  forget(peer: Peer): void {
    this.#binding?.forget(peer);
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
