/**
 * Key-value storage in the shape of ECMA-419 (string format, one domain).
 *
 * A write is durable when it returns. Keys are at most 15 characters, as ESP32's NVS has it.
 */
export interface KeyValue {
  read(key: string): string | undefined;
  write(key: string, value: string): void;
  /** Removing what is not there is no error. */
  delete(key: string): void;
}
