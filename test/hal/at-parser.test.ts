import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asText,
  BAD_LENGTH,
  BAD_SYNTAX,
  classify,
  cmeCode,
  decodeHexAnswer,
  digest,
  type Expectation,
  isEcho,
  NO_CODE,
} from '../../hal/modem/at-parser.js';
import { LineBuffer } from '../../hal/modem/line-buffer.js';

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** All lines of a text, read in slices of the given sizes. */
function linesOf(
  bytes: Uint8Array,
  sizes: readonly number[],
  capacity = 600,
): { lines: string[]; buffer: LineBuffer } {
  const buffer = new LineBuffer(capacity);
  const lines: string[] = [];
  let at = 0;
  let until = 0;
  const port = {
    read(into: Uint8Array): number {
      const part = bytes.subarray(at, Math.min(until, at + into.length));
      into.set(part);
      at += part.length;
      return part.length;
    },
    write() {},
    close() {},
  };
  for (let n = 0; until < bytes.length; n++) {
    until = Math.min(bytes.length, until + sizes[n % sizes.length]);
    while (buffer.fill(port))
      while (buffer.next()) lines.push(asText(buffer.bytes, buffer.start, buffer.end));
  }
  return { lines, buffer };
}

function kind(line: string, expected?: Expectation): string {
  const bytes = bytesOf(line);
  return classify(bytes, 0, bytes.length, expected);
}

