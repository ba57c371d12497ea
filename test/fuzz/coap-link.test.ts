import { CoapLink } from '../../ipa/esipa/coap/index.js';
import {
  blockSize,
  blockValue,
  CoapCode,
  CoapOption,
  CoapReader,
  CoapType,
  CoapWriter,
} from '../../ipa/esipa/coap/message.js';
import { LinkError } from '../../ipa/esipa/index.js';
import { Deadlines } from './deadlines.js';
import { bound, fuzzAsync } from './fuzz.js';
import type { Random } from './random.js';

type Datagram = ArrayBuffer & { address: string; port: number };

const EIM = { address: 'eim', port: 5_683 };
const inbox: Datagram[] = [];
let arrive: ((packets: number) => void) | undefined;
let sent = 0;
/** The last request of the link, and the last message that it wants acknowledged. */
const asked = new CoapReader();
const told = new CoapReader();
const empty = Uint8Array.of(0x40, 0, 0, 0);

class Udp {
  constructor({ onReadable }: { onReadable?: (packets: number) => void }) {
    arrive = onReadable;
  }
  read() {
    return inbox.shift();
  }
  write(datagram: Uint8Array) {
    sent++;
    const reader = datagram[1] === CoapCode.post ? asked : told;
    if ((datagram[0] & 0x30) === 0) reader.parse(datagram.slice());
  }
  close() {}
}

function deliver(bytes: Uint8Array, from = EIM): void {
  inbox.push(Object.assign(bytes.slice().buffer, from));
  arrive?.(1);
}

const timer = new Deadlines();
const answer = new Uint8Array(1_500).fill(0x42);
answer.set([0xbf, 0x4f, 0x82, 0x05, 0xd7]);
const injected = new Uint8Array(1_600).fill(0x42);
injected.set([0xbf, 0x4e, 0x82, 0x06, 0x3b]);
const requests = [20, 1_024, 1_500].map((length) => answer.slice(0, length));
const writer = new CoapWriter();
const datagram = new Uint8Array(1_400);

let random: Random;
let link: CoapLink;
let pieces = 0;
const sink = {
  take: (piece: Uint8Array) => {
    pieces += piece.length;
    return Promise.resolve(random.below(16) > 0);
  },
};

function connect(): CoapLink {
  const made = new CoapLink({
    eimId: 'eim',
    udp: { io: Udp },
    host: 'eim',
    timer,
    random: () => random.below(1_000) / 1_000,
  });
  made.resume();
  return made;
}

/** Sometimes something else. */
function or(value: number, limit: number): number {
  return random.below(12) === 0 ? random.below(limit) : value;
}

/** What an eIM would answer to the last request, with a field or two changed. @param isRight it is not */
function response(isRight = false): Uint8Array {
  const maybe = isRight ? (value: number) => value : or;
  const rarely = (one: number) => !isRight && random.below(one) === 0;
  const block1 = asked.uintOf(CoapOption.block1);
  const block2 = asked.uintOf(CoapOption.block2);
  const tag = asked.uintOf(CoapOption.requestTag);
  const isMore = block1 >= 0 && (block1 & 8) !== 0;
  const isSeparate = rarely(3);
  const codes = [
    CoapCode.continue,
    CoapCode.tooLarge,
    CoapCode.incomplete,
    CoapCode.unauthorized,
    CoapCode.serviceUnavailable,
    random.below(256),
  ];
  const code = rarely(8) ? random.pick(codes) : isMore ? CoapCode.continue : CoapCode.content;
  const type = isSeparate
    ? random.pick([CoapType.confirmable, CoapType.nonConfirmable])
    : CoapType.acknowledgement;
  const id = isSeparate ? random.below(16) : maybe(asked.id, 0x10000);
  const token = asked.bytes.slice(4, 8);
  if (rarely(32)) token[3]--;
  writer.begin(datagram, type, code, id, token);
  const szx = Math.min(maybe(block2 < 0 ? 6 : block2 & 7, 8), 7);
  const number = block2 < 0 ? 0 : maybe(block2 >> 4, 400);
  const begin = number * blockSize(szx & 7);
  const length = maybe(Math.max(0, Math.min(blockSize(Math.min(6, szx)), answer.length - begin)), 1_100);
  const hasBody = code === CoapCode.content;
  const isLast = begin + length >= answer.length;
  if (rarely(6)) writer.addUint(CoapOption.etag, random.below(3));
  if (rarely(8)) writer.addUint(CoapOption.maxAge, random.next());
  if (hasBody) writer.addUint(CoapOption.block2, maybe(blockValue(number, !isLast, szx), 0x2000000));
  if (block1 >= 0 || rarely(16))
    writer.addUint(
      CoapOption.block1,
      rarely(6) ? Math.max(0, (block1 & ~7) | random.below(8)) : Math.max(0, block1),
    );
  if (hasBody && rarely(3)) writer.addUint(CoapOption.size2, or(answer.length, 2 ** 31));
  if (code === CoapCode.unauthorized) writer.addUint(CoapOption.echo, random.next());
  if (rarely(16)) writer.addUint(random.below(2_000) + CoapOption.echo, tag < 0 ? 0 : tag);
  const at = Math.min(begin, answer.length - length);
  if (hasBody) writer.payload(answer.subarray(at, at + length));
  return writer.bytes;
}

