import { generate, type Packet, type ParsedPacket, parse } from 'coap-packet';
import type { TimerHandle } from '../../hal/contracts/index.js';
import type { Clock } from '../clock.js';

/** Where a datagram comes from or goes to. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

export type OptionList = NonNullable<Packet['options']>;

/** Response, or what else answers a request. */
export interface Answer {
  code: string;
  options?: OptionList;
  payload?: Buffer;
}

export interface CoapEndpointOptions {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  send: (datagram: Buffer, to: Peer) => void;
  /** Bytes of a token, 1 to 4 (default): 1 where nobody can forge a response. */
  tokenLength?: number;
  /** Called once for each request, however often it comes. */
  onRequest: (packet: ParsedPacket, from: Peer) => Answer | Promise<Answer>;
}

/** EXCHANGE_LIFETIME (RFC 7252 §4.8.2), milliseconds: as long a message id means the same message. */
const LIFETIME = 247_000;
/** Requests that are remembered at a time. */
const REMEMBERED = 5_000;
/** A response that takes longer comes separately, milliseconds. */
const PIGGYBACK = 100;
const ACK_TIMEOUT = 2_000;
const RANDOM_FACTOR = 1.5;
const MAX_RETRANSMIT = 4;
/** How long a response may take after its request was acknowledged, milliseconds. */
const PATIENCE = 120_000;
const LONGEST = 65_507;

interface Seen {
  at: number;
  /** What was sent in answer, to be sent again. */
  reply: Buffer | undefined;
}

interface Outgoing {
  deadline: TimerHandle;
  done: (isDelivered: boolean) => void;
}

/** The message layer of CoAP (RFC 7252 §4), both roles and without a socket, on coap-packet. */
export class CoapEndpoint {
  readonly #options: CoapEndpointOptions;
  readonly #seen = new Map<string, Seen>();
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #asked = new Map<string, (response: ParsedPacket | undefined) => void>();
  #messageId: number;
  #token: number;

  constructor(options: CoapEndpointOptions) {
    this.#options = options;
    this.#messageId = Math.floor(options.random() * 0x10000);
    this.#token = Math.floor(options.random() * 2 ** 32);
  }

  /** Ends all timers. */
  close(): void {
    for (const { deadline } of this.#outgoing.values()) this.#options.clock.clear(deadline);
    this.#outgoing.clear();
    for (const settle of [...this.#asked.values()]) settle(undefined);
  }

  /** A datagram came; what is no CoAP message is ignored. */
  take(datagram: Uint8Array, from: Peer): void {
    let packet: ParsedPacket;
    try {
      packet = parse(Buffer.from(datagram));
    } catch {
      return;
    }
    if (packet.ack || packet.reset) this.#settle(packet, from);
    else if (packet.code === '0.00') this.#empty(packet.confirmable ? 'reset' : undefined, packet, from);
    else if (packet.code.startsWith('0.')) this.#request(packet, from);
    else this.#response(packet, from);
  }

  // As server -------------------------------------------------------------------------------------------------------

  #request(packet: ParsedPacket, from: Peer): void {
    const { clock } = this.#options;
    const seen = this.#first(keyOf(from, packet.messageId), from);
    if (!seen) return;
    const answer = this.#options.onRequest(packet, from);
    if (!(answer instanceof Promise)) {
      this.#answer(packet, from, seen, answer);
      return;
    }
    let isSeparate = false;
    const patience = clock.set(() => {
      isSeparate = true;
      if (packet.confirmable) seen.reply = this.#empty('ack', packet, from);
    }, PIGGYBACK);
    void answer.then((late) => {
      clock.clear(patience);
      if (isSeparate && packet.confirmable) this.#separate(packet, from, late);
      else this.#answer(packet, from, seen, late);
    });
  }

  #answer(packet: ParsedPacket, from: Peer, seen: Seen, answer: Answer): void {
    const { token, confirmable } = packet;
    const messageId = confirmable ? packet.messageId : this.#nextId();
    seen.reply = generate({ ...answer, token, messageId, ack: confirmable }, LONGEST);
    this.#options.send(seen.reply, from);
  }

  #separate({ token }: ParsedPacket, to: Peer, answer: Answer): void {
    void this.#deliver({ ...answer, token, messageId: this.#nextId(), confirmable: true }, to);
  }

  // As client -------------------------------------------------------------------------------------------------------

