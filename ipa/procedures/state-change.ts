import type { KeyValue } from '../../hal/contracts/index.js';

const KEY = 'stateChange';
/** Most eIMs remembered; the oldest entry makes room. */
const LIMIT = 16;

/**
 * State changes that an eIM has not been told yet (procedures.md §3, notifyStateChange). This is the one thing the
 * eUICC does not remember for us, so it is stored: one line `cause eimId` each. An eimId with control characters would
 * break the lines; it is remembered until the restart only.
 */
export class StateChanges {
  readonly #storage: KeyValue;
  readonly #causes: { eimId: string; cause: number }[] = [];

  constructor(storage: KeyValue) {
    this.#storage = storage;
    for (const line of (storage.read(KEY) ?? '').split('\n')) {
      const space = line.indexOf(' ');
      const cause = Number(line.slice(0, space));
      if (space > 0 && cause >= 0 && cause <= 127) this.add({ cause, eimId: line.slice(space + 1) });
    }
  }

  /** StateChangeCause to report to this eIM, undefined when there is none. */
  get(eimId: string): number | undefined {
    return this.#causes.find((entry) => entry.eimId === eimId)?.cause;
  }

  /** Durable when it returns. A later cause replaces an earlier one: the eIM reads the whole state anyway. */
  set(eimId: string, cause: number): void {
    if (this.get(eimId) === cause) return;
    this.remove(eimId);
    this.add({ eimId, cause });
    this.save();
  }

  clear(eimId: string): void {
    if (this.remove(eimId)) this.save();
  }

  private add(entry: { eimId: string; cause: number }): void {
    this.#causes.push(entry);
    if (this.#causes.length > LIMIT) this.#causes.shift();
  }

  private remove(eimId: string): boolean {
    const at = this.#causes.findIndex((entry) => entry.eimId === eimId);
    if (at >= 0) this.#causes.splice(at, 1);
    return at >= 0;
  }

  private save(): void {
    const lines: string[] = [];
    for (const { eimId, cause } of this.#causes) if (isOneLine(eimId)) lines.push(`${cause} ${eimId}`);
    if (lines.length === 0) this.#storage.delete(KEY);
    else this.#storage.write(KEY, lines.join('\n'));
  }
}

function isOneLine(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return false;
  }
  return true;
}
