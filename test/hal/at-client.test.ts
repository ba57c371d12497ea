import { describe, expect, it } from 'vitest';
import type { HalEvent } from '../../hal/contracts/index.js';
import { AtClient, type AtClientOptions, type AtListener } from '../../hal/modem/at-client.js';
import type { AtCommand, AtResult } from '../../hal/modem/at-command.js';
import { VirtualClock } from '../../host-sim/clock.js';
import { lines, ScriptedSerial, type ScriptOptions } from './scripted-serial.js';

function setUp(
  answer: ScriptOptions['answer'],
  script: Partial<ScriptOptions> = {},
  options: Partial<AtClientOptions> & AtListener = {},
) {
  const clock = new VirtualClock();
  const serial = new ScriptedSerial({ clock, answer, ...script });
  const unsolicited: string[] = [];
  const client = new AtClient(
    { serial: serial.configuration, timer: clock, time: clock, ...options },
    {
      onUnsolicited: (line) => unsolicited.push(Buffer.from(line).toString('latin1')),
      onLost: options.onLost,
    },
  );
  client.open();
  return { clock, serial, client, unsolicited };
}

/** An APDU by AT+CSIM, with all the hex made at once. */
class Csim implements AtCommand {
  readonly text = '';
  readonly expect = { prefix: '+CSIM:' };
  readonly answersInHex = true;
  readonly received: string[] = [];
  readonly #line: string;
  #settle: { resolve: (result: AtResult) => void; reject: (error: unknown) => void } | undefined;

  constructor(
    apdu: string,
    readonly deadline: number,
  ) {
    this.#line = `AT+CSIM=${apdu.length},"${apdu}"\r`;
  }

  get size(): number {
    return this.#line.length;
  }

  at(i: number): number {
    return this.#line.charCodeAt(i);
  }

  receive(bytes: Uint8Array, start: number, count: number): void {
    this.received.push(Buffer.from(bytes.subarray(start, start + count)).toString('hex'));
  }

  done(result: AtResult | undefined, error?: unknown): void {
    if (result) this.#settle?.resolve(result);
    else this.#settle?.reject(error);
  }

  send(client: AtClient): Promise<AtResult> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      client.send(this);
    });
  }
}

const QUERY = 3_000;

