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
 * A serial port can neither ask for a connection nor be told of its end: `target` is connected when the first bytes for it
 * come out of a port, and anew with the next ones when it has ended that.
 */
export function switchboard(target: Wire): Promise<Switchboard> {
  const [kind, host, port] = target.split(':');
  if (kind !== 'tcp') throw new Error(`${target} is no TCP connection`);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    // Ends and breaks are the same to a device; 'close' follows every error.
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer({ noDelay: true }, (serial) => {
    let peer: Socket | undefined;
    keep(serial).on('data', (bytes) => {
      if (!peer) {
        const opened = keep(connect({ host, port: Number(port), noDelay: true }));
        opened.on('data', (answer) => serial.write(answer));
        opened.on('close', () => {
          if (peer === opened) peer = undefined;
        });
        peer = opened;
      }
      peer.write(bytes);
    });
    serial.on('close', () => peer?.destroy());
  });
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
  streams: Switchboard | undefined,
): string[] {
  const ports = Object.entries(options.ports ?? {});
  if (ports.length > 1) throw new Error('the RV32 board has one UART; wire no more than one port');
  if (args.some((arg) => /[\s,]/.test(arg)) || args.join(' ').length > 900)
    throw new Error(`too much or blanks in the arguments for the RV32 board: ${args.join(' ')}`);
  const serial = ports.map(([, wire]) => chardev('modem', wire));
  const sockets = STREAMS.flatMap((n) =>
    streams ? ['-chardev', chardev(`stream${n}`, `tcp:127.0.0.1:${streams.port}`)] : [],
  );
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
    ...(streams ? ['-device', card] : []),
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
