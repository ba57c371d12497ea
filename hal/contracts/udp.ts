/** A UDP socket in the shape of ECMA-419's UDP class: whole datagrams. */
export interface UdpSocket {
  /** The oldest datagram and where it came from; undefined when none waits. */
  read(): (ArrayBuffer & { address: string; port: number }) | undefined;
  /** Sends one datagram to a numeric address. UDP promises nothing: what cannot be sent is lost. */
  write(datagram: Uint8Array, address: string, port: number): void;
  /** Idempotent; no callback runs afterwards. */
  close(): void;
}

export interface UdpOptions {
  /** Local address and port; any when absent. */
  address?: string;
  port?: number;
  /** `packets` datagrams wait to be read. */
  onReadable?: (packets: number) => void;
  /**
   * Only close() may follow. Where there is security under the socket, an XsIpaError `untrusted` or `refused` says that the peer
   * is not the one that is expected, or does not want this device.
   */
  onError?: (reason?: unknown) => void;
  [option: string]: unknown;
}

export type UdpConstructor = new (options: UdpOptions) => UdpSocket;

/** The class under `io`, its options beside it. */
export interface UdpConfiguration {
  io: UdpConstructor;
  /** Nobody can read or forge a datagram on its way: there is DTLS or the like under it. */
  isSecure?: boolean;
  [option: string]: unknown;
}