describe('AtClient', () => {
  it('sends commands one at a time, in order, with CR alone', async () => {
    let inside = 0;
    const { clock, serial, client } = setUp((_, script) => {
      expect(++inside).toBe(1);
      clockOf.set(() => {
        inside--;
        script.send(lines('OK'));
      }, 50);
      return undefined;
    });
    const clockOf = clock;
    const results = await clock.run(
      Promise.all(['AT+A', 'AT+B', 'AT+C'].map((text) => client.command(text, QUERY))),
    );
    expect(results.map((result) => result.ok)).toEqual([true, true, true]);
    expect(serial.written).toBe('AT+A\rAT+B\rAT+C\r');
  });

  it('reads answers in slices of any size, with echo and unsolicited lines anywhere', async () => {
    for (const slices of [[1], [2], [5, 1], [1000]]) {
      const { clock, client, unsolicited } = setUp(
        (line) =>
          `${line}\r\r\n+CREG: 1,"1A2B","01234567",7\r\n+CEREG: 2\r\n+CEREG: 0,5\r\n+CPIN: READY\r\n\r\nOK\r\n`,
        { slices },
      );
      const result = await clock.run(
        client.command('AT+CEREG?', QUERY, { prefix: '+CEREG:', registration: true }),
      );
      expect(result).toEqual({ ok: true, cme: -1, text: '+CEREG: 0,5' });
      expect(unsolicited).toEqual(['+CREG: 1,"1A2B","01234567",7', '+CEREG: 2', '+CPIN: READY']);
    }
  });

  it('reports every kind of error result', async () => {
    const answers: Record<string, string> = {
      'AT+A': 'ERROR',
      'AT+B': '+CME ERROR: 13',
      'AT+C': '+CME ERROR: SIM busy',
      'AT+D': '+CMS ERROR: 500',
      'AT+E': 'NO CARRIER',
    };
    const { clock, client } = setUp((line) => lines(answers[line]));
    const codes: unknown[] = [];
    for (const command of Object.keys(answers)) {
      const result = await clock.run(client.command(command, QUERY));
      expect(result.ok).toBe(false);
      codes.push([result.cme, result.text]);
    }
    expect(codes).toEqual([
      [-1, 'ERROR'],
      [13, '+CME ERROR: 13'],
      [14, '+CME ERROR: SIM busy'],
      [-1, '+CMS ERROR: 500'],
      [-1, 'NO CARRIER'],
    ]);
  });

  it('writes hex in pieces, never more than the port allows', async () => {
    const long = 'A5'.repeat(261);
    for (const room of [1, 3, 64, 100, undefined]) {
      const { clock, serial, client } = setUp((line) => `${line}\r${lines('+CSIM: 4,"9000"', 'OK')}`, {
        room,
      });
      const command = new Csim(long, 10_000);
      await clock.run(command.send(client));
      expect(serial.received).toEqual([`AT+CSIM=522,"${long}"`]);
      expect(command.received).toEqual(['9000']);
    }
  });

  it('delivers the longest answer through one small buffer', async () => {
    const data = 'C3'.repeat(256);
    const { clock, client } = setUp(() => lines(`+CSIM: 516,"${data}9000"`, 'OK'), { slices: [13] });
    const command = new Csim('00C0000000', 10_000);
    await clock.run(command.send(client));
    expect(command.received).toEqual([`${data.toLowerCase()}9000`]);
  });

  it.each([
    ['no answer before OK', lines('OK'), 'without a +CSIM: line'],
    ['a length that does not fit', lines('+CSIM: 6,"9000"', 'OK'), 'length does not fit'],
    ['lost characters', lines('+CSIM: 4,"900', 'OK'), 'length does not fit'],
    ['no hex', lines('+CSIM: 4,"90XX"', 'OK'), 'unreadable'],
    ['an answer longer than the buffer', lines(`+CSIM: 900,"${'90'.repeat(450)}"`, 'OK'), 'without'],
  ])('rejects %s as malformed and goes on', async (_, text, message) => {
    let first = true;
    const { clock, client } = setUp(() => {
      if (!first) return lines('OK');
      first = false;
      return text;
    });
    const exchange = new Csim('00C0000000', 10_000).send(client);
    await expect(clock.run(exchange)).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringContaining(message),
    });
    expect((await clock.run(client.command('AT', QUERY))).ok).toBe(true);
  });

  it('passes on what the receiver throws, after the final result', async () => {
    const { clock, client } = setUp((line) => (line === 'AT' ? lines('OK') : lines('+CSIM: 4,"9000"', 'OK')));
    const command = new Csim('00C0000000', 10_000);
    command.receive = () => {
      throw new RangeError('full');
    };
    const exchange = command.send(client);
    await expect(clock.run(exchange)).rejects.toThrow('full');
    expect((await clock.run(client.command('AT', QUERY))).ok).toBe(true);
  });

  describe('after a timeout', () => {
    it('synchronises with AT, then fails the command with a typed error', async () => {
      const { clock, serial, client } = setUp((line) => (line === 'AT' ? lines('OK') : undefined));
      await expect(clock.run(client.command('AT+SLOW', 5_000))).rejects.toMatchObject({
        name: 'AtError',
        code: 'timeout',
        message: expect.stringContaining('answers AT again'),
      });
      expect(serial.received).toEqual(['AT+SLOW', 'AT']);
      expect(clock.ticks).toBeGreaterThanOrEqual(5_000);
      expect(clock.ticks).toBeLessThan(7_000);
    });

    // A modem works off its input in order: AT waits until the slow command is done.
    it.each([10_100, 10_250, 11_500, 13_000, 14_500, 20_000, 60_000])(
      'never takes an answer that comes after %i ms for that of the next command',
      async (late) => {
        let busy = false;
        const waiting: string[] = [];
        const { clock, serial, client, unsolicited } = setUp((line, script) => {
          if (busy) {
            waiting.push(line);
            return undefined;
          }
          if (line === 'AT') return lines('OK');
          if (line.includes('"AAAA"')) {
            busy = true;
            serial.sendLater(lines('+CSIM: 8,"11119000"', 'OK'), late);
            clock.set(() => {
              busy = false;
              // One after the other, as a modem does that looks at the next command only then.
              for (const [n, text] of waiting.splice(0).entries()) {
                script.sendLater(lines(text === 'AT' ? 'OK' : '+CSIM: 8,"33339000"'), 50 * (n + 1));
              }
            }, late);
            return undefined;
          }
          return lines('+CSIM: 8,"22229000"', 'OK');
        });
        const slow = new Csim('AAAA', 10_000);
        await expect(clock.run(slow.send(client))).rejects.toMatchObject({
          code: 'timeout',
        });
        // While the modem is still busy every further command fails without being sent.
        for (let attempt = 0; ; attempt++) {
          const next = new Csim('BBBB', 10_000);
          try {
            await clock.run(next.send(client));
          } catch (error) {
            expect(error).toMatchObject({ code: 'timeout' });
            expect(attempt).toBeLessThan(20);
            continue;
          }
          expect(next.received).toEqual(['22229000']);
          break;
        }
        expect(slow.received).toEqual([]);
        expect(unsolicited.filter((line) => line.includes('2222'))).toEqual([]);
        expect(serial.received.filter((line) => line.includes('BBBB')).length).toBe(1);
      },
    );

    it('ends a command the port took only half of, before it tries AT', async () => {
      let stuck = true;
      const clock = new VirtualClock();
      const written: string[] = [];
      let te: { onReadable?: (n: number) => void; onWritable?: (n: number) => void } = {};
      let waiting = '';
      let line = '';
      const client = new AtClient({
        timer: clock,
        time: clock,
        serial: {
          io: class {
            constructor(options: typeof te) {
              te = options;
              clock.set(() => te.onWritable?.(8), 0);
            }
            read(into: Uint8Array): number {
              const part = Buffer.from(waiting.slice(0, into.length), 'latin1');
              into.set(part);
              waiting = waiting.slice(part.length);
              return part.length;
            }
            write(bytes: Uint8Array): void {
              for (const character of Buffer.from(bytes).toString('latin1')) {
                if (character !== '\r') line += character;
                else {
                  written.push(line);
                  waiting += lines(line === 'AT' ? 'OK' : 'ERROR');
                  line = '';
                  clock.set(() => te.onReadable?.(waiting.length), 0);
                }
              }
              if (!stuck) clock.set(() => te.onWritable?.(8), 1);
            }
            close(): void {}
          },
        },
      });
      client.open();
      clock.set(() => {
        stuck = false;
        te.onWritable?.(8);
      }, 4_000);
      const command = client.command('AT+LONGCOMMAND', 3_000);
      await expect(clock.run(command)).rejects.toMatchObject({ code: 'timeout' });
      expect(written).toEqual(['AT+LONGC', 'AT']);
      expect((await clock.run(client.command('AT', QUERY))).ok).toBe(true);
    });

    it('says so when the modem is gone for good, and tries again with the next command', async () => {
      let alive = true;
      const { clock, client } = setUp(() => (alive ? lines('OK') : undefined));
      await clock.run(client.command('AT', QUERY));
      alive = false;
      await expect(clock.run(client.command('AT+A', 1_000))).rejects.toMatchObject({
        message: expect.stringContaining('does not answer AT either'),
      });
      await expect(clock.run(client.command('AT+B', 1_000))).rejects.toMatchObject({
        message: expect.stringContaining('was not sent'),
      });
      alive = true;
      expect((await clock.run(client.command('AT+C', 1_000))).ok).toBe(true);
    });
  });

  it('drops a stray result that nobody waits for', async () => {
    const { clock, serial, client } = setUp((line) => lines(line === 'AT+A' ? '+A: 1' : '+B: 2', 'OK'));
    serial.send(lines('OK', 'ERROR', '+A: 0'));
    await clock.advance(10);
    expect((await clock.run(client.command('AT+A', QUERY, { prefix: '+A:' }))).text).toBe('+A: 1');
    expect((await clock.run(client.command('AT+B', QUERY, { prefix: '+B:' }))).text).toBe('+B: 2');
  });

  it('does not take a result for its own that comes before the command is out', async () => {
    const { clock, serial, client } = setUp(() => lines('+A: 1', 'OK'), { room: 2 });
    const command = client.command('AT+ALONGCOMMAND', QUERY, { prefix: '+A:' });
    await clock.advance(3);
    expect(serial.written.length).toBeLessThan(12);
    serial.send(lines('+A: 0', 'ERROR'));
    expect(await clock.run(command)).toEqual({ ok: true, cme: -1, text: '+A: 1' });
  });

  it('keeps the gap between a final result and the next command', async () => {
    const at: number[] = [];
    const { clock, client } = setUp(() => {
      at.push(clockOf.ticks);
      return lines('OK');
    });
    const clockOf = clock;
    client.gap = 20;
    await clock.run(Promise.all([client.command('AT+A', QUERY), client.command('AT+B', QUERY)]));
    expect(at[1] - at[0]).toBeGreaterThanOrEqual(20);
  });

  it('rejects everything when the port breaks, and can be opened again', async () => {
    let reason: unknown;
    const { clock, serial, client } = setUp(
      (line) => (line === 'AT' ? lines('OK') : undefined),
      {},
      {
        onLost: (why) => {
          reason = why;
        },
      },
    );
    const pending = [client.command('AT+A', QUERY), client.command('AT+B', QUERY)];
    for (const promise of pending) promise.catch(() => {});
    await clock.advance(100);
    serial.break(new Error('unplugged'));
    for (const promise of pending) await expect(promise).rejects.toMatchObject({ code: 'closed' });
    expect(reason).toMatchObject({ message: 'unplugged' });
    await expect(client.command('AT', QUERY)).rejects.toMatchObject({ code: 'closed' });
    client.open();
    await clock.run(client.synchronise(3));
    expect((await clock.run(client.command('AT', QUERY))).ok).toBe(true);
    client.close();
    client.close();
    expect(clock.pending).toBe(0);
  });

  it('shows an observer every line, and builds nothing without one', async () => {
    const events: string[] = [];
    const observe = (event: HalEvent) => {
      if (event.event === 'at')
        events.push(`${event.direction} ${event.kind} ${Buffer.from(event.line).toString('latin1')}`);
    };
    const { clock, client } = setUp(
      (line) => `${line}\r${lines('+CREG: 2', '+CSIM: 4,"9000"', 'OK')}`,
      {},
      { observe },
    );
    await clock.run(new Csim('80AA0000', 1_000).send(client));
    expect(events).toEqual([
      'tx command AT+CSIM=8,"80AA0000"',
      'rx echo AT+CSIM=8,"80AA0000"',
      'rx urc +CREG: 2',
      'rx answer +CSIM: 4,"9000"',
      'rx final OK',
    ]);
  });
});
