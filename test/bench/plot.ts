import type { MemoryLine } from './measure.js';
import { BUDGET, PEER } from './report.js';

const LEFT = 130;
const WIDTH = 760;
const BAR = 22;
const GAP = 14;
const TOP = 46;

/** Heap by scenario as bars, with budgets and a peer. Its colours follow the reader's light or dark page. */
export function plot(memory: readonly MemoryLine[]): string {
  const most = Math.max(BUDGET.peakHeapBytes, ...memory.map(({ peakHeapBytes }) => peakHeapBytes));
  const scale = (WIDTH - LEFT - 70) / most;
  const x = (bytes: number) => LEFT + bytes * scale;
  const bottom = TOP + memory.length * (BAR + GAP);
  const bars = memory.map((line, index) => {
    const y = TOP + index * (BAR + GAP);
    const { peakHeapBytes: peak, idleHeapBytes: idle, scenario } = line;
    const middle = y + BAR / 2 + 4;
    const peer = PEER[scenario];
    return [
      text(LEFT - 8, middle, scenario, 'name'),
      bar(y, LEFT, x(peak), 'peak'),
      bar(y, LEFT, x(Math.min(idle, peak)), 'idle'),
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
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${legend + 14}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Heap of the IPA by scenario">
  <style>
    .name { text-anchor: end; } .note { text-anchor: middle; } text { fill: #24292f; }
    .peak { fill: #8fbce6; } .idle { fill: #2f6fb0; } .budget { stroke: #b35900; stroke-dasharray: 4 3; }
    .peer { stroke: #1a7f37; stroke-width: 3; } path { fill: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #d0d7de; } .peak { fill: #3b638c; } .idle { fill: #79b0e6; }
      .budget { stroke: #f0a04b; } .peer { stroke: #57d37c; }
    }
  </style>
  ${bars.join('\n  ')}
  ${limit(BUDGET.idleHeapBytes, 'idle budget')}
  ${limit(BUDGET.peakHeapBytes, 'peak budget')}
  <rect class="idle" x="${LEFT}" y="${legend - 10}" width="12" height="12"/>
  ${text(LEFT + 18, legend, 'idle afterwards', 'value')}
  <rect class="peak" x="${LEFT + 130}" y="${legend - 10}" width="12" height="12"/>
  ${text(LEFT + 148, legend, 'peak', 'value')}
  <path class="peer" d="M${LEFT + 206} ${legend - 10}v12"/>
  ${text(LEFT + 218, legend, 'onomondo-ipa, own heap (C, without libcurl and TLS)', 'value')}
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
