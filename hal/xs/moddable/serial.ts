import Serial from 'embedded:io/serial';
import type { SerialOptions, SerialPort } from '../../contracts/index.js';

/**
 * The modem's UART on an ESP32. Options beside the contract's: `receive` and `transmit` (pins), `port` (number of the UART).
 *
 * The hardware holds 128 received bytes and nothing behind it does: what is not read in time is lost (docs/firmware.md).
 */
export class XsSerial implements SerialPort {
  readonly #serial: Serial;

  constructor(options: SerialOptions) {
    this.#serial = new Serial({ ...options, format: 'buffer' } as ConstructorParameters<typeof Serial>[0]);
  }

  read(buffer: Uint8Array): number {
    return this.#serial.read(buffer) ?? 0;
  }

  write(buffer: Uint8Array): void {
    this.#serial.write(buffer);
  }

  close(): void {
    this.#serial.close();
  }
}
