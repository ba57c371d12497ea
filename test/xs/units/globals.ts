import { Time, Timer } from 'host';

/** What tests take from Node and XS does not have. Only for tests: device code must do without. */
class NodeBuffer extends Uint8Array {
  /** Of a text with its encoding, of bytes, or of an ArrayBuffer with offset and length. */
  static override from(source: unknown, second?: unknown, third?: unknown): never {
    let bytes = source;
    if (typeof source === 'string') bytes = encode(source, second as string);
    else if (source instanceof ArrayBuffer) {
      bytes = new Uint8Array(source, second as number | undefined, third as number | undefined);
    }
    const buffer = new NodeBuffer((bytes as ArrayLike<number>).length);
    buffer.set(bytes as ArrayLike<number>);
    return buffer as never;
  }

  static byteLength(text: string): number {
    return encode(text).length;
  }

  static concat(parts: readonly Uint8Array[]): NodeBuffer {
    return NodeBuffer.from(parts.flatMap((part) => [...part]));
  }

  override toString(encoding = 'utf8'): string {
    if (encoding === 'hex') return Array.from(this, (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (encoding === 'utf8') return new TextDecoder().decode(this);
    return Array.from(this, (byte) => String.fromCharCode(byte)).join('');
  }
}

function encode(text: string, encoding = 'utf8'): ArrayLike<number> {
  if (encoding === 'hex') {
    // As Node: up to the first pair that is none.
    const pairs = /^(?:[0-9a-f]{2})*/i.exec(text)![0].match(/../g) ?? [];
    return pairs.map((pair) => Number.parseInt(pair, 16));
  }
  if (encoding === 'utf8') return new TextEncoder().encode(text);
  return Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

/** UTF-8 by way of encodeURIComponent, which XS has. */
class TextEncoder {
  encode(text = ''): Uint8Array {
    const escaped = encodeURIComponent(text);
    const bytes: number[] = [];
    for (let i = 0; i < escaped.length; i++) {
      if (escaped[i] === '%') {
        bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16));
        i += 2;
      } else bytes.push(escaped.charCodeAt(i));
    }
    return Uint8Array.from(bytes);
  }
}

class TextDecoder {
  decode(bytes: Uint8Array): string {
    return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
  }
}

const soon = (callback: () => void) => Timer.set(callback, 0);
Object.assign(globalThis, {
  Buffer: NodeBuffer,
  TextEncoder,
  TextDecoder,
  setImmediate: soon,
  clearImmediate: (handle: unknown) => Timer.clear(handle),
  setTimeout: (callback: () => void, milliseconds = 0) => Timer.set(callback, milliseconds),
  clearTimeout: (handle: unknown) => Timer.clear(handle),
  queueMicrotask: (callback: () => void) => void Promise.resolve().then(callback),
  performance: { now: () => Time.ticks },
  process: { env: {} },
});
