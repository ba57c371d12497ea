import { describe, expect, it } from 'vitest';
import type { SerialPort } from '../../../hal/contracts/index.js';
import { SimModemError } from '../../../host-sim/modem/index.js';
import { Bench, FakeCard, ISD_R } from './fakes.js';

/** At 115200 baud a character takes 10 bits. */
const CHARACTER = 10_000 / 115_200;

async function opened(baud: number | undefined): Promise<Bench> {
  const bench = await new Bench({ baud }).ready();
  await bench.ask('AT+CSIM=10,"0070000001"');
  await bench.ask(`AT+CSIM=42,"01A4040010${ISD_R}"`);
  await bench.ask('AT+CSIM=20,"81E2910005BF78020100"');
  return bench;
}

describe('pacing', () => {
  it('a 256-byte answer has 539 characters and takes 46.8 ms at 115200 baud', async () => {
    const bench = await opened(undefined);
    const command = 'AT+CSIM=10,"01C0000000"';
    const start = bench.clock.ticks;
    const text = await bench.raw(command, 1000);
    expect(text).toHaveLength(539);
    const last = bench.slices.at(-1)!;
    const up = (command.length + 1) * CHARACTER;
    expect(last.at - start - up).toBeCloseTo(539 * CHARACTER, 6);
    expect(539 * CHARACTER).toBeGreaterThan(46.78);
    expect(bench.slices.length).toBeGreaterThan(4);
  });

  it('a slice never comes before its last character could have passed', async () => {
    const bench = await opened(9600);
    const start = bench.clock.ticks;
    await bench.raw('AT+CSIM=10,"01C0000000"', 2000);
    let characters = 0;
    for (const { at, length } of bench.slices) {
      characters += length;
      expect(at - start).toBeGreaterThanOrEqual((24 + characters) * (10_000 / 9600) - 1e-6);
    }
  });

  it('without a baud rate nothing takes time, and characters are counted both ways', async () => {
    const bench = await opened(0);
    const before = { ...bench.modem.uartBytes };
    const start = bench.clock.ticks;
    await bench.raw('AT+CSIM=10,"01C0000000"', 0);
    expect(bench.clock.ticks).toBe(start);
    expect(bench.modem.uartBytes).toEqual({ up: before.up + 24, down: before.down + 539 });
  });

  it('an echo runs beside the command, not behind it', async () => {
    const bench = new Bench({ baud: 9600 });
    await bench.clock.advance(10_000);
    const start = bench.clock.ticks;
    const text = await bench.raw('AT', 1000);
    expect(text).toBe('AT\r\r\nOK\r\n');
    expect(bench.slices.at(-1)!.at - start).toBeCloseTo((3 + 1 + 6) * (10_000 / 9600), 6);
  });

  it('an exchange with the card takes its time', async () => {
    const bench = await new Bench({ apduMilliseconds: (apdu) => (apdu[1] === 0x70 ? 250 : 0) }).ready();
    expect(await bench.ask('AT+CSIM=10,"0070000001"', 249)).toEqual([]);
    await bench.clock.advance(1);
    expect(bench.received).toBe('\r\n+CSIM: 6,"019000"\r\n\r\nOK\r\n');
  });
});

describe('Serial', () => {
  it('has the shape of ECMA-419: counts, copies, one opener, silence after close', async () => {
    const bench = new Bench({ baud: 0 });
    bench.leave();
    await bench.clock.advance(6000);
    const calls: string[] = [];
    let text = '';
    let port: SerialPort | undefined;
    const options = {
      onReadable: (count: number) => {
        const buffer = new Uint8Array(5);
        let total = 0;
        for (let got = port!.read(buffer); got > 0; got = port!.read(buffer)) {
          total += got;
          text += Buffer.from(buffer.subarray(0, got)).toString('latin1');
        }
        expect(total).toBe(count);
      },
      onWritable: (count: number) => calls.push(`writable ${count}`),
    };
    port = new bench.modem.Serial(options);
    expect(calls).toEqual([]);
    expect(() => new bench.modem.Serial({})).toThrow(SimModemError);
    await bench.clock.advance(1);
    expect(calls).toEqual(['writable 256']);
    port.write(Buffer.from('AT\r'));
    await bench.clock.advance(10);
    expect(text).toBe('AT\r\r\nOK\r\n');
    expect(calls).toEqual(['writable 256', 'writable 256']);
    expect(() => port!.write(new Uint8Array(257))).toThrow(/onWritable allowed 256/);
    port.write(Buffer.from('ATE0\r'));
    port.close();
    port.close();
    await bench.clock.advance(10);
    expect(calls).toHaveLength(2);
    expect(() => port!.write(new Uint8Array(1))).toThrow(/closed/);
    text = '';
    port = new bench.modem.Serial(options);
    port.write(Buffer.from('AT\r'));
    await bench.clock.advance(10);
    expect(text).toBe('\r\nOK\r\n');
  });

  it('makes room at the pace of the line', async () => {
    const bench = new Bench({ baud: 115_200, card: new FakeCard() });
    bench.leave();
    const rooms: [number, number][] = [];
    const port = new bench.modem.Serial({ onWritable: (count) => rooms.push([bench.clock.ticks, count]) });
    port.write(new Uint8Array(200));
    port.write(new Uint8Array(56));
    await bench.clock.advance(100);
    expect(rooms.map(([, count]) => count)).toEqual([0, 200, 256]);
    expect(rooms[1][0]).toBeCloseTo(200 * CHARACTER, 6);
    expect(rooms[2][0]).toBeCloseTo(256 * CHARACTER, 6);
  });
});