describe('digest', () => {
  it('asks for more until a line end is there', () => {
    const bytes = bytesOf('\r\nOK\r\n');
    const line = { start: 0, end: 0 };
    expect(digest(bytes, 2, 4, line)).toBe(0);
    expect(digest(bytes, 2, 5, line)).toBe(3);
    expect([line.start, line.end]).toEqual([2, 4]);
    expect(digest(bytes, 0, 6, line)).toBe(1);
    expect(line.end - line.start).toBe(0);
  });

  it.each([
    ['\r\nOK\r\n', ['OK']],
    ['AT\r\r\nOK\r\n', ['AT', 'OK']],
    ['AT\r\n\r\nOK\r\n', ['AT', 'OK']],
    ['AT\rOK\r', ['AT', 'OK']],
    ['\n\n\r\r OK \t\r\n', ['OK']],
    ['\0\xff\xfe\r\n\xffOK\r\n', ['OK']],
    ['\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n\r\n+CREG: 1\r\n', ['+CSIM: 4,"9000"', 'OK', '+CREG: 1']],
  ])('splits %j the same whole and in every slicing', (text, expected) => {
    const bytes = bytesOf(text);
    for (let size = 1; size <= bytes.length; size++) expect(linesOf(bytes, [size]).lines).toEqual(expected);
  });

  it('drops an over-long line up to its end, counts it once, and does not grow', () => {
    for (const size of [1, 7, 64, 5_000]) {
      const bytes = bytesOf(`\r\nOK\r\n+LONG: ${'9'.repeat(300)}\r\nERROR\r\n`);
      const { lines, buffer } = linesOf(bytes, [size], 64);
      expect(lines).toEqual(['OK', 'ERROR']);
      expect(buffer.overlong).toBe(1);
      expect(buffer.bytes.length).toBe(64);
    }
  });

  it('takes a line that fits to the last byte', () => {
    const { lines, buffer } = linesOf(bytesOf(`${'A'.repeat(63)}\r\nOK\r\n`), [1], 64);
    expect(lines).toEqual(['A'.repeat(63), 'OK']);
    expect(buffer.overlong).toBe(0);
  });

  it('gives the same lines however hostile bytes are sliced', () => {
    const alphabet = fc.constantFrom(...bytesOf('\r\n +CSIM:0129"OKERROR,\xff\0'));
    fc.assert(
      fc.property(
        fc.array(alphabet, { maxLength: 300 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        (content, sizes) => {
          const bytes = Uint8Array.from(content);
          const whole = linesOf(bytes, [bytes.length || 1], 1_000).lines;
          expect(linesOf(bytes, sizes, 1_000).lines).toEqual(whole);
          for (const line of whole) expect(line).not.toMatch(/^\s|\s$|[\r\n]/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('classify', () => {
  const csim = { prefix: '+CSIM:' };
  it.each([
    ['OK', 'ok'],
    ['ERROR', 'error'],
    ['+CME ERROR: 13', 'error'],
    ['+CME ERROR: SIM busy', 'error'],
    ['+CMS ERROR: 500', 'error'],
    ['NO CARRIER', 'error'],
    ['BUSY', 'error'],
    ['ABORTED', 'error'],
    ['+CSIM: 4,"9000"', 'answer'],
    ['+CSIM:4,9000', 'answer'],
    ['+CREG: 1,"1A2B","01234567",7', 'urc'],
    ['+CPIN: READY', 'urc'],
    ['OK?', 'urc'],
    ['ERRORS', 'urc'],
    ['RING', 'urc'],
  ])('%s is %s', (line, expected) => expect(kind(line, csim)).toBe(expected));

  it('takes nothing for an answer when none is expected', () => {
    expect(kind('+CSIM: 4,"9000"')).toBe('urc');
  });

  it.each([
    ['+CEREG: 0,1', 'answer'],
    ['+CEREG: 2,5,"00C3","0102ABCD",7', 'answer'],
    ['+CEREG:2, 1', 'answer'],
    ['+CEREG: 1', 'urc'],
    ['+CEREG: 5,"00C3","0102ABCD",7', 'urc'],
    ['+CEREG: 1,00C3,0102ABCD,7', 'urc'],
    ['+CREG: 0,1', 'urc'],
  ])('registration %s is %s', (line, expected) => {
    expect(kind(line, { prefix: '+CEREG:', registration: true })).toBe(expected);
  });

  it.each([
    ['1', 'answer'],
    ['00000000038aa32f', 'answer'],
    ['+CCHO: 1', 'answer'],
    ['+CPIN: READY', 'urc'],
    ['RDY', 'urc'],
    ['0'.repeat(33), 'urc'],
  ])('session handle %s is %s', (line, expected) => {
    expect(kind(line, { prefix: '+CCHO:', bare: 'handle' })).toBe(expected);
  });

  it.each([
    ['490154203237518', 'answer'],
    ['"490154203237518"', 'answer'],
    ['8900103254769810321F', 'answer'],
    ['+CGSN: "490154203237518"', 'answer'],
    ['+ICCID: 8900103254769810321F', 'answer'],
    ['+CMTI: "SM",1', 'urc'],
    ['12345', 'urc'],
    ['49015420323751A', 'urc'],
  ])('number %s is %s', (line, expected) => {
    expect(kind(line, { prefix: '+CGSN:', bare: 'digits' })).toBe(expected);
  });

  it.each([
    ['EG25', 'answer'],
    ['Revision: 1', 'answer'],
    ['+CGMM: EG25', 'answer'],
    ['+QIND: SMS DONE', 'urc'],
    ['^MODE: 5', 'urc'],
    ['*ATREADY: 1', 'urc'],
    ['RDY', 'urc'],
  ])('identity text %s is %s', (line, expected) => {
    expect(kind(line, { prefix: '+CGMM:', bare: 'text' })).toBe(expected);
  });

  it('knows an echo, whole or cut', () => {
    for (const [line, command, expected] of [
      ['ATE0', 'ATE0', true],
      ['AT#CCID', 'AT#CCID', true],
      ['AT+CSIM=22,"81E2', '', true],
      ['OK', 'ATE0', false],
      ['ATREADY', 'ATE0', false],
    ] as const) {
      const bytes = bytesOf(line);
      expect(isEcho(bytes, 0, bytes.length, command)).toBe(expected);
    }
  });
});

describe('decodeHexAnswer', () => {
  function decoded(line: string): string | number {
    // Something before and behind that must stay as it is.
    const bytes = bytesOf(`##${line}##`);
    const count = decodeHexAnswer(bytes, 2, bytes.length - 2);
    expect(asText(bytes, 0, 2)).toBe('##');
    expect(asText(bytes, bytes.length - 2, bytes.length)).toBe('##');
    return count < 0 ? count : Buffer.from(bytes.subarray(2, 2 + count)).toString('hex');
  }

  it.each([
    ['+CSIM: 4,"9000"', '9000'],
    ['+CSIM:4,"9000"', '9000'],
    ['+CSIM: 4,9000', '9000'],
    ['+CSIM:  4 , "9000" ', '9000'],
    ['+CGLA: 12,"6F1f84109000"', '6f1f84109000'],
    ['+CGLA: 4,"6115",1', '6115'],
    ['+CGLA: 4,6115,0', '6115'],
  ])('reads %s', (line, expected) => expect(decoded(line)).toBe(expected));

  it.each([
    ['+CSIM: 6,"9000"', BAD_LENGTH],
    ['+CSIM: 4,"900000"', BAD_LENGTH],
    ['+CSIM: 4,"900', BAD_LENGTH],
    ['+CSIM: 5,"90000"', BAD_LENGTH],
    ['+CSIM: 2,"90"', BAD_LENGTH],
    ['+CSIM: 0,""', BAD_LENGTH],
    ['+CSIM: 4', BAD_SYNTAX],
    ['+CSIM: "9000"', BAD_SYNTAX],
    ['+CSIM', BAD_SYNTAX],
    ['+CSIM: 4,"90G0"', BAD_SYNTAX],
    ['+CSIM: 99999999999999999999,"9000"', BAD_SYNTAX],
  ])('refuses %s', (line, expected) => expect(decoded(line)).toBe(expected));

  it('reads back what it is given, in either case', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 258 }),
        fc.boolean(),
        fc.boolean(),
        (data, lower, quoted) => {
          const hex = Buffer.from(data).toString('hex');
          const text = lower ? hex : hex.toUpperCase();
          expect(decoded(`+CSIM: ${hex.length},${quoted ? `"${text}"` : text}`)).toBe(hex);
        },
      ),
    );
  });

  it('never reads or writes outside, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (text) => {
        const result = decoded(`+CSIM: ${text}`);
        if (typeof result === 'string') expect(result.length).toBeLessThanOrEqual(2 * text.length);
      }),
      { numRuns: 500 },
    );
  });
});

describe('cmeCode', () => {
  it.each([
    ['+CME ERROR: 13', 13],
    ['+CME ERROR:515', 515],
    ['+CME ERROR: SIM busy', 14],
    ['+CME ERROR: sim BUSY', 14],
    ['+CME ERROR: operation not allowed', 3],
    ['+CME ERROR: Parameters error', 50],
    ['+CME ERROR: something else', NO_CODE],
    ['+CME ERROR:', NO_CODE],
    ['+CME ERROR: 999999999', NO_CODE],
    ['+CMS ERROR: 13', NO_CODE],
    ['ERROR', NO_CODE],
  ])('%s → %i', (line, expected) => {
    const bytes = bytesOf(line);
    expect(cmeCode(bytes, 0, bytes.length)).toBe(expected);
  });
});
