import type { UdpConfiguration, UdpOptions, UdpSocket } from '../../hal/contracts/index.js';
import type { Tally } from './crossing.js';

type Datagram = NonNullable<ReturnType<UdpSocket['read']>>;

/** What is under a socket of a modem's data connection. */
export interface DatagramCarrier {
  readonly plain: UdpConfiguration;
  isUp(): boolean;
  tally(address: string, port: number): Tally;
}

/** Datagrams that wait to be read; a device has room for few. */
const WAITING = 16;

/** A UDP socket behind a modem: without a network it keeps its address, and every datagram is lost. */
export class BearerUdp implements UdpSocket {
  readonly #carrier: DatagramCarrier;
  readonly #onReadable: UdpOptions['onReadable'];
  readonly #socket: UdpSocket;
  readonly #waiting: Datagram[] = [];
  /** Places that it has sent to. */
  readonly #peers = new Set<Tally>();

  constructor(options: UdpOptions, carrier: DatagramCarrier) {
    this.#carrier = carrier;
    this.#onReadable = options.onReadable;
    const { io, ...rest } = carrier.plain;
    this.#socket = new io({ ...rest, ...options, onReadable: () => this.#take() });
  }

  read(): Datagram | undefined {
    return this.#waiting.shift();
  }

  write(datagram: Uint8Array, address: string, port: number): void {
    const tally = this.#carrier.tally(address, port);
    if (!this.#carrier.isUp()) {
      tally.datagramsLost++;
      return;
    }
    this.#socket.write(datagram, address, port);
    if (!this.#peers.has(tally)) {
      this.#peers.add(tally);
      tally.connections++;
    }
    tally.sent(datagram.length);
  }

  close(): void {
    this.#waiting.length = 0;
    this.#socket.close();
  }

  #take(): void {
    for (;;) {
      const datagram = this.#socket.read();
      if (!datagram) return;
      const tally = this.#carrier.tally(datagram.address, datagram.port);
      if (!this.#carrier.isUp()) tally.datagramsLost++;
      else {
        tally.received(datagram.byteLength);
        if (this.#waiting.length === WAITING) continue;
        this.#waiting.push(datagram);
        this.#onReadable?.(this.#waiting.length);
      }
    }
  }
}
