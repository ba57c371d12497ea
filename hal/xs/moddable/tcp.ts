import TCP from 'embedded:io/socket/tcp';
import type { TcpOptions, TcpSocket } from '../../contracts/index.js';

/** The class as it is at run time; its declarations are looser and differ from one SDK to the next. */
interface Native {
  read(buffer: Uint8Array): number | undefined;
  write(buffer: Uint8Array): number | undefined;
  close(): void;
}

/** TCP of the SDK: lwIP on a device, the system's sockets on Linux. Takes numeric addresses only. */
export class XsTcp implements TcpSocket {
  readonly #tcp: Native;

  constructor(options: TcpOptions) {
    const native = { ...options, nodelay: options.noDelay ?? true, format: 'buffer' };
    this.#tcp = new TCP(native as ConstructorParameters<typeof TCP>[0]) as unknown as Native;
  }

  read(buffer: Uint8Array): number | undefined {
    return this.#tcp.read(buffer);
  }

  write(buffer: Uint8Array): number | undefined {
    return this.#tcp.write(buffer);
  }

  close(): void {
    this.#tcp.close();
  }
}
