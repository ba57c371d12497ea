import { DtlsError } from '../../hal/node/dtls/error.js';
import {
  parametersOf,
  readChain,
  readIdentity,
  readPoint,
  readRawKey,
  readServerKey,
  writeChain,
  writePoint,
  writeRawKey,
  writeServerKey,
} from '../../hal/node/dtls/exchange.js';
import { datagramsOf, type Part } from '../../hal/node/dtls/flight.js';
import {
  readClientHello,
  readHelloVerify,
  readServerHello,
  writeClientHello,
  writeHelloVerify,
  writeServerHello,
} from '../../hal/node/dtls/hello.js';
import { Assembly, Handshake, message } from '../../hal/node/dtls/messages.js';
import { Content, plainRecord, recordsOf } from '../../hal/node/dtls/record.js';
import { bound, fuzz } from './fuzz.js';

class Refused extends Error {}

const some = (length: number) => Buffer.from(Array.from({ length }, (_, i) => i * 37));
const shared = { random: some(32), extendedMasterSecret: true, renegotiationInfo: true };

/** A handshake as it is sent, in datagrams. */
function handshake(): Buffer[] {
  const hello = writeClientHello({
    ...shared,
    cookie: some(16),
    suites: [0xc0ae, 0xc0ac],
    connectionId: some(0),
    serverName: 'eim.example.com',
    groups: [23],
    signatures: [0x0403],
    certificateTypes: [2, 0],
  });
  const answer = writeServerHello({ ...shared, suite: 0xc0ae, connectionId: some(4), certificateType: 2 });
  const key = writeServerKey({ parameters: parametersOf(some(65)), scheme: 0x0403, signature: some(70) });
  const flights = [
    [[Handshake.clientHello, hello]],
    [[Handshake.helloVerifyRequest, writeHelloVerify(some(16))]],
    [
      [Handshake.serverHello, answer],
      [Handshake.certificate, writeChain([some(400), some(300)])],
      [Handshake.serverKeyExchange, key],
      [Handshake.certificateRequest, some(8)],
      [Handshake.serverHelloDone, some(0)],
    ],
    [[Handshake.certificate, writeRawKey(some(91))]],
    [[Handshake.clientKeyExchange, writePoint(some(65))]],
  ] as const;
  return flights.flatMap((flight) => {
    const parts: Part[] = flight.map(([type, body], sequence) => ({
      type: Content.handshake,
      content: message(type, sequence, body).whole,
    }));
    return datagramsOf(parts, ({ type, content }) => plainRecord(type, 0, content));
  });
}

const LIMIT = 4_096;

const readers: Readonly<Record<number, readonly ((body: Buffer) => unknown)[]>> = {
  [Handshake.clientHello]: [readClientHello],
  [Handshake.serverHello]: [readServerHello],
  [Handshake.helloVerifyRequest]: [readHelloVerify],
  [Handshake.certificate]: [readChain, readRawKey],
  [Handshake.serverKeyExchange]: [readServerKey],
  [Handshake.clientKeyExchange]: [readPoint, readIdentity],
};

/** What client and server do with a datagram before there is a key. */
function run(input: Uint8Array): void {
  const assembly = new Assembly(0, LIMIT);
  const records = recordsOf(input, 4);
  bound(records.length, 1 + input.length / 13);
  let read = 0;
  for (const { type, fragment } of records) {
    if (type !== Content.handshake) continue;
    for (const { type, body } of assembly.take(fragment).messages) {
      for (const reader of readers[type] ?? []) {
        try {
          reader(body);
          read++;
        } catch (error) {
          if (!(error instanceof DtlsError)) throw error;
        }
      }
    }
    bound(assembly.held, LIMIT);
  }
  if (read === 0) throw new Refused('nothing in it');
}

fuzz({
  name: 'DTLS',
  messages: handshake(),
  alphabet: [0, 1, 2, 11, 12, 13, 14, 16, 20, 21, 22, 23, 25, 54, 0xfd, 0xfe, 0xff],
  run,
  allows: (error) => error instanceof DtlsError || error instanceof Refused,
});
