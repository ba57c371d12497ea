/**
 * A serial port in the shape of ECMA-419's Serial class (buffer format).
 *
 * Callbacks never run before the constructor has returned.
 */
export interface SerialPort {
  /** Copies up to `buffer.byteLength` received bytes into `buffer` and returns how many; 0 when none wait. */
  read(buffer: Uint8Array): number;
  /** Takes all of `buffer`, which must not be longer than what onWritable allowed less what was written since. */
  write(buffer: Uint8Array): void;
  /** Idempotent; no callback runs afterwards. */
  close(): void;
}

export interface SerialCallbacks {
  /** `bytes` wait to be read. Called again only when more arrive. */
  onReadable?: (bytes: number) => void;
  /** `bytes` may be written now. Called at once after opening, and again when room returns. */
  onWritable?: (bytes: number) => void;
  /** The port is gone; only close() may follow. */
  onError?: (reason?: unknown) => void;
}

/** Board options (`baud`, `transmit`, `receive`, `port`, `path`, …) travel beside `io` and are the class's own business. */
export interface SerialOptions extends SerialCallbacks {
  baud?: number;
  [option: string]: unknown;
}

export type SerialConstructor = new (options: SerialOptions) => SerialPort;

/** ECMA-419's way to inject an I/O class: the class under `io`, its options beside it. */
export interface SerialConfiguration {
  io: SerialConstructor;
  baud?: number;
  [option: string]: unknown;
}
