import type { Activity } from './wire-frames.js';
import type { TlsWay } from './wire-tls.js';
import { type Transport, transports } from './wire-world.js';

export interface Measured {
  transport: Transport;
  activities: readonly Activity[];
  /** What tshark takes for broken in the capture. */
  faults: readonly string[];
}

/** In this order in the tables; the names of the marks. */
export const activities = [
  'empty poll',
  'wake-up, resumed',
  'wake-up, full handshake',
  'enable and report',
  'five packages',
  'five packages, injected',
  'wake-up, resumed, five packages',
  'download',
] as const;
type Name = (typeof activities)[number];

interface Goal {
  transport: Transport;
  activity: Name;
  most: number;
}

/** Bytes with IP headers. */
const GOALS: readonly Goal[] = [
  { transport: 'coap', activity: 'empty poll', most: 140 },
  { transport: 'coaps', activity: 'empty poll', most: 200 },
  { transport: 'mqtts', activity: 'empty poll', most: 470 },
  { transport: 'https', activity: 'wake-up, resumed', most: 2_000 },
  { transport: 'https', activity: 'wake-up, resumed, five packages', most: 9_000 },
  { transport: 'coaps', activity: 'five packages', most: 3_000 },
  { transport: 'coaps', activity: 'five packages, injected', most: 3_000 },
];

/** The C implementation onomondo-ipa for the same work, bytes with IP headers. */
const PEER: Readonly<Partial<Record<Name, { http: number; https: number }>>> = {
  'wake-up, full handshake': { http: 932, https: 2_988 },
  'enable and report': { http: 3_026, https: 9_052 },
  'five packages': { http: 10_285, https: 25_913 },
  download: { http: 20_501, https: 24_032 },
};

