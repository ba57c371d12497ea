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
  type Span,
} from '../../hal/modem/at-parser.js';
import { bound, fuzz } from './fuzz.js';
import type { Mutator } from './mutate.js';

/** What modems say (at.md §2, §3, §5, §9, §10), with echo and unsolicited lines. */
const TALK = [
  'AT+CSIM=22,"81E2910006BF3E035C015A"\r\r\n+CSIM: 4,"6115"\r\n\r\nOK\r\n',
  '\r\n+CSIM: 46,"BF3E125A10890490321234512345123456789012359000"\r\n\r\nOK\r\n',
  '\r\n+CGLA: 4,"9000"\r\n+CREG: 1,"1A2B","01234567",7\r\nOK\r\n',
  '+CGLA: 12,6f1f84109000,1\r\nOK\r\n',
  'AT+CCHO="A0000005591010FFFFFFFF8900000100"\r\r\n+CCHO: 1\r\n\r\nOK\r\n',
  '\r\n00000000038aa32f\r\n\r\nOK\r\n',
  '\r\n+CME ERROR: 13\r\n',
  '\r\n+CME ERROR: SIM busy\r\n',
  '\r\n+CMS ERROR: 500\r\nERROR\r\n',
  '\r\n+CEREG: 0,1\r\n\r\nOK\r\n+CEREG: 2\r\n+CEREG: 5,"00C3","0102ABCD",7\r\n',
  '\r\n+CPIN: NOT READY\r\n+QSIMSTAT: 1,0\r\n+CPIN: READY\r\nRDY\r\n',
  '\r\n+COPS: 0,2,"26201",7\r\nOK\r\n',
  'ATI\r\r\nQuectel\r\nEC200A\r\nRevision: 1\r\n\r\nOK\r\n',
  '\r\n490154203237518\r\n+CGSN: "490154203237518"\r\n8900103254769810321F\r\nOK\r\n',
  '\xff\x00\r\nNO CARRIER\r\n+CGEV: ME DETACH\r\n',
].map((text) => Uint8Array.from(Buffer.from(text, 'latin1')));

/** A decimal digit somewhere becomes another: lengths that lie. */
const changeDigit: Mutator = (draft, random) => {
  const from = random.below(draft.length + 1);
  for (let i = from; i < draft.length; i++) {
    if (draft.bytes[i] < 0x30 || draft.bytes[i] > 0x39) continue;
    draft.bytes[i] = 0x30 + random.below(10);
    return;
  }
};

const EXPECTATIONS: readonly (Expectation | undefined)[] = [
  undefined,
  { prefix: '+CSIM:' },
  { prefix: '+CGLA:' },
  { prefix: '+CCHO:', bare: 'handle' },
  { prefix: '+CEREG:', registration: true },
  { prefix: '+CGSN:', bare: 'digits' },
  { bare: 'text' },
];
const KINDS = ['ok', 'error', 'answer', 'urc'];

const line: Span = { start: 0, end: 0 };
const buffer = new Uint8Array(2048);

fuzz({
  name: 'AT parser',
  messages: TALK,
  alphabet: Buffer.from('\r\r\n\n+:,"= 0123456789ABCDEFabcdefATOKCSIMGLHRPN\x00\xff', 'latin1'),
  mutators: [changeDigit, changeDigit],
  // Lines of a modem are data: nothing in them may throw.
  allows: () => false,
  run(input, random) {
    // As the client does it: lines are taken off a buffer, and an answer is decoded in its place.
    buffer.set(input);
    const to = input.length;
    let from = 0;
    for (let steps = 0; ; ) {
      const consumed = digest(buffer, from, to, line);
      if (consumed === 0) break;
      bound(++steps, to);
      const next = from + consumed;
      const { start, end } = line;
      if (consumed < 0 || start < from || end < start || end >= next || next > to)
        throw new Error(`line ${start}…${end} of ${from}…${next}`);
      const expected = random.pick(EXPECTATIONS);
      const kind = classify(buffer, start, end, expected);
      if (!KINDS.includes(kind)) throw new Error(`kind ${kind}`);
      if (!expected && kind === 'answer') throw new Error('an answer to nothing');
      isEcho(buffer, start, end, 'AT+CSIM=?');
      const code = cmeCode(buffer, start, end);
      if (code !== NO_CODE && (kind !== 'error' || !Number.isInteger(code) || code > 99_999))
        throw new Error(`code ${code} of a line that is ${kind}`);
      if (kind === 'answer') decode(input, start, end);
      else if (asText(buffer, start, end).length !== end - start) throw new Error('text of another length');
      from = next;
    }
    for (let i = from; i < to; i++) {
      if (buffer[i] !== input[i]) throw new Error('bytes behind the last line are changed');
      if (buffer[i] === 0x0a || buffer[i] === 0x0d) throw new Error('a line was passed over');
    }
  },
});

function decode(input: Uint8Array, start: number, end: number): void {
  const count = decodeHexAnswer(buffer, start, end);
  if (count === BAD_SYNTAX || count === BAD_LENGTH) {
    for (let i = start; i < end; i++)
      if (buffer[i] !== input[i]) throw new Error('a refused line is changed');
    return;
  }
  if (count < 2 || 2 * count > end - start) throw new Error(`${count} bytes from ${end - start} characters`);
  // Independently: the bytes must be the hex behind the first comma that follows the colon.
  const text = Buffer.from(input.subarray(start, end)).toString('latin1');
  const digits = /^[^:]*:[^,]*, *"?([0-9A-Fa-f]*)/.exec(text)?.[1] ?? '';
  if (digits.toLowerCase() !== Buffer.from(buffer.subarray(start, start + count)).toString('hex'))
    throw new Error('decoded to other bytes');
  if (buffer[end] !== input[end]) throw new Error('a byte behind the line is changed');
}
