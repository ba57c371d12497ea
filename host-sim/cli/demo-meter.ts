import type { TraceEvent } from '../events.js';
import type { Bearer } from '../modem/bearer.js';
import type { XsFigures } from '../xs/index.js';
import type { Traffic } from './costs.js';
import type { DemoTransport } from './demo-transport.js';
import type { EimWay } from './demo-ways.js';

/** What a run took of one transport, seen from the device. */
export interface TransportCost {
  transport: DemoTransport;
  /** Which eIMs it led to. */
  eimIds: string[];
  /** Of ESipa, both ways. */
  messages: number;
  /** Bytes of these. */
  payload: Traffic;
  /** Bytes in TCP or UDP, with TLS or DTLS, without their headers and those of IP. */
  wire: Traffic;
  /** TCP connections; absent where there is no TCP. */
  connections?: number;
  /** DTLS sessions; absent where there is no DTLS. */
  sessions?: number;
  /** Absent where there is no UDP. `lost`: there was no network for them, and `wire` does not have them. */
  datagrams?: Traffic & { lost: number };
}

/** Counts what goes to and from each eIM. */
export class Meter {
  readonly #eims = new Map<string, { messages: number; up: number; down: number }>();

  take(event: TraceEvent): void {
    if (event.event !== 'esipa') return;
    const sum = this.#eims.get(event.eimId) ?? { messages: 0, up: 0, down: 0 };
    this.#eims.set(event.eimId, sum);
    sum.messages++;
    if (event.direction === 'up') sum.up += event.message.length;
    else sum.down += event.byteLength ?? event.message.length;
  }

  /** One for each transport in use. */
  costs(ways: readonly EimWay[], bearer: Bearer): TransportCost[] {
    return [...new Set(ways.map(({ transport }) => transport))].map((transport) =>
      this.#cost(
        transport,
        ways.filter((way) => way.transport === transport),
        bearer,
      ),
    );
  }

  #cost(transport: DemoTransport, ways: readonly EimWay[], bearer: Bearer): TransportCost {
    const eims = ways.map(({ eimId }) => this.#eims.get(eimId) ?? { messages: 0, up: 0, down: 0 });
    const places = new Map(ways.map(({ place }) => [JSON.stringify(place), place]));
    const crossings = [...places.values()].map(({ kind, host, port }) => bearer.crossed(kind, host, port));
    const isUdp = ways.some(({ place }) => place.kind === 'udp');
    const sessions = ways.flatMap((way) => (way.sessions ? [way.sessions()] : []));
    return {
      transport,
      eimIds: ways.map(({ eimId }) => eimId),
      messages: sum(eims, 'messages'),
      payload: { up: sum(eims, 'up'), down: sum(eims, 'down') },
      wire: { up: sum(crossings, 'up'), down: sum(crossings, 'down') },
      ...(!isUdp && { connections: sum(crossings, 'connections') }),
      ...(sessions.length > 0 && { sessions: sessions.reduce((one, other) => one + other) }),
      ...(isUdp && {
        datagrams: {
          up: sum(crossings, 'datagramsUp'),
          down: sum(crossings, 'datagramsDown'),
          lost: sum(crossings, 'datagramsLost'),
        },
      }),
    };
  }
}

/** A table for people. */
export function transportLines(costs: readonly TransportCost[], xs: XsFigures | undefined): string[] {
  const both = (traffic: Traffic | undefined) => (traffic ? `${traffic.up}/${traffic.down}` : '–');
  const count = (value: number | undefined) => (value === undefined ? '–' : String(value));
  const head = [
    'transport',
    'messages',
    'payload',
    'on the wire',
    'datagrams',
    'lost',
    'TCP',
    'DTLS',
    'heap',
  ];
  const rows = costs.map((cost) => [
    cost.transport,
    String(cost.messages),
    both(cost.payload),
    both(cost.wire),
    both(cost.datagrams),
    count(cost.datagrams?.lost),
    count(cost.connections),
    count(cost.sessions),
    count(xs?.peakHeap),
  ]);
  const table = [head, ...rows].map((row) => (xs ? row : row.slice(0, -1)));
  const widths = head.map((_name, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return [
    ...table.map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
        .join('  '),
    ),
    'payload and wire in bytes, up/down; the wire is what TCP or UDP carries, TLS or DTLS in it;',
    'TCP: connections; DTLS: sessions; lost: datagrams without a network',
  ];
}

function sum<Key extends string>(all: readonly Record<Key, number>[], key: Key): number {
  return all.reduce((total, one) => total + one[key], 0);
}
