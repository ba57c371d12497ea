import { connect, isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { isRegistered } from '../../hal/contracts/index.js';

/** What a data connection depends on; a SimulatedModem is one. */
interface Attachable {
  readonly registered: boolean;
  onRegistration(listener: (registered: boolean, stat: number) => void): () => void;
}

/** Where a stream leads. `tls` is passed on to node:tls. */
export interface StreamTarget {
  host: string;
  port: number;
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer };
}

/**
 * The packet data connection of a simulated modem: streams can be opened only while it is registered, and all of them
 * break when it is not any more, as they do when a SIM reset detaches a real one.
 */
export class Bearer {
  readonly #modem: Attachable;
  readonly #open = new Set<Duplex>();

  constructor(modem: Attachable) {
    this.#modem = modem;
    modem.onRegistration((_registered, stat) => {
      if (!isRegistered(stat)) for (const stream of [...this.#open]) stream.destroy();
    });
  }

  open(target: StreamTarget): Duplex {
    if (!this.#modem.registered) return dead();
    const { host, port, tls } = target;
    const stream = tls
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...tls })
      : connect({ host, port });
    stream.setNoDelay(true);
    this.#open.add(stream);
    stream.on('close', () => this.#open.delete(stream));
    return stream;
  }
}

/** A stream that fails at once: there is no network. */
function dead(): Duplex {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  setImmediate(() => stream.destroy(new Error('the modem has no data connection')));
  return stream;
}
