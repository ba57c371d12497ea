import { gzipSync } from 'node:zlib';
import type { MemoryResponse } from './memory-http.js';
import type { Scene } from './raw-http.js';

const reasons: Readonly<Record<number, string>> = { 200: 'OK', 204: 'No Content' };

/** A response as a good server sends it. */
export function honest({ status, headers = {}, body }: MemoryResponse): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = status === 204 ? '' : `Content-Length: ${body?.length ?? 0}\r\n`;
  const head = `HTTP/1.1 ${status} ${reasons[status] ?? 'x'}\r\n${lines.join('')}${length}\r\n`;
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]);
}

const raw = (text: string) => Buffer.from(text, 'latin1');
const response = (head: string, body: string | Uint8Array = '') =>
  Buffer.concat([raw(`HTTP/1.1 ${head}\r\n\r\n`), Buffer.from(body)]);
const bodyOf = ({ body = new Uint8Array(0) }: MemoryResponse) => Buffer.from(body);
const page = '<!doctype html><title>Log in to use this network</title>';

function chunks(body: Uint8Array, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(raw(`${part.length.toString(16)}\r\n`), Buffer.from(part), raw('\r\n'));
  }
  return Buffer.concat(parts);
}

export function* forever(first: Buffer, again: Buffer, pause: number): Scene {
  yield first;
  for (;;) {
    yield again;
    yield pause;
  }
}

/**
 * What a broken, careless or hostile server makes of a response. `good`: whoever asked gets the response all the same;
 * `stray`: that, too, but what comes behind may be taken for the answer to the next request;
 * `bad`: the exchange fails, as often as that is tried.
 */
