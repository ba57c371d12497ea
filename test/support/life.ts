import type {
  KeyValue,
  SerialConstructor,
  SerialOptions,
  SerialPort,
  Time,
  Timer,
  TimerHandle,
  UdpConfiguration,
  UdpOptions,
  UdpSocket,
} from '../../hal/contracts/index.js';
import type { Clock } from '../../host-sim/clock.js';

/** One life of a process on the device: once it is dead, nothing of it acts any more, whatever it was waiting for. */
export class Life {
  alive = true;
  readonly timer: Timer;
  readonly time: Time;
  readonly #handles = new Set<TimerHandle>();
  readonly #clock: Clock;
  readonly #ends = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.time = clock;
    this.timer = {
      set: (callback, milliseconds) => {
        if (!this.alive) return undefined;
        const handle = clock.set(() => {
          this.#handles.delete(handle);
          callback();
        }, milliseconds);
        this.#handles.add(handle);
        return handle;
      },
      clear: (handle) => {
        this.#handles.delete(handle);
        clock.clear(handle);
      },
    };
  }

  /** Timers that have not fired. */
  get timers(): number {
    return this.#handles.size;
  }

  atDeath(act: () => void): void {
    this.#ends.add(act);
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const handle of this.#handles) this.#clock.clear(handle);
    this.#handles.clear();
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  /** The same storage, which a dead process can no longer write. */
  storage(storage: KeyValue): KeyValue {
    return {
      read: (key) => storage.read(key),
      write: (key, value) => {
        if (this.alive) storage.write(key, value);
      },
      delete: (key) => {
        if (this.alive) storage.delete(key);
      },
    };
  }

  /** The same serial port, closed by death. */
  serial(Serial: SerialConstructor): SerialConstructor {
    const life = this;
    return class implements SerialPort {
      readonly #port: SerialPort;

      constructor(options: SerialOptions) {
        if (!life.alive) throw new Error('a dead process opened the port');
        this.#port = new Serial(options);
        life.atDeath(() => this.#port.close());
      }

      read(buffer: Uint8Array): number {
        return life.alive ? this.#port.read(buffer) : 0;
      }

      write(buffer: Uint8Array): void {
        if (life.alive) this.#port.write(buffer);
      }

      close(): void {
        this.#port.close();
      }
    };
  }

  /** The same datagram sockets, closed by death. */
  datagrams({ io, ...rest }: UdpConfiguration): UdpConfiguration {
    const life = this;
    return {
      ...rest,
      io: class implements UdpSocket {
        readonly #socket: UdpSocket;

        constructor(options: UdpOptions) {
          if (!life.alive) throw new Error('a dead process opened a socket');
          this.#socket = new io(options);
          life.atDeath(() => this.#socket.close());
        }

        read() {
          return life.alive ? this.#socket.read() : undefined;
        }

        write(datagram: Uint8Array, address: string, port: number): void {
          if (life.alive) this.#socket.write(datagram, address, port);
        }

        close(): void {
          this.#socket.close();
        }
      },
    };
  }
}
