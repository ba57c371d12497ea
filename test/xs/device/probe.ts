import Host, { Serial, Storage, TCP, Time, Timer, UDP } from 'host';

class Named extends Error {
  constructor() {
    super();
    this.name = 'Named';
  }
}

/** One small script each, chosen by `config.script`; host.test.ts looks at what comes of it. */
const scripts: Record<string, (config: Readonly<Record<string, unknown>>) => void> = {
  log() {
    Host.log('one', 'two');
    Timer.set(() => Host.log('last'), 2);
    Promise.resolve().then(() => Host.log('job'));
    Host.log('first');
  },

  exit() {
    Timer.repeat(() => Host.exit(7), 1);
  },

  memoryFull() {
    const list: unknown[] = [];
    try {
      for (;;) list.push({ more: list.length });
    } catch {
      Host.log('caught');
    }
  },

  stackOverflow() {
    const deeper = (n: number): number => deeper(n + 1) + 1;
    try {
      deeper(0);
    } catch {
      Host.log('caught');
    }
  },

  unhandled() {
    void Promise.reject(new TypeError('nobody listens'));
  },

  frozen() {
    const attempt = (what: string, change: () => void) => {
      try {
        change();
        Host.log(what, 'changed');
      } catch (error) {
        Host.log(what, (error as Error).constructor.name);
      }
    };
    attempt('prototype', () => Object.assign(Array.prototype, { extra: 1 }));
    attempt('override', () => new Named());
    attempt('class', () => Object.assign(Named, { extra: 1 }));
    attempt('instance', () => Object.assign(new Map(), { extra: 1 }));
    attempt('global', () => Object.assign(globalThis, { extra: 1 }));
  },

  timers() {
    const order: string[] = [];
    const never = Timer.set(() => order.push('never'), 5);
    Timer.set(() => order.push('b'), 20);
    Timer.set(() => order.push('a'), 10);
    Timer.clear(never);
    Timer.clear(never);
    Timer.clear(undefined);
    let count = 0;
    const beat = Timer.repeat(() => {
      if (++count === 10_000) {
        Timer.clear(beat);
        Host.log(order.join(), String(count), String(Time.ticks));
        Host.mark('after');
      } else if (count === 100) Host.mark('before');
    }, 1);
  },

  storage() {
    const storage = Storage.open({ path: 'test' });
    const other = Storage.open({ path: 'other' });
    Host.log(`count ${storage.read('count')} other ${other.read('count')}`);
    storage.write('count', `${Number(storage.read('count') ?? 0) + 1}`);
    storage.delete('nothing');
    for (const [key, value] of [
      ['k'.repeat(16), ''],
      ['../escape', ''],
      ['long', 'x'.repeat(4000)],
    ]) {
      try {
        storage.write(key, value);
        Host.log(key, 'written');
      } catch (error) {
        Host.log((error as Error).message);
      }
    }
  },

  tcp({ port }) {
    const buffer = new Uint8Array(64);
    let sent = false;
    const socket = new TCP({
      address: '127.0.0.1',
      port: port as number,
      onWritable(count) {
        if (sent) return;
        sent = true;
        Host.log('writable', String(count), String(socket.write(new Uint8Array([1, 2, 3]))));
        try {
          socket.write(new Uint8Array(count));
        } catch (error) {
          Host.log((error as Error).message);
        }
      },
      onReadable(count) {
        const got = socket.read(buffer);
        Host.log('readable', String(count), String(got), String(buffer.subarray(0, got)));
      },
      onError() {
        Host.log('end');
        socket.close();
        socket.close();
      },
    });
  },

  /** Every byte there is, there and back. */
  bytes({ port }) {
    let sent = false;
    let received = 0;
    let right = true;
    const buffer = new Uint8Array(64);
    const socket = new TCP({
      address: '127.0.0.1',
      port: port as number,
      onWritable() {
        if (!sent) socket.write(new Uint8Array(256).map((_, index) => index));
        sent = true;
      },
      onReadable(count) {
        while (received < 256 && count > 0) {
          const got = socket.read(buffer) ?? 0;
          for (let i = 0; i < got; i++) right = right && buffer[i] === received++;
          count -= got;
        }
      },
      onError() {
        Host.log(String(received), String(right));
        socket.close();
      },
    });
  },

  refused({ port }) {
    const socket = new TCP({
      address: '127.0.0.1',
      port: port as number,
      onError() {
        Host.log('refused');
        socket.close();
      },
    });
  },

  udp({ port }) {
    const socket = new UDP({
      onReadable() {
        const datagram = (socket as unknown as { read(): unknown }).read() as ArrayBuffer & {
          address: string;
          port: number;
        };
        Host.log(datagram.address, String(datagram.port === port), String(new Uint8Array(datagram)));
        socket.close();
      },
    });
    socket.write(new Uint8Array([4, 5]), '127.0.0.1', port as number);
  },

  /** Writes into a line that echoes, or only listens; reads `count` bytes, or lets them lie. */
  serial({ baud, count, write, read, busy, patience }) {
    let left = write ? (count as number) : 0;
    let got = 0;
    const buffer = new Uint8Array(64);
    const start = Time.ticks;
    const port = new Serial({
      baud: baud as number,
      onWritable(room) {
        const bytes = Math.min(room, left);
        left -= bytes;
        if (bytes > 0) port.write(new Uint8Array(bytes).fill(0x55));
      },
      onReadable(waiting) {
        for (let i = 0; i < (busy as number); i++) buffer[0] ^= i;
        if (!read) return;
        for (let some = waiting; some > 0; ) {
          const taken = port.read(buffer) || 0;
          if (taken === 0) break;
          got += taken;
          some -= taken;
        }
        if (got === count) {
          Host.log(`${got} bytes`, String(Time.ticks - start));
          Host.exit();
        }
      },
    });
    Timer.set(() => Host.exit(), patience as number);
  },
};

export default function main(config: Readonly<Record<string, unknown>>): void {
  scripts[config.script as string](config);
}
