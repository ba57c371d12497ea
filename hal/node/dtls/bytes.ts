import { DtlsError } from './error.js';

/** Walks over a handshake message. @throws DtlsError 'protocol' for one that is too short */
export class Reader {
  #at = 0;
  readonly #source: Buffer;

  constructor(source: Buffer) {
    this.#source = source;
  }

  get left(): number {
    return this.#source.length - this.#at;
  }

  uint(size: number): number {
    return this.bytes(size).readUIntBE(0, size);
  }

  bytes(count: number): Buffer {
    if (count > this.left) throw new DtlsError('protocol', 'a handshake message is cut off');
    this.#at += count;
    return this.#source.subarray(this.#at - count, this.#at);
  }

  /** Bytes behind their length. */
  vector(size: number): Buffer {
    return this.bytes(this.uint(size));
  }

  /** Numbers of `size` bytes, behind the length of all of them. */
  uints(size: number, lengthSize: number): number[] {
    const list = new Reader(this.vector(lengthSize));
    const found: number[] = [];
    while (list.left > 0) found.push(list.uint(size));
    return found;
  }

  end(): void {
    if (this.left > 0) throw new DtlsError('protocol', 'a handshake message is too long');
  }
}

export function uint(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

export function vector(content: Uint8Array, size: number): Buffer {
  return Buffer.concat([uint(content.length, size), content]);
}

export function uints(values: readonly number[], size: number, lengthSize: number): Buffer {
  return vector(Buffer.concat(values.map((value) => uint(value, size))), lengthSize);
}
