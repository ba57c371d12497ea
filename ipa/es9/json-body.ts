const HEX = '0123456789ABCDEF';
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const EQUALS = 0x3d;

/**
 * A flat JSON object for a request body, of which only the parts are held: bytes become base64 while they are sent. All of it
 * is ASCII.
 *
 * ```
 * body.reset().text('smdpAddress', address).bytes('euiccChallenge', challenge);
 * headers.set('content-length', String(body.length));
 * for (let n = body.read(piece); n > 0; n = body.read(piece)) …
 * ```
 */
export class JsonBody {
  /** Length of the whole text, for the content-length. */
  length = 2;

  /** What stands in the text as it is, or as base64. */
  readonly #parts: (string | Uint8Array)[] = [];
  #part = 0;
  /** Characters of the part at hand that were read. */
  #at = 0;

  /** Empty again. */
  reset(): this {
    this.#parts.length = 0;
    this.length = 2;
    return this.rewind();
  }

  /** From the beginning, to send the same once more. */
  rewind(): this {
    this.#part = this.#at = 0;
    return this;
  }

  /** A string member. */
  text(name: string, value: string): this {
    return this.add(`${this.begin(name)}"${escaped(value)}"`);
  }

  /** A string member of hexadecimal digits in upper case: a transactionId. */
  hex(name: string, value: Uint8Array): this {
    let text = '';
    for (let i = 0; i < value.length; i++) text += HEX[value[i] >> 4] + HEX[value[i] & 15];
    return this.add(`${this.begin(name)}"${text}"`);
  }

  /** A string member of base64. @param value lent until the body was read */
  bytes(name: string, value: Uint8Array): this {
    this.add(`${this.begin(name)}"`);
    this.#parts.push(value);
    this.length += base64Length(value.length);
    return this.add('"');
  }

  /** A number or truth value. */
  value(name: string, value: number | boolean): this {
    return this.add(`${this.begin(name)}${value}`);
  }

  /** Writes the next characters into `into`. @returns how many; 0 at the end */
  read(into: Uint8Array): number {
    const parts = this.#parts;
    let to = 0;
    while (to < into.length) {
      if (this.#part === parts.length) {
        // An object without a member has not begun yet.
        const tail = parts.length === 0 ? '{}' : '}';
        if (this.#at === tail.length) break;
        into[to++] = tail.charCodeAt(this.#at++);
        continue;
      }
      const part = parts[this.#part];
      const length = typeof part === 'string' ? part.length : base64Length(part.length);
      const count = Math.min(length - this.#at, into.length - to);
      for (let i = 0; i < count; i++, this.#at++) {
        into[to++] = typeof part === 'string' ? part.charCodeAt(this.#at) : base64At(part, this.#at);
      }
      if (this.#at < length) break;
      this.#part++;
      this.#at = 0;
    }
    return to;
  }

  private begin(name: string): string {
    return `${this.#parts.length === 0 ? '{' : ','}"${name}":`;
  }

  private add(part: string): this {
    // The brace in front of the first member is counted already.
    this.length += this.#parts.length === 0 ? part.length - 1 : part.length;
    this.#parts.push(part);
    return this;
  }
}

/** Characters that `count` bytes become. */
export function base64Length(count: number): number {
  return Math.ceil(count / 3) * 4;
}

/** Character `at` of the base64 of `bytes`. */
function base64At(bytes: Uint8Array, at: number): number {
  const first = (at >> 2) * 3;
  const place = at & 3;
  if (first + place > bytes.length) return EQUALS;
  // Character n of four has bits of bytes n - 1 and n of three; bytes behind the last one are 0.
  const left = place > 0 ? bytes[first + place - 1] : 0;
  const right = place < 3 && first + place < bytes.length ? bytes[first + place] : 0;
  return BASE64.charCodeAt((((left << 8) | right) >> (2 + 2 * place)) & 63);
}

/** RFC 8259 §7, everything beyond ASCII as \u. */
function escaped(text: string): string {
  let plain = true;
  for (let i = 0; i < text.length && plain; i++) plain = isPlain(text.charCodeAt(i));
  if (plain) return text;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    out += isPlain(code) ? text[i] : `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return out;
}

function isPlain(code: number): boolean {
  return code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c;
}
