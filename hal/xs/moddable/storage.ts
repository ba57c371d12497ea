import KeyValueStorage from 'embedded:storage/key-value';
import type { KeyValue } from '../../contracts/index.js';

/** One namespace of an ESP32's NVS, which commits every write and survives power cuts. */
export class XsKeyValue implements KeyValue {
  readonly #store: ReturnType<typeof KeyValueStorage.open>;

  /** @param domain at most 15 characters */
  constructor(domain: string) {
    this.#store = KeyValueStorage.open({ path: domain, mode: 'r+', format: 'string' });
  }

  read(key: string): string | undefined {
    return this.#store.read(key) as string | undefined;
  }

  write(key: string, value: string): void {
    // Flash wears: what is there already is not written again.
    if (this.read(key) !== value) this.#store.write(key, value);
  }

  delete(key: string): void {
    if (this.read(key) !== undefined) this.#store.delete(key);
  }
}
