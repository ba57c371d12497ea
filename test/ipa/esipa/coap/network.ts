import { generate, type NamedOption, type ParsedPacket, parse } from 'coap-packet';
import type { UdpConstructor, UdpOptions, UdpSocket } from '../../../../hal/contracts/index.js';
import type { VirtualClock } from '../../../../host-sim/clock.js';

type Datagram = ArrayBuffer & { address: string; port: number };

/** What may happen to a datagram; milliseconds, and shares of 1. */
export interface Weather {
  loss?: number;
  duplicates?: number;
  delay?: readonly [least: number, most: number];
}

/** A network between one client and one server that loses, doubles, delays and reorders, by a seed. */
export class LossyNetwork {
  readonly io: UdpConstructor;
  weather: Weather;
  /** Datagrams and bytes that were sent, both ways. */
  sent = { up: 0, down: 0, bytes: 0 };
  server: ((datagram: Buffer) => void) | undefined;
  fail: ((reason: unknown) => void) | undefined;
  closed = 0;
  /** While it is not, everything is lost. */
  reachable: () => boolean = () => true;
  readonly #clock: VirtualClock;
  #seed: number;
  #inbox: Datagram[] = [];
  #options: UdpOptions | undefined;

  constructor(clock: VirtualClock, weather: Weather = {}, seed = 1) {
    this.#clock = clock;
    this.weather = weather;
    this.#seed = seed;
    const network = this;
    this.io = class implements UdpSocket {
      constructor(options: UdpOptions) {
        network.#options = options;
        network.#inbox = [];
        network.fail = (reason) => options.onError?.(reason);
      }

      read(): Datagram | undefined {
        return network.#inbox.shift();
      }

      write(datagram: Uint8Array, address: string, port: number): void {
        if (address !== '10.0.0.1' || port !== 5_683) throw new Error(`sent to ${address}:${port}`);
        const copy = Buffer.from(datagram);
        network.sent.up++;
        network.#carry(copy, () => network.server?.(copy));
      }

      close(): void {
        network.closed++;
        network.#options = undefined;
      }
    };
  }

  random = (): number => {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  };

  /** From the server, or from wherever else. */
  deliver(bytes: Uint8Array, address = '10.0.0.1', port = 5_683): void {
    this.sent.down++;
    const options = this.#options;
    this.#carry(bytes, () => {
      if (this.#options !== options) return;
      this.#inbox.push(Object.assign(Uint8Array.from(bytes).buffer, { address, port }));
      this.#options?.onReadable?.(this.#inbox.length);
    });
  }

  #carry(bytes: Uint8Array, arrive: () => void): void {
    const { loss = 0, duplicates = 0, delay = [1, 1] } = this.weather;
    this.sent.bytes += bytes.length + 28;
    const copies = this.random() < loss || !this.reachable() ? 0 : this.random() < duplicates ? 2 : 1;
    for (let i = 0; i < copies; i++)
      this.#clock.set(arrive, delay[0] + this.random() * (delay[1] - delay[0]));
  }
}

/** A GetEimPackage message of `length` bytes in all. */
export function message(length: number, seed = 1): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => i * 7 + seed));
  bytes.set([0xbf, 0x4f]);
  if (length < 131) bytes.writeUInt8(length - 3, 2);
  else if (length < 260) bytes.writeUInt16BE(0x8100 + length - 4, 2);
  else bytes.writeUIntBE(0x820000 + length - 5, 2, 3);
  return bytes;
}

export interface ServerOptions {
  /** What comes back; called once for each request body. */
  handle: (body: Buffer) => { code?: string; body?: Buffer };
  /** Milliseconds after which the response comes separately, in a message of its own. */
  separate?: number;
  /** The separate response is confirmable. */
  confirmable?: boolean;
  /** Size exponent of the server's blocks (6). */
  szx?: number;
  /** Bytes of a request without blocks (1024); more is answered with 4.13. */
  whole?: number;
  /** Asks for an Echo first. */
  echo?: boolean;
  /** Options of its own, for hostile answers. */
  extra?: NamedOption[];
  /** Gives an ETag. */
  etag?: boolean;
}

/** A CoAP server with block-wise transfer on coap-packet: a peer that shares no code with the client. */
export class TestCoapServer {
  requests: ParsedPacket[] = [];
  acknowledgements = 0;
  readonly #network: LossyNetwork;
  readonly #clock: VirtualClock;
  readonly #options: ServerOptions;
  readonly #answers = new Map<number, Buffer[]>();
  #upload: { tag: string; body: Buffer } | undefined;
  readonly #download = new Map<string, { code: string; body: Buffer }>();
  #id = 20_000;

  constructor(network: LossyNetwork, clock: VirtualClock, options: ServerOptions) {
    this.#network = network;
    this.#clock = clock;
    this.#options = options;
    network.server = (datagram) => this.#receive(datagram);
  }

