import type { Socket } from 'node:net';

/** What crossed a data connection to one place, seen from the device. */
export interface Crossing {
  /** Payload of TCP or UDP, with TLS or DTLS in it, bytes. */
  readonly up: number;
  readonly down: number;
  /** Connections of TCP; sockets that sent datagrams. */
  readonly connections: number;
  readonly datagramsUp: number;
  readonly datagramsDown: number;
  /** Datagrams of both directions that there was no network for; they are in no other count. */
  readonly datagramsLost: number;
}

/** Counts what crosses to one place. */
export class Tally implements Crossing {
  connections = 0;
  datagramsUp = 0;
  datagramsDown = 0;
  datagramsLost = 0;
  #up = 0;
  #down = 0;
  readonly #streams = new Set<Socket>();

  get up(): number {
    let sum = this.#up;
    for (const { bytesWritten } of this.#streams) sum += bytesWritten;
    return sum;
  }

  get down(): number {
    let sum = this.#down;
    for (const { bytesRead } of this.#streams) sum += bytesRead;
    return sum;
  }

  /** A connection that was not there before. */
  add(stream: Socket): void {
    this.#streams.add(stream);
    stream.once('connect', () => this.connections++);
    stream.once('close', () => {
      this.#streams.delete(stream);
      this.#up += stream.bytesWritten;
      this.#down += stream.bytesRead;
    });
  }

  sent(bytes: number): void {
    this.#up += bytes;
    this.datagramsUp++;
  }

  received(bytes: number): void {
    this.#down += bytes;
    this.datagramsDown++;
  }
}
