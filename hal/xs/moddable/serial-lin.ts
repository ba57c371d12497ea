import Serial from 'embedded:io/serial';
import type { SerialOptions, SerialPort } from '../../contracts/index.js';

/**
 * A tty on Linux. Options beside the contract's: `device`, its path. The SDK's class for Linux reads and writes whole
 * ArrayBuffers only, and takes nothing before it has written what it has.
 */
export class XsSerial implements SerialPort {
  readonly #serial: Serial;

  constructor(options: SerialOptions) {
    this.#serial = new Serial({ ...options, format: 'buffer' } as unknown as ConstructorParameters<
      typeof Serial
    >[0]);
  }

  read(buffer: Uint8Array): number {
    const bytes = this.#serial.read(buffer.byteLength);
    if (!bytes) return 0;
    buffer.set(new Uint8Array(bytes));
    return bytes.byteLength;
  }

  write(buffer: Uint8Array): void {
    this.#serial.write(buffer.slice().buffer);
  }

  close(): void {
    this.#serial.close();
  }
}
