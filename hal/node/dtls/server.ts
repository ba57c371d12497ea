import { createHmac, timingSafeEqual } from 'node:crypto';
import { masterOf, verifyData } from './client.js';
import { keysOf, SUITES, type Suite } from './crypto.js';
import { DtlsError } from './error.js';
import {
  Assembly,
  type ClientHello,
  Handshake,
  type Message,
  message,
  readClientHello,
  readIdentity,
  writeHelloVerify,
  writeServerHello,
} from './messages.js';
import { Content, type DtlsRecord, Protection, plainRecord, recordsOf } from './record.js';

export interface DtlsAddress {
  readonly address: string;
  readonly port: number;
}

export interface DtlsServerOptions {
  /** The key of an identity; undefined for one that is not known. */
  psk: (identity: string) => Uint8Array | undefined;
  /** Secure random bytes. */
  randomBytes: (count: number) => Buffer;
  send: (datagram: Uint8Array, to: DtlsAddress) => void;
  onData: (session: DtlsServerSession, data: Buffer) => void;
  onOpen?: (session: DtlsServerSession) => void;
  /** Ended by the client, replaced by a newer one, or forgotten. */
  onClose?: (session: DtlsServerSession) => void;
  /** A handshake that failed. */
  onRefused?: (from: DtlsAddress, error: DtlsError) => void;
  /** Sessions that are kept; beyond it the one that was silent longest goes. Default 1000. */
  limit?: number;
}

const CID_LENGTH = 4;
const DECRYPT_ERROR = 51;
const HANDSHAKE_FAILURE = 40;
const PROTOCOL_VERSION = 70;
const UNKNOWN_IDENTITY = 115;

interface Hidden {
  readonly cid: Buffer;
  readonly assembly: Assembly;
  hello: ClientHello | undefined;
  suite: Suite | undefined;
  serverRandom: Buffer;
  transcript: Buffer[];
  /** The last flight, for a client that has not heard it. */
  flight: (() => Buffer) | undefined;
  protection: Protection | undefined;
  changed: boolean;
  master: Buffer | undefined;
  expected: Buffer | undefined;
  sequence: number;
  nextMessage: number;
}

/** One client. Where it has a connection id its address may change. */
export class DtlsServerSession {
  identity = '';
  peer: DtlsAddress;
  isOpen = false;
  /** @internal */
  readonly hidden: Hidden;

  constructor(peer: DtlsAddress, hidden: Hidden) {
    this.peer = peer;
    this.hidden = hidden;
  }
}

/**
 * DTLS 1.2 with pre-shared keys, as server and without a socket: datagrams in, datagrams out. It keeps no state for a client
 * that has not proved its address, and needs no timer: the client sends its flight again, and so does the server then.
 */
export class DtlsServer {
  readonly #options: DtlsServerOptions;
  readonly #secret: Buffer;
  /** By address; the ones under way beside those that are open, which go on until the new one is. */
  readonly #pending = new Map<string, DtlsServerSession>();
  readonly #open = new Map<string, DtlsServerSession>();
  readonly #byCid = new Map<string, DtlsServerSession>();

  constructor(options: DtlsServerOptions) {
    this.#options = options;
    this.#secret = options.randomBytes(32);
  }

  get sessions(): number {
    return this.#byCid.size;
  }

  write(session: DtlsServerSession, data: Uint8Array): void {
    const { protection } = session.hidden;
    if (session.isOpen && protection) this.#options.send(protection.seal(Content.data, data), session.peer);
  }

  take(datagram: Uint8Array, from: DtlsAddress): void {
    for (const record of recordsOf(datagram, CID_LENGTH)) {
      if (record.epoch === 0) this.#plain(record, from);
      else this.#protected(record, from);
    }
  }