let injectedAt = 0;
/** A block of a message that the eIM injects. */
function request(): Uint8Array {
  const szx = or(5, 8);
  const size = blockSize(Math.min(6, szx));
  if (injectedAt >= injected.length) injectedAt = 0;
  const end = Math.min(injected.length, injectedAt + size);
  writer.begin(
    datagram,
    or(CoapType.confirmable, 2),
    or(CoapCode.post, 8),
    random.below(16),
    Uint8Array.of(random.below(4)),
  );
  if (random.below(16) > 0)
    for (const segment of ['gsma', 'rsp2', 'asn1']) writer.add(CoapOption.uriPath, segment);
  if (random.below(4) > 0)
    writer.addUint(
      CoapOption.block1,
      blockValue(or(injectedAt / size, 64) >>> 0, end < injected.length, szx),
    );
  if (random.below(8) === 0) writer.addUint(CoapOption.size1, or(injected.length, 2 ** 31));
  writer.addUint(CoapOption.requestTag, or(1, 3));
  writer.payload(injected.subarray(injectedAt, end));
  injectedAt = random.below(8) === 0 ? 0 : end;
  return writer.bytes;
}

/** An empty message, to the last response of the link more often than not. */
function nothing(): Uint8Array {
  empty[0] = 0x40 | (random.below(4) << 4);
  const { id } = random.below(2) ? asked : told;
  const which = or(id, 0x10000);
  empty[2] = which >> 8;
  empty[3] = which;
  return empty;
}

/** Changes a few bytes, of the header and the options above all. */
function spoiled(bytes: Uint8Array): Uint8Array {
  if (random.below(4) > 0) return bytes;
  const copy = bytes.slice(0, random.below(8) === 0 ? random.below(bytes.length + 1) : bytes.length);
  const count = random.below(3);
  for (let i = 0; i < count && copy.length > 0; i++)
    copy[random.below(Math.min(copy.length, 32))] = random.below(256);
  return copy;
}

/** One exchange of a link that lives through all of them, against an eIM that means it ill. */
async function run(input: Uint8Array, by: Random): Promise<void> {
  random = by;
  link ??= connect();
  sent = pieces = 0;
  const message = random.pick(requests);
  const kind = random.below(4);
  let outcome: unknown;
  const settled = (value: unknown) => {
    outcome = value;
  };
  const exchange =
    kind === 0
      ? link.download(message, sink)
      : kind === 1
        ? link.send(message)
        : link.exchange(message, () => true);
  exchange.then(() => settled('answered'), settled);
  await turns();
  const rounds = 1 + random.below(12);
  for (let round = 0; round < rounds && outcome === undefined; round++) {
    const which = random.below(16);
    if (which === 0) deliver(input);
    else if (which === 1) deliver(spoiled(nothing()));
    else if (which < 4) deliver(spoiled(request()));
    else if (which === 4) timer.fire();
    else if (which === 5) deliver(response(true), { ...EIM, port: 1 });
    else deliver(spoiled(response()));
    await turns();
  }
  // Nothing lasts for ever: it is answered, or given up after so many retransmissions.
  let steps = 0;
  const isHelpful = random.below(4) > 0;
  for (; outcome === undefined; steps++) {
    bound(steps, 600);
    if (isHelpful && steps % 3 === 0) deliver(response(true));
    else if (isHelpful && steps % 3 === 1) deliver(Uint8Array.of(0x60, 0, told.id >> 8, told.id));
    else timer.fire();
    await turns();
  }
  bound(sent, 700);
  bound(pieces, 20_000);
  while (link.takeInjection());
  if (random.below(64) === 0) await end();
  if (outcome !== 'answered') throw outcome;
}

/** No timer is left behind, and what begins anew finds a link that does its work. */
async function end(): Promise<void> {
  link.close();
  if (timer.pending > 0) throw new Error(`${timer.pending} timers are left behind`);
  link = connect();
  const exchange = link.exchange(requests[0], () => true);
  let isOver = false;
  exchange.finally(() => {
    isOver = true;
  });
  for (await turns(); !isOver; await turns()) deliver(response(true));
  if ((await exchange).length !== answer.length) throw new Error('another answer than the right one');
}

async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await undefined;
}

fuzzAsync({
  name: 'the CoAP link',
  each: 3,
  messages: [
    Uint8Array.of(0x60, 0, 0, 1),
    Uint8Array.of(0x64, CoapCode.content, 0, 1, 1, 2, 3, 4, 0xd1, 10, 0x0e, 0xff, 0xbf, 0x4f, 0),
    Uint8Array.of(0x44, CoapCode.post, 0, 1, 1, 2, 3, 4, 0xb4, 0x67, 0x73, 0x6d, 0x61, 0xff, 0xbf, 0x4e, 0),
  ],
  alphabet: [0x40, 0x44, 0x64, 0x45, 0x5f, 0x8d, 0xff, 0xd0, 0xe0, 0x0e, 0x16, 23, 27],
  run,
  allows: (error) => error instanceof LinkError,
});
