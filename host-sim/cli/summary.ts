import type { Figures, Trace } from '../trace/index.js';
import type { XsFigures } from '../xs/index.js';
import type { Costs, Traffic } from './costs.js';
import { type TransportCost, transportLines } from './demo-meter.js';
import type { Output } from './output.js';
import type { Cast } from './stage.js';

export interface Ending {
  scenario: string;
  trace: Trace;
  figures: Figures;
  costs: Costs;
  failures: readonly string[];
  refusedAsExpected: number;
  uart: Traffic;
  http: Traffic;
  transports: readonly TransportCost[];
  xs: XsFigures | undefined;
}

/** What must not be there at the end. */
export function leftOvers({ euicc, eim, backup }: Cast): string[] {
  const found: string[] = [];
  const kept = euicc.results.length + euicc.notifications.length;
  if (kept > 0) found.push(`${kept} results or notifications are still on the eUICC`);
  for (const { waiting, outstanding } of [...eim.devices(), ...backup.devices()]) {
    if (waiting > 0 || outstanding) found.push('orders are still open at an eIM');
  }
  return found;
}

/** The last line, or the last table. @returns whether everything went as it must */
export function summarise(ending: Ending, output: Output): boolean {
  const { scenario, trace, figures, costs, failures, refusedAsExpected, uart, http, transports, xs } = ending;
  const { queued, verified, answered, refused, rejected, notifications, profileSwitches, apdus } = figures;
  const { messages, bytesUp, bytesDown, dropped, downloads, refusedOrders } = figures;
  const ok =
    failures.length === 0 &&
    queued === verified + answered + downloads + refusedOrders &&
    refused === refusedAsExpected &&
    rejected === 0;
  trace.emit('demo', {
    event: 'summary',
    ok,
    scenario,
    failures,
    packages: { queued, verified, answered, refused, refusedAsExpected, rejected },
    downloads,
    notifications,
    profileSwitches,
    apdus,
    uartBytes: { up: uart.up, down: uart.down },
    transports,
    esipa: { messages, bytesUp, bytesDown, dropped },
    httpBytes: { up: http.up, down: http.down },
    milliseconds: Math.round(figures.last),
    steps: costs.steps,
    ...(xs && { xs }),
  });
  const line = (text = '') => output.line(text);
  line();
  for (const row of costs.lines()) line(`  ${row}`);
  line();
  for (const row of transportLines(transports, xs)) line(`  ${row}`);
  line();
  line(ok ? '■ Everything that was queued is verified and acknowledged.' : '■ The demo failed:');
  for (const failure of failures) line(`  ${failure}`);
  line();
  line(`  orders          ${queued} queued, ${verified} verified, ${answered} answered`);
  if (downloads > 0)
    line(`  downloads       ${downloads} installed, ${http.up} B up and ${http.down} B down over HTTP`);
  const more = refused === refusedAsExpected ? '' : `; refused beside them: ${refused - refusedAsExpected}`;
  line(`  refusals        ${refusedAsExpected} as they must be${more}`);
  line(`  notifications   ${notifications} delivered, ${profileSwitches} profile switches`);
  line(`  eUICC           ${apdus} APDUs, ${uart.up} characters up and ${uart.down} down the serial line`);
  line(`  ESipa           ${messages} messages, ${bytesUp} B up and ${bytesDown} B down, ${dropped} dropped`);
  if (xs) {
    line(
      `  XS ${xs.version.padEnd(13)}${xs.peakHeap} B of heap (${xs.peakSlots} slots of ${xs.slotBytes} B, ${xs.peakChunks} B in chunks), ${xs.peakStack} slots of stack`,
    );
    line(`  serial port     ${xs.serialLost} characters lost, ${xs.retries} new attempts`);
  }
  line(`  time            ${(figures.last / 1000).toFixed(1)} s`);
  return ok;
}