export const scenes: readonly {
  title: string;
  ends: 'good' | 'stray' | 'bad';
  play: (response: MemoryResponse) => Scene;
}[] = [
  {
    title: 'byte by byte',
    ends: 'good',
    play: (one) => [...honest(one)].map((byte) => Buffer.of(byte)),
  },
  {
    title: 'in chunks, with extensions and a trailer',
    ends: 'good',
    play: (one) => [
      response('200 OK\r\nTransfer-Encoding: chunked'),
      chunks(bodyOf(one), 7),
      raw('0;x=y\r\nDigest: 1\r\n\r\n'),
    ],
  },
  {
    title: '1xx before it',
    ends: 'good',
    play: (one) => [response('100 Continue'), response('102 Processing'), 3_000, honest(one)],
  },
  {
    title: 'another content type',
    ends: 'good',
    play: (one) => [honest({ ...one, headers: { ...one.headers, 'Content-Type': 'text/html' } })],
  },
  {
    title: 'without a length, up to the end of the connection',
    ends: 'good',
    play: (one) => [response('200 OK', bodyOf(one)), 'end'],
  },
  { title: 'the same twice at once', ends: 'stray', play: (one) => [honest(one), honest(one)] },
  { title: 'the same twice', ends: 'good', play: (one) => [honest(one), 500, honest(one)] },
  {
    title: 'and another answer that nobody asked for',
    ends: 'stray',
    play: (one) => [
      honest(one),
      5,
      response('200 OK\r\nContent-Length: 6', Buffer.from('bf4f03020101', 'hex')),
    ],
  },
  { title: 'nothing', ends: 'bad', play: () => [] },
  { title: 'the end of the connection', ends: 'bad', play: () => ['end'] },
  { title: 'a reset', ends: 'bad', play: () => ['reset'] },
  { title: 'half a head and the end', ends: 'bad', play: () => [raw('HTTP/1.1 200 OK\r\nConte'), 'end'] },
  {
    title: 'half a body and the end',
    ends: 'bad',
    play: (one) => [honest(one).subarray(0, -3), 'end'],
  },
  {
    title: 'half a body and a reset',
    ends: 'bad',
    play: (one) => [honest(one).subarray(0, -3), 20, 'reset'],
  },
  { title: 'half a body and silence', ends: 'bad', play: (one) => [honest(one).subarray(0, -3)] },
  {
    title: 'a length that is too long',
    ends: 'bad',
    play: (one) => [response(`200 OK\r\nContent-Length: ${bodyOf(one).length + 9}`, bodyOf(one))],
  },
  {
    title: 'a length that is too short',
    ends: 'bad',
    play: (one) => [
      response(`200 OK\r\nContent-Length: ${Math.max(0, bodyOf(one).length - 2)}`, bodyOf(one)),
    ],
  },
  {
    title: 'two lengths',
    ends: 'bad',
    play: (one) => [response('200 OK\r\nContent-Length: 1\r\nContent-Length: 2', bodyOf(one))],
  },
  {
    title: 'a negative length',
    ends: 'bad',
    play: (one) => [response('200 OK\r\nContent-Length: -5', bodyOf(one))],
  },
  {
    title: 'chunks that break off',
    ends: 'bad',
    play: (one) => [response('200 OK\r\nTransfer-Encoding: chunked'), chunks(bodyOf(one), 7), 'end'],
  },
  {
    title: 'chunks with a length that is none',
    ends: 'bad',
    play: (one) => [response('200 OK\r\nTransfer-Encoding: chunked'), raw('xyz\r\n'), bodyOf(one)],
  },
  {
    title: 'chunks of a length beyond reason',
    ends: 'bad',
    play: (one) => [
      response('200 OK\r\nTransfer-Encoding: chunked'),
      raw('fffffffffffff\r\n'),
      bodyOf(one),
      'end',
    ],
  },
  {
    title: 'another coding',
    ends: 'bad',
    play: (one) => [response('200 OK\r\nTransfer-Encoding: gzip', gzipSync(bodyOf(one))), 'end'],
  },
  ...[301, 302, 307, 308].map((status) => ({
    title: `a redirection, ${status}`,
    ends: 'bad' as const,
    play: () => [
      response(`${status} Elsewhere\r\nLocation: http://evil.example.com:81/\r\nContent-Length: 0`),
    ],
  })),
  { title: '200 and an empty body', ends: 'bad', play: () => [response('200 OK\r\nContent-Length: 0')] },
  { title: '204', ends: 'bad', play: () => [response('204 No Content')] },
  {
    title: 'a page of a captive portal',
    ends: 'bad',
    play: () => [response(`200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}`, page)],
  },
  { title: '500', ends: 'bad', play: () => [response('500 Error\r\nContent-Length: 2', 'no')] },
  { title: '101', ends: 'bad', play: () => [response('101 Switching Protocols\r\nUpgrade: x')] },
  { title: 'something else than HTTP', ends: 'bad', play: () => [raw('220 mail.example.com ESMTP\r\n')] },
  { title: 'TLS', ends: 'bad', play: () => [Buffer.from('15030100020228', 'hex'), 'end'] },
  { title: '1xx without end', ends: 'bad', play: () => forever(response('102 x'), response('102 x'), 100) },
  {
    title: 'a head without end',
    ends: 'bad',
    play: () => forever(raw('HTTP/1.1 200 OK\r\n'), raw('X: y\r\n'), 100),
  },
  {
    title: 'a body without end',
    ends: 'bad',
    play: () => forever(response('200 OK'), Buffer.alloc(500, 1), 100),
  },
  {
    title: 'spaces without end',
    ends: 'bad',
    play: () => forever(response('200 OK'), Buffer.alloc(500, 0x20), 100),
  },
  {
    title: 'a byte now and then, without end',
    ends: 'bad',
    play: () => forever(response('200 OK'), Buffer.of(0x20), 20_000),
  },
  {
    title: 'chunks without end, of one byte',
    ends: 'bad',
    play: () => forever(response('200 OK\r\nTransfer-Encoding: chunked'), raw('1\r\n \r\n'), 10),
  },
  {
    title: 'a trailer without end',
    ends: 'bad',
    play: (one) =>
      forever(
        Buffer.concat([
          response('200 OK\r\nTransfer-Encoding: chunked'),
          chunks(bodyOf(one), 99),
          raw('0\r\n'),
        ]),
        raw('X: y\r\n'),
        10,
      ),
  },
];
