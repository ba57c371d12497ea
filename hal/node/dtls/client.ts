import { createHash, timingSafeEqual } from 'node:crypto';
import type { Timer, TimerHandle } from '../../contracts/index.js';
import { keysOf, premaster, prf, SUITES, type Suite } from './crypto.js';
import { alertText, DtlsError } from './error.js';
import {
  Assembly,
  Handshake,
  type Message,
  message,
  readHelloVerify,
  readServerHello,
  writeClientHello,
  writeIdentity,
} from './messages.js';
import { Content, Protection, plainRecord, recordsOf } from './record.js';

export interface DtlsPsk {
  identity: string;
  key: Uint8Array;
}

export interface DtlsClientOptions {
  psk: DtlsPsk;
  /** Secure random bytes. */
  randomBytes: (count: number) => Buffer;
  timer: Timer;
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

/** One session as client: DTLS 1.2 with a pre-shared key (RFC 6347, 4279, 7627, 9146). It may change its socket. */
export class DtlsClient {
  handler: DtlsClientHandler | undefined;
  /** Datagrams sent since the last one that was heard. */
  unanswered = 0;
  readonly #options: DtlsClientOptions;
  readonly #random: Buffer;
  readonly #assembly = new Assembly();
  #cookie: Buffer = Buffer.alloc(0);
  #cookies = 0;
  #transcript: Buffer[] = [];
  #flight: { type: number; content: Uint8Array }[] = [];
  #sent = 0;
  #pause = 0;
  #deadline: TimerHandle | undefined;
  #sequence = 0;
  #nextMessage = 0;
  #suite: Suite | undefined;
  #serverRandom: Buffer | undefined;
  #extended = false;
  #serverCid: Buffer = NO_CID;
  #master: Buffer | undefined;
  #protection: Protection | undefined;
  #changed = false;
  #state: 'idle' | 'hello' | 'finishing' | 'open' | 'closed' = 'idle';

  constructor(options: DtlsClientOptions) {
    this.#options = options;
    this.#random = options.randomBytes(32);
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
    this.#hello();
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
    this.#options.timer.clear(this.#deadline);
    this.#deadline = undefined;
    this.#state = 'closed';
  }

  #fail(code: ConstructorParameters<typeof DtlsError>[0], text: string): void {
    if (this.#state === 'closed') return;
    const { identity } = this.#options.psk;
    this.#end();
    this.handler?.onFailure(new DtlsError(code, `DTLS as ${identity}: ${text}`));
  }

  // Flights ---------------------------------------------------------------------------------------------------------

  #hello(): void {
    const body = writeClientHello({
      random: this.#random,
      cookie: this.#cookie,
      suites: SUITES.map(({ id }) => id),
      extendedMasterSecret: true,
      renegotiationInfo: true,
      connectionId: NO_CID,
    });
    const hello = message(Handshake.clientHello, this.#nextMessage++, body);
    this.#transcript = [hello.whole];
    this.#begin([{ type: Content.handshake, content: hello.whole }]);
  }

  #begin(flight: { type: number; content: Uint8Array }[]): void {
    this.#flight = flight;
    this.#sent = 0;
    this.#pause = this.#options.flight;
    this.#again();
  }

  #again(): void {
    const { timer, attempts } = this.#options;
    timer.clear(this.#deadline);
    if (this.#sent === attempts) {
      const hint = this.#state === 'finishing' ? '; it may have another key for this identity' : '';
      this.#fail('noAnswer', `the server did not answer the handshake${hint}`);
      return;
    }
    this.#sent++;
    this.#deadline = timer.set(() => this.#again(), this.#pause);
    this.#pause *= 2;
    const last = this.#flight.at(-1);
    const records = this.#flight.map((part) =>
      // Finished is the first one that is protected.
      part === last && this.#protection
        ? this.#protection.seal(part.type, part.content)
        : plainRecord(part.type, this.#sequence++, part.content),
    );
    this.handler?.send(Buffer.concat(records));
  }

  // In --------------------------------------------------------------------------------------------------------------

