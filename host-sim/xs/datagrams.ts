import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import type { UdpConfiguration, UdpSocket } from '../../hal/contracts/index.js';
import { XsIpaError } from '../../hal/contracts/index.js';
import { type DtlsPsk, dtlsUdp } from '../../hal/node/dtls/index.js';
import { RealClock } from '../clock.js';
import type { Bearer } from '../modem/bearer.js';
import { type Hello, readHello, trustOfHello } from './hello.js';
import type { Relay, Security } from './relay.js';
import { BYE, HELLO } from './wire.js';

/** How a device's datagrams are secured on their way. */
export interface DatagramSecurity extends Pick<Security, 'onRefused'> {
  /** Instead of what the device trusts. */
  psk?: DtlsPsk;
}

/**
 * As relay(), for datagrams: each socket of the device has one of its own towards `target`, whose answers and whose own
 * requests go back to it. What is sent or comes while there is no registration is lost.
 * @param target numeric address
 * @param security the device's sockets begin with a hello (wire.ts), and DTLS is spoken to the target in its name
 */
export async function datagramRelay(
  bearer: Bearer,
  target: { host: string; port: number },
  security?: DatagramSecurity,
): Promise<Relay> {
  const device = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    device.once('error', reject);
    device.bind(0, '127.0.0.1', resolve);
  });
  device.removeAllListeners('error');
  device.on('error', () => {});
  const ways = new Ways(bearer, security);
  /** By port of the device's socket. */
  const sockets = new Map<number, UdpSocket>();
  const hellos = new Map<number, Hello>();

  const open = (port: number): UdpSocket | undefined => {
    const way = ways.to(hellos.get(port));
    if (!way) return undefined;
    const socket: UdpSocket = new way.io({
      onReadable: () => {
        for (let datagram = socket.read(); datagram; datagram = socket.read())
          device.send(new Uint8Array(datagram), port, '127.0.0.1', () => {});
      },
      onError: (reason) => {
        sockets.delete(port);
        if (reason instanceof XsIpaError) security?.onRefused?.(reason);
      },
    });
    sockets.set(port, socket);
    return socket;
  };
  const close = (port: number) => {
    sockets.get(port)?.close();
    sockets.delete(port);
    hellos.delete(port);
  };
  device.on('message', (datagram, { port }) => {
    if (security && datagram[0] === HELLO) {
      try {
        const found = readHello(datagram);
        if (found) {
          // One that has died said no farewell, and another has its port.
          close(port);
          hellos.set(port, found.hello);
        }
      } catch (error) {
        if (error instanceof XsIpaError) security.onRefused?.(error);
      }
    } else if (security && datagram[0] === BYE) close(port);
    else (sockets.get(port) ?? open(port))?.write(datagram, target.host, target.port);
  });
  return {
    port: (device.address() as AddressInfo).port,
    get bytes() {
      return bearer.crossed('udp', target.host, target.port);
    },
    close: () => {
      for (const port of [...sockets.keys()]) close(port);
      device.close();
    },
  };
}

/** What the sockets towards the target are made of: the same for the same trust, so that a session outlives its socket. */
class Ways {
  readonly #plain: UdpConfiguration;
  readonly #security: DatagramSecurity | undefined;
  readonly #secure = new Map<string, UdpConfiguration>();

  constructor(bearer: Bearer, security: DatagramSecurity | undefined) {
    this.#plain = bearer.datagrams();
    this.#security = security;
  }

  /** @returns undefined where the device did not say whom it trusts */
  to(hello: Hello | undefined): UdpConfiguration | undefined {
    if (!this.#security) return this.#plain;
    const { psk, onRefused } = this.#security;
    const key = psk || !hello ? '' : JSON.stringify([hello.name, hello.kind, hello.trusted.map(String)]);
    const known = this.#secure.get(key);
    if (known) return known;
    try {
      const peer = psk ?? (hello && { trust: trustOfHello(hello), name: hello.name });
      if (!peer) throw new XsIpaError('badTrust', 'the device does not say whom it trusts');
      const way = dtlsUdp({ udp: this.#plain, peer, timer: new RealClock() });
      this.#secure.set(key, way);
      return way;
    } catch (error) {
      if (!(error instanceof XsIpaError)) throw error;
      onRefused?.(error);
      return undefined;
    }
  }
}
