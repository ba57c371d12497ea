import type { EsipaBinding } from './binding.js';

/** ASN.1 binding (esipa.md §7): the body is the message. */
export class Asn1Binding implements EsipaBinding {
  readonly contentType = 'application/x-gsma-rsp-asn1';
  readonly path = '/gsma/rsp2/asn1';
  readonly fault = undefined;

  #request: Uint8Array | undefined;
  #at = 0;
  #piece: Uint8Array | undefined;

  get length(): number {
    return this.#request ? this.#request.length : 0;
  }

  begin(request: Uint8Array): void {
    this.#request = request;
    this.#piece = undefined;
    this.#at = 0;
  }

  read(into: Uint8Array): number {
    const request = this.#request;
    if (!request) return 0;
    const count = Math.min(into.length, request.length - this.#at);
    for (let i = 0; i < count; i++) into[i] = request[this.#at++];
    return count;
  }

  feed(piece: Uint8Array): void {
    this.#piece = piece;
  }

  next(): Uint8Array | undefined {
    const piece = this.#piece;
    this.#piece = undefined;
    return piece;
  }

  finish(): undefined {
    return undefined;
  }

  release(): void {
    this.#request = this.#piece = undefined;
  }
}
