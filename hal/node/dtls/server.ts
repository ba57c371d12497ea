import { createHmac, timingSafeEqual } from 'node:crypto';
import { alertText, DtlsError } from './error.js';
import { type ClientHello, readClientHello, writeHelloVerify } from './hello.js';
import { Assembly, Handshake, message } from './messages.js';
import { Content, type DtlsRecord, plainRecord, recordsOf } from './record.js';
import { ServerHandshake } from './server-handshake.js';
import type { ServerSecrets } from './server-secrets.js';

export interface DtlsAddress {
  readonly address: string;
  readonly port: number;
}

export interface DtlsServerOptions extends ServerSecrets {
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

/** One client. Where it has a connection id its address may change. */
export class DtlsServerSession {
  /** Of its pre-shared key; empty for a client that looked at the certificate. */
  identity = '';
  peer: DtlsAddress;
  isOpen = false;
  /** @internal */
  readonly hidden: ServerHandshake;

  constructor(peer: DtlsAddress, hidden: ServerHandshake) {
    this.peer = peer;
    this.hidden = hidden;
  }
}

/**
 * DTLS 1.2 with pre-shared keys, a certificate or its key, as server and without a socket: datagrams in, datagrams out. It keeps no state for a client
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

  #refuse(from: DtlsAddress, session: DtlsServerSession | undefined, error: DtlsError): void {
    if (session) this.#forget(session);
    this.#options.send(plainRecord(Content.alert, 0, Buffer.from([2, error.alert])), from);
    this.#report(from, error.message);
  }

  #report(from: DtlsAddress, text: string): void {
    this.#options.onRefused?.(from, new DtlsError('refused', `${keyOf(from)}: ${text}`));
  }

  // Handshake -------------------------------------------------------------------------------------------------------

  #plain(record: DtlsRecord, from: DtlsAddress): void {
    const session = this.#pending.get(keyOf(from));
    try {
      if (record.type === Content.handshake) this.#handshake(record, from, session);
      else if (record.type === Content.changeCipherSpec && session?.hidden.protection)
        session.hidden.changed = true;
      else if (record.type === Content.alert && session && !session.isOpen)
        this.#alert(record.fragment, session);
    } catch (error) {
      if (!(error instanceof DtlsError)) throw error;
      // Anybody can begin anew in its name.
      const isHello = record.fragment[0] === Handshake.clientHello;
      this.#refuse(from, isHello ? undefined : session, error);
    }
  }

  #alert([level, description]: Buffer, session: DtlsServerSession): void {
    if (level !== 2 && description !== 0) return;
    if (level === 2) this.#report(session.peer, `the client refused with ${alertText(description)}`);
    this.#forget(session);
  }

  #handshake(record: DtlsRecord, from: DtlsAddress, session: DtlsServerSession | undefined): void {
    if (record.fragment[0] === Handshake.clientHello) this.#hello(record, from);
    else if (session?.hidden.take(record.fragment)) this.#send(session);
    if (session) session.identity = session.hidden.identity;
  }

  /** Its last flight, once more. */
  #send(session: DtlsServerSession): void {
    for (const datagram of session.hidden.flight()) this.#options.send(datagram, session.peer);
  }

  #hello(record: DtlsRecord, from: DtlsAddress): void {
    const sequence = record.fragment.length >= 12 ? record.fragment.readUInt16BE(4) : 0;
    const [one] = new Assembly(sequence).take(record.fragment).messages;
    // Nobody sends a first message in fragments that has no certificate in it.
    if (!one) return;
    const hello = readClientHello(one.body);
    const cookie = this.#cookie(hello, from);
    if (hello.cookie.length !== cookie.length || !timingSafeEqual(hello.cookie, cookie)) {
      const verify = message(Handshake.helloVerifyRequest, 0, writeHelloVerify(cookie));
      this.#options.send(plainRecord(Content.handshake, record.sequence, verify.whole), from);
      return;
    }
    const key = keyOf(from);
    const before = this.#pending.get(key);
    if (before?.hidden.isOf(hello)) {
      this.#send(before);
      return;
    }
    if (before && !before.isOpen) this.#forget(before);
    const { randomBytes } = this.#options;
    const own = { cid: randomBytes(CID_LENGTH), randomBytes };
    const handshake = new ServerHandshake(one, hello, record.sequence, this.#options, own);
    const session = new DtlsServerSession(from, handshake);
    this.#pending.set(key, session);
    this.#touch(session);
    this.#send(session);
  }

  #cookie(hello: ClientHello, { address, port }: DtlsAddress): Buffer {
    const hmac = createHmac('sha256', this.#secret);
    hmac.update(`${address} ${port} `).update(hello.random).update(Buffer.from(hello.suites));
    return hmac.digest().subarray(0, 16);
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
      const which = first.identity === '' ? '' : ` for the identity ${JSON.stringify(first.identity)}`;
      this.#refuse(
        from,
        first,
        new DtlsError('refused', `the client has another key${which}`, DECRYPT_ERROR),
      );
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
    } else if (type === Content.alert) this.#alert(plain, session);
  }

  #settle(session: DtlsServerSession): void {
    this.#pending.delete(keyOf(session.peer));
    session.hidden.settle();
  }

  #finished(session: DtlsServerSession, plain: Buffer): void {
    const { peer } = session;
    try {
      const { finished, again } = session.hidden.finish(plain);
      if (finished && !session.isOpen) this.#opens(session);
      if (finished || again) this.#send(session);
    } catch (error) {
      if (!(error instanceof DtlsError)) throw error;
      this.#refuse(peer, session, error);
    }
  }

  #opens(session: DtlsServerSession): void {
    const key = keyOf(session.peer);
    const before = this.#open.get(key);
    if (before && before !== session) this.#forget(before);
    this.#open.set(key, session);
    session.isOpen = true;
    this.#options.onOpen?.(session);
  }
}

function keyOf({ address, port }: DtlsAddress): string {
  return `${address} ${port}`;
}