  /** One confirmable request. @returns undefined where no response came, or a reset */
  ask(to: Peer, request: Packet): Promise<ParsedPacket | undefined> {
    const { clock } = this.#options;
    const { tokenLength = 4 } = this.#options;
    const token = Buffer.alloc(tokenLength);
    this.#token = (this.#token + 1) % 256 ** tokenLength;
    token.writeUIntBE(this.#token, 0, tokenLength);
    const messageId = this.#nextId();
    const key = keyOf(to, token.toString('hex'));
    return new Promise((resolve) => {
      let patience: TimerHandle | undefined;
      const settle = (response: ParsedPacket | undefined) => {
        clock.clear(patience);
        this.#asked.delete(key);
        this.#stop(keyOf(to, messageId), true);
        resolve(response);
      };
      this.#asked.set(key, settle);
      void this.#deliver({ ...request, token, messageId, confirmable: true }, to).then((isDelivered) => {
        if (!this.#asked.has(key)) return;
        if (isDelivered) patience = clock.set(() => settle(undefined), PATIENCE);
        else settle(undefined);
      });
    });
  }

  /** Ends all requests to this peer without a response. */
  giveUp(to: Peer): void {
    const prefix = keyOf(to, '');
    for (const [key, settle] of [...this.#asked]) if (key.startsWith(prefix)) settle(undefined);
  }

  #response(packet: ParsedPacket, from: Peer): void {
    const token = packet.token.toString('hex');
    const seen = this.#first(keyOf(from, `${packet.messageId} ${token}`), from);
    if (!seen) return;
    const settle = this.#asked.get(keyOf(from, token));
    if (packet.confirmable) seen.reply = this.#empty(settle ? 'ack' : 'reset', packet, from);
    settle?.(packet);
  }

  // Both ------------------------------------------------------------------------------------------------------------

  /** A message that is there for the first time; one that comes again gets what the first one got (RFC 7252 §4.5). */
  #first(key: string, from: Peer): Seen | undefined {
    const { ticks } = this.#options.clock;
    const known = this.#seen.get(key);
    if (known && ticks - known.at < LIFETIME) {
      if (known.reply) this.#options.send(known.reply, from);
      return undefined;
    }
    const seen: Seen = { at: ticks, reply: undefined };
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    if (this.#seen.size > REMEMBERED) {
      const [oldest] = this.#seen.keys();
      this.#seen.delete(oldest);
    }
    return seen;
  }

  /** Sends until it is acknowledged. @returns was it? */
  #deliver(packet: Packet, to: Peer): Promise<boolean> {
    const { clock, random, send } = this.#options;
    const datagram = generate(packet, LONGEST);
    const key = keyOf(to, packet.messageId!);
    let pause = ACK_TIMEOUT * (1 + (RANDOM_FACTOR - 1) * random());
    let left = MAX_RETRANSMIT;
    return new Promise((resolve) => {
      const outgoing: Outgoing = { deadline: undefined as unknown as TimerHandle, done: resolve };
      this.#outgoing.set(key, outgoing);
      const transmit = () => {
        outgoing.deadline = clock.set(() => {
          if (left-- > 0) transmit();
          else this.#stop(key, false);
        }, pause);
        pause *= 2;
        send(datagram, to);
      };
      transmit();
    });
  }

  #stop(key: string, isDelivered: boolean): void {
    const outgoing = this.#outgoing.get(key);
    if (!outgoing) return;
    this.#options.clock.clear(outgoing.deadline);
    this.#outgoing.delete(key);
    outgoing.done(isDelivered);
  }

  /** An acknowledgement or a reset. */
  #settle(packet: ParsedPacket, from: Peer): void {
    const key = keyOf(from, packet.messageId);
    if (!this.#outgoing.has(key)) return;
    if (packet.ack && packet.code !== '0.00')
      this.#asked.get(keyOf(from, packet.token.toString('hex')))?.(packet);
    this.#stop(key, packet.ack);
  }

  #empty(kind: 'ack' | 'reset' | undefined, { messageId }: ParsedPacket, to: Peer): Buffer | undefined {
    if (!kind) return undefined;
    const datagram = generate({ code: '0.00', [kind]: true, messageId });
    this.#options.send(datagram, to);
    return datagram;
  }

  #nextId(): number {
    this.#messageId = (this.#messageId + 1) & 0xffff;
    return this.#messageId;
  }
}

function keyOf({ address, port }: Peer, id: number | string): string {
  return `${address} ${port} ${id}`;
}
