import { timingSafeEqual } from 'node:crypto';
import type { Timer } from '../../contracts/index.js';
import {
  CertificateExchange,
  type ClientExchange,
  type DtlsExpectation,
  type DtlsPsk,
  PskExchange,
} from './client-exchange.js';
import type { Suite } from './crypto.js';
import { alertText, DtlsError } from './error.js';
import type { Part } from './flight.js';
import { readHelloVerify, readServerHello, type ServerHello, writeClientHello } from './hello.js';
import { Assembly, Handshake, type Message, message } from './messages.js';
import { Content, Protection, plainRecord, recordsOf } from './record.js';
import { Retransmission } from './retransmission.js';
import { keysOf, masterOf, verifyData } from './secrets.js';

export interface DtlsClientOptions {
  /** The pre-shared key; or else who the server has to be. */
  peer: DtlsPsk | DtlsExpectation;
  /** Secure random bytes. */
  randomBytes: (count: number) => Buffer;
  timer: Timer;
  /** Milliseconds since 1970, for the dates of certificates. */
  now: () => number;
  /** First pause before a flight is sent again, milliseconds; doubled each time. */
  flight: number;
  attempts: number;
}

/** Whom a session tells. */
export interface DtlsClientHandler {
  send(datagram: Uint8Array): void;
  onOpen(): void;
  onData(data: Buffer): void;
  /** The handshake failed, or the server ended the session. */
  onFailure(error: DtlsError): void;
}

/** Asks the server for a connection id, and needs none itself: the datagrams to a client find it by its address. */
const NO_CID = Buffer.alloc(0);
const DECRYPT_ERROR = 51;

/** One session as client: DTLS 1.2 (RFC 6347, 7627, 9146). It may change its socket. */
export class DtlsClient {
  handler: DtlsClientHandler | undefined;
  /** Datagrams sent since the last one that was heard. */
  unanswered = 0;
  /** Something came since then that is not DTLS. */
  isDoubtful = false;
  readonly #random: Buffer;
  readonly #exchange: ClientExchange;
  readonly #flight: Retransmission;
  readonly #assembly = new Assembly();
  #cookie: Buffer = Buffer.alloc(0);
  #cookies = 0;
  #transcript: Buffer[] = [];
  #sequence = 0;
  #nextMessage = 0;
  #hello: ServerHello | undefined;
  #suite: Suite | undefined;
  #master: Buffer | undefined;
  #protection: Protection | undefined;
  #changed = false;
  #state: 'idle' | 'hello' | 'finishing' | 'open' | 'closed' = 'idle';