  /** Says goodbye to all. */
  close(): void {
    for (const session of this.#byCid.values()) {
      const { protection } = session.hidden;
      if (session.isOpen && protection)
        this.#options.send(protection.seal(Content.alert, Buffer.from([1, 0])), session.peer);
    }
    for (const session of [...this.#byCid.values()]) this.#forget(session);
    this.#pending.clear();
  }

  // Sessions --------------------------------------------------------------------------------------------------------

  #forget(session: DtlsServerSession): void {
    const key = keyOf(session.peer);
    if (this.#open.get(key) === session) this.#open.delete(key);
    if (this.#pending.get(key) === session) this.#pending.delete(key);
    this.#byCid.delete(session.hidden.cid.toString('hex'));
    if (!session.isOpen) return;
    session.isOpen = false;
    this.#options.onClose?.(session);
  }

  /** The last in the map is the one that was heard last. */
  #touch(session: DtlsServerSession): void {
    const cid = session.hidden.cid.toString('hex');
    this.#byCid.delete(cid);
    this.#byCid.set(cid, session);
    const { limit = 1_000 } = this.#options;
    for (const oldest of this.#byCid.values()) {
      if (this.#byCid.size <= limit) break;
      this.#forget(oldest);
    }
  }

  #alert(from: DtlsAddress, description: number): void {
    this.#options.send(plainRecord(Content.alert, 0, Buffer.from([2, description])), from);
  }

  #refuse(
    from: DtlsAddress,
    session: DtlsServerSession | undefined,
    description: number,
    text: string,
  ): void {
    if (session) this.#forget(session);
    this.#alert(from, description);
    this.#options.onRefused?.(from, new DtlsError('refused', `${keyOf(from)}: ${text}`));
  }

  // Handshake -------------------------------------------------------------------------------------------------------

  #plain(record: DtlsRecord, from: DtlsAddress): void {
    const session = this.#pending.get(keyOf(from));
    try {
      if (record.type === Content.handshake) this.#handshake(record, from, session);
      else if (record.type === Content.changeCipherSpec && session?.hidden.protection)
        session.hidden.changed = true;
      else if (record.type === Content.alert && session && record.fragment[0] === 2) this.#forget(session);
    } catch (error) {
      if (!(error instanceof DtlsError)) throw error;
      this.#refuse(from, session, HANDSHAKE_FAILURE, error.message);
    }
  }

