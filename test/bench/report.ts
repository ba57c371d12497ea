import type { MemoryLine } from './measure.js';
import type { FlashLine, PartsLine } from './parts.js';
import type { Scenario } from './scenarios.js';
import { byTransport, firstOf } from './transports.js';

/** Issue-wide limits in bytes and slots. */
export const BUDGET = {
  peakHeapBytes: 32_768,
  idleHeapBytes: 20_480,
  peakStackSlots: 300,
  downloadHeapBytes: 40_960,
  /** Between the peaks of downloads of different sizes. */
  downloadSpreadBytes: 2_048,
  /** Of the least characters that a package needs: its load, and the whole download. */
  load: 1.001,
  download: 1.2,
};

/** Own heap of C implementations for a Bound Profile Package of 12.5 KB, on x86-64, without the libraries under them. */
export const DOWNLOAD_PEERS = [
  { name: 'onomondo-ipa', packageBytes: 12_530, heapBytes: 152 * 1024 },
  { name: 'lpac', packageBytes: 12_530, heapBytes: 55 * 1024 },
];

/**
 * The C implementation onomondo-ipa, same work on x86-64: peak of its own heap, without libcurl, TLS and other libraries,
 * which add 205 KB (HTTP) to 622 KB (HTTPS); commands to the card.
 */
export const PEER: Readonly<Record<string, { heapBytes: number; apdus: number }>> = {
  'empty-poll': { heapBytes: 7_200, apdus: 10 },
  'enable-report': { heapBytes: 8_000, apdus: 18 },
  'five-packages': { heapBytes: 10_300, apdus: 50 },
};

export interface BenchResult {
  version: string;
  memory: readonly MemoryLine[];
  parts: readonly PartsLine[];
  flash: readonly FlashLine[];
}

/** What `npm run bench` writes as docs/bench/README.md. */
export function markdown(
  { version, memory: all, parts, flash }: BenchResult,
  scenarios: readonly Scenario[],
): string {
  const titles = new Map(scenarios.map(({ name, title }) => [name, title]));
  titles.set('bring-up', 'from power-up: modem, eUICC, association, broker, first poll');
  const memory = firstOf(all);
  const slotBytes = memory[0]?.slotBytes ?? 16;
  const peers = memory.filter(({ scenario }) => PEER[scenario]);
  return `# Bench

What \`npm run bench\` found; it writes this page. The whole IPA (AT client, procedures, link to the eIM: MQTT unless said otherwise) on the XS engine
${version} with the heap (94,208 B) and the stack (384 slots) of Moddable's ESP32-C3, a 115200 baud serial port to the
simulated modem, a real broker, real signatures. Le is capped at 48 as for the [boards](../boards.md), STORE DATA has 255
bytes. Heap is what is alive, slots and chunks, above the freshly booted machine.
${slotBytes === 16 ? '' : `\n**These figures are of a 64-bit host: slots take ${slotBytes} bytes instead of 16 and are not a device's.**\n`}
![Heap](heap.svg)

## Heap and stack

${table(
  ['Scenario', 'Peak B', 'with garbage', 'Idle after it', 'Growth', 'Stack slots'],
  memory.map((line) => [
    `\`${line.scenario}\` ${titles.get(line.scenario) ?? ''}`,
    verdict(line.peakHeapBytes, peakBudget(line)),
    number(line.peakWithGarbageBytes),
    verdict(line.idleHeapBytes, BUDGET.idleHeapBytes),
    number(line.growthBytes),
    verdict(line.peakStackSlots, BUDGET.peakStackSlots),
  ]),
)}

Budget: ${number(BUDGET.peakHeapBytes)} B at the peak, ${number(BUDGET.downloadHeapBytes)} B of a download, ${number(BUDGET.idleHeapBytes)} B idle, ${BUDGET.peakStackSlots} slots of stack; figures in bold are above it. A long scenario's peak
is of its first and last 20 polls; garbage is of all of them.

## On the wires

${table(
  [
    'Scenario',
    'APDUs',
    'exchanges',
    'with Le 256',
    'UART up',
    'down',
    'least possible',
    'of it',
    'lost',
    'Network up',
    'down',
    'Engine ms',
  ],
  memory.map((line) => {
    const uart = line.uartUp + line.uartDown;
    return [
      `\`${line.scenario}\``,
      number(line.apdus),
      number(line.exchanges),
      number(line.exchangesUncapped),
      number(line.uartUp),
      number(line.uartDown),
      number(line.uartLeast),
      line.uartLeast > 0 ? (uart / line.uartLeast).toFixed(3) : '',
      number(line.uartLost),
      number(line.networkUp),
      number(line.networkDown),
      line.engineMs.toFixed(1),
    ];
  }),
)}

APDUs are commands as the IPA means them, exchanges those that go to the card, with every GET RESPONSE. Least possible are
the characters that the same ES10 calls take in the same AT command and pieces, both ways, and nothing else on the line; the
rest opens channels after a card reset and asks the modem for card, registration and operator. Network is TCP's payload,
MQTT included. Engine is processor time on the computer that ran this; a device takes 30 to 100 times as long.

${downloads(memory)}${byTransport(all, true)}## Beside a peer

${table(
  ['', 'xs-ipa heap B', 'onomondo-ipa own heap B', 'xs-ipa APDUs / exchanges (Le 256)', 'onomondo-ipa APDUs'],
  peers.map((line) => [
    `\`${line.scenario}\``,
    number(line.peakHeapBytes),
    number(PEER[line.scenario].heapBytes),
    `${line.apdus} / ${line.exchangesUncapped}`,
    number(PEER[line.scenario].apdus),
  ]),
)}

The peer's heap is its own, on x86-64; libcurl and TLS add 205 to 622 KB to it. Ours has the MQTT client in it, no TLS. Its
eUICC and notifications are not ours: with the certificates that SGP.22 wants in each of them, the notifications of
\`enable-report\` alone take 10 exchanges of 256 bytes.

## Where the bytes are

The idle device, by what it took to make its parts:

${table(
  ['Part', 'B'],
  parts.filter(({ by }) => by === 'made').map(({ part, heapBytes }) => [part, number(heapBytes)]),
)}

and by what is alive:

${table(
  ['', 'Objects', 'B'],
  parts
    .filter(({ by }) => by === 'alive')
    .map(({ part, count, heapBytes }) => [part, count === undefined ? '' : number(count), number(heapBytes)]),
)}

## Flash

${table(
  ['Bytecode of', 'B'],
  flash.map(({ part, bytecodeBytes }) => [
    part === 'program' ? 'the measured program' : part,
    number(bytecodeBytes),
  ]),
)}

Beside it ${number(flash[0]?.slots ?? 0)} slots of preloaded objects in flash, of which ${number(flash[0]?.aliases ?? 0)} may be changed and take four bytes of RAM each.
`;
}