function of(measured: readonly Measured[], transport: Transport, name: Name): Activity | undefined {
  return measured
    .find((one) => one.transport === transport)
    ?.activities.find((activity) => activity.name === name);
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map((_name, index) => (index === 0 ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n');
}

/** What `npm run bench:wire` writes as docs/bench/wire.md. */
export function markdown(measured: readonly Measured[], ways: readonly TlsWay[]): string {
  const shown = transports.filter((transport) => measured.some((one) => one.transport === transport));
  const grid = (cell: (activity: Activity) => string) =>
    table(
      ['', ...shown],
      activities.map((name) => [
        name,
        ...shown.map((transport) => {
          const activity = of(measured, transport, name);
          return activity ? cell(activity) : '–';
        }),
      ]),
    );
  return `# Bytes on the wire

What \`npm run bench:wire\` found; it writes this page. An eIM with its real servers and the IPA on Node, on a network of their own
(\`unshare\`, a loopback with an MTU of 1500 and one TCP segment in a frame); dumpcap captures, tshark reads with the keys of the
sessions, and every figure comes from the captures. Bytes are those of IPv4 packets with all their headers, both ways, between
device and eIM (MQTT: between device and broker). A mark is a datagram in the capture, sent when nothing has followed for 300 ms.

![Bytes by activity](wire.svg)

## Bytes (packets)

${grid(({ bytes, packets }) => `${number(bytes)} (${packets})`)}

The connection or session stands, but for wake-ups: they connect, poll, do what there is to do and disconnect. The device has
polled twenty times before; a poll comes after a pause, in which Linux falls back to acknowledging at once. After an enable the
network is another one, and the connection is made anew there. The profile has 12 KB. In TCP's headers 12 bytes of each packet are
time stamps, which many devices leave out.

## Messages, connections, handshakes

${grid(({ messages, connections, full, resumed }) => `${messages} / ${connections} / ${full + resumed === 0 ? '–' : `${full} full, ${resumed} resumed`}`)}

Messages are those of CoAP (empty ones, too), MQTT, or requests and responses of HTTP; connections those of TCP, or DTLS sessions.

## Goals

${table(
  ['', 'bytes', 'at most', ''],
  GOALS.flatMap(({ transport, activity, most }) => {
    const found = of(measured, transport, activity);
    return found
      ? [
          [
            `${transport}, ${activity}`,
            number(found.bytes),
            number(most),
            found.bytes <= most ? 'met' : '**missed**',
          ],
        ]
      : [];
  }),
)}

onomondo-ipa (C) over HTTP / HTTPS: ${Object.entries(PEER)
    .map(([name, { http, https }]) => `${name} ${number(http)} / ${number(https)}`)
    .join('; ')}.

## Why TLS 1.3

${table(
  ['Bytes above TCP until both can speak', 'full', 'resumed'],
  ways.map(({ name, full, resumed }) => [
    name,
    number(full),
    resumed === undefined ? 'cannot' : number(resumed),
  ]),
)}

TLS 1.2 is smaller, most of all with session ids. But a session of TLS 1.2 that is taken up again has no forward secrecy: who gets
the server's ticket key, or its memory, reads everything that was recorded; and its certificates are in the clear. TLS 1.3 does a
new key exchange each time and costs that much more, so it is what is offered first; with a server that has no TLS 1.3 the session
of TLS 1.2 is resumed. What the client offers are suites with forward secrecy and authenticated encryption and no others. Node's
server gives two tickets in a full handshake and cannot be told to give one, and none when a session is resumed, so that a ticket is
offered again until a newer one comes (RFC 8446 C.4 advises otherwise where observers must not see that two connections belong
together; the address and the server's name tell them anyway). Tickets without the state of the server in them, as short as
session ids, Node cannot find again in TLS 1.3. Sessions are kept in memory, by server, name, trust and client certificate, for seven
days at most and no longer than the certificate that was checked; a server that does not know one any more makes a full handshake
of it.

## What was saved where

* **HTTPS**: five headers in a request (Host, Content-Length, Content-Type, X-Admin-Protocol, User-Agent), no Connection and
  Keep-Alive in either direction, which HTTP/1.1 does not need. Date stays: RFC 9110 §6.6.1 demands it of a server with a clock.
* **MQTT**: polls and their answers have QoS 0 ([why](../mqtt-binding.md)): without the two PUBACKs an empty poll is one packet there, one
  back, and an acknowledgement. Nagle's algorithm is off at both ends and in the broker, whose answer waited 40 ms for an acknowledgement.
* **CoAP**: tokens have one byte where DTLS protects. RFC 7252 §5.3.1 allows none only where responses come with the acknowledgement;
  an eIM that asks an SM-DP+ first answers separately, and a late answer must not be taken for the next one's.
* eimTransactionIds of the simulated eIM have four bytes; it sees to it that no two on their way are the same.
`;
}

const COLOURS: Readonly<Record<Transport, [light: string, dark: string]>> = {
  coap: ['#1a7f37', '#57d37c'],
  coaps: ['#57ab5a', '#2f8f4e'],
  mqtt: ['#2f6fb0', '#79b0e6'],
  mqtts: ['#8fbce6', '#3b638c'],
  https: ['#8250df', '#bc8cff'],
  'https-json': ['#c9a7f5', '#7a4fc0'],
};

const [LEFT, WIDTH, BAR, TOP] = [170, 760, 13, 40];
const SHOWN: readonly Name[] = [
  'empty poll',
  'wake-up, full handshake',
  'enable and report',
  'five packages',
  'download',
];

/** Bytes by activity as bars on a logarithmic scale. Its colours follow the reader's light or dark page. */
export function plot(measured: readonly Measured[]): string {
  const [least, most] = [100, 40_000];
  const x = (bytes: number) =>
    LEFT + (Math.log10(Math.max(bytes, least) / least) / Math.log10(most / least)) * (WIDTH - LEFT - 60);
  let y = TOP;
  const groups = SHOWN.map((name) => {
    const start = y;
    const bars = transports.flatMap((transport) => {
      const activity = of(measured, transport, name);
      if (!activity) return [];
      const line = [
        `<rect class="${transport}" x="${LEFT}" y="${y}" width="${(x(activity.bytes) - LEFT).toFixed(1)}" height="${BAR - 2}"/>`,
        `<text x="${(x(activity.bytes) + 5).toFixed(1)}" y="${y + BAR - 4}" font-size="10">${number(activity.bytes)}</text>`,
      ];
      y += BAR;
      return line;
    });
    const middle = (start + y) / 2 + 4;
    y += 14;
    return [`<text class="name" x="${LEFT - 10}" y="${middle}">${name}</text>`, ...bars].join('\n  ');
  });
  const legend = transports.map((transport, index) => {
    const at = 20 + index * 120;
    return `<rect class="${transport}" x="${at}" y="${y + 4}" width="12" height="12"/>\n  <text x="${at + 18}" y="${y + 14}">${transport}</text>`;
  });
  const style = (index: 0 | 1) =>
    transports.map((transport) => `.${transport} { fill: ${COLOURS[transport][index]}; }`).join(' ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 28}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Bytes on the wire by activity and transport">
  <style>
    .name { text-anchor: end; } text { fill: #24292f; } ${style(0)}
    @media (prefers-color-scheme: dark) { text { fill: #d0d7de; } ${style(1)} }
  </style>
  <text x="20" y="20">Bytes with IP headers, both ways; logarithmic scale</text>
  ${groups.join('\n  ')}
  ${legend.join('\n  ')}
</svg>
`;
}
