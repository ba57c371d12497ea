import { CoapClient, type CoapError } from '../../ipa/esipa/coap/client.js';
import { blockValue, CoapCode, CoapOption, CoapType, CoapWriter } from '../../ipa/esipa/coap/message.js';
import { CoapTransfer } from '../../ipa/esipa/coap/transfer.js';
import { bound, fuzz } from './fuzz.js';
import type { Random } from './random.js';

class Refused extends Error {}

const request = new Uint8Array(1_500);
let waiting: (ArrayBuffer & { address: string; port: number }) | undefined;
let arrive: (() => void) | undefined;
let sent = 0;
let blocks = 0;
let failure: CoapError[] = [];
const id = new Uint8Array(2);
const token = new Uint8Array(4);

class Udp {
  constructor({ onReadable }: { onReadable?: (packets: number) => void }) {
    arrive = () => onReadable?.(1);
  }
  read() {
    const datagram = waiting;
    waiting = undefined;
    return datagram;
  }
  write(datagram: Uint8Array) {
    sent++;
    if (datagram.length < 8) return;
    id.set(datagram.subarray(2, 4));
    token.set(datagram.subarray(4, 8));
  }
  close() {}
}

const transfer: CoapTransfer = new CoapTransfer({
  path: ['gsma', 'rsp2', 'asn1'],
  szx: 6,
  tag: 1,
  owner: {
    onBlock: (_payload, more) => {
      blocks++;
      if (more) transfer.next();
    },
    onFailure: (error) => {
      failure.push(error);
    },
    onDelivered: () => {},
    onLost: () => {},
  },
});
const client = new CoapClient({
  udp: { io: Udp },
  address: 'a',
  port: 1,
  timer: { set: () => 0, clear: () => {} },
  random: () => 0.5,
  handler: transfer,
});

/** The input answers a request, mostly with its id and its token, and once more to what comes of it. */
function run(input: Uint8Array, random: Random): void {
  sent = blocks = 0;
  failure = [];
  transfer.start(client, random.below(2) ? request : request.subarray(0, 20));
  for (let round = 0; round < 3; round++) {
    const datagram = input.slice();
    if (datagram.length >= 8 && random.below(8) > 0) {
      datagram.set(id, 2);
      if ((datagram[0] & 15) === 4) datagram.set(token, 4);
    }
    waiting = Object.assign(datagram.buffer, { address: 'a', port: 1 });
    arrive?.();
  }
  transfer.cancel();
  client.release();
  bound(sent, 8);
  bound(blocks, 3);
  if (blocks === 0) throw new Refused(failure[0]?.message ?? 'ignored');
}

/** A response with options as servers send them. */
function response(
  type: number,
  code: number,
  options: readonly [number, number][],
  payload: number,
): Uint8Array {
  const writer = new CoapWriter().begin(new Uint8Array(1_200), type, code, 1, token);
  for (const [number, value] of options) writer.addUint(number, value);
  return writer.payload(new Uint8Array(payload).fill(0x42)).bytes.slice();
}

fuzz({
  name: 'a CoAP transfer',
  messages: [
    response(CoapType.acknowledgement, CoapCode.content, [], 30),
    response(CoapType.confirmable, CoapCode.changed, [[CoapOption.etag, 7]], 0),
    response(
      CoapType.nonConfirmable,
      CoapCode.content,
      [
        [CoapOption.block2, blockValue(0, true, 1)],
        [CoapOption.size2, 900],
      ],
      32,
    ),
    response(CoapType.acknowledgement, CoapCode.continue, [[CoapOption.block1, blockValue(0, true, 6)]], 0),
    response(CoapType.acknowledgement, CoapCode.tooLarge, [[CoapOption.block1, blockValue(0, false, 4)]], 0),
    response(CoapType.acknowledgement, CoapCode.unauthorized, [[CoapOption.echo, 12_345]], 0),
    Uint8Array.of(0x60, 0, 0, 1),
  ],
  alphabet: [0x40, 0x44, 0x64, 0x45, 0x5f, 0x8d, 0xff, 0xd0, 0xe0, 0x0e, 0x16, 23, 27],
  run,
  allows: (error) => error instanceof Refused,
});
