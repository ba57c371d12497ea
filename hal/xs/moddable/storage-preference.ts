import Preference from 'preference';
import type { KeyValue } from '../../contracts/index.js';

/** Key-value storage where the SDK has none of ECMA-419: on Linux its preferences, a file. */
export class XsKeyValue implements KeyValue {
  readonly #domain: string;

  constructor(domain: string) {
    this.#domain = domain;
  }

  read(key: string): string | undefined {
    const value = Preference.get(this.#domain, key);
    return value === undefined ? undefined : String(value);
  }

  write(key: string, value: string): void {
    if (this.read(key) !== value) Preference.set(this.#domain, key, value);
  }

  delete(key: string): void {
    if (this.read(key) !== undefined) Preference.delete(this.#domain, key);
  }
}
