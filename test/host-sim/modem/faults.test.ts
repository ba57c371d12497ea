import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { strayReports } from '../../../host-sim/modem/index.js';
import { parseLine } from '../../../host-sim/modem/line.js';
import { Bench, FakeCard, ISD_R } from './fakes.js';

const OPEN = 'AT+CSIM=10,"0070000001"';
const isOpen = (_n: number, line: string) => line === OPEN;

describe('faults', () => {
  it('a stray report comes before the answer and between answer and OK, at every third command', async () => {
    const bench = await new Bench({ faults: strayReports(3) }).ready();
    const urc = '\r\n+CREG: 1,"1A2B","01234567",7\r\n';
    expect(await bench.raw('AT+CGMI')).toBe(`${urc}\r\nxs-ipa\r\n${urc}\r\nOK\r\n`);
    expect(await bench.raw('AT+CGMI')).toBe('\r\nxs-ipa\r\n\r\nOK\r\n');
    expect(await bench.raw('AT+CGMI')).toBe('\r\nxs-ipa\r\n\r\nOK\r\n');
    expect(await bench.raw('AT+NO')).toBe(`${urc}${urc}\r\nERROR\r\n`);
  });

  it('one CME error, then normal; the card is not asked', async () => {
    const bench = await new Bench({
      faults: [{ command: isOpen, action: { kind: 'cme', code: 13 } }],
    }).ready();
    const before = bench.modem.apdus;
    expect(await bench.ask(OPEN)).toEqual(['+CME ERROR: 13']);
    expect(bench.modem.apdus).toBe(before);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
    expect(bench.happenings.at(-1)).toBe('fault');
  });

  it('an error although the card has acted', async () => {
    const bench = await new Bench({
      faults: [
        { apdu: 1, action: { kind: 'error', executed: true } },
        { apdu: 2, action: { kind: 'cme', code: 100, executed: true } },
      ],
    }).ready();
    expect(await bench.ask(OPEN)).toEqual(['ERROR']);
    expect(await bench.ask(OPEN)).toEqual(['+CME ERROR: 100']);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"039000"', 'OK']);
  });

  it('no answer: carried out or not', async () => {
    const carriedOut = await new Bench({ faults: [{ apdu: 1, action: { kind: 'noAnswer' } }] }).ready();
    expect(await carriedOut.ask(OPEN, 60_000)).toEqual([]);
    expect(await carriedOut.ask(OPEN)).toEqual(['+CSIM: 6,"029000"', 'OK']);
    const not = await new Bench({
      faults: [{ apdu: 1, action: { kind: 'noAnswer', executed: false } }],
    }).ready();
    expect(await not.ask(OPEN, 60_000)).toEqual([]);
    expect(await not.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
  });

  it('answers are cut short, lose characters, come late', async () => {
    const bench = await new Bench({
      faults: [
        { apdu: 1, action: { kind: 'truncate', keep: 12 } },
        { apdu: 2, action: { kind: 'loseBytes', at: 11, count: 3 } },
        { apdu: 3, action: { kind: 'delay', milliseconds: 5000 } },
        { command: (_n, line) => line === 'AT+CGMI', action: { kind: 'error' } },
      ],
    }).ready();
    expect(await bench.raw(OPEN, 1000)).toBe('\r\n+CSIM: 6,"');
    expect(await bench.raw(OPEN)).toBe('\r\n+CSIM: 6,9000"\r\n\r\nOK\r\n');
    expect(await bench.raw(OPEN, 4999)).toBe('');
    await bench.clock.advance(1);
    expect(bench.received).toBe('\r\n+CSIM: 6,"039000"\r\n\r\nOK\r\n');
    expect(await bench.ask('AT+CGMI')).toEqual(['ERROR']);
    expect(await bench.ask('AT+CGMI')).toEqual(['xs-ipa', 'OK']);
  });

  it('a status word in place of the answer, before or after the card has acted', async () => {
    const storeData = (_n: number, apdu: Uint8Array) => apdu[1] === 0xe2;
    const bench = await new Bench({
      faults: [
        { apdu: storeData, action: { kind: 'statusWord', sw: 0x6985 } },
        { apdu: 2, action: { kind: 'statusWord', sw: 0x6a88, executed: true } },
      ],
    }).ready();
    expect(await bench.ask('AT+CSIM=20,"80E2910005BF78020004"')).toEqual(['+CSIM: 4,"6985"', 'OK']);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 4,"6A88"', 'OK']);
    expect(bench.card.log.at(-1)).toBe('0070000001');
    expect(bench.card.log).not.toContain('80E2910005BF78020004');
  });

  it('a dropped card shows as CME 0 until it is powered down and up', async () => {
    const bench = await new Bench({ faults: [{ apdu: 2, action: { kind: 'simDropped' } }] }).ready();
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
    for (const command of [OPEN, OPEN, 'AT+CPIN?', 'AT+CCID']) {
      expect(await bench.ask(command)).toEqual(['+CME ERROR: 0']);
    }
    expect(bench.modem.registered).toBe(false);
    await bench.ask('AT+CFUN=0');
    await bench.ask('AT+CFUN=1', 5000);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
    expect(bench.modem.registered).toBe(true);
  });
});

describe('power cut', () => {
  /** Exchanges of the modem's own until the card is ready. */
  const OWN = 8;

  it.each(['cutBefore', 'cutAfter'] as const)('%s: silence until power returns', async (cut) => {
    const bench = new Bench({
      beforeApdu: (_n, apdu) => (apdu[1] === 0xe2 ? cut : 'ok'),
    });
    await bench.ready();
    await bench.ask(`AT+CCHO="${ISD_R}"`);
    expect(await bench.ask('AT+CGLA=1,20,"80E2910005BF78020004"', 60_000)).toEqual([]);
    expect(bench.card.log.includes('81E2910005BF78020004')).toBe(cut === 'cutAfter');
    expect(bench.modem.powered).toBe(false);
    expect(bench.modem.registered).toBe(false);
    expect(await bench.ask('AT', 60_000)).toEqual([]);
    const other = new FakeCard();
    other.enabled = 1;
    bench.modem.powerOn(other);
    await bench.clock.advance(10_000);
    expect(await bench.raw('AT')).toBe('AT\r\r\nOK\r\n');
    expect(await bench.ask('AT+CIMI')).toEqual(['310260123456789', 'OK']);
  });

  it("may strike at every exchange, the modem's own included", async () => {
    const probe = await new Bench().ready();
    expect(probe.modem.apdus).toBeGreaterThan(OWN);
    for (let at = 1; at <= OWN + 1; at++) {
      for (const cut of ['cutBefore', 'cutAfter'] as const) {
        const bench = new Bench({ beforeApdu: (n) => (n === at ? cut : 'ok') });
        await bench.clock.advance(10_000);
        expect(bench.modem.powered).toBe(false);
        expect(bench.card.log).toHaveLength(cut === 'cutAfter' ? at + 1 : at);
        bench.modem.powerOn();
        await bench.clock.advance(10_000);
        expect(bench.modem.registered).toBe(true);
      }
    }
  });

  it('a card that throws loses power, if somebody asked to be told', async () => {
    const card = new FakeCard();
    const failures: unknown[] = [];
    const bench = await new Bench({ card, cardFailed: (error) => failures.push(error) }).ready();
    const full = new Error('no space left');
    const transmit = card.transmit.bind(card);
    card.transmit = (apdu) => {
      if (apdu[1] === 0x70) throw full;
      return transmit(apdu);
    };
    expect(await bench.ask(OPEN, 60_000)).toEqual([]);
    expect(failures).toEqual([full]);
    expect(bench.modem.powered).toBe(false);
    card.reset = () => {
      throw full;
    };
    bench.modem.powerOn();
    await bench.clock.advance(10_000);
    expect(failures).toEqual([full, full]);
    expect(bench.modem.powered).toBe(false);
  });

  it('in the middle of an answer the line falls silent', async () => {
    const bench = await new Bench({ baud: 9600 }).ready();
    await bench.raw('AT+CLAC', 100);
    const length = bench.received.length;
    expect(length).toBeGreaterThan(0);
    bench.modem.powerOff();
    await bench.clock.advance(10_000);
    expect(bench.received).toHaveLength(length);
  });
});

describe('hostile input', () => {
  it('random bytes end in nothing worse than ERROR', async () => {
    const bench = await new Bench({ personality: 'quectel' }).ready();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        bench.type(Buffer.from(bytes).toString('latin1'));
        await bench.clock.advance(0);
        return bench.clock.pending < 10;
      }),
      { numRuns: 300 },
    );
    bench.type('\x1b\r');
    await bench.clock.advance(5000);
    expect(await bench.ask('ATE0')).toContain('OK');
  });

  it('mutated commands never kill it', async () => {
    const bench = await new Bench().ready();
    const names = [
      '+CSIM',
      '+CCHO',
      '+CGLA',
      '+CCHC',
      '+CRSM',
      '+COPS',
      '+CGDCONT',
      '+CGPADDR',
      '+CREG',
      '+CGSN',
      'E',
      'I',
    ];
    const parameter = fc.oneof(
      fc.nat(70_000).map(String),
      fc.string({ maxLength: 12 }),
      fc.constantFrom(
        '',
        '"',
        '-1',
        '1e9',
        'toString',
        '__proto__',
        '"00A4040010"',
        '"0070000001"',
        '10',
        '26201',
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.constantFrom('=', '?', '=?', '', ';', '=;'),
        fc.array(parameter, { maxLength: 8 }),
        async (name, form, parameters) => {
          const lines = await bench.ask(
            `AT${name}${form}${parameters.join(',')}\x1b\rAT${name}${form}${parameters.join(',')}`,
            0,
          );
          return lines.length > 0;
        },
      ),
      { numRuns: 500 },
    );
    await bench.ask('ATE0V1');
    expect(await bench.ask('AT')).toEqual(['OK']);
  });

  it('a line without end does not grow', async () => {
    const bench = await new Bench().ready();
    bench.type(`AT${'A'.repeat(1_000_000)}`);
    await bench.clock.advance(10);
    expect(await bench.ask('')).toEqual(['ERROR']);
    expect(await bench.ask('AT')).toEqual(['OK']);
  });

  it('commands that come while one is carried out wait, sixteen of them at most', async () => {
    const bench = await new Bench({ apduMilliseconds: 100 }).ready();
    bench.received = '';
    bench.type(`${OPEN}\r${'AT\r'.repeat(50)}`);
    await bench.clock.advance(1000);
    expect(bench.received.match(/OK/g)).toHaveLength(1 + 15);
  });

  it('parseLine is total', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        return parseLine(`AT${text}`).length <= text.length;
      }),
      { numRuns: 2000 },
    );
    expect(parseLine('AT+CGDCONT=1,"IP","a;b, c";&F;E0V1I')).toEqual([
      { name: '+CGDCONT', form: 'set', parameters: ['1', 'IP', 'a;b, c'] },
      { name: '&F', form: 'run', parameters: [] },
      { name: 'E', form: 'set', parameters: ['0'] },
      { name: 'V', form: 'set', parameters: ['1'] },
      { name: 'I', form: 'run', parameters: [] },
    ]);
  });
});
