/**
 * A TCP connection in the shape of ECMA-419's TCP class (buffer format).
 *
 * Bytes that are not read stay in the socket, and the peer is held back. Callbacks never run before the constructor has
 * returned.
 */
export interface TcpSocket {
  /**
   * Copies the next received bytes into `buffer`, which must not be longer than what onReadable announced less what was
   * read since.
   * @returns how many bytes were copied; undefined or 0 when none wait
   */
  read(buffer: Uint8Array): number | undefined;
  /**
   * Takes all of `buffer`, which must not be longer than what onWritable allowed less what was written since, and may be
   * used again at once.
   * @returns how many bytes may be written still, where the class knows
   */
  write(buffer: Uint8Array): number | undefined;
  /** Idempotent; no callback runs afterwards. */
  close(): void;
}

export interface TcpCallbacks {
  /** `count` bytes wait to be read, those of earlier calls among them. Called again only when more arrive. */
  onReadable?: (count: number) => void;
  /** Connected (first call) or room returned: `count` bytes may be written now. */
  onWritable?: (count: number) => void;
  /**
   * The connection could not be made, or is over: both ends in order and breaks come this way, once everything that was
   * received has been read. Only close() may follow.
   */
  onError?: (reason?: unknown) => void;
}

export interface TcpOptions extends TcpCallbacks {
  /** Numeric address, or a name where the class resolves names itself. One of both is there. */
  address?: string;
  host?: string;
  port: number;
  noDelay?: boolean;
  [option: string]: unknown;
}

export type TcpConstructor = new (options: TcpOptions) => TcpSocket;

/** The class under `io`, its options beside it (for TLS: `secure` and `TCP: { io }`). */
export interface TcpConfiguration {
  io: TcpConstructor;
  [option: string]: unknown;
}

/** Names to addresses, in the shape of ECMA-419's DNS class. */
export interface Resolver {
  resolve(request: ResolverRequest): void;
  close?(): void;
}

export interface ResolverRequest {
  host: string;
  /** Not called once close() was. */
  onResolved?: (host: string, address: string) => void;
  onError?: (reason?: unknown) => void;
}

export interface ResolverConfiguration {
  io: new (options: Record<string, unknown>) => Resolver;
  [option: string]: unknown;
}