  #handshake(record: DtlsRecord, from: DtlsAddress, session: DtlsServerSession | undefined): void {
    if (record.fragment[0] === Handshake.clientHello) this.#hello(record, from);
    else if (session) {
      const { messages, again } = session.hidden.assembly.take(record.fragment);
      for (const one of messages) this.#exchange(session, one);
      if (again) this.#repeat(session);
    }
  }

  #repeat(session: DtlsServerSession): void {
    const { flight } = session.hidden;
    if (flight) this.#options.send(flight(), session.peer);
  }

  #hello(record: DtlsRecord, from: DtlsAddress): void {
    const sequence = record.fragment.length >= 12 ? record.fragment.readUInt16BE(4) : 0;
    const [one] = new Assembly(sequence).take(record.fragment).messages;
    // Nobody sends a first message in fragments that has no certificate in it.
    if (!one) return;
    let hello: ClientHello;
    try {
      hello = readClientHello(one.body);
    } catch (error) {
      this.#refuse(from, undefined, PROTOCOL_VERSION, (error as Error).message);
      return;
    }
    const cookie = this.#cookie(hello, from);
    if (hello.cookie.length !== cookie.length || !timingSafeEqual(hello.cookie, cookie)) {
      const verify = message(Handshake.helloVerifyRequest, 0, writeHelloVerify(cookie));
      this.#options.send(plainRecord(Content.handshake, record.sequence, verify.whole), from);
      return;
    }
    const key = keyOf(from);
    const before = this.#pending.get(key);
    if (before?.hidden.hello?.random.equals(hello.random)) {
      this.#repeat(before);
      return;
    }
    if (before && !before.isOpen) this.#forget(before);
    this.#begin(one, hello, from, record.sequence);
  }

  #cookie(hello: ClientHello, { address, port }: DtlsAddress): Buffer {
    const hmac = createHmac('sha256', this.#secret);
    hmac.update(`${address} ${port} `).update(hello.random).update(Buffer.from(hello.suites));
    return hmac.digest().subarray(0, 16);
  }

  #begin(one: Message, hello: ClientHello, from: DtlsAddress, sequence: number): void {
    const suite = SUITES.find(({ id }) => hello.suites.includes(id));
    if (!suite) {
      const known = SUITES.map(({ name }) => name).join(', ');
      this.#refuse(from, undefined, HANDSHAKE_FAILURE, `the client has none of ${known}`);
      return;
    }
    const { randomBytes } = this.#options;
    const cid = randomBytes(CID_LENGTH);
    const session = new DtlsServerSession(from, {
      cid,
      assembly: new Assembly(one.sequence + 1),
      hello,
      suite,
      serverRandom: randomBytes(32),
      transcript: [one.whole],
      flight: undefined,
      protection: undefined,
      changed: false,
      master: undefined,
      expected: undefined,
      sequence,
      nextMessage: 1,
    });
    const { hidden } = session;
    const answer = writeServerHello({
      random: hidden.serverRandom,
      suite: suite.id,
      extendedMasterSecret: hello.extendedMasterSecret,
      renegotiationInfo: hello.renegotiationInfo,
      connectionId: hello.connectionId && cid,
    });
    const messages = [
      message(Handshake.serverHello, hidden.nextMessage++, answer),
      message(Handshake.serverHelloDone, hidden.nextMessage++, Buffer.alloc(0)),
    ];
    for (const { whole } of messages) hidden.transcript.push(whole);
    hidden.flight = () =>
      Buffer.concat(messages.map(({ whole }) => plainRecord(Content.handshake, ++hidden.sequence, whole)));
    this.#pending.set(keyOf(from), session);
    this.#touch(session);
    this.#repeat(session);
  }

  #exchange(session: DtlsServerSession, one: Message): void {
    const { hidden, peer } = session;
    const { hello, suite, serverRandom } = hidden;
    if (one.type !== Handshake.clientKeyExchange || hidden.master || !hello || !suite)
      throw new DtlsError('protocol', `a message of type ${one.type} out of turn`);
    session.identity = readIdentity(one.body);
    const key = this.#options.psk(session.identity);
    if (!key) {
      this.#refuse(
        peer,
        session,
        UNKNOWN_IDENTITY,
        `no key for the identity ${JSON.stringify(session.identity)}`,
      );
      return;
    }
    hidden.transcript.push(one.whole);
    const { transcript } = hidden;
    const master = masterOf(key, hello.extendedMasterSecret, transcript, hello.random, serverRandom);
    const keys = keysOf(master, hello.random, serverRandom);
    const ownCid = hello.connectionId ? hidden.cid : Buffer.alloc(0);
    hidden.master = master;
    hidden.expected = verifyData(master, 'client finished', transcript);
    hidden.protection = new Protection(
      suite,
      keys.server,
      keys.client,
      hello.connectionId ?? Buffer.alloc(0),
      ownCid,
    );
  }

  // Protected -------------------------------------------------------------------------------------------------------

  #protected(record: DtlsRecord, from: DtlsAddress): void {
    const key = keyOf(from);
    const candidates = record.cid
      ? [this.#byCid.get(record.cid.toString('hex'))]
      : [this.#pending.get(key), this.#open.get(key)];
    for (const session of candidates) {
      const opened = session?.hidden.changed ? session.hidden.protection?.unseal(record) : undefined;
      if (!session || !opened) continue;
      // Only what is newer than all before says where the client is now (RFC 9146 §6).
      if (opened.isNewest && record.cid) this.#move(session, from);
      this.#opened(session, opened.type, opened.plain);
      return;
    }
    // Its first protected record: the key is another one.
    const [first] = candidates;
    if (first && !first.isOpen && first.hidden.changed && keyOf(first.peer) === key) {
      const text = `the client has another key for the identity ${JSON.stringify(first.identity)}`;
      this.#refuse(from, first, DECRYPT_ERROR, text);
    }
  }

  #move(session: DtlsServerSession, to: DtlsAddress): void {
    const before = keyOf(session.peer);
    const now = keyOf(to);
    if (before === now) return;
    for (const map of [this.#open, this.#pending]) {
      if (map.get(before) !== session) continue;
      map.delete(before);
      map.set(now, session);
    }
    session.peer = to;
  }

  #opened(session: DtlsServerSession, type: number, plain: Buffer): void {
    this.#touch(session);
    if (type === Content.handshake) this.#finished(session, plain);
    else if (type === Content.data && session.isOpen) {
      // It has our Finished: its handshake needs no more help.
      if (this.#pending.get(keyOf(session.peer)) === session) this.#settle(session);
      this.#options.onData(session, plain);
    } else if (type === Content.alert && (plain[0] === 2 || plain[1] === 0)) this.#forget(session);
  }

  #settle(session: DtlsServerSession): void {
    const { hidden } = session;
    this.#pending.delete(keyOf(session.peer));
    hidden.flight = undefined;
    hidden.hello = undefined;
    hidden.transcript = [];
  }

  #finished(session: DtlsServerSession, plain: Buffer): void {
    const { hidden, peer } = session;
    const { protection, master, expected } = hidden;
    const { messages, again } = hidden.assembly.take(plain);
    for (const one of messages) {
      const isRight =
        one.type === Handshake.finished &&
        expected !== undefined &&
        one.body.length === expected.length &&
        timingSafeEqual(one.body, expected);
      if (!isRight || !protection || !master) {
        this.#refuse(peer, session, DECRYPT_ERROR, 'the client saw another handshake');
        return;
      }
      hidden.transcript.push(one.whole);
      const verify = verifyData(master, 'server finished', hidden.transcript);
      const finished = message(Handshake.finished, hidden.nextMessage++, verify);
      hidden.flight = () =>
        Buffer.concat([
          plainRecord(Content.changeCipherSpec, ++hidden.sequence, Buffer.from([1])),
          protection.seal(Content.handshake, finished.whole),
        ]);
      const key = keyOf(peer);
      const before = this.#open.get(key);
      if (before && before !== session) this.#forget(before);
      this.#open.set(key, session);
      session.isOpen = true;
      this.#options.onOpen?.(session);
      this.#repeat(session);
    }
    if (again) this.#repeat(session);
  }
}

function keyOf({ address, port }: DtlsAddress): string {
  return `${address} ${port}`;
}
