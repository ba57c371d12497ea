import { execFileSync } from 'node:child_process';
import type { HostOptions, Wire } from './run.js';

/** What begins a line of the board's one console: host/rv32/console.c. */
export const COMPLAINT = '\x02';
export const FIGURES = '\x1e';

/** Of build.mjs: start of program and data, 64 MB in all. */
const MEMORY = '64M';

/** TCP connections at a time; a host's peer sees them all from the start: host/rv32/platform.c. */
const STREAMS = [1, 2, 3, 4];

/** How qemu is told to connect again after a second: in seconds before 9.2, in milliseconds since. */
function again(emulator: string): string {
  const version = /version (\d+)\.(\d+)/.exec(execFileSync(emulator, ['--version'], { encoding: 'utf8' }));
  const [major, minor] = (version ?? ['', '7', '2']).slice(1).map(Number);
  return major > 9 || (major === 9 && minor >= 2) ? 'reconnect-ms=1000' : 'reconnect=1';
}

/**
 * Arguments for qemu's bare RV32 board: the UART on the serial port of the board, TCP connections on a card with four, on
 * another commands, from the file descriptor that a process reads them from.
 * @param args of the host; without blanks, as semihosting joins them
 * @throws {Error} what is asked for cannot be had on the board
 */
export function virtArguments(
  { path, emulator }: { path: string; emulator: string },
  args: readonly string[],
  options: HostOptions,
): string[] {
  const ports = Object.entries(options.ports ?? {});
  if (ports.length > 1) throw new Error('the RV32 board has one UART; wire no more than one port');
  if (args.some((arg) => /[\s,]/.test(arg)) || args.join(' ').length > 900)
    throw new Error(`too much or blanks in the arguments for the RV32 board: ${args.join(' ')}`);
  const serial = ports.map(([, wire]) => chardev('modem', wire));
  const { stream } = options;
  const streams = stream
    ? STREAMS.flatMap((n) => ['-chardev', `${chardev(`stream${n}`, stream)},${again(emulator)}`])
    : [];
  const card = ['pci-serial-4x', ...STREAMS.map((n) => `chardev${n}=stream${n}`)].join();
  return [
    ...['-machine', 'virt', '-m', MEMORY, '-bios', 'none', '-nodefaults', '-display', 'none'],
    ...['-kernel', path],
    ...['-chardev', 'stdio,id=console,signal=off'],
    ...[
      '-semihosting-config',
      ['enable=on,target=native,chardev=console', ...args.map((arg) => `arg=${arg}`)].join(),
    ],
    ...serial.flatMap((device) => ['-chardev', device, '-serial', 'chardev:modem']),
    ...streams,
    ...(stream ? ['-device', card] : []),
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
