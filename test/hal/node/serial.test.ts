import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { SerialPort } from '../../../hal/contracts/index.js';
import { AtModem } from '../../../hal/modem/modem.js';
import { serialConfiguration, TcpSerial, TtySerial } from '../../../hal/node/serial.js';
import { nodeTime, nodeTimer } from '../../../hal/node/timer.js';

let server: Server | undefined;
const ports: SerialPort[] = [];

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
  server?.close();
  server = undefined;
});

function listen(onSocket: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    server = createServer(onSocket).listen(0, '127.0.0.1', () => {
      const address = server?.address();
      if (address && typeof address === 'object') resolve(`tcp://127.0.0.1:${address.port}`);
    });
  });
}

interface Opened {
  port: SerialPort;
  /** Settled by the first callback of that name. */
  writable: Promise<number>;
  readable: Promise<number>;
  error: Promise<unknown>;
}

function open(url: string): Opened {
  const { io, ...options } = serialConfiguration(url);
  let port!: SerialPort;
  let resolveError!: (reason: unknown) => void;
  let resolveReadable!: (count: number) => void;
  const error = new Promise<unknown>((resolve) => {
    resolveError = resolve;
  });
  const readable = new Promise<number>((resolve) => {
    resolveReadable = resolve;
  });
  const writable = new Promise<number>((resolve) => {
    port = new io({ ...options, onWritable: resolve, onReadable: resolveReadable, onError: resolveError });
  });
  ports.push(port);
  return { port, writable, readable, error };
}

describe('serialConfiguration', () => {
  it('reads the ways to a modem', () => {
    expect(serialConfiguration('tcp://127.0.0.1:7000')).toEqual({
      io: TcpSerial,
      host: '127.0.0.1',
      port: 7000,
    });
    expect(serialConfiguration('tcp://[::1]:7000')).toMatchObject({ host: '::1' });
    expect(serialConfiguration('/dev/ttyUSB2')).toEqual({
      io: TtySerial,
      path: '/dev/ttyUSB2',
      baud: 115_200,
    });
    expect(serialConfiguration('/dev/ttyUSB2?baud=460800')).toMatchObject({
      path: '/dev/ttyUSB2',
      baud: 460_800,
    });
  });

  it.each(['tcp://', 'tcp://host', 'tcp://host:port', 'http://host:1', 'COM', '/dev/ttyUSB2?baud=fast'])(
    'refuses %s, saying what to write',
    (url) => expect(() => serialConfiguration(url)).toThrow(expect.objectContaining({ code: 'usage' })),
  );
});

describe('a serial line over TCP', () => {
  it('passes bytes both ways, in pieces as small as the reader likes', async () => {
    const url = await listen((socket) => socket.on('data', (bytes) => socket.write(bytes)));
    const { port, writable, readable } = open(url);
    expect(await writable).toBeGreaterThan(0);
    const buffer = Uint8Array.from([1, 2, 3, 4, 5]);
    port.write(buffer);
    buffer.fill(9);
    expect(await readable).toBe(5);
    const into = new Uint8Array(2);
    const got: number[] = [];
    for (let count = port.read(into); count > 0; count = port.read(into))
      got.push(...into.subarray(0, count));
    expect(got).toEqual([1, 2, 3, 4, 5]);
  });

  it('does not take more than it allowed', async () => {
    const url = await listen(() => {});
    const { port, writable } = open(url);
    const room = await writable;
    expect(() => port.write(new Uint8Array(room + 1))).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('tells onError of a refused and of a lost connection, and nothing after close()', async () => {
    const url = await listen((socket) => socket.end());
    expect(await open(url).error).toMatchObject({ code: 'closed' });
    server?.close();
    expect(await open(url).error).toMatchObject({ code: 'ECONNREFUSED' });
    const closed = open(url);
    let told = false;
    void closed.error.then(() => {
      told = true;
    });
    closed.port.close();
    closed.port.close();
    await open(url).error;
    expect(told).toBe(false);
    expect(() => closed.port.write(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'closed' }));
  });

  it('carries the AT interface', async () => {
    const url = await listen((socket) => {
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        for (let end = text.indexOf('\r'); end >= 0; end = text.indexOf('\r')) {
          const line = text.slice(0, end);
          text = text.slice(end + 1);
          socket.write(line === 'AT+CGMM' ? '\r\nModel\r\n\r\nOK\r\n' : '\r\nOK\r\n');
        }
      });
    });
    const modem = new AtModem({ serial: serialConfiguration(url), timer: nodeTimer, time: nodeTime });
    expect(await modem.start()).toMatchObject({ model: 'Model', access: 'csim' });
    modem.close();
  });
});

describe('a tty', () => {
  it('that is not there is told to onError', async () => {
    expect(await open('/dev/no-such-tty').error).toMatchObject({
      message: expect.stringContaining('no-such-tty'),
    });
  });
});
