import type { OptionName, ParsedPacket } from 'coap-packet';
import type { Answer, CoapEndpoint, OptionList, Peer } from './coap-endpoint.js';

/** Transfers of one server at a time, each direction; the oldest is forgotten. */
const TRANSFERS = 1_000;
const LARGEST = 6;
const REQUEST_TAG = 292;
/** Critical options that a server of one resource understands. */
const UNDERSTOOD = new Set<string>([
  'Uri-Host',
  'Uri-Port',
  'Uri-Path',
  'Uri-Query',
  'Accept',
  'Block1',
  'Block2',
]);
/** The others that coap-packet has a name for, and nobody has to understand. */
const ELECTIVE = new Set<string>([
  'ETag',
  'Observe',
  'Location-Path',
  'Content-Format',
  'Max-Age',
  'Location-Query',
  'Hop-Limit',
  'Size2',
  'Size1',
  'No-Response',
  'OCF-Content-Format-Version',
  'OCF-Accept-Content-Format-Version',
]);

/** A request as the resource sees it. */
export interface WholeRequest {
  method: string;
  /** With a leading slash. */
  path: string;
  payload: Buffer;
  from: Peer;
}

export interface WholeAnswer {
  code: string;
  payload?: Uint8Array;
  /** Seconds for which it holds: with 5.03, in which the request is not to be repeated (RFC 7252 §5.9.3.4). */
  maxAge?: number;
}

/**
 * Block-wise transfer (RFC 7959) for a server, uploads tied together by Request-Tag (RFC 9175): the blocks of one may have
 * tokens of their own. 4.13 for a body beyond the limit, 4.08 for a block out of turn, 4.02 for critical options that are
 * unknown.
 */
export class CoapBlocks {
  readonly #limit: number;
  readonly #handle: (request: WholeRequest) => Promise<WholeAnswer>;
  readonly #uploads = new Map<string, Buffer>();
  readonly #answers = new Map<string, Answer & { payload: Buffer; etag: Buffer }>();
  #etag = 0;

  constructor(limit: number, handle: (request: WholeRequest) => Promise<WholeAnswer>) {
    this.#limit = limit;
    this.#handle = handle;
  }

