import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import {
  type DtlsAddress,
  type DtlsCertificate,
  type DtlsError,
  DtlsServer,
  type DtlsServerSession,
} from '../../hal/node/dtls/index.js';
import { EimError } from './error.js';

export interface CoapsDoorOptions {
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  address?: string;
  /** The key of an identity. */
  psk?: (identity: string) => Uint8Array | undefined;
  /** What clients without such a key are shown, or its key alone; one of both is needed. */
  certificate?: DtlsCertificate;
  /** Port of the CoAP server behind it, on 127.0.0.1. */
  coapPort: number;
  /** The identity is empty where a client has looked at the certificate. */
  onOpen?: (identity: string, from: DtlsAddress) => void;
  /** A session is over: its address at the CoAP server will be somebody else's. */
  onClose?: (inner: DtlsAddress) => void;
  /** A handshake that failed, or a socket. */
  onProblem?: (problem: DtlsError | EimError) => void;
}

/** A session's socket towards the CoAP server. */
interface Inner {
  socket: Socket;
  /** Once it is bound. */
  port: number | undefined;
}

/**
 * DTLS in front of a CoAP server: takes the security off datagrams and hands them on, and back. Each session has a socket
 * of its own at the server, which so tells devices apart by their addresses, and can send to them.
 */
export class CoapsDoor {
  readonly #options: CoapsDoorOptions;
  readonly #inner = new Map<DtlsServerSession, Inner>();
  #server: DtlsServer | undefined;
  #socket: Socket | undefined;
  #port = 0;

  constructor(options: CoapsDoorOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  /** @throws EimError 'network' when the port cannot be had */
  async open(): Promise<void> {
    const { port, address = '127.0.0.1', psk, certificate, onOpen, onProblem } = this.#options;
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) => {
        const text = `CoAPS cannot listen on ${address}, port ${port}: ${cause.message}`;
        reject(new EimError('network', text, { cause }));
      });
      socket.bind(port, address, resolve);
    });
    socket.removeAllListeners('error');
    socket.on('error', (cause) => onProblem?.(new EimError('network', `CoAPS: ${cause.message}`, { cause })));
    this.#port = socket.address().port;
    this.#socket = socket;
    const server = new DtlsServer({
      psk,
      certificate,
      randomBytes,
      send: (datagram, to) => socket.send(datagram, to.port, to.address, () => {}),
      onOpen: (session) => {
        this.#inner.set(session, this.#innerOf(session));
        onOpen?.(session.identity, session.peer);
      },
      onData: (session, data) =>
        this.#inner.get(session)?.socket.send(data, this.#options.coapPort, '127.0.0.1', () => {}),
      onClose: (session) => this.#end(session),
      onRefused: (_from, error) => onProblem?.(error),
    });
    this.#server = server;
    socket.on('message', (bytes, { address, port }) => server.take(bytes, { address, port }));
  }

  #innerOf(session: DtlsServerSession): Inner {
    const { coapPort } = this.#options;
    const socket = createSocket('udp4');
    const inner: Inner = { socket, port: undefined };
    socket.on('message', (bytes, from) => {
      if (from.port === coapPort && from.address === '127.0.0.1') this.#server?.write(session, bytes);
    });
    socket.on('error', (cause) =>
      this.#options.onProblem?.(new EimError('network', `CoAPS: ${cause.message}`, { cause })),
    );
    socket.bind(0, '127.0.0.1', () => {
      inner.port = socket.address().port;
    });
    return inner;
  }

  #end(session: DtlsServerSession): void {
    const inner = this.#inner.get(session);
    if (!inner) return;
    this.#inner.delete(session);
    const { socket, port } = inner;
    if (port !== undefined) this.#options.onClose?.({ address: '127.0.0.1', port });
    socket.close();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    this.#server?.close();
    // What was said last is still on its way out.
    await new Promise<void>((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}
