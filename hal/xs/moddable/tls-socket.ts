/// <reference path="./typings/tls.d.ts" />
import Session, { type Transport } from 'ssl/session';
import SdkTimer from 'timer';
import { type TcpConfiguration, type TcpOptions, type TcpSocket, XsIpaError } from '../../contracts/index.js';
import { ServerCertificates } from './tls-certificates.js';
import { KeptSession } from './tls-session.js';
import { isSoundRecord } from './tls-signature.js';
import type { Trust } from './tls-trust.js';

interface TlsOptions extends TcpOptions {
  TCP: TcpConfiguration;
  serverName: string;
  trust: Trust;
  /** Of a link to one server, so that its sessions are taken up again. */
  kept?: KeptSession;
}

const TLS_1_2 = 0x303;
/** Longest record that is asked for (RFC 6066 §4). The SDK takes no message of a handshake that is in two. */
const RECORD = 4_096;
/** What a record takes beside its contents, at most. */
const OVERHEAD = 96;

/** The SDK's session, which does not get to see what it would go wrong with. */
class CheckedSession extends Session {
  override readPacket(transport: Transport): ArrayBuffer | undefined {
    const record = super.readPacket(transport);
    if (record && !this.serverCipher && !isSoundRecord(new Uint8Array(record)))
      throw new XsIpaError('untrusted', "the server's signature is none of ECDSA");
    return record;
  }
}

/**
 * TLS 1.2 of the SDK's session as a TcpSocket. Beside the SDK's own class: what is wrong in a handshake ends in onError and not
 * in an exception at the top, and a handshake counts only when the server has proved that the key is its own.
 */
export class TlsSocket implements TcpSocket {
  readonly #options: TlsOptions;
  readonly #certificates: ServerCertificates;
  readonly #kept: KeptSession;
  readonly #tcp: TcpSocket;
  readonly #transport: Transport;
  #session: Session | undefined;
  #isReady = false;
  /** Of a record that is being read. */
  #data: Uint8Array | undefined;
  #later: ReturnType<typeof SdkTimer.set> | undefined;
  /** The connection is over, and what was received has still to be read. */
  #isOver = false;

  constructor(options: TlsOptions) {
    const { TCP, serverName, trust, kept, ...rest } = options;
    this.#options = options;
    this.#certificates = new ServerCertificates(trust, serverName);
    this.#kept = kept ?? new KeptSession();
    const session = new CheckedSession({
      serverName,
      protocolVersion: TLS_1_2,
      tls_max_fragment_length: RECORD,
    });
    session.certificateManager = this.#certificates;
    session.cacheManager = this.#kept;
    session.initiateHandshake();
    this.#session = session;
    const { io, ...tcp } = TCP;
    const socket = new io({
      ...rest,
      ...tcp,
      onReadable: (count) => {
        this.#transport.readable = count;
        this.pump();
      },
      onWritable: (count) => this.onWritable(count),
      onError: (reason) => this.over(reason),
    });
    this.#tcp = socket;
    this.#transport = {
      readable: 0,
      writable: 0,
      read: (piece) => socket.read(piece),
      write(bytes) {
        const left = socket.write(bytes);
        return left ?? this.writable - bytes.byteLength;
      },
    };
  }

  /** @param into absent: one byte is returned, for the SDK's own clients */
  read(into?: Uint8Array): number | undefined {
    const data = this.#data;
    if (!data) return undefined;
    const count = Math.min(into ? into.length : 1, data.length);
    into?.set(data.subarray(0, count));
    this.#data = count < data.length ? data.subarray(count) : undefined;
    if (!this.#data) this.#later ??= SdkTimer.set(() => this.goOn());
    return into ? count : data[0];
  }

  /** @param options of the SDK's own clients: more of the same record follows */
  write(bytes: Uint8Array, options?: { more?: boolean; byteLength?: number }): number | undefined {
    const session = this.#session;
    if (!session) return 0;
    session.write(this.#transport, bytes, options);
    return options?.more ? undefined : roomOf(this.#transport.writable);
  }

  close(): void {
    this.#session = this.#data = undefined;
    if (this.#later !== undefined) SdkTimer.clear(this.#later);
    this.#later = undefined;
    this.#tcp.close();
  }

  private onWritable(count: number): void {
    this.#transport.writable = count;
    if (!this.#isReady) this.pump();
    else if (this.#session && count > OVERHEAD) this.#options.onWritable?.(roomOf(count));
  }

  /** Takes records out of the socket until there is something to read. */
  private pump(): void {
    const session = this.#session;
    if (!session || this.#data) return;
    const wasReady = this.#isReady;
    let data: Uint8Array | null | undefined;
    try {
      if (!wasReady) this.shake(session);
      if (this.#isReady)
        do data = session.read(this.#transport);
        while (data?.length === 0);
    } catch (cause) {
      // A server that has forgotten the session may answer in any way.
      if (!this.#isReady) this.#kept.drop();
      this.fail(cause);
      return;
    }
    if (!wasReady && this.#isReady) this.onWritable(this.#transport.writable);
    if (this.#session !== session) return;
    if (data === null) this.over(undefined);
    else if (data) {
      this.#data = data;
      this.#options.onReadable?.(data.length);
    }
  }

  /** @throws whatever is wrong with the handshake */
  private shake(session: Session): void {
    const transport = this.#transport;
    for (;;) {
      const { readable } = transport;
      const step = session.handshakeProcess;
      if (session.handshake(transport)) break;
      if (transport.readable === readable && session.handshakeProcess === step) return;
    }
    const { alert, clientCipher, serverCipher, applicationData } = session;
    if (alert) throw new XsIpaError('refused', `the TLS handshake ended with alert ${alert.description}`);
    // The session lets a server leave out its signature, begin to encrypt too early, and send data in the clear before that.
    const isSure = this.#certificates.isProved || this.#kept.isResumed;
    if (!isSure || !clientCipher || !serverCipher || applicationData)
      throw new XsIpaError(
        'untrusted',
        'the server has not proved that the key of its certificate is its own',
      );
    this.#isReady = true;
  }

  /** What was read is used up. */
  private goOn(): void {
    this.#later = undefined;
    if (this.#transport.readable > 0) this.pump();
    if (this.#isOver && !this.#data) this.fail(undefined);
  }

  private over(reason: unknown): void {
    this.#isOver = true;
    if (!this.#data) this.fail(reason);
  }

  private fail(reason: unknown): void {
    if (!this.#session) return;
    this.close();
    this.#options.onError?.(reason);
  }
}

function roomOf(writable: number): number {
  return Math.max(0, Math.min(RECORD, writable - OVERHEAD));
}
