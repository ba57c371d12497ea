/**
 * How ESipa messages look in one function binding over HTTP (esipa.md §7, §8). Towards the IPA they are ASN.1, whatever
 * crosses the wire. One exchange after the other.
 */
export interface EsipaBinding {
  readonly contentType: string;
  /** Of the request at hand. */
  readonly path: string;
  /** Bytes of its body. */
  readonly length: number;
  /**
   * Takes a request, which is lent until the next one; the same once more to send it again.
   * @throws XsIpaError `refused` for a message that the binding does not have, TlvError for one that cannot be read
   */
  begin(request: Uint8Array): void;
  /** Writes the next bytes of the request's body into `into`. @returns how many; 0 at the end */
  read(into: Uint8Array): number;
  /** Takes a piece of the answer's body, lent until next() has nothing more. */
  feed(piece: Uint8Array): void;
  /**
   * The next bytes of the answer, in ASN.1, valid until the next call; undefined when more must be fed.
   * @throws XsIpaError when the body is none of this binding
   */
  next(): Uint8Array | undefined;
  /**
   * The body is complete.
   * @returns the rest of the answer; undefined when there is none
   * @throws XsIpaError when the body was cut off, or says that the function failed and ASN.1 has no code for that
   */
  finish(): Uint8Array | undefined;
  /** What the eIM said of a function that failed, where the answer holds less. */
  readonly fault: string | undefined;
  /** Gives back all memory. */
  release(): void;
}