  constructor({ peer, randomBytes, timer, now, flight, attempts }: DtlsClientOptions) {
    this.#random = randomBytes(32);
    this.#exchange =
      'identity' in peer ? new PskExchange(peer) : new CertificateExchange(peer, randomBytes, now);
    this.#flight = new Retransmission({
      timer,
      flight,
      attempts,
      write: (part) => this.#record(part),
      send: (datagram) => this.handler?.send(datagram),
      onGivenUp: () => this.#givenUp(),
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** The server finds this session again whatever address its datagrams come from. */
  get isPortable(): boolean {
    return this.isOpen && this.#protection?.hasPeerCid === true;
  }

  start(): void {
    this.#state = 'hello';
    this.#sayHello();
  }

  write(data: Uint8Array): void {
    if (!this.isOpen || !this.#protection) return;
    this.unanswered++;
    this.handler?.send(this.#protection.seal(Content.data, data));
  }

  /** Says goodbye where there is a session. Idempotent. */
  close(): void {
    if (this.isOpen && this.#protection)
      this.handler?.send(this.#protection.seal(Content.alert, Buffer.from([1, 0])));
    this.#end();
  }

  #end(): void {
    this.#flight.stop();
    this.#state = 'closed';
  }

  #fail(code: ConstructorParameters<typeof DtlsError>[0], text: string): void {
    if (this.#state === 'closed') return;
    const { label, expected } = this.#exchange;
    this.#end();
    this.handler?.onFailure(new DtlsError(code, `${label}: ${text}; expected ${expected}`));
  }

  #givenUp(): void {
    if (this.isDoubtful)
      this.#fail('refused', 'the server answered the handshake with something that is not DTLS');
    else this.#fail('noAnswer', `the server did not answer the handshake${this.#hint}`);
  }

  get #hint(): string {
    const { hint } = this.#exchange;
    return this.#state === 'finishing' && hint !== '' ? `; ${hint}` : '';
  }

  // Out -------------------------------------------------------------------------------------------------------------

  #sayHello(): void {
    const { suites, hello } = this.#exchange;
    const body = writeClientHello({
      random: this.#random,
      cookie: this.#cookie,
      suites: suites.map(({ id }) => id),
      extendedMasterSecret: true,
      renegotiationInfo: true,
      connectionId: NO_CID,
      ...hello,
    });
    const { whole } = message(Handshake.clientHello, this.#nextMessage++, body);
    this.#transcript = [whole];
    this.#flight.begin([{ type: Content.handshake, content: whole }]);
  }

  #record({ type, content, isProtected }: Part): Buffer {
    return isProtected && this.#protection
      ? this.#protection.seal(type, content)
      : plainRecord(type, this.#sequence++, content);
  }

  // In --------------------------------------------------------------------------------------------------------------

  take(datagram: Uint8Array): void {
    const records = recordsOf(datagram, 0);
    if (records.length === 0) {
      this.isDoubtful = true;
      this.#flight.hurry();
    }
    for (const record of records) {
      if (this.#state === 'closed') return;
      if (record.epoch === 0) {
        if (this.#state !== 'open') this.#plain(record.type, record.fragment);
        continue;
      }
      const opened = this.#changed ? this.#protection?.unseal(record) : undefined;
      if (!opened) continue;
      this.unanswered = 0;
      this.isDoubtful = false;
      if (opened.type === Content.data && this.isOpen) this.handler?.onData(opened.plain);
      else if (opened.type === Content.alert) this.#alert(opened.plain);
      else if (opened.type === Content.handshake && !this.isOpen) this.#handshake(opened.plain);
    }
  }

  #plain(type: number, fragment: Buffer): void {
    if (type === Content.alert) this.#alert(fragment);
    else if (type === Content.changeCipherSpec) this.#changed = this.#protection !== undefined;
    else if (type === Content.handshake) this.#handshake(fragment);
  }

  #alert(fragment: Buffer): void {
    const [level, description] = fragment;
    if (description === 0) this.#fail('refused', 'the server ended the session');
    else if (level === 2)
      this.#fail('refused', `the server refused with ${alertText(description)}${this.#hint}`);
  }

  #handshake(fragment: Buffer): void {
    try {
      for (const one of this.#assembly.take(fragment).messages) this.#take(one);
    } catch (error) {
      if (!(error instanceof DtlsError)) throw error;
      const alert = { type: Content.alert, content: Buffer.from([2, error.alert]) };
      this.handler?.send(this.#record({ ...alert, isProtected: true }));
      this.#fail(error.code as 'protocol', error.message);
    }
  }

  #take(one: Message): void {
    if (one.type === Handshake.helloVerifyRequest && this.#state === 'hello') {
      if (++this.#cookies > 3) throw new DtlsError('protocol', 'the server is not content with its cookie');
      this.#cookie = readHelloVerify(one.body);
      this.#sayHello();
      return;
    }
    if (one.type === Handshake.finished) {
      this.#finished(one);
      return;
    }
    const isFirst = one.type === Handshake.serverHello;
    if (this.#state !== 'hello' || isFirst !== (this.#hello === undefined))
      throw new DtlsError('protocol', `a message of type ${one.type} out of turn`);
    this.#transcript.push(one.whole);
    if (isFirst) this.#greeted(readServerHello(one.body));
    else if (one.type === Handshake.serverHelloDone) this.#finish();
    else this.#exchange.take(one);
  }

  #greeted(hello: ServerHello): void {
    this.#suite = this.#exchange.suites.find(({ id }) => id === hello.suite);
    if (!this.#suite) throw new DtlsError('protocol', 'the server chose a suite that was not offered');
    this.#hello = hello;
    this.#exchange.begin(hello, this.#random);
  }

  #finish(): void {
    const suite = this.#suite;
    const hello = this.#hello;
    if (!suite || !hello) throw new DtlsError('protocol', 'ServerHelloDone without ServerHello');
    const { premaster, messages } = this.#exchange.finish();
    const wholes = messages.map(({ type, body }) => message(type, this.#nextMessage++, body).whole);
    this.#transcript.push(...wholes);
    const { extendedMasterSecret, random, connectionId = NO_CID } = hello;
    const master = masterOf(premaster, extendedMasterSecret, this.#transcript, this.#random, random);
    const keys = keysOf(master, this.#random, random);
    this.#master = master;
    this.#protection = new Protection(suite, keys.client, keys.server, connectionId, NO_CID);
    const verify = verifyData(master, 'client finished', this.#transcript);
    const finished = message(Handshake.finished, this.#nextMessage++, verify);
    this.#transcript.push(finished.whole);
    this.#state = 'finishing';
    this.#flight.begin([
      ...wholes.map((content) => ({ type: Content.handshake, content })),
      { type: Content.changeCipherSpec, content: Buffer.from([1]) },
      { type: Content.handshake, content: finished.whole, isProtected: true },
    ]);
  }

  #finished(one: Message): void {
    const master = this.#master;
    if (this.#state !== 'finishing' || !master || !this.#changed)
      throw new DtlsError('protocol', 'Finished out of turn');
    const expected = verifyData(master, 'server finished', this.#transcript);
    if (one.body.length !== expected.length || !timingSafeEqual(one.body, expected))
      throw new DtlsError('protocol', 'the server saw another handshake', DECRYPT_ERROR);
    this.#flight.stop();
    this.#state = 'open';
    this.#transcript = [];
    this.handler?.onOpen();
  }
}