  take(datagram: Uint8Array): void {
    for (const record of recordsOf(datagram, 0)) {
      if (this.#state === 'closed') return;
      if (record.epoch === 0) {
        if (this.#state !== 'open') this.#plain(record.type, record.fragment);
        continue;
      }
      const opened = this.#changed ? this.#protection?.unseal(record) : undefined;
      if (!opened) continue;
      this.unanswered = 0;
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
    else if (level === 2) this.#fail('refused', `the server refused with ${alertText(description)}`);
  }

  #handshake(fragment: Buffer): void {
    try {
      for (const one of this.#assembly.take(fragment).messages) this.#take(one);
    } catch (error) {
      if (!(error instanceof DtlsError)) throw error;
      this.#fail('protocol', error.message);
    }
  }

  #take(one: Message): void {
    if (one.type === Handshake.helloVerifyRequest && this.#state === 'hello') {
      if (++this.#cookies > 3) throw new DtlsError('protocol', 'the server is not content with its cookie');
      this.#cookie = readHelloVerify(one.body);
      this.#hello();
      return;
    }
    if (one.type === Handshake.finished) {
      this.#finished(one);
      return;
    }
    if (this.#state !== 'hello') throw new DtlsError('protocol', `a message of type ${one.type} out of turn`);
    this.#transcript.push(one.whole);
    switch (one.type) {
      case Handshake.serverHello: {
        const hello = readServerHello(one.body);
        this.#suite = SUITES.find(({ id }) => id === hello.suite);
        if (!this.#suite) throw new DtlsError('protocol', 'the server chose a suite that was not offered');
        this.#serverRandom = hello.random;
        this.#extended = hello.extendedMasterSecret;
        this.#serverCid = hello.connectionId ?? NO_CID;
        break;
      }
      // A hint which key to take: there is one only.
      case Handshake.serverKeyExchange:
        break;
      case Handshake.serverHelloDone:
        this.#finish();
        break;
      default:
        throw new DtlsError('protocol', `the server asks for more than a pre-shared key (type ${one.type})`);
    }
  }

  #finish(): void {
    const suite = this.#suite;
    const serverRandom = this.#serverRandom;
    if (!suite || !serverRandom) throw new DtlsError('protocol', 'ServerHelloDone without ServerHello');
    const { psk } = this.#options;
    const exchange = message(Handshake.clientKeyExchange, this.#nextMessage++, writeIdentity(psk.identity));
    this.#transcript.push(exchange.whole);
    const master = masterOf(psk.key, this.#extended, this.#transcript, this.#random, serverRandom);
    const keys = keysOf(master, this.#random, serverRandom);
    this.#master = master;
    this.#protection = new Protection(suite, keys.client, keys.server, this.#serverCid, NO_CID);
    const verify = verifyData(master, 'client finished', this.#transcript);
    const finished = message(Handshake.finished, this.#nextMessage++, verify);
    this.#transcript.push(finished.whole);
    this.#state = 'finishing';
    this.#begin([
      { type: Content.handshake, content: exchange.whole },
      { type: Content.changeCipherSpec, content: Buffer.from([1]) },
      { type: Content.handshake, content: finished.whole },
    ]);
  }

  #finished(one: Message): void {
    const master = this.#master;
    if (this.#state !== 'finishing' || !master || !this.#changed)
      throw new DtlsError('protocol', 'Finished out of turn');
    const expected = verifyData(master, 'server finished', this.#transcript);
    if (one.body.length !== expected.length || !timingSafeEqual(one.body, expected))
      throw new DtlsError('protocol', 'the server saw another handshake');
    this.#options.timer.clear(this.#deadline);
    this.#deadline = undefined;
    this.#state = 'open';
    this.#transcript = [];
    this.#flight = [];
    this.handler?.onOpen();
  }
}

/** The master secret, bound to the handshake where both sides can (RFC 7627). */
export function masterOf(
  psk: Uint8Array,
  extended: boolean,
  transcript: readonly Buffer[],
  clientRandom: Buffer,
  serverRandom: Buffer,
): Buffer {
  const secret = premaster(psk);
  if (extended) return prf(secret, 'extended master secret', hash(transcript), 48);
  return prf(secret, 'master secret', Buffer.concat([clientRandom, serverRandom]), 48);
}

export function verifyData(master: Buffer, label: string, transcript: readonly Buffer[]): Buffer {
  return prf(master, label, hash(transcript), 12);
}

function hash(transcript: readonly Buffer[]): Buffer {
  const sum = createHash('sha256');
  for (const part of transcript) sum.update(part);
  return sum.digest();
}
