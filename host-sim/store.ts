import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

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

/** A file replaced by renaming: written beside, synced, then moved over the old one. */
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
    const beside = `${this.path}.new`;
    const file = openSync(beside, 'w', 0o600);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, this.path);
    const directory = openSync(dirname(this.path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }
}
