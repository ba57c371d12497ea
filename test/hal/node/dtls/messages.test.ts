import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DtlsError } from '../../../../hal/node/dtls/error.js';
import {
  parametersOf,
  readChain,
  readIdentity,
  readPoint,
  readRawKey,
  readServerKey,
  writeChain,
  writeIdentity,
  writePoint,
  writeRawKey,
  writeServerKey,
} from '../../../../hal/node/dtls/exchange.js';
import { datagramsOf, type Part } from '../../../../hal/node/dtls/flight.js';
import {
  readClientHello,
  readHelloVerify,
  readServerHello,
  writeClientHello,
  writeHelloVerify,
  writeServerHello,
} from '../../../../hal/node/dtls/hello.js';
import { Assembly, fragmentOf, message } from '../../../../hal/node/dtls/messages.js';
import { Content, plainRecord, recordsOf } from '../../../../hal/node/dtls/record.js';

const bytes = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((value) => Buffer.from(value));
const numbers = fc.array(fc.nat(0xffff), { maxLength: 12 });
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const common = {
  random: bytes(32, 32),
  extendedMasterSecret: fc.boolean(),
  renegotiationInfo: fc.boolean(),
  connectionId: some(bytes(0, 20)),
};
const clientHello = fc.record(
  {
    ...common,
    cookie: bytes(0, 32),
    suites: fc.array(
      fc.nat(0xfe).map((low) => 0xc000 + low),
      { minLength: 1, maxLength: 9 },
    ),
    serverName: fc.domain(),
    groups: numbers,
    signatures: numbers,
    certificateTypes: fc.array(fc.nat(255), { maxLength: 4 }),
  },
  {
    requiredKeys: ['random', 'extendedMasterSecret', 'renegotiationInfo', 'connectionId', 'cookie', 'suites'],
  },
);
const serverHello = fc.record(
  { ...common, suite: fc.nat(0xffff), certificateType: fc.nat(255) },
  {
    requiredKeys: ['random', 'extendedMasterSecret', 'renegotiationInfo', 'connectionId', 'suite'],
  },
);
const serverKey = fc
  .record({ point: bytes(1, 133), scheme: fc.nat(0xffff), signature: bytes(0, 140) })
  .map((key) => ({ ...key, parameters: parametersOf(key.point) }));

/** What is written, how, and how it is read. */
const forms: [string, fc.Arbitrary<unknown>, (value: never) => Buffer, (body: Buffer) => unknown][] = [
  ['ClientHello', clientHello, writeClientHello, readClientHello],
  ['ServerHello', serverHello, writeServerHello, readServerHello],
  ['HelloVerifyRequest', bytes(0, 32), writeHelloVerify, readHelloVerify],
  ['a chain of certificates', fc.array(bytes(0, 300), { maxLength: 4 }), writeChain, readChain],
  ['a raw public key', bytes(0, 300), writeRawKey, readRawKey],
  ['ServerKeyExchange', serverKey, writeServerKey, readServerKey],
  ['a point', bytes(0, 133), writePoint, readPoint],
  ['an identity', fc.string({ maxLength: 40 }), writeIdentity, readIdentity],
];

/** @throws what is not the parser's own error */
function attempt(read: (body: Buffer) => unknown, body: Buffer): unknown {
  try {
    return read(body);
  } catch (error) {
    if (error instanceof DtlsError) return error;
    throw error;
  }
}

describe.each(forms)('%s', (_name, arbitrary, write, read) => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        expect(read(write(value as never))).toEqual(value);
      }),
    );
  });

  it('is refused when it is cut off anywhere', () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const body = write(value as never);
        for (let length = 0; length < body.length; length++) {
          const got = attempt(read, body.subarray(0, length));
          // Extensions may be missing as a whole.
          if (!(got instanceof DtlsError)) expect(got).not.toEqual(value);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('throws nothing but DtlsError for any bytes', () => {
    fc.assert(
      fc.property(bytes(0, 200), (body) => void attempt(read, body)),
      { numRuns: 500 },
    );
    const change = fc.record({ value: arbitrary, at: fc.nat(), to: fc.nat(255) });
    fc.assert(
      fc.property(change, ({ value, at, to }) => {
        const body = Buffer.from(write(value as never));
        if (body.length > 0) body[at % body.length] = to;
        attempt(read, body);
      }),
      { numRuns: 500 },
    );
  });
});