function peakBudget({ scenario, profileBytes }: MemoryLine): number {
  if (profileBytes) return BUDGET.downloadHeapBytes;
  return scenario === 'bring-up' ? Number.POSITIVE_INFINITY : BUDGET.peakHeapBytes;
}

/** Characters of a download with Le uncapped. */
export function uncapped({ uartUp, uartDown, uartLeast, uartLeastUncapped }: MemoryLine): number {
  return uartUp + uartDown - uartLeast + uartLeastUncapped;
}

function downloads(memory: readonly MemoryLine[]): string {
  const lines = memory.filter(({ profileBytes }) => profileBytes);
  if (lines.length === 0) return '';
  const ratio = (value: number, limit: number) =>
    value > limit ? `**${value.toFixed(3)}**` : value.toFixed(3);
  return `## Downloads

![Heap by size of the profile](download.svg)

${table(
  [
    'Scenario',
    'Peak B',
    'Load, characters',
    'of the least',
    'whole download, Le 48',
    'of the least',
    'Le 256',
    'Engine ms per exchange',
    'Line ms per exchange',
  ],
  lines.map((line) => [
    `\`${line.scenario}\``,
    verdict(line.peakHeapBytes, BUDGET.downloadHeapBytes),
    number(line.uartLoad),
    ratio(line.uartLoad / line.uartLoadLeast, BUDGET.load),
    number(line.uartUp + line.uartDown),
    ratio((line.uartUp + line.uartDown) / line.uartLoadLeastUncapped, BUDGET.download),
    ratio(uncapped(line) / line.uartLoadLeastUncapped, BUDGET.download),
    (line.engineMs / line.exchanges).toFixed(2),
    ((line.uartUp + line.uartDown) / 11.52 / line.exchanges).toFixed(1),
  ]),
)}

Peaks of different sizes are at most ${number(spread(lines))} B apart. The SM-DP+ is reached over plain HTTP on loopback: TLS is not
in these figures. The line runs at 3,000,000 baud here, since the largest profile takes two minutes at 115,200; nothing else
of it is different. Line ms is what the same characters take at 115,200 baud, without the modem's and the card's own time.

The least for the load is that of ES8+ chains in STORE DATA of 255 bytes, and the final GET RESPONSE; its first ratio is at
the same Le. The last two compare everything that went over the line, from the trigger to the removal of the notification,
with the load's least at Le 256. AuthenticateServer and PrepareDownload with their certificates and signatures have the same
size for every profile; for a package of 12 KB they alone take it beyond ${BUDGET.download.toFixed(2)}.

`;
}

/** Between the peaks of downloads that differ in their size alone; the larger of both ways. */
export function spread(lines: readonly MemoryLine[]): number {
  const ways = ['-direct-', '-indirect-'].map((way) =>
    lines.filter(({ scenario }) => scenario.includes(way)).map(({ peakHeapBytes }) => peakHeapBytes),
  );
  return Math.max(...ways.map((peaks) => (peaks.length > 0 ? Math.max(...peaks) - Math.min(...peaks) : 0)));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n');
}

function verdict(value: number, limit: number): string {
  return value > limit ? `**${number(value)}**` : number(value);
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
