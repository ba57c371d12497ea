/** What lets a TLS client leave most of a handshake out. */
export interface TlsSession {
  /** As Node's TLS gives and takes it. */
  ticket: Buffer;
  /** Milliseconds since 1970 after which it is not to be offered: the certificate that was checked has ended. */
  until: number;
}

/** Where TLS sessions wait for the next connection. The key stands for the server, what it was trusted for, and the client. */
export interface TlsSessions {
  /** The session is the caller's: it is kept no more. */
  take(key: string): TlsSession | undefined;
  keep(key: string, session: TlsSession): void;
}

/** RFC 8446 §4.6.1: no ticket lives longer, in milliseconds. */
const LONGEST = 7 * 86_400_000;

/** The newest session of each of a few servers, in memory: what is on a disk would let whoever reads it decrypt. */
export class TlsSessionCache implements TlsSessions {
  readonly #sessions = new Map<string, TlsSession>();
  readonly #limit: number;
  readonly #now: () => number;

  /** @param limit servers that are remembered; the one that was kept longest ago goes first */
  constructor(limit = 16, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  get size(): number {
    return this.#sessions.size;
  }

  take(key: string): TlsSession | undefined {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    return session && this.#now() < session.until ? session : undefined;
  }

  keep(key: string, session: TlsSession): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, { ...session, until: Math.min(session.until, this.#now() + LONGEST) });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= this.#limit) break;
      this.#sessions.delete(oldest);
    }
  }
}