  request(packet: ParsedPacket, from: Peer): Answer | Promise<Answer> {
    const path = `/${valuesOf(packet, 'Uri-Path').map(String).join('/')}`;
    const key = `${from.address} ${from.port} ${path}`;
    if (packet.options.some(({ name }) => isUnknown(name))) return { code: '4.02' };
    const block2 = uintOf(packet, 'Block2');
    if (block2 !== undefined && (block2 & 7) > LARGEST) return { code: '4.00' };
    if (block2 !== undefined && block2 >>> 4 > 0) return this.#following(key, block2);
    const block1 = uintOf(packet, 'Block1');
    const upload = this.#upload(packet, key, block1);
    if ('code' in upload) return upload;
    const whole = { method: METHODS[packet.code] ?? packet.code, path, payload: upload.body, from };
    return this.#handle(whole).then(({ code, payload, maxAge }) => {
      const first = this.#first(key, code, payload && Buffer.from(payload), block2);
      const options: OptionList = [...(first.options ?? [])];
      if (maxAge !== undefined) options.push({ name: 'Max-Age', value: uintBytes(maxAge) });
      if (block1 !== undefined) options.push({ name: 'Block1', value: uintBytes(block1 & ~8) });
      return { ...first, options };
    });
  }

  #upload(packet: ParsedPacket, peer: string, block: number | undefined): Answer | { body: Buffer } {
    const { payload } = packet;
    const tooLarge: Answer = {
      code: '4.13',
      options: [{ name: 'Size1', value: uintBytes(this.#limit) }],
    };
    if (payload.length > this.#limit || (uintOf(packet, 'Size1') ?? 0) > this.#limit) return tooLarge;
    if (block === undefined) return { body: payload };
    const size = 16 << (block & 7);
    const more = (block & 8) !== 0;
    if ((block & 7) > LARGEST || payload.length > size || (more && payload.length !== size))
      return { code: '4.00' };
    const offset = (block >>> 4) * size;
    if (offset + payload.length > this.#limit) return tooLarge;
    const key = `${peer} ${valuesOf(packet, REQUEST_TAG).map((tag) => tag.toString('hex'))}`;
    const before = offset === 0 ? Buffer.alloc(0) : this.#uploads.get(key);
    this.#uploads.delete(key);
    if (before?.length !== offset) return { code: '4.08' };
    const body = Buffer.concat([before, payload]);
    if (!more) return { body };
    keep(this.#uploads, key, body);
    return { code: '2.31', options: [{ name: 'Block1', value: uintBytes(block) }] };
  }

  #first(key: string, code: string, payload: Buffer | undefined, block: number | undefined): Answer {
    this.#answers.delete(key);
    const szx = block === undefined ? LARGEST : block & 7;
    if (!payload || (payload.length <= 16 << szx && block === undefined)) return { code, payload };
    this.#etag = (this.#etag + 1) & 0xffff;
    const answer = { code, payload, etag: Buffer.from([this.#etag >> 8, this.#etag & 255]) };
    if (payload.length > 16 << szx) keep(this.#answers, key, answer);
    return piece(answer, 0, szx);
  }

  #following(key: string, block: number): Answer {
    const answer = this.#answers.get(key);
    if (!answer || (block >>> 4) * (16 << (block & 7)) >= answer.payload.length) return { code: '4.08' };
    return piece(answer, block >>> 4, block & 7);
  }
}

/** A POST of any length to a peer, in blocks where it is longer than one. @returns the response to the last block */
export async function postInBlocks(
  endpoint: CoapEndpoint,
  to: Peer,
  path: readonly string[],
  body: Buffer,
  tag: number,
): Promise<ParsedPacket | undefined> {
  const segments: OptionList = path.map((segment) => ({ name: 'Uri-Path', value: Buffer.from(segment) }));
  if (body.length <= 1_024) return endpoint.ask(to, { code: 'POST', options: segments, payload: body });
  let szx = LARGEST;
  for (let offset = 0; ; ) {
    const size = 16 << szx;
    const more = offset + size < body.length;
    const options: OptionList = [
      ...segments,
      { name: 'Block1', value: uintBytes((offset / size) * 16 + (more ? 8 : 0) + szx) },
      ...(offset === 0 ? [{ name: 'Size1', value: uintBytes(body.length) }] : []),
      { name: `${REQUEST_TAG}`, value: uintBytes(tag) },
    ];
    const payload = body.subarray(offset, offset + size);
    const response = await endpoint.ask(to, { code: 'POST', options, payload });
    if (response?.code !== '2.31' || !more) return response;
    offset += size;
    szx = Math.min(szx, (uintOf(response, 'Block1') ?? szx) & 7);
  }
}

const METHODS: Readonly<Record<string, string>> = {
  '0.01': 'GET',
  '0.02': 'POST',
  '0.03': 'PUT',
  '0.04': 'DELETE',
};

function piece(
  { code, payload, etag }: { code: string; payload: Buffer; etag: Buffer },
  number: number,
  szx: number,
): Answer {
  const size = 16 << szx;
  const end = (number + 1) * size;
  const more = end < payload.length;
  const options: OptionList = [
    { name: 'ETag', value: etag },
    { name: 'Block2', value: uintBytes(number * 16 + (more ? 8 : 0) + szx) },
  ];
  if (number === 0) options.push({ name: 'Size2', value: uintBytes(payload.length) });
  return { code, options, payload: payload.subarray(number * size, end) };
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= TRANSFERS) return;
  const [oldest] = map.keys();
  map.delete(oldest);
}

function isUnknown(name: OptionName | number): boolean {
  const number = Number(name);
  const isCritical = Number.isNaN(number) ? !ELECTIVE.has(String(name)) : number % 2 === 1;
  return isCritical && !UNDERSTOOD.has(String(name));
}

function valuesOf(packet: ParsedPacket, name: OptionName | number): Buffer[] {
  return packet.options.filter((one) => String(one.name) === String(name)).map(({ value }) => value);
}

/** Value of an option as a number, undefined where it is absent. */
function uintOf(packet: ParsedPacket, name: OptionName): number | undefined {
  const [value] = valuesOf(packet, name);
  return value && [...value.subarray(0, 4)].reduce((sum, byte) => sum * 256 + byte, 0);
}

function uintBytes(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from(bytes);
}
