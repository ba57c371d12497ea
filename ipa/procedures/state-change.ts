import type { KeyValue } from '../../hal/contracts/index.js';

const KEY = 'stateChange';

/**
 * State changes that an eIM has not been told yet (procedures.md §3, notifyStateChange). This is the one thing the
 * eUICC does not remember for us, so it is stored: one line `cause eimId` each.
 */
export class StateChanges {
  readonly #storage: KeyValue;
  readonly #causes: { eimId: string; cause: number }[] = [];

  constructor(storage: KeyValue) {
    this.#storage = storage;
    for (const line of (storage.read(KEY) ?? '').split('\n')) {
      const space = line.indexOf(' ');
      const cause = Number(line.slice(0, space));
      if (space > 0 && cause >= 0 && cause <= 127) this.#causes.push({ cause, eimId: line.slice(space + 1) });
    }
  }

  /** StateChangeCause to report to this eIM, undefined when there is none. */
  get(eimId: string): number | undefined {
    return this.#causes.find((entry) => entry.eimId === eimId)?.cause;
  }

  /** Durable when it returns. A later cause replaces an earlier one: the eIM reads the whole state anyway. */
  set(eimId: string, cause: number): void {
    if (this.get(eimId) === cause) return;
    this.#remove(eimId);
    this.#causes.push({ eimId, cause });
    this.#save();
  }

  clear(eimId: string): void {
    if (this.#remove(eimId)) this.#save();
  }

  #remove(eimId: string): boolean {
    const at = this.#causes.findIndex((entry) => entry.eimId === eimId);
    if (at >= 0) this.#causes.splice(at, 1);
    return at >= 0;
  }

  #save(): void {
    if (this.#causes.length === 0) this.#storage.delete(KEY);
    else this.#storage.write(KEY, this.#causes.map(({ eimId, cause }) => `${cause} ${eimId}`).join('\n'));
  }
}
