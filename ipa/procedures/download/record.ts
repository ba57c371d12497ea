import type { KeyValue } from '../../../hal/contracts/index.js';

const KEY = 'download';
const DIRECT = 'directResults';

/**
 * A download that an eIM has ordered and not been told the end of. It is stored: the eUICC keeps the result of an
 * installation, but not who ordered it, nor that there is something to report when nothing was installed.
 */
export interface DownloadRecord {
  eimId: string;
  /** Hex; empty where the eIM gave none. */
  eimTransactionId: string;
  kind: 'activationCode' | 'contactDefaultSmdp' | 'contactSmds' | 'eimData';
  /** Activation code, or address of the SM-DS. */
  text: string;
  indirect: boolean;
  /** How often it was begun. */
  attempts: number;
  /** Of the session with the SM-DP+, hex; empty before there was one. */
  transactionId: string;
  /**
   * `ordered`: to be done. `failed`: to be reported, with `error`. `installed`: the eUICC has a ProfileInstallationResult
   * with `seqNumber`.
   */
  stage: 'ordered' | 'failed' | 'installed';
  seqNumber: number;
  /** Of a failure: 104 ecallActive, 127 undefinedError. Of an installation that failed: the eUICC's errorReason. */
  reason: number;
  /** The peer's error, hex. */
  error: string;
}

/**
 * The stored record of the download under way, at most one, and the numbers of the installation results that go to an
 * SM-DP+ without the eIM.
 */
export class Downloads {
  readonly #storage: KeyValue;
  readonly #direct: number[] = [];
  #record: DownloadRecord | undefined;

  constructor(storage: KeyValue) {
    this.#storage = storage;
    this.#record = read(storage.read(KEY));
    for (const text of (storage.read(DIRECT) ?? '').split(' ')) {
      const seqNumber = Number(text);
      if (text !== '' && seqNumber >= 0) this.#direct.push(seqNumber);
    }
  }

  get record(): DownloadRecord | undefined {
    return this.#record;
  }

  /** Durable when it returns. */
  save(record: DownloadRecord): void {
    this.#record = record;
    this.#storage.write(KEY, JSON.stringify(record));
  }

  clear(): void {
    this.#record = undefined;
    this.#storage.delete(KEY);
  }

  /** Sequence numbers of results that the IPA brings to the SM-DP+ itself. */
  get direct(): readonly number[] {
    return this.#direct;
  }

  /** Durable when it returns. */
  addDirect(seqNumber: number): void {
    if (this.#direct.includes(seqNumber)) return;
    this.#direct.push(seqNumber);
    this.#storage.write(DIRECT, this.#direct.join(' '));
  }

  /** The SM-DP+ has it and the eUICC has forgotten it. */
  removeDirect(seqNumber: number): void {
    const at = this.#direct.indexOf(seqNumber);
    if (at < 0) return;
    this.#direct.splice(at, 1);
    if (this.#direct.length === 0) this.#storage.delete(DIRECT);
    else this.#storage.write(DIRECT, this.#direct.join(' '));
  }
}

/** What cannot be read is nothing: the eIM offers what it got no result of again. */
function read(text: string | undefined): DownloadRecord | undefined {
  if (!text) return undefined;
  try {
    const found = JSON.parse(text) as DownloadRecord;
    return typeof found.eimId === 'string' && typeof found.stage === 'string' ? found : undefined;
  } catch {
    return undefined;
  }
}
