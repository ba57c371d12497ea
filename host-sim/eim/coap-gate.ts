import type { RemoteInfo } from 'node:dgram';
import { generate, type NamedOption, type ParsedPacket, parse } from 'coap-packet';

/** Uploads of one server that are watched at a time; the oldest is forgotten. */
const UPLOADS = 1_000;
/** Critical options that the server understands: Uri-*, Accept, Block1 and Block2. */
const UNDERSTOOD = new Set(['Uri-Host', 'Uri-Port', 'Uri-Path', 'Uri-Query', 'Accept', 'Block1', 'Block2']);
/** Those that coap-packet has a name for, and a server need not understand. */
const ELECTIVE = new Set([
  'ETag',
  'Observe',
  'Location-Path',
  'Content-Format',
  'Max-Age',
  'Location-Query',
  'Size2',
  'Size1',
  'No-Response',
  'OCF-Content-Format-Version',
  'OCF-Accept-Content-Format-Version',
]);

/** Where an upload goes on; a retransmission has the message id of the block before. */
interface Upload {
  next: number;
  messageId: number;
}

/**
 * What stands before the CoAP server: answers what must not reach it, so that its memory is bounded and uploads are whole
 * (RFC 7959 §2.9): 4.13 for a body beyond the limit, 4.08 for a block out of turn, 4.02 for critical options that are unknown.
 */
export class CoapGate {
  readonly #limit: number;
  readonly #send: (bytes: Buffer, to: RemoteInfo) => void;
  readonly #uploads = new Map<string, Upload>();

  constructor(limit: number, send: (bytes: Buffer, to: RemoteInfo) => void) {
    this.#limit = limit;
    this.#send = send;
  }

  /** May this datagram go on to the server? If not, it is answered, or ignored where it is none. */
  admits(bytes: Buffer, from: RemoteInfo): boolean {
    let packet: ParsedPacket;
    try {
      packet = parse(bytes);
    } catch {
      return false;
    }
    if (!packet.code.startsWith('0.') || packet.code === '0.00' || packet.ack || packet.reset) return true;
    const refusal = this.#refusal(packet, from);
    if (!refusal) return true;
    const { messageId, token, confirmable } = packet;
    this.#send(generate({ ...refusal, ack: confirmable, messageId, token }, 1_152), from);
    return false;
  }

  #refusal(packet: ParsedPacket, from: RemoteInfo): { code: string; options?: NamedOption[] } | undefined {
    const { options = [], payload, messageId } = packet;
    for (const { name } of options) {
      const number = Number(name);
      const isCritical = Number.isNaN(number) ? !ELECTIVE.has(String(name)) : number % 2 === 1;
      if (isCritical && !UNDERSTOOD.has(String(name))) return { code: '4.02' };
    }
    const tooLarge = {
      code: '4.13',
      options: [{ name: 'Size1', value: uintBytes(this.#limit) } as NamedOption],
    };
    if (payload.length > this.#limit || (uint(packet, 'Size1') ?? 0) > this.#limit) return tooLarge;
    const block = uint(packet, 'Block1');
    if (block === undefined) return undefined;
    const size = 16 << (block & 7);
    const more = (block & 8) !== 0;
    if ((block & 7) === 7 || (more && payload.length !== size)) return { code: '4.00' };
    const offset = (block >>> 4) * size;
    if (offset + payload.length > this.#limit) return tooLarge;
    const key = `${from.address} ${from.port} ${packet.token.toString('hex')}`;
    const upload = this.#uploads.get(key);
    const isAgain = upload?.messageId === messageId;
    if (!isAgain && offset > 0 && upload?.next !== offset) return { code: '4.08' };
    this.#uploads.delete(key);
    this.#uploads.set(key, { next: offset + payload.length, messageId });
    if (this.#uploads.size > UPLOADS) {
      const [oldest] = this.#uploads.keys();
      this.#uploads.delete(oldest);
    }
    return undefined;
  }
}

function uint(packet: ParsedPacket, name: string): number | undefined {
  const option = packet.options?.find((one) => one.name === name);
  if (!option) return undefined;
  return [...(option.value as Buffer)].reduce((sum, byte) => sum * 256 + byte, 0);
}

function uintBytes(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from(bytes);
}
