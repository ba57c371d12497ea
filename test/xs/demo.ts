import type { TransportCost } from '../../host-sim/cli/demo-meter.js';
import { xsIpa } from '../program.js';

/** The event `summary` of the demo (docs/events.md), as far as tests look at it. */
export interface Summary {
  ok: boolean;
  failures: string[];
  packages: Record<string, number>;
  downloads: number;
  notifications: number;
  profileSwitches: number;
  apdus: number;
  esipa: { messages: number };
  transports: TransportCost[];
  steps: {
    title: string;
    apdus: number;
    uart: Traffic;
    esipa: Traffic;
    http: Traffic;
    peakHeap?: number;
    keptHeap?: number;
    peakStack?: number;
  }[];
  xs?: Record<string, number>;
}

interface Traffic {
  up: number;
  down: number;
}

/** Runs `xs-ipa demo --json`. @throws Error with its last lines when it ends without a summary */
export async function demo(
  ...parameters: string[]
): Promise<{ code: number; summary: Summary; lines: string[] }> {
  const program = xsIpa('demo', '--json', ...parameters);
  const code = await program.ended();
  const { lines } = program;
  const last = lines.filter((line) => line.startsWith('{"event":"summary"')).pop();
  if (last === undefined) throw new Error(`no summary:\n${lines.slice(-20).join('\n')}`);
  return { code, summary: JSON.parse(last) as Summary, lines };
}