describe('messages in pieces', () => {
  const content = (length: number, seed = 1) => Buffer.from(Array.from({ length }, (_, i) => i * 7 + seed));

  it('come together byte by byte, in any order, overlapping and again', () => {
    const cuts = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 });
    fc.assert(
      fc.property(fc.nat(300), cuts, fc.infiniteStream(fc.nat()), (length, extra, order) => {
        const { whole, body } = message(11, 0, content(length));
        const pieces = Array.from({ length: Math.max(1, length) }, (_, at) =>
          fragmentOf(whole, Math.min(at, length), Math.min(1, length)),
        );
        for (const [from, count] of extra) {
          const offset = from % (length + 1);
          pieces.push(fragmentOf(whole, offset, Math.min(count, length - offset)));
        }
        const assembly = new Assembly();
        const got = pieces
          .map((piece) => ({ piece, by: order.next().value }))
          .sort((a, b) => a.by - b.by)
          .flatMap(({ piece }) => assembly.take(piece).messages);
        expect(got).toEqual([{ type: 11, sequence: 0, body, whole }]);
        expect([assembly.next, assembly.held]).toEqual([1, 0]);
      }),
    );
  });

  it('wait for those before them', () => {
    const all = [0, 1, 2, 3].map((sequence) => message(sequence + 1, sequence, content(50, sequence)));
    const assembly = new Assembly();
    for (const one of [all[3], all[1], all[2]]) expect(assembly.take(one.whole).messages).toEqual([]);
    expect(assembly.held).toBe(150);
    expect(assembly.take(all[0].whole).messages).toEqual(all);
    expect(assembly.take(all[2].whole)).toEqual({ messages: [], again: true });
  });

  it('take no more memory than is allowed, and what is due still comes through', () => {
    const assembly = new Assembly(0, 1_000);
    for (let sequence = 1; sequence < 2_000; sequence++) {
      const { whole } = message(11, sequence, content(400));
      assembly.take(fragmentOf(whole, 0, 10));
      expect(assembly.held).toBeLessThanOrEqual(1_000);
    }
    const due = message(2, 0, content(900));
    expect(assembly.take(due.whole).messages).toEqual([due]);
    expect(assembly.held).toBe(0);
    expect(() => assembly.take(message(11, 1, content(1_001)).whole)).toThrow('1001 bytes; 1000 at most');
    expect(() => assembly.take(fragmentOf(message(11, 1, content(5)).whole, 4, 2))).toThrow(DtlsError);
  });

  it('are begun anew when a piece contradicts those before it', () => {
    const assembly = new Assembly();
    const { whole } = message(11, 0, content(80));
    assembly.take(fragmentOf(message(11, 0, content(90)).whole, 0, 60));
    expect(assembly.take(fragmentOf(whole, 0, 40)).messages).toEqual([]);
    expect(assembly.take(fragmentOf(whole, 40, 40)).messages[0].whole).toEqual(whole);
  });

  it('throw nothing but DtlsError for any bytes', () => {
    fc.assert(
      fc.property(fc.array(bytes(0, 60), { maxLength: 20 }), (fragments) => {
        const assembly = new Assembly(0, 4_096);
        for (const fragment of fragments) {
          attempt((one) => assembly.take(one), fragment);
          expect(assembly.held).toBeLessThanOrEqual(4_096);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('fit into datagrams of 1200 bytes, and come together from those in any order', () => {
    const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(3_000)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(lengths, fc.infiniteStream(fc.nat()), (all, order) => {
        const messages = all.map((length, sequence) => message(11, sequence, content(length, sequence)));
        const parts: Part[] = messages.map(({ whole }) => ({ type: Content.handshake, content: whole }));
        let sequence = 0;
        const datagrams = datagramsOf(parts, (part) => plainRecord(part.type, sequence++, part.content));
        expect(Math.max(...datagrams.map(({ length }) => length))).toBeLessThanOrEqual(1_200);
        const total = messages.reduce((sum, { whole }) => sum + whole.length + 13, 0);
        expect(datagrams.length).toBeLessThanOrEqual(Math.ceil(total / 1_100) + 1);
        const assembly = new Assembly();
        const got = datagrams
          .map((datagram) => ({ datagram, by: order.next().value }))
          .sort((a, b) => a.by - b.by)
          .flatMap(({ datagram }) => recordsOf(datagram, 0))
          .flatMap(({ fragment }) => assembly.take(fragment).messages);
        expect(got).toEqual(messages);
      }),
    );
  });

  it('records are read from any bytes', () => {
    fc.assert(
      fc.property(bytes(0, 100), fc.nat(20), (datagram, cidLength) => {
        const records = recordsOf(datagram, cidLength);
        const length = records.reduce((sum, one) => sum + one.header.length + 2 + one.fragment.length, 0);
        expect(length).toBeLessThanOrEqual(datagram.length);
      }),
    );
  });
});
