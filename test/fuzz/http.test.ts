import { Heard, HttpParser } from '../../hal/xs/http-parser.js';
import { bound, fuzz } from './fuzz.js';
import type { Random } from './random.js';

const parser = new HttpParser(['content-type', 'retry-after'], 1_000);

class Refused extends Error {}

/** Reads responses, bodies in pieces of random size, until the bytes are used up. */
function run(input: Uint8Array, random: Random): void {
  parser.expect(random.below(8) === 0 ? 'HEAD' : 'POST');
  let steps = 0;
  let isHead = false;
  for (let at = 0; at < input.length && !parser.idle; ) {
    bound(++steps, 2 * input.length + 2);
    if (parser.body > 0) {
      const count = 1 + random.below(Math.min(input.length - at, parser.body));
      at += count;
      parser.skip(count);
      continue;
    }
    const { need } = parser;
    if (need < 1) throw new Error('waits for nothing');
    for (const end = Math.min(input.length, at + need); at < end; at++) {
      const heard = parser.push(input[at]);
      isHead ||= heard === Heard.head;
      if (parser.body > 0 && at + 1 < end) throw new Error('took a body for a head');
      if (heard !== Heard.fault) continue;
      // Refused late, it has exercised enough.
      if (isHead) return;
      throw new Refused(parser.fault);
    }
  }
  if (!parser.idle && parser.finish() === Heard.fault && !isHead) throw new Refused(parser.fault);
}

fuzz({
  name: 'the HTTP parser',
  messages: [
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"header":1}',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.0 503 Busy\r\nRetry-After: 120\r\nConnection: keep-alive\r\n\r\nno',
  ].map((text) => Buffer.from(text)),
  alphabet: Buffer.from('\r\n :;0129aF/HTP\t\0'),
  run,
  allows: (error) => error instanceof Refused,
});
