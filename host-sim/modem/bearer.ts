import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { isRegistered, type UdpConfiguration } from '../../hal/contracts/index.js';
import { openTls, type TlsOptions } from '../../hal/node/tls.js';
import { NodeUdp } from '../../hal/node/udp.js';
import { BearerUdp } from './bearer-udp.js';
import { type Crossing, Tally } from './crossing.js';

/** What a data connection depends on; a SimulatedModem is one. */
interface Attachable {
  readonly registered: boolean;
  onRegistration(listener: (registered: boolean, stat: number) => void): () => void;
}

/** Where a stream leads. */
export interface StreamTarget {
  host: string;
  port: number;
  tls?: Pick<TlsOptions, 'serverName' | 'trust' | 'certificate' | 'key' | 'sessions'>;
}

/**
 * The packet data connection of a simulated modem: streams can be opened only while it is registered, and all of them
 * break when it is not any more, as they do when a SIM reset detaches a real one. Datagrams that are sent meanwhile are
 * lost, and so is what arrives. What crosses it is counted.
 */
export class Bearer {
  readonly #modem: Attachable;
  readonly #open = new Set<Duplex>();
  readonly #tallies = new Map<string, Tally>();

  constructor(modem: Attachable) {
    this.#modem = modem;
    modem.onRegistration((_registered, stat) => {
      if (!isRegistered(stat)) for (const stream of [...this.#open]) stream.destroy();
    });
  }

  open(target: StreamTarget): Duplex {
    if (!this.#modem.registered) return dead();
    const { host, port, tls } = target;
    const carrier = connect({ host, port, noDelay: true });
    this.#tally('tcp', host, port).add(carrier);
    const stream = tls ? openTls({ host, port, ...tls, openStream: () => carrier }) : carrier;
    this.#open.add(stream);
    stream.on('close', () => this.#open.delete(stream));
    return stream;
  }

  /**
   * Sockets for datagrams. They live on without a network, but nothing gets through.
   * @param plain what they are made of; sockets of this computer when absent
   */
  datagrams(plain: UdpConfiguration = { io: NodeUdp }): UdpConfiguration {
    const carrier = {
      plain,
      isUp: () => this.#modem.registered,
      tally: (address: string, port: number) => this.#tally('udp', address, port),
    };
    return {
      io: class extends BearerUdp {
        constructor(options: ConstructorParameters<UdpConfiguration['io']>[0]) {
          super(options, carrier);
        }
      },
    };
  }

  /** What crossed so far to and from this place, with `tcp` as the name or address that open() was given. */
  crossed(kind: 'tcp' | 'udp', host: string, port: number): Crossing {
    const { up, down, connections, datagramsUp, datagramsDown, datagramsLost } = this.#tally(
      kind,
      host,
      port,
    );
    return { up, down, connections, datagramsUp, datagramsDown, datagramsLost };
  }

  #tally(kind: 'tcp' | 'udp', host: string, port: number): Tally {
    const key = `${kind} ${host} ${port}`;
    const known = this.#tallies.get(key) ?? new Tally();
    this.#tallies.set(key, known);
    return known;
  }
}

/** A stream that fails at once: there is no network. */
function dead(): Duplex {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  setImmediate(() => stream.destroy(new Error('the modem has no data connection')));
  return stream;
}
