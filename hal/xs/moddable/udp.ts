import UDP from 'embedded:io/socket/udp';
import type { UdpOptions, UdpSocket } from '../../contracts/index.js';

/** UDP of the SDK. */
export class XsUdp implements UdpSocket {
  readonly #udp: UDP & { close?(): void };

  constructor(options: UdpOptions) {
    this.#udp = new UDP({ ...options, format: 'buffer' } as ConstructorParameters<typeof UDP>[0]);
  }

  read(): (ArrayBuffer & { address: string; port: number }) | undefined {
    return this.#udp.read();
  }

  write(datagram: Uint8Array, address: string, port: number): void {
    try {
      this.#udp.write(datagram, address, port);
    } catch {
      // What cannot be sent is lost, as the contract says: the SDK throws where there is no network.
    }
  }

  close(): void {
    this.#udp.close?.();
  }
}
