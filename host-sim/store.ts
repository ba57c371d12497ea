import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeDurably } from '../hal/node/durable.js';

/** One durable value. After a cut at any moment load() gives either the old or the new bytes, never a mixture. */
export interface Store {
  load(): Uint8Array | undefined;
  /** Durable when it returns. */
  save(bytes: Uint8Array): void;
}

export class MemoryStore implements Store {
  #bytes: Uint8Array | undefined;

  load(): Uint8Array | undefined {
    return this.#bytes;
  }

  save(bytes: Uint8Array): void {
    this.#bytes = bytes.slice();
  }
}

/** A file that is replaced as a whole. */
export class FileStore implements Store {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
  }

  load(): Uint8Array | undefined {
    try {
      return readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  save(bytes: Uint8Array): void {
    writeDurably(this.path, bytes);
  }
}
