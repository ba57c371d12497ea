import { TRANSPORTS, type Transport } from '../xs/eim.js';
import type { MemoryLine } from './measure.js';
import { COMPARED, transportTitle } from './scenarios.js';

/** One scenario over one transport. */
interface Compared {
  transport: Transport;
  line: MemoryLine;
}

/** Lines of a scenario over all transports that it was measured over, MQTT first. */
export function over(scenario: string, memory: readonly MemoryLine[]): Compared[] {
  return TRANSPORTS.flatMap((transport) => {
    const name = transport === 'mqtt' ? scenario : `${scenario}-${transport}`;
    const line = memory.find((one) => one.scenario === name);
    return line ? [{ transport, line }] : [];
  });
}

/** The lines that stand for themselves: all but those beside which the same scenario was measured over MQTT. */
export function firstOf(memory: readonly MemoryLine[]): MemoryLine[] {
  const others = COMPARED.flatMap((scenario) => over(scenario, memory).slice(1)).map(({ line }) => line);
  return memory.filter((line) => !others.includes(line));
}

/** A part of docs/bench/README.md; empty where nothing was measured over two transports. */
export function byTransport(memory: readonly MemoryLine[], picture: boolean): string {
  const compared = COMPARED.filter((scenario) => over(scenario, memory).length > 1);
  if (compared.length === 0) return '';
  const rows = compared.flatMap((scenario) =>
    over(scenario, memory).map(({ transport, line }, index) =>
      [
        index === 0 ? `\`${scenario}\`` : '',
        transportTitle(transport),
        ...[line.peakHeapBytes, line.peakWithGarbageBytes, line.idleHeapBytes, line.peakStackSlots].map(
          number,
        ),
        ...[line.networkUp, line.networkDown].map(number),
        line.engineMs.toFixed(1),
      ].join(' | '),
    ),
  );
  return `## By transport
${picture ? '\n![Heap by transport](transport.svg)\n' : ''}
| Scenario | Transport | Peak B | with garbage | Idle after it | Stack slots | Network up | down | Engine ms |
|---|---|---:|---:|---:|---:|---:|---:|---:|
| ${rows.join(' |\n| ')} |

The eIM's key is pinned by its configuration (A6) where there is TLS or DTLS. Both are spoken outside of the scripts, as on a
device by mbedTLS or by the modem: **their own memory is in none of these figures**, the pinned key is. Network is the payload
of TCP and UDP, TLS and DTLS included, on a connection or session that stands; the HTTPS connection of a poll is given up 15 s
after it, so that a poll every hour begins with a handshake.

`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
