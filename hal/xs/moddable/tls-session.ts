/** The last session with a server, in the shape that the SDK's session has its cache in. */
export class KeptSession {
  #id: ArrayBuffer | undefined;
  #secret: ArrayBuffer | undefined;
  /**
   * The server took the session up: what was offered has come back, and its secret is still the one. Whoever overhears the
   * identifier can say it too, and then agree on a secret of its own.
   */
  isResumed = false;

  getByHost(): { id: ArrayBuffer; secret: ArrayBuffer } | undefined {
    this.isResumed = false;
    return this.#id && this.#secret ? { id: this.#id, secret: this.#secret } : undefined;
  }

  saveSession(_host: string, id: ArrayBuffer, secret: ArrayBuffer): void {
    this.isResumed = isSame(this.#id, id) && isSame(this.#secret, secret);
    this.#id = id;
    this.#secret = secret;
  }

  deleteSessionID(): void {}

  drop(): void {
    this.#id = this.#secret = undefined;
    this.isResumed = false;
  }
}

function isSame(one: ArrayBuffer | undefined, other: ArrayBuffer): boolean {
  if (!one) return false;
  const [left, right] = [new Uint8Array(one), new Uint8Array(other)];
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}
