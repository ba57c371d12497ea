import type { MemoryLine } from './measure.js';
import { BUDGET, DOWNLOAD_PEERS, PEER } from './report.js';
import { transportTitle } from './scenarios.js';
import { over } from './transports.js';

const LEFT = 130;
const WIDTH = 760;
const BAR = 22;
const GAP = 14;
const TOP = 46;

/** Heap by scenario as bars, with budgets and a peer. Its colours follow the reader's light or dark page. */
export function plot(memory: readonly MemoryLine[]): string {
  return bars(
    'Heap of the IPA by scenario',
    memory.map((line) => ({ label: line.scenario, line })),
  );
}

/** Heap of some scenarios over every transport. */
export function transportPlot(memory: readonly MemoryLine[]): string {
  const shown = ['empty-poll', 'enable-report', 'download-indirect-12k'].flatMap((scenario) =>
    over(scenario, memory).map(({ transport, line }, index) => ({
      label: `${index === 0 ? `${scenario}: ` : ''}${transportTitle(transport)}`,
      line,
    })),
  );
  return bars('Heap of the IPA by transport', shown, 210);
}

function bars(title: string, shown: readonly { label: string; line: MemoryLine }[], left = LEFT): string {
  const most = Math.max(BUDGET.peakHeapBytes, ...shown.map(({ line }) => line.peakHeapBytes));
  const scale = (WIDTH - left - 70) / most;
  const x = (bytes: number) => left + bytes * scale;
  const bottom = TOP + shown.length * (BAR + GAP);
  const drawn = shown.map(({ label, line }, index) => {
    const y = TOP + index * (BAR + GAP);
    const { peakHeapBytes: peak, idleHeapBytes: idle, scenario } = line;
    const middle = y + BAR / 2 + 4;
    const peer = PEER[scenario];
    return [
      text(left - 8, middle, label, 'name'),
      bar(y, left, x(peak), 'peak'),
      bar(y, left, x(Math.min(idle, peak)), 'idle'),
      text(x(peak) + 6, middle, kilobytes(peak), 'value'),
      ...(peer ? [`<path class="peer" d="M${x(peer.heapBytes).toFixed(1)} ${y - 3}v${BAR + 6}"/>`] : []),
    ].join('\n  ');
  });
  const limit = (bytes: number, label: string) =>
    [
      `<path class="budget" d="M${x(bytes).toFixed(1)} ${TOP - 10}V${bottom}"/>`,
      text(x(bytes), TOP - 16, `${label} ${kilobytes(bytes)}`, 'note'),
    ].join('\n  ');
  const legend = bottom + 22;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${legend + 14}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">
  <style>
    .name { text-anchor: end; } .note { text-anchor: middle; } text { fill: #24292f; }
    .peak { fill: #8fbce6; } .idle { fill: #2f6fb0; } .budget { stroke: #b35900; stroke-dasharray: 4 3; }
    .peer { stroke: #1a7f37; stroke-width: 3; } path { fill: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #d0d7de; } .peak { fill: #3b638c; } .idle { fill: #79b0e6; }
      .budget { stroke: #f0a04b; } .peer { stroke: #57d37c; }
    }
  </style>
  ${drawn.join('\n  ')}
  ${limit(BUDGET.idleHeapBytes, 'idle budget')}
  ${limit(BUDGET.peakHeapBytes, 'peak budget')}
  <rect class="idle" x="${left}" y="${legend - 10}" width="12" height="12"/>
  ${text(left + 18, legend, 'idle afterwards', 'value')}
  <rect class="peak" x="${left + 130}" y="${legend - 10}" width="12" height="12"/>
  ${text(left + 148, legend, 'peak', 'value')}
  <path class="peer" d="M${left + 206} ${legend - 10}v12"/>
  ${text(left + 218, legend, 'onomondo-ipa, own heap (C, without libcurl and TLS)', 'value')}
</svg>
`;
}

/** Heap of downloads against the size of the profile, beside peers. */
export function downloadPlot(memory: readonly MemoryLine[]): string {
  const lines = memory.filter(({ profileBytes }) => profileBytes);
  const [width, height, left, bottom] = [760, 300, 60, 250];
  const most = 160 * 1024;
  const x = (bytes: number) =>
    left + 30 + (Math.log10(bytes / 10_000) / Math.log10(60)) * (width - left - 110);
  const y = (bytes: number) => bottom - (bytes / most) * (bottom - 30);
  const at = (value: number) => value.toFixed(1);
  const steps = [0, 40, 80, 120, 160].map((kilo) =>
    [
      `<path class="grid" d="M${left} ${at(y(kilo * 1024))}H${width - 20}"/>`,
      text(left - 30, y(kilo * 1024) + 4, `${kilo} KB`, 'note'),
    ].join('\n  '),
  );
  const ways = ['direct', 'indirect'].map((way) => {
    const own = lines.filter(({ scenario }) => scenario.includes(`-${way}-`));
    const points = own.map((line) => `${at(x(line.profileBytes ?? 0))},${at(y(line.peakHeapBytes))}`);
    const dots = points.map((point) => {
      const [cx, cy] = point.split(',');
      return `<circle class="${way}" cx="${cx}" cy="${cy}" r="4"/>`;
    });
    return [`<polyline class="${way}" points="${points.join(' ')}"/>`, ...dots].join('\n  ');
  });
  const sizes = [...new Set(lines.map(({ profileBytes = 0 }) => profileBytes))].map((bytes) =>
    text(x(bytes), bottom + 18, `${bytes / 1000} KB`, 'note'),
  );
  const peers = DOWNLOAD_PEERS.map(({ name, packageBytes, heapBytes }) =>
    [
      `<circle class="peer" cx="${at(x(packageBytes))}" cy="${at(y(heapBytes))}" r="5"/>`,
      text(x(packageBytes) + 10, y(heapBytes) + 4, `${name} ${kilobytes(heapBytes)}, own heap (C)`, 'value'),
    ].join('\n  '),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Heap of a download by size of the profile">
  <style>
    .note { text-anchor: middle; } text { fill: #24292f; } .grid { stroke: #d0d7de; }
    .direct { stroke: #2f6fb0; } .indirect { stroke: #8250df; } polyline { fill: none; stroke-width: 2; }
    circle.direct { fill: #2f6fb0; } circle.indirect { fill: #8250df; } .peer { fill: #1a7f37; }
    .budget { stroke: #b35900; stroke-dasharray: 4 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #d0d7de; } .grid { stroke: #444c56; } .direct { stroke: #79b0e6; } .indirect { stroke: #bc8cff; }
      circle.direct { fill: #79b0e6; } circle.indirect { fill: #bc8cff; } .peer { fill: #57d37c; } .budget { stroke: #f0a04b; }
    }
  </style>
  ${steps.join('\n  ')}
  <path class="budget" d="M${left} ${at(y(BUDGET.downloadHeapBytes))}H${width - 20}"/>
  ${text(width - 70, y(BUDGET.downloadHeapBytes) - 6, `budget ${kilobytes(BUDGET.downloadHeapBytes)}`, 'note')}
  ${ways.join('\n  ')}
  ${peers.join('\n  ')}
  ${sizes.join('\n  ')}
  <circle class="direct" cx="${left + 8}" cy="${bottom + 36}" r="4"/>
  ${text(left + 18, bottom + 40, 'xs-ipa, directly', 'value')}
  <circle class="indirect" cx="${left + 138}" cy="${bottom + 36}" r="4"/>
  ${text(left + 148, bottom + 40, 'xs-ipa, through the eIM', 'value')}
</svg>
`;
}

function bar(y: number, from: number, to: number, kind: string): string {
  return `<rect class="${kind}" x="${from}" y="${y}" width="${(to - from).toFixed(1)}" height="${BAR}"/>`;
}

function text(x: number, y: number, content: string, kind: string): string {
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y}">${content}</text>`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KB`;
}
