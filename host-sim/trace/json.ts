import { describe, describeEs10, hex, nameOfTag } from '../asn1/index.js';
import type { TraceEvent } from '../events.js';

/**
 * An event as docs/events.md has it: bytes in upper-case hex, messages decoded beside their bytes.
 * Every value is JSON-able.
 */
export function toJson(event: TraceEvent): Record<string, unknown> {
  const { at, who } = event;
  const head = { event: event.event, at, who };
  switch (event.event) {
    case 'at':
      return { ...head, direction: event.direction, kind: event.kind, line: latin1(event.line) };
    case 'apdu': {
      const name = apduName(event.command);
      const response = event.response;
      return {
        ...head,
        function: name.name,
        ...(name.es10 ? { request: describeEs10(name.es10, 'request').value } : {}),
        ...(name.es10 && response.length > 0 ? { answer: describeEs10(response, 'response').value } : {}),
        command: hex(event.command),
        response: hex(response),
        sw: sw(event.sw),
      };
    }
    case 'esipa': {
      const described = describe(event.message, event.direction === 'up' ? 'toEim' : 'toIpa');
      return {
        ...head,
        direction: event.direction,
        eimId: event.eimId,
        message: described.name,
        tag: tag(event.tag),
        bytes: event.byteLength ?? event.message.length,
        // Of a streamed message only the beginning is there.
        ...(event.byteLength === undefined ? { decoded: described.value } : {}),
        der: hex(event.message),
      };
    }
    case 'dropped':
      return {
        ...head,
        eimId: event.eimId,
        message: tag(event.tag),
        reason: event.reason,
        count: event.count,
      };
    case 'eid':
      return { ...head, eid: hex(event.eid) };
    default:
      return { ...head, ...plain(event) };
  }
}

/** What an APDU does, for people; the ES10 request where it carries the whole of one. */
export function apduName(command: Uint8Array): { name: string; es10?: Uint8Array } {
  const data = command.length > 5 ? command.subarray(5, 5 + command[4]) : new Uint8Array(0);
  switch (command[1]) {
    case 0xe2: {
      const last = command[2] === 0x91;
      if (command[3] !== 0) return { name: last ? 'STORE DATA, last block' : 'STORE DATA, further block' };
      const tagOfData = (data[0] << 8) | data[1];
      return last
        ? { name: nameOfTag(tagOfData), es10: data }
        : { name: `${nameOfTag(tagOfData)}, first block` };
    }
    case 0xa4:
      return { name: 'SELECT' };
    case 0x70:
      return { name: command[2] === 0x80 ? 'MANAGE CHANNEL close' : 'MANAGE CHANNEL open' };
    case 0xaa:
      return { name: 'TERMINAL CAPABILITY' };
    case 0xc0:
      return { name: 'GET RESPONSE' };
    default:
      return { name: `INS ${command[1]?.toString(16).toUpperCase().padStart(2, '0')}` };
  }
}

export function sw(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, '0');
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function tag(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, '0');
}

/** A copy without `event`, `at`, `who`; bytes as hex at any depth. */
function plain(value: object): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(value)) {
    if (name !== 'event' && name !== 'at' && name !== 'who') found[name] = jsonable(entry);
  }
  return found;
}

/** Bytes become upper-case hex, big integers numbers or strings; the rest stays. */
export function jsonable(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value === 'bigint')
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (Array.isArray(value)) return value.map(jsonable);
  if (value instanceof Set) return [...value].map(jsonable);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, jsonable(entry)]));
  }
  return value;
}
