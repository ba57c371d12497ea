import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { isRegistered } from '../../hal/contracts/index.js';
import { openTls } from '../../hal/node/tls.js';

/** What a data connection depends on; a SimulatedModem is one. */
interface Attachable {
  readonly registered: boolean;
  onRegistration(listener: (registered: boolean, stat: number) => void): () => void;
}

/** Where a stream leads, PEM. */
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
    const stream = tls ? openTls({ host, port, ...asTrust(tls) }) : connect({ host, port, noDelay: true });
    this.#open.add(stream);
    stream.on('close', () => this.#open.delete(stream));
    return stream;
  }
}

function asTrust({ ca, cert, key }: { ca?: Buffer; cert?: Buffer; key?: Buffer }) {
  return { trust: ca && { roots: [ca] }, certificate: cert, key };
}

/** A stream that fails at once: there is no network. */
function dead(): Duplex {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  setImmediate(() => stream.destroy(new Error('the modem has no data connection')));
  return stream;
}
