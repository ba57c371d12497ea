import type { TcpOptions, TcpSocket } from '../../hal/contracts/index.js';
import { XsHttpClient } from '../../hal/xs/http-client.js';
import { Asn1Binding, HttpsLink } from '../../ipa/esipa/https/index.js';
import { JsonBinding } from '../../ipa/esipa/https/json.js';
import { LinkError } from '../../ipa/esipa/index.js';
import { Deadlines } from './deadlines.js';
import { bound, fuzzAsync } from './fuzz.js';
import type { Random } from './random.js';

const timer = new Deadlines();
let socket: Tcp | undefined;
let written = 0;

/** The eIM's end of the connection, as strict as a device's. */
class Tcp implements TcpSocket {
  readonly #options: TcpOptions;
  #waiting = new Uint8Array(0);
  #room = 512;
  #later: unknown;

  constructor(options: TcpOptions) {
    this.#options = options;
    socket = this;
    this.later();
  }

  read(buffer: Uint8Array): number {
    if (buffer.length === 0 || buffer.length > this.#waiting.length)
      throw new Error('read more than there is');
    buffer.set(this.#waiting.subarray(0, buffer.length));
    this.#waiting = this.#waiting.subarray(buffer.length);
    return buffer.length;
  }

  write(buffer: Uint8Array): undefined {
    if (buffer.length > this.#room) throw new Error('wrote more than there is room');
    this.#room -= buffer.length;
    written += buffer.length;
    this.later();
  }

  close(): void {
    timer.clear(this.#later);
    if (socket === this) socket = undefined;
  }

  /** Soon there is room again. */
  later(): void {
    timer.clear(this.#later);
    this.#later = timer.set(() => {
      this.#room = 512;
      this.#options.onWritable?.(512);
    }, 1);
  }

  receive(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#waiting.length + bytes.length);
    all.set(this.#waiting);
    all.set(bytes, this.#waiting.length);
    this.#waiting = all;
    this.#options.onReadable?.(all.length);
  }

  lose(): void {
    if (socket === this) this.#options.onError?.(new Error('reset'));
  }
}

const polls = [Buffer.from('bf4f125a1089049032123451234512345678901235', 'hex')];
const bind = Buffer.from('bf3a06800101bf2100', 'hex');
const notification = Buffer.from('bf3d02a000', 'hex');
const asn1 = Buffer.from('bf4f03020101', 'hex');
const json = '{"header":{"functionExecutionStatus":{"status":"Executed-Success"}},"eimPackageError":1}';
const bpp = Buffer.concat([Buffer.from('bf3a8203ec', 'hex'), Buffer.alloc(1_004, 0x42)]);
const package64 = `{"header":{"functionExecutionStatus":{"status":"Executed-Success"}},"boundProfilePackage":"${Buffer.concat([Buffer.from('bf3682010b', 'hex'), Buffer.alloc(267, 0x42)]).toString('base64')}"}`;

function http(body: Uint8Array | string, head = '', status = '200 OK'): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\nContent-Length: ${bytes.length}\r\n${head}\r\n`),
    bytes,
  ]);
}

function chunked(body: Uint8Array | string, size: number): Buffer {
  const bytes = Buffer.from(body);
  const parts = [Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')];
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

let random: Random;
let pieces = 0;
const sink = {
  take: (piece: Uint8Array) => {
    pieces += piece.length;
    return Promise.resolve(random.below(16) > 0);
  },
};

function connect(isJson: boolean): HttpsLink {
  const made = new HttpsLink({
    eimId: 'eim',
    http: { io: XsHttpClient, host: 'eim', timer, socket: { io: Tcp } },
    binding: isJson ? new JsonBinding() : new Asn1Binding(),
    timer,
    random: () => random.below(1_000) / 1_000,
  });
  made.resume();
  return made;
}

let links: HttpsLink[] | undefined;

/** One exchange of a link that lives through all of them. */
async function run(input: Uint8Array, by: Random): Promise<void> {
  random = by;
  links ??= [connect(false), connect(true)];
  const framing = random.below(4);
  const bytes = framing > 1 ? input : framing === 1 ? http(input) : chunked(input, 8 + random.below(300));
  const which = random.below(8) === 0 ? random.below(2) : bytes.includes(0x7b) ? 1 : 0;
  const link = links[which];
  written = pieces = 0;
  let outcome: unknown;
  const settled = (value: unknown) => {
    outcome = value;
  };
  const kind = random.below(4);
  const exchange =
    kind === 0
      ? link.download(bind, sink)
      : kind === 1
        ? link.send(notification)
        : link.exchange(random.pick(polls), () => true);
  exchange.then(() => settled('answered'), settled);
  await turns();
  let steps = 0;
  // The answer comes when some of the request is there, and in pieces; then the connection ends, or falls silent.
  for (const patience = random.below(3); written === 0 || steps < patience; steps++) {
    if (steps > 8 || outcome !== undefined) break;
    timer.fire();
    await turns();
  }
  for (let at = 0; at < bytes.length && socket && outcome === undefined; ) {
    const count = Math.min(bytes.length - at, 1 + random.below(400));
    socket.receive(bytes.subarray(at, at + count));
    at += count;
    await turns();
    if (random.below(8) === 0) timer.fire();
  }
  if (random.below(4) === 0) socket?.lose();
  const isHelpful = random.below(4) > 0;
  for (; outcome === undefined; steps++) {
    bound(steps, 400 + 2 * bytes.length);
    timer.fire();
    await turns();
    if (isHelpful && socket && steps < 100 && steps % 4 === 3) socket.receive(http(which ? json : asn1));
  }
  bound(written, 4_000);
  bound(pieces, 2 * input.length + 200);
  if (random.below(64) === 0) await end(which);
  if (outcome !== 'answered') throw outcome;
}

/** What begins anew finds a link that does its work; no timer is left behind. */
async function end(which: number): Promise<void> {
  const made = links as HttpsLink[];
  for (const link of made) link.close();
  if (timer.pending > 0) throw new Error(`${timer.pending} timers are left behind`);
  links = [connect(false), connect(true)];
  const exchange = links[which].exchange(polls[0], () => true);
  let isOver = false;
  exchange.finally(() => {
    isOver = true;
  });
  written = 0;
  for (let steps = 0; !isOver; steps++) {
    bound(steps, 100);
    await turns();
    if (written > 200) {
      written = 0;
      socket?.receive(http(which ? json : asn1));
    } else timer.fire();
  }
  const { length } = await exchange;
  if (length !== 6) throw new Error(`an answer of ${length} bytes`);
}

async function turns(): Promise<void> {
  for (let i = 0; i < 6; i++) await undefined;
}

fuzzAsync({
  name: 'the HTTPS link',
  each: 4,
  messages: [
    asn1,
    bpp,
    Buffer.from(json),
    Buffer.from(package64),
    http(asn1),
    http(json, 'Content-Type: application/json\r\n'),
    http(asn1, 'Connection: close\r\n'),
    chunked(asn1, 2),
    chunked(json, 30),
    http(bpp),
    chunked(bpp, 300),
    chunked(package64, 111),
    http('', '', '204 No Content'),
    http('no', 'Retry-After: 120\r\n', '503 Busy'),
    Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), http(asn1), http(asn1)]),
    Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), asn1]),
  ],
  alphabet: Buffer.from('\r\n :;0129aF/HTP{}[]",\\\0'),
  run,
  allows: (error) => error instanceof LinkError,
});
