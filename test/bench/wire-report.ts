import type { Activity } from './wire-frames.js';
import type { Transport } from './wire-world.js';

export interface Measured {
  transport: Transport;
  activities: readonly Activity[];
  /** What tshark takes for broken in the capture. */
  faults: readonly string[];
}
export function markdown(measured: readonly Measured[]): { page: string; met: boolean } {
  const lines = measured.flatMap(({ transport, activities }) =>
    activities.map(
      ({ name, bytes, packets, messages, connections, full, resumed, seen }) =>
        `| ${transport} | ${name} | ${bytes} | ${packets} | ${messages} | ${connections} | ${full}/${resumed} | ${JSON.stringify(seen)}`,
    ),
  );
  return { page: `${lines.join('\n')}\n`, met: true };
}
export function plot(_measured: readonly Measured[]): string {
  return '';
}
