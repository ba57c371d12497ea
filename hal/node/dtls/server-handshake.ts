import { timingSafeEqual } from 'node:crypto';
import { DtlsError } from './error.js';
import { datagramsOf, type Part } from './flight.js';
import { type ClientHello, writeServerHello } from './hello.js';
import { Assembly, Handshake, type Message, message } from './messages.js';
import { Content, Protection, plainRecord } from './record.js';
import { keysOf, masterOf, verifyData } from './secrets.js';
import { exchangeFor, type ServerExchange, type ServerSecrets } from './server-secrets.js';

/** Nobody sends long messages who shows no certificate. */
const LONGEST = 4_096;
const DECRYPT_ERROR = 51;

/** One handshake as server, from a ClientHello with the right cookie on; and what is left of it. */
export class ServerHandshake {
  readonly cid: Buffer;
  protection: Protection | undefined;
  /** The client's records are protected from here on. */
  changed = false;
  readonly #hello: ClientHello;
  readonly #exchange: ServerExchange;
  readonly #serverRandom: Buffer;
  readonly #assembly: Assembly;
  #transcript: Buffer[];
  /** The last flight, for a client that has not heard it. */
  #flight: Part[] = [];
  #master: Buffer | undefined;
  #expected: Buffer | undefined;
  #sequence: number;
  #nextMessage = 1;

  /**
   * @param sequence of the record with the ClientHello: those of the answer follow it
   * @throws DtlsError for a client with which there is nothing in common
   */
  constructor(
    one: Message,
    hello: ClientHello,
    sequence: number,
    secrets: ServerSecrets,
    { cid, randomBytes }: { cid: Buffer; randomBytes: (count: number) => Buffer },
  ) {
    this.cid = cid;
    this.#hello = hello;
    this.#sequence = sequence;
    this.#exchange = exchangeFor(hello, secrets, randomBytes);
    this.#serverRandom = randomBytes(32);
    this.#assembly = new Assembly(one.sequence + 1, LONGEST);
    this.#transcript = [one.whole];
    const { suite, certificateType } = this.#exchange;
    const answer = writeServerHello({
      random: this.#serverRandom,
      suite: suite.id,
      extendedMasterSecret: hello.extendedMasterSecret,
      renegotiationInfo: hello.renegotiationInfo,
      connectionId: hello.connectionId && cid,
      certificateType,
    });
    const bodies = [
      { type: Handshake.serverHello, body: answer },
      ...this.#exchange.messages(Buffer.concat([hello.random, this.#serverRandom])),
      { type: Handshake.serverHelloDone, body: Buffer.alloc(0) },
    ];
    this.#flight = bodies.map(({ type, body }) => {
      const { whole } = message(type, this.#nextMessage++, body);
      this.#transcript.push(whole);
      return { type: Content.handshake, content: whole };
    });
  }

  /** Of a pre-shared key; empty while it is not known, or where there is none. */
  get identity(): string {
    return this.#exchange.identity;
  }

  /** The client said this, too: it has not heard the answer. */
  isOf(hello: ClientHello): boolean {
    return this.#hello.random.equals(hello.random);
  }

  /** The datagrams of the last flight, with fresh numbers; none when the handshake is over. */
  flight(): Buffer[] {
    if (this.#flight.length === 0) return [];
    return datagramsOf(this.#flight, ({ type, content, isProtected }) =>
      isProtected && this.protection
        ? this.protection.seal(type, content)
        : plainRecord(type, ++this.#sequence, content),
    );
  }

  /** Plain messages. @returns whether the client repeats itself @throws DtlsError */
  take(fragment: Buffer): boolean {
    const { messages, again } = this.#assembly.take(fragment);
    for (const one of messages) this.#agree(one);
    return again;
  }

  /** Protected messages. @returns whether there is a flight to be sent @throws DtlsError */
  finish(fragment: Buffer): { finished: boolean; again: boolean } {
    const { messages, again } = this.#assembly.take(fragment);
    for (const one of messages) this.#finished(one);
    return { finished: messages.length > 0, again };
  }

  /** The client has heard all of it. */
  settle(): void {
    this.#flight = [];
    this.#transcript = [];
  }

  #agree(one: Message): void {
    if (one.type !== Handshake.clientKeyExchange || this.#master)
      throw new DtlsError('protocol', `a message of type ${one.type} out of turn`);
    const { suite } = this.#exchange;
    const { random, extendedMasterSecret, connectionId } = this.#hello;
    const premaster = this.#exchange.take(one.body);
    this.#transcript.push(one.whole);
    const master = masterOf(premaster, extendedMasterSecret, this.#transcript, random, this.#serverRandom);
    const keys = keysOf(master, random, this.#serverRandom);
    const none = Buffer.alloc(0);
    const ownCid = connectionId ? this.cid : none;
    this.#master = master;
    this.#expected = verifyData(master, 'client finished', this.#transcript);
    this.protection = new Protection(suite, keys.server, keys.client, connectionId ?? none, ownCid);
  }

  #finished(one: Message): void {
    const expected = this.#expected;
    const isRight =
      one.type === Handshake.finished &&
      expected !== undefined &&
      one.body.length === expected.length &&
      timingSafeEqual(one.body, expected);
    if (!isRight || !this.#master)
      throw new DtlsError('refused', 'the client saw another handshake', DECRYPT_ERROR);
    this.#expected = undefined;
    this.#transcript.push(one.whole);
    const verify = verifyData(this.#master, 'server finished', this.#transcript);
    const finished = message(Handshake.finished, this.#nextMessage++, verify);
    this.#flight = [
      { type: Content.changeCipherSpec, content: Buffer.from([1]) },
      { type: Content.handshake, content: finished.whole, isProtected: true },
    ];
  }
}