  #receive(datagram: Buffer): void {
    const packet = parse(datagram);
    if (packet.ack || packet.reset) {
      this.acknowledgements++;
      return;
    }
    // A duplicate gets what the first one got (RFC 7252 §4.5).
    const known = this.#answers.get(packet.messageId);
    if (known) {
      for (const answer of known) this.#network.deliver(answer);
      return;
    }
    this.requests.push(packet);
    const sent: Buffer[] = [];
    this.#answers.set(packet.messageId, sent);
    const answer = this.#answer(packet);
    const send = (bytes: Buffer) => {
      sent.push(bytes);
      this.#network.deliver(bytes);
    };
    const { separate, confirmable = true, extra = [] } = this.#options;
    const options = [...answer.options, ...extra].sort((a, b) => numberOf(a) - numberOf(b));
    const { code, payload } = answer;
    const { token } = packet;
    if (separate === undefined) {
      send(generate({ ack: true, messageId: packet.messageId, token, code, options, payload }, 2_000));
      return;
    }
    send(generate({ ack: true, messageId: packet.messageId, code: '0.00' }));
    const messageId = this.#id++;
    this.#clock.set(
      () => send(generate({ confirmable, messageId, token, code, options, payload }, 2_000)),
      separate,
    );
  }

  #answer(packet: ParsedPacket): { code: string; options: NamedOption[]; payload?: Buffer } {
    const { szx = 6, whole = 1_024, echo = false } = this.#options;
    const token = packet.token.toString('hex');
    const block1 = uint(packet, 'Block1');
    const block2 = uint(packet, 'Block2');
    if (echo && !packet.options?.some(({ name }) => String(name) === '252')) {
      return { code: '4.01', options: [{ name: '252' as never, value: Buffer.from('fresh') }] };
    }
    if (block2 !== undefined && block2 >> 4 > 0)
      return this.#block(token, block2 >> 4, Math.min(szx, block2 & 7));
    let body = packet.payload;
    const options: NamedOption[] = [];
    if (block1 !== undefined) {
      const size = 16 << (block1 & 7);
      const offset = (block1 >> 4) * size;
      const tag = `${packet.options?.find(({ name }) => String(name) === '292')?.value?.toString('hex')}`;
      if (offset === 0) this.#upload = { tag, body: Buffer.alloc(0) };
      if (!this.#upload || this.#upload.tag !== tag || this.#upload.body.length !== offset) {
        return { code: '4.08', options: [] };
      }
      this.#upload.body = Buffer.concat([this.#upload.body, packet.payload]);
      const more = (block1 & 8) !== 0;
      options.push({ name: 'Block1', value: bytesOf((block1 >> 3) * 8 + Math.min(szx, block1 & 7)) });
      if (more) return { code: '2.31', options };
      body = this.#upload.body;
      this.#upload = undefined;
    } else if (packet.payload.length > whole) {
      return { code: '4.13', options: [{ name: 'Block1', value: bytesOf(szx) }] };
    }
    const { code = '2.05', body: answer = Buffer.alloc(0) } = this.#options.handle(body);
    this.#download.set(token, { code, body: answer });
    const size = Math.min(szx, block2 === undefined ? 6 : block2 & 7);
    const first = this.#block(token, 0, size, block2 === undefined);
    return { ...first, options: [...options, ...first.options] };
  }

  #block(
    token: string,
    number: number,
    szx: number,
    plain = false,
  ): { code: string; options: NamedOption[]; payload?: Buffer } {
    const entry = this.#download.get(token);
    if (!entry) return { code: '4.08', options: [] };
    const size = 16 << szx;
    const { code, body } = entry;
    if (plain && number === 0 && body.length <= size) return { code, options: [], payload: body };
    const more = body.length > (number + 1) * size;
    const options: NamedOption[] = [{ name: 'Block2', value: bytesOf(number * 16 + (more ? 8 : 0) + szx) }];
    if (this.#options.etag) options.push({ name: 'ETag', value: Buffer.from('v1') });
    if (number === 0) options.push({ name: 'Size2', value: bytesOf(body.length) });
    return { code, options, payload: body.subarray(number * size, (number + 1) * size) };
  }
}

const NUMBERS: Record<string, number> = { ETag: 4, Block2: 23, Block1: 27, Size2: 28 };

function numberOf({ name }: NamedOption): number {
  return NUMBERS[name as string] ?? Number(name);
}

function bytesOf(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from(bytes);
}

function uint(packet: ParsedPacket, name: string): number | undefined {
  const option = packet.options?.find((one) => one.name === name);
  return option ? [...(option.value as Buffer)].reduce((sum, byte) => sum * 256 + byte, 0) : undefined;
}
