import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { describeOnXs } from './available.js';
import { type HostOptions, runOnXs } from './run.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function run(script: string, config: object = {}, options: Partial<HostOptions> = {}) {
  return runOnXs({ entry: 'test/xs/device/probe.ts', config: { script, ...config }, ...options });
}

/** @returns the port of a server on this computer that sends everything back, and hangs up after `bytes` */
function echo(bytes = Number.POSITIVE_INFINITY): Promise<number> {
  return serve((socket) => {
    let left = bytes;
    socket.on('data', (data) => {
      socket.write(data);
      left -= data.length;
      if (left <= 0) socket.end();
    });
  });
}

/** @returns the port of a server that says `bytes` bytes unasked */
function flood(bytes: number): Promise<number> {
  return serve((socket) => socket.write(new Uint8Array(bytes)));
}

function serve(greet: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    greet(socket);
  });
  closing.push(() => server.close());
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

await describeOnXs('the XS host', () => {
  it('runs a script, its jobs and its timers', async () => {
    const { code, lines, complaints } = await run('log');
    expect({ code, lines, complaints }).toEqual({
      code: 0,
      lines: ['one two', 'first', 'job', 'last'],
      complaints: '',
    });
  });

  it('ends with the exit code of the script', async () => {
    expect((await run('exit')).code).toBe(7);
  });

  it('boots with nothing in its heap, as from flash', async () => {
    const { figures } = await run('log');
    expect(figures?.baseline).toEqual({ slots: 28, chunks: 0 });
  });

  describe('what a script cannot catch', () => {
    it('memory full', async () => {
      const { code, lines, figures, complaints } = await run('memoryFull');
      expect({ code, lines }).toEqual({ code: 11, lines: [] });
      // Stack and heap share the block.
      const { bytes, slotBytes } = figures!;
      expect(bytes + 384 * slotBytes).toBeGreaterThan(0.9 * 94_208);
      expect(bytes + 384 * slotBytes).toBeLessThanOrEqual(94_208);
      expect(complaints).toContain('memoryFull');
    });

    it('stack overflow', async () => {
      const { code, lines, figures } = await run('stackOverflow');
      expect({ code, lines }).toEqual({ code: 12, lines: [] });
      expect(figures?.stackPeak).toBeGreaterThan(370);
      expect(figures?.stackPeak).toBeLessThanOrEqual(384);
    });

    it('an unhandled rejection', async () => {
      const { code, complaints } = await run('unhandled');
      expect(code).toBe(18);
      expect(complaints).toContain('nobody listens');
    });
  });

  it('has intrinsics and preloaded classes frozen', async () => {
    const { lines } = await run('frozen');
    expect(lines).toEqual([
      'prototype TypeError',
      'override TypeError',
      'class TypeError',
      'instance changed',
      'global changed',
    ]);
  });

  it('refuses native calls while modules are preloaded', async () => {
    const { code, complaints } = await runOnXs({ entry: 'test/xs/device/native-at-preload.ts' });
    expect(code).toBe(15);
    expect(complaints).toContain('could not be stored in flash');
  });

  it('timers: order, clearing, no growth over 10,000', async () => {
    const { lines, marks } = await run('timers', {}, { virtualTime: true });
    expect(lines).toEqual(['a,b 10000 10000']);
    expect(marks.after.bytes).toBe(marks.before.bytes);
  });

  it('storage: lasts, has domains and the limits of NVS', async () => {
    const storage = mkdtempSync(join(tmpdir(), 'xs-ipa-kv-'));
    closing.push(() => rmSync(storage, { recursive: true }));
    const limits = ['invalid key', 'invalid key', 'value too long'];
    expect((await run('storage', {}, { storage })).lines).toEqual([
      'count undefined other undefined',
      ...limits,
    ]);
    expect((await run('storage', {}, { storage })).lines).toEqual(['count 1 other undefined', ...limits]);
  });

  it('TCP: counts, room, the end', async () => {
    const { lines } = await run('tcp', { port: await echo(3) });
    expect(lines).toEqual(['writable 5744 5741', 'would block', 'readable 3 3 1,2,3', 'end']);
  });

  it('TCP: nobody there', async () => {
    const port = await echo();
    for (const close of closing.splice(0)) close();
    expect((await run('refused', { port })).lines).toEqual(['refused']);
  });

  it('UDP: there and back', async () => {
    const socket = createSocket('udp4');
    socket.on('message', (message, from) => socket.send(message, from.port, from.address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    closing.push(() => socket.close());
    expect((await run('udp', { port: socket.address().port })).lines).toEqual(['127.0.0.1 true 4,5']);
  });

  describe('serial port', () => {
    const serial = async (peer: Promise<number>, config: object, options: Partial<HostOptions> = {}) => {
      const ports = { 1: `tcp:127.0.0.1:${await peer}` } as const;
      return run(
        'serial',
        { write: true, read: true, busy: 0, patience: 1_500, ...config },
        { ports, ...options },
      );
    };

    it('runs at the pace of the baud rate', async () => {
      const { lines, figures } = await serial(echo(), { baud: 19_200, count: 400 });
      const [, bytes, milliseconds] = /(\d+) bytes (\d+)/.exec(lines[0])!;
      expect(bytes).toBe('400');
      // 400 characters of 10 bits take 208 ms; the echo is heard while it is being sent.
      expect(Number(milliseconds)).toBeGreaterThanOrEqual(208);
      expect(Number(milliseconds)).toBeLessThan(600);
      expect(figures?.serial).toEqual({ sent: 400, received: 400, lost: 0 });
    });

    it('loses what its FIFO has no room for, and counts it', async () => {
      const { figures } = await serial(
        echo(),
        { baud: 1_000_000, count: 400, read: false },
        { virtualTime: true },
      );
      expect(figures?.serial).toEqual({ sent: 400, received: 400, lost: 400 - 128 });
    });

    it('loses bytes while a slow device is busy', async () => {
      const { figures } = await serial(
        flood(1_000),
        { baud: 115_200, count: 1_000, write: false, busy: 30_000 },
        { slowness: 50 },
      );
      expect(figures?.serial.lost).toBeGreaterThan(0);
    });

    it('loses nothing with a FIFO that is large enough', async () => {
      const { figures } = await serial(
        flood(1_000),
        { baud: 115_200, count: 1_000, write: false, busy: 30_000 },
        { slowness: 50, fifo: 2_048 },
      );
      expect(figures?.serial).toEqual({ sent: 0, received: 1_000, lost: 0 });
    });
  });
});
