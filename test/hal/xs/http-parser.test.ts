import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heard, HttpParser } from '../../../hal/xs/http-parser.js';

interface Response {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Feeds `text` as a socket would, in pieces of `size`, as far as the parser asks for; returns every complete response. */
function parse(
  text: string,
  options: { size?: number; method?: string; count?: number; limit?: number } = {},
) {
  const { size = 1_000, method = 'GET', count = 1, limit = 1_000 } = options;
  const parser = new HttpParser(['content-type', 'retry-after'], limit);
  const bytes = Buffer.from(text, 'latin1');
  const responses: Response[] = [];
  let body = '';
  let at = 0;
  parser.expect(method);
  const hear = (heard: number) => {
    const complete = heard === Heard.end || (heard === Heard.head && parser.idle);
    if (!complete) return;
    responses.push({ status: parser.status, headers: Object.fromEntries(parser.headers ?? []), body });
    body = '';
    if (responses.length < count) parser.expect(method);
  };
  while (at < bytes.length && parser.fault === '' && !(parser.idle && responses.length === count)) {
    const end = Math.min(bytes.length, at + size);
    while (at < end && parser.fault === '' && !parser.idle) {
      if (parser.body > 0) {
        const length = Math.min(parser.body, end - at);
        body += bytes.subarray(at, at + length).toString('latin1');
        at += length;
        hear(parser.skip(length));
      } else {
        const stop = Math.min(end, at + parser.need);
        while (at < stop) hear(parser.push(bytes[at++]));
      }
    }
  }
  if (!parser.idle && parser.fault === '') hear(parser.finish());
  return {
    responses,
    fault: parser.fault,
    keepAlive: parser.keepAlive,
    rest: parser.fault === '' ? bytes.length - at : 0,
  };
}

const good: [string, string, Response, { method?: string; keepAlive?: boolean }][] = [
  [
    'a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type:  text/plain \r\n\r\nhello',
    { status: 200, headers: { 'content-type': 'text/plain' }, body: 'hello' },
    {},
  ],
  ['no body', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, headers: {}, body: '' }, {}],
  ['length 0', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', { status: 200, headers: {}, body: '' }, {}],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;x="y"\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n',
    { status: 200, headers: {}, body: 'abc0123456789' },
    {},
  ],
  [
    'LF alone, no reason',
    'HTTP/1.1 503\nRetry-After: 120\nContent-Length: 2\n\nno',
    { status: 503, headers: { 'retry-after': '120' }, body: 'no' },
    {},
  ],
  [
    'interim responses',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
    { status: 200, headers: {}, body: 'x' },
    {},
  ],
  [
    'HEAD',
    'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
    { status: 200, headers: {}, body: '' },
    { method: 'HEAD' },
  ],
  [
    'up to the end of the connection',
    'HTTP/1.1 200 OK\r\n\r\nall of it',
    { status: 200, headers: {}, body: 'all of it' },
    { keepAlive: false },
  ],
  [
    'HTTP/1.0',
    'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx',
    { status: 200, headers: {}, body: 'x' },
    { keepAlive: false },
  ],
  [
    'HTTP/1.0 that goes on',
    'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx',
    { status: 200, headers: {}, body: 'x' },
    {},
  ],
  [
    'close',
    'HTTP/1.1 200 OK\r\nConnection: TE, close\r\nContent-Length: 1\r\n\r\nx',
    { status: 200, headers: {}, body: 'x' },
    { keepAlive: false },
  ],
  [
    'a length beside chunks: chunks count, and nothing behind them',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    { status: 200, headers: {}, body: 'x' },
    { keepAlive: false },
  ],
  [
    'a long header',
    `HTTP/1.1 200 OK\r\nX-Long-Name-That-Nobody-Keeps: ${'y'.repeat(500)}\r\nContent-Type: ${'z'.repeat(90)}\r\nContent-Length: 1\r\n\r\nx`,
    { status: 200, headers: { 'content-type': 'z'.repeat(64) }, body: 'x' },
    {},
  ],
];

describe('the HTTP parser', () => {
  it.each(good)(
    'reads a response with %s, whole and byte by byte',
    (_name, text, expected, { method, keepAlive = true }) => {
      for (const size of [1_000, 7, 1]) {
        expect(parse(text, { size, method })).toEqual({
          responses: [expected],
          fault: '',
          keepAlive,
          rest: 0,
        });
      }
    },
  );

  it('reads responses that follow one another, and never a byte beyond one', () => {
    const all = good.filter(([, , , { method, keepAlive }]) => !method && keepAlive === undefined);
    const text = all.map(([, one]) => one).join('');
    for (const size of [10_000, 3, 1]) {
      expect(parse(text, { size, count: all.length }).responses).toEqual(
        all.map(([, , expected]) => expected),
      );
    }
    expect(parse(text, { count: 1 }).rest).toBe(text.length - all[0][1].length);
  });

  it.each([
    ['another protocol', 'SSH-2.0-x\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a bad status', 'HTTP/1.1 2x0 OK\r\n\r\n'],
    ['status 0', 'HTTP/1.1 000 OK\r\n\r\n'],
    ['a long status', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n'],
    ['no name', 'HTTP/1.1 200 OK\r\n: 5\r\n\r\n'],
    ['a CR in the middle', 'HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n'],
    ['a NUL', 'HTTP/1.1 200 OK\r\nA: \0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'],
    ['no length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n'],
    ['a huge length', `HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(20)}\r\n\r\n`],
    ['a length of many zeros', `HTTP/1.1 200 OK\r\nContent-Length: ${'0'.repeat(70)}\r\n\r\n`],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'],
    ['a chunk without length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n'],
    ['a huge chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000000\r\n'],
    ['a chunk longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(500)}`],
    ['endless interim responses', 'HTTP/1.1 100 \r\n\r\n'.repeat(500)],
    [
      'endless trailers',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'A: b\r\n'.repeat(500)}`,
    ],
    ['an end too early', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc'],
  ])('refuses %s', (_name, text) => {
    for (const size of [10_000, 1]) {
      const { responses, fault } = parse(text, { size });
      expect(responses).toEqual([]);
      expect(fault).not.toBe('');
    }
  });

  it('ends with every input in a response or a fault, the same for every cut', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'HTTP/1.1 200 OK\r\n',
        'Content-Length: 3\r\n',
        'Transfer-Encoding: chunked\r\n',
        '\r\n',
        '\n',
        '3\r\nabc',
        '0\r\n',
        'HTTP/1.1 100 x\r\n\r\n',
      ),
      fc.string({
        unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
        maxLength: 6,
      }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
        const text = pieces.join('');
        expect(parse(text, { size })).toEqual(parse(text));
        expect(parse(`HTTP/1.1 200 OK\r\n${text}`, { size })).toEqual(parse(`HTTP/1.1 200 OK\r\n${text}`));
      }),
      { numRuns: 2_000 },
    );
  });
});
