import type { SerialConstructor, SerialOptions, SerialPort } from '../../hal/contracts/index.js';
import type { Clock } from '../clock.js';
import { SimModemError } from './error.js';

/** The TE's end of the modem's serial line. */
export interface TeLine {
  /** Queues bytes for the modem; they leave at the pace of the line. */
  write(bytes: Uint8Array): void;
  /** Idempotent. The modem does not notice. */
  close(): void;
  /** Bytes that have not reached the modem. */
  readonly backlog: number;
}

export interface TePort {
  /**
   * @param receive takes what the modem sends, never within a call of write()
   * @param sent told how many bytes have left
   * @throws SimModemError `portBusy` while another TE is connected
   */
  connectTe(receive: (bytes: Uint8Array) => void, sent?: (bytes: number) => void): TeLine;
}

/** Size of the transmit buffer, as of a small UART driver. */
const WRITABLE = 256;

/** A serial class of ECMA-419's shape whose other end is the given modem. */
export function serialClass(port: TePort, clock: Clock): SerialConstructor {
  return class SimulatedSerial implements SerialPort {
    readonly #options: SerialOptions;
    readonly #line: TeLine;
    #received: Uint8Array[] = [];
    #waiting = 0;
    #room = WRITABLE;
    #open = true;

    /** @throws SimModemError `portBusy` while the port is open elsewhere */
    constructor(options: SerialOptions) {
      this.#options = options;
      this.#line = port.connectTe(
        (bytes) => this.#take(bytes),
        (bytes) => {
          this.#room += bytes;
          if (this.#open) options.onWritable?.(this.#room);
        },
      );
      clock.set(() => {
        if (this.#open) options.onWritable?.(this.#room);
      }, 0);
    }

    #take(bytes: Uint8Array): void {
      this.#received.push(bytes);
      this.#waiting += bytes.length;
      this.#options.onReadable?.(this.#waiting);
    }

    read(buffer: Uint8Array): number {
      let done = 0;
      while (done < buffer.byteLength && this.#received.length > 0) {
        const head = this.#received[0];
        const part = head.subarray(0, buffer.byteLength - done);
        buffer.set(part, done);
        done += part.length;
        if (part.length === head.length) this.#received.shift();
        else this.#received[0] = head.subarray(part.length);
      }
      this.#waiting -= done;
      return done;
    }

    write(buffer: Uint8Array): void {
      if (!this.#open) throw new SimModemError('closed', 'the serial port is closed; open a new one');
      if (buffer.byteLength > this.#room) {
        throw new SimModemError(
          'overrun',
          `write of ${buffer.byteLength} bytes where onWritable allowed ${this.#room}; wait for onWritable`,
        );
      }
      this.#room -= buffer.byteLength;
      this.#line.write(buffer);
    }

    close(): void {
      this.#open = false;
      this.#line.close();
    }
  };
}
