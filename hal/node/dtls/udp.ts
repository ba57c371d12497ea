import { randomBytes as secureBytes } from 'node:crypto';
import {
  type Timer,
  type UdpConfiguration,
  type UdpOptions,
  type UdpSocket,
  XsIpaError,
} from '../../contracts/index.js';
import { DtlsClient } from './client.js';
import type { DtlsExpectation, DtlsPsk } from './client-exchange.js';

export interface DtlsUdpOptions {
  /** What carries the records. */
  udp: UdpConfiguration;
  /** The pre-shared key; or else who the server has to be. */
  peer: DtlsPsk | DtlsExpectation;
  timer: Timer;
  /** Milliseconds since 1970, for the dates of certificates; the computer's by default. */
  now?: () => number;
  /** Secure random bytes; those of Node by default. */
  randomBytes?: (count: number) => Buffer;
  /** First pause before a flight of the handshake is sent again, milliseconds; default 2000, doubled each time. */
  flight?: number;
  /** How often a flight is sent; default 6. */
  attempts?: number;
}

type Datagram = ArrayBuffer & { address: string; port: number };

/** Datagrams that wait for the handshake, or to be read. */
const WAITING = 8;
/**
 * What stays unanswered in a session that was taken up again, or in one that had answered, before it is given up. The second is
 * more than CoAP sends of a block before it gives that up: what is left of a long message is not there in another session.
 */
const UNPROVED = 3;
const PROVED = 16;

/**
 * Datagram sockets with DTLS 1.2 under them, in the shape of hal/contracts/udp.ts. The first datagram to a server begins the
 * handshake. A session with a connection id outlives its socket: the next one to that server goes on with it.
 *
 * A socket has one peer. A handshake that fails is reported to onError.
 */
export function dtlsUdp(options: DtlsUdpOptions): UdpConfiguration {
  const standing = new Map<string, DtlsClient>();
  return {
    isSecure: true,
    io: class extends DtlsUdp {
      constructor(socket: UdpOptions) {
        super(socket, options, standing);
      }
    },
  };
}

class DtlsUdp implements UdpSocket {
  readonly #options: DtlsUdpOptions;
  readonly #socketOptions: UdpOptions;
  readonly #standing: Map<string, DtlsClient>;
  readonly #carrier: UdpSocket;
  readonly #inbox: Datagram[] = [];
  readonly #outbox: Uint8Array[] = [];
  #client: DtlsClient | undefined;
  #address = '';
  #port = 0;
  #limit = UNPROVED;
  #closed = false;

  constructor(socket: UdpOptions, options: DtlsUdpOptions, standing: Map<string, DtlsClient>) {
    this.#options = options;
    this.#socketOptions = socket;
    this.#standing = standing;
    const { io, ...rest } = options.udp;
    const { address, port } = socket;
    this.#carrier = new io({
      ...rest,
      address,
      port,
      onReadable: () => this.#readable(),
      onError: (reason) => this.#lost(reason),
    });
  }

  read(): Datagram | undefined {
    return this.#inbox.shift();
  }

  write(datagram: Uint8Array, address: string, port: number): void {
    if (this.#closed) throw new XsIpaError('usage', 'write() after close()');
    if (this.#address === '') {
      this.#address = address;
      this.#port = port;
    } else if (address !== this.#address || port !== this.#port)
      throw new XsIpaError('usage', `this DTLS socket is for ${this.#address}, port ${this.#port}`);
    if (this.#client && this.#client.unanswered >= (this.#client.isDoubtful ? UNPROVED : this.#limit)) {
      // The server lost it: with a connection id nobody says so.
      this.#client.handler = undefined;
      this.#client = undefined;
    }
    if (!this.#client) this.#begin();
    if (this.#client?.isOpen) {
      this.#client.write(datagram);
      return;
    }
    const copy = Uint8Array.from(datagram);
    // A retransmission need not go twice.
    if (this.#outbox.some((one) => Buffer.compare(one, copy) === 0)) return;
    if (this.#outbox.length === WAITING) this.#outbox.shift();
    this.#outbox.push(copy);
  }

  close(): void {
    if (this.#closed) return;
    const client = this.#client;
    if (client) {
      if (client.isPortable) this.#standing.set(this.#key, client);
      else client.close();
      client.handler = undefined;
    }
    this.#closed = true;
    this.#inbox.length = this.#outbox.length = 0;
    this.#carrier.close();
  }

  get #key(): string {
    return `${this.#address} ${this.#port}`;
  }

  #begin(): void {
    const standing = this.#standing.get(this.#key);
    this.#standing.delete(this.#key);
    this.#limit = UNPROVED;
    if (standing?.isOpen) {
      standing.unanswered = 0;
      this.#attach(standing);
      return;
    }
    const { peer, timer, now = Date.now } = this.#options;
    const { randomBytes = secureBytes, flight = 2_000, attempts = 6 } = this.#options;
    const client = new DtlsClient({ peer, timer, now, randomBytes, flight, attempts });
    this.#attach(client);
    client.start();
  }

  #attach(client: DtlsClient): void {
    this.#client = client;
    client.handler = {
      send: (datagram) => this.#carrier.write(datagram, this.#address, this.#port),
      onOpen: () => {
        for (const waiting of this.#outbox.splice(0)) client.write(waiting);
      },
      onData: (data) => {
        this.#limit = PROVED;
        if (this.#inbox.length === WAITING) return;
        const { buffer } = Uint8Array.from(data);
        this.#inbox.push(Object.assign(buffer, { address: this.#address, port: this.#port }));
        this.#socketOptions.onReadable?.(this.#inbox.length);
      },
      onFailure: (error) => this.#lost(error),
    };
  }

  #readable(): void {
    for (;;) {
      const datagram = this.#closed ? undefined : this.#carrier.read();
      if (!datagram) return;
      if (datagram.address === this.#address && datagram.port === this.#port)
        this.#client?.take(new Uint8Array(datagram));
    }
  }

  #lost(reason: unknown): void {
    if (this.#closed) return;
    const client = this.#client;
    if (client) {
      client.handler = undefined;
      client.close();
    }
    this.#client = undefined;
    this.#closed = true;
    this.#carrier.close();
    this.#socketOptions.onError?.(reason);
  }
}
