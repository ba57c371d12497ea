import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { SerialPort as NodeSerialPort } from 'serialport';
import {
  type SerialConfiguration,
  type SerialOptions,
  type SerialPort,
  XsIpaError,
} from '../contracts/index.js';

/** What onWritable announces: enough for the longest AT command, little enough to notice a peer that does not read. */
const ROOM = 4_096;
const DEFAULT_BAUD = 115_200;

/** ECMA-419's serial shape over a Node stream. */
abstract class StreamSerial implements SerialPort {
  readonly #options: SerialOptions;
  readonly #stream: Duplex;
  readonly #release: () => void;
  #chunks: Uint8Array[] = [];
  #waiting = 0;
  #room = 0;
  #closed = false;

  /**
   * @param ready the event that says the stream is open
   * @param release ends the stream, whatever state it is in
   */
  protected constructor(stream: Duplex, ready: string, release: () => void, options: SerialOptions) {
    this.#options = options;
    this.#stream = stream;
    this.#release = release;
    stream.once(ready, () => {
      if (this.#closed) return;
      this.#room = ROOM;
      options.onWritable?.(ROOM);
    });
    stream.on('data', (bytes: Uint8Array) => {
      if (this.#closed) return;
      this.#chunks.push(bytes);
      this.#waiting += bytes.length;
      options.onReadable?.(this.#waiting);
    });
    stream.on('error', (error) => this.#fail(error));
    // A tty says why; a socket only whether there was an error, which 'error' has told already.
    stream.on('close', (reason?: unknown) => {
      const closed = new XsIpaError('closed', 'the other side closed the connection');
      this.#fail(reason instanceof Error ? reason : closed);
    });
  }

  read(buffer: Uint8Array): number {
    let count = 0;
    while (count < buffer.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const part = chunk.subarray(0, buffer.length - count);
      buffer.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#waiting -= count;
    return count;
  }

  write(buffer: Uint8Array): void {
    if (this.#closed) throw new XsIpaError('closed', 'write() after the serial port was closed');
    if (buffer.length > this.#room) {
      throw new XsIpaError('usage', `${buffer.length} bytes written where onWritable allowed ${this.#room}`);
    }
    this.#room -= buffer.length;
    // The caller may use its buffer again at once; the stream keeps what it is given.
    this.#stream.write(buffer.slice(), () => {
      if (this.#closed) return;
      this.#room += buffer.length;
      this.#options.onWritable?.(this.#room);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#chunks = [];
    this.#release();
  }

  #fail(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.#options.onError?.(reason);
  }
}

/** A serial line carried over TCP. Options: `host`, `port`. */
export class TcpSerial extends StreamSerial {
  constructor(options: SerialOptions) {
    const { host, port } = options;
    if (typeof host !== 'string' || typeof port !== 'number') {
      throw new XsIpaError('usage', 'a serial line over TCP needs host and port');
    }
    const socket = connect({ host, port });
    socket.setNoDelay(true);
    super(socket, 'connect', () => socket.destroy(), options);
  }
}

/** A tty. Options: `path`, `baud`. */
export class TtySerial extends StreamSerial {
  constructor(options: SerialOptions) {
    const { path, baud } = options;
    if (typeof path !== 'string') throw new XsIpaError('usage', 'a tty needs a path such as /dev/ttyUSB2');
    const port = new NodeSerialPort({ path, baudRate: baud ?? DEFAULT_BAUD });
    // destroy() would leave the device open and locked. What goes wrong here concerns nobody any more.
    const end = () => port.close(() => {});
    const release = () => {
      if (port.isOpen) end();
      else if (port.opening) port.once('open', end);
    };
    super(port, 'open', release, options);
  }
}

/**
 * How to reach a modem: `tcp://host:port`, or a tty such as `/dev/ttyUSB2` or `/dev/ttyUSB2?baud=460800`.
 * @throws {XsIpaError} `usage`
 */
export function serialConfiguration(url: string): SerialConfiguration {
  if (url.startsWith('tcp://')) {
    const { hostname, port } = parse(url);
    const number = Number(port);
    if (hostname === '' || !(number > 0)) throw new XsIpaError('usage', `${url}: use tcp://host:port`);
    // IPv6 literals come in brackets, which connect() does not take.
    return { io: TcpSerial, host: hostname.replace(/^\[|\]$/g, ''), port: number };
  }
  if (url.startsWith('/')) {
    const [path, query] = url.split('?', 2);
    const text = new URLSearchParams(query).get('baud');
    const baud = text === null ? DEFAULT_BAUD : Number(text);
    if (!Number.isInteger(baud) || baud <= 0) throw new XsIpaError('usage', `${url}: ?baud= takes a number`);
    return { io: TtySerial, path, baud };
  }
  throw new XsIpaError(
    'usage',
    `${url} is no way to a modem: use tcp://host:port or a tty such as /dev/ttyUSB2`,
  );
}

function parse(url: string): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new XsIpaError('usage', `${url}: use tcp://host:port`, { cause });
  }
}
