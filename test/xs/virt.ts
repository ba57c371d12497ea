import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { HostOptions, Wire } from './run.js';

/** What begins a line of the board's one console: host/rv32/console.c. */
export const COMPLAINT = '\x02';
export const FIGURES = '\x1e';

/** Of build.mjs: start of program and data, 64 MB in all. */
const MEMORY = '64M';

/** TCP connections take turns with these: host/rv32/platform.c. */
const STREAMS = [1, 2, 3, 4];

/** Where qemu's serial ports for TCP connections are plugged in. */
export interface Switchboard {
  port: number;
  close(): void;
}

/**
 * What is no byte of a connection on such a serial port follows DLE: from the board `C` with host:port and a newline, and `e`,
 * it has closed; to the board `c` and `f`, connected or not, and `e`, the peer has ended. DLE itself is sent twice.
 */
const DLE = 0x10;

/** Makes the connections that the board asks for. */
export function switchboard(): Promise<Switchboard> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    // Ends and breaks are the same to a device; 'close' follows every error.
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer({ noDelay: true }, (serial) => plug(keep(serial), keep));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}

/** One serial port: one connection after the other. */
function plug(serial: Socket, keep: (socket: Socket) => Socket): void {
  let peer: Socket | undefined;
  let escaped = false;
  /** Of a `C`, as far as it has come. */
  let where: string | undefined;

  const tell = (command: string) => serial.write(Buffer.from([DLE, command.charCodeAt(0)]));
  const open = (target: string) => {
    const colon = target.lastIndexOf(':');
    const opened = keep(
      connect({
        host: target.slice(0, colon),
        port: Number(target.slice(colon + 1)),
        family: 4,
        noDelay: true,
      }),
    );
    let connected = false;
    peer = opened;
    opened.on('connect', () => {
      connected = true;
      if (peer === opened) tell('c');
    });
    opened.on('data', (bytes) => {
      if (peer === opened) serial.write(Buffer.from([...bytes].flatMap((b) => (b === DLE ? [b, b] : b))));
    });
    const over = () => {
      if (peer !== opened) return;
      peer = undefined;
      tell(connected ? 'e' : 'f');
    };
    opened.on('end', over).on('close', over);
  };
  const close = () => {
    peer?.destroySoon();
    peer = undefined;
  };

  serial.on('data', (bytes) => {
    const out: number[] = [];
    const flush = () => {
      if (out.length > 0) peer?.write(Buffer.from(out.splice(0)));
    };
    for (const byte of bytes) {
      if (where !== undefined) {
        if (byte !== 0x0a) where += String.fromCharCode(byte);
        else {
          open(where);
          where = undefined;
        }
      } else if (escaped) {
        escaped = false;
        if (byte === DLE) out.push(byte);
        else {
          flush();
          close();
          if (byte === 'C'.charCodeAt(0)) where = '';
        }
      } else if (byte === DLE) escaped = true;
      else out.push(byte);
    }
    flush();
  });
  serial.on('close', close);
}

/**
 * Arguments for qemu's bare RV32 board: the UART on the serial port of the board, TCP connections on a card with four, on
 * another commands, from the file descriptor that a process reads them from.
 * @param args of the host; without blanks, as semihosting joins them
 * @throws {Error} what is asked for cannot be had on the board
 */
export function virtArguments(
  program: string,
  args: readonly string[],
  options: HostOptions,
  streams: Switchboard,
): string[] {
  const ports = Object.entries(options.ports ?? {});
  if (ports.length > 1) throw new Error('the RV32 board has one UART; wire no more than one port');
  if (args.some((arg) => /[\s,]/.test(arg)) || args.join(' ').length > 900)
    throw new Error(`too much or blanks in the arguments for the RV32 board: ${args.join(' ')}`);
  const serial = ports.map(([, wire]) => chardev('modem', wire));
  const sockets = STREAMS.flatMap((n) => [
    '-chardev',
    chardev(`stream${n}`, `tcp:127.0.0.1:${streams.port}`),
  ]);
  const card = ['pci-serial-4x', ...STREAMS.map((n) => `chardev${n}=stream${n}`)].join();
  return [
    ...['-machine', 'virt', '-m', MEMORY, '-bios', 'none', '-nodefaults', '-display', 'none'],
    ...['-kernel', program],
    ...['-chardev', 'stdio,id=console,signal=off'],
    ...[
      '-semihosting-config',
      ['enable=on,target=native,chardev=console', ...args.map((arg) => `arg=${arg}`)].join(),
    ],
    ...serial.flatMap((device) => ['-chardev', device, '-serial', 'chardev:modem']),
    ...sockets,
    ...['-device', card],
    ...(options.control
      ? ['-chardev', 'socket,id=control,fd=4', '-device', 'pci-serial,chardev=control']
      : []),
  ];
}

function chardev(id: string, wire: Wire): string {
  const [kind, where, port] = wire.split(':');
  if (kind === 'tcp') return `socket,id=${id},host=${where},port=${port},server=off,nodelay=on`;
  if (kind === 'tty') return `serial,id=${id},path=${where}`;
  throw new Error(`${wire} cannot be handed to qemu; use tcp: or tty:`);
}
